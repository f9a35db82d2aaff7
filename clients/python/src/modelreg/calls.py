"""What a statement is, and how a call of one of the server's functions is built.

Arguments that are None are left out of the call, so that the server's defaults hold. All are cast
to what they are meant as, so that the adapters that a caller's connection has do not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

from modelreg.values import aware, json_text, metrics_text, text, text_list

T = TypeVar("T")
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Statement(Generic[T]):
    """A query with its parameters, to be run for binary results; parse makes the result of them.

    prepare is psycopg's argument: None lets psycopg prepare what is run often. Where `changes` is
    false, the query can be run again if the connection was lost.
    """

    query: bytes
    params: Mapping[str, Any]
    parse: Callable[[Sequence[Row]], T]
    prepare: bool | None = None
    changes: bool = False


_CASTS = {
    "performance_metrics": "jsonb",
    "min_performance": "jsonb",
    "max_performance": "jsonb",
    "model_config": "jsonb",
    "training_metadata": "jsonb",
    "properties": "jsonb",
    "anchor": "jsonb",
    "tags": "text[]",
    "parent_ids": "text[]",
    "model_ids": "text[]",
    "metrics": "text[]",
    "paths": "text[]",
    "reset": "text[]",
    "upload_ids": "uuid[]",
    "upload_id": "uuid",
    "created_at": "timestamptz",
    "since": "timestamptz",
    "max_rows": "int4",
    "batch_size": "int4",
    "max_versions": "int4",
    "piece_size": "int4",
    "byte_offset": "int8",
    "length": "int8",
    "expected_size": "int8",
    "verify_checksum": "bool",
    "force": "bool",
    "keep_production": "bool",
    "exclusive_production": "bool",
    "auto_cleanup": "bool",
    "require_metadata": "bool",
    "artifact": "bytea",
    "data": "bytea",
}


def _adapt(name: str, value: Any) -> Any:
    """The value of an argument, in a form that psycopg sends as it is meant."""
    cast = _CASTS.get(name)
    if name in ("performance_metrics", "min_performance", "max_performance"):
        return metrics_text(value, name)
    if cast == "jsonb":
        return json_text(value, name)
    if cast == "text[]":
        return text_list(value, name)
    if cast == "timestamptz":
        return aware(value, name)
    if cast is None:
        return text(value, name)
    return value


def check(arguments: Mapping[str, Any]) -> None:
    """Raises InvalidArgumentError for what call() would refuse."""
    for name, value in arguments.items():
        if value is not None:
            _adapt(name, value)


@lru_cache(maxsize=512)
def _call_text(function: str, names: tuple[str, ...]) -> str:
    arguments = ", ".join(
        f"{name} => %({name})b::bytea"
        if _CASTS.get(name) == "bytea"
        else f"{name} => %({name})s::{_CASTS.get(name, 'text')}"
        for name in names
    )
    return f"{function}({arguments})"


def call(
    select: str,
    function: str,
    arguments: Mapping[str, Any],
    parse: Callable[[Sequence[Row]], T],
    *,
    changes: bool = False,
    prepare: bool | None = None,
) -> Statement[T]:
    """A statement that calls the function; in `select`, {} stands for the call."""
    params = {name: _adapt(name, value) for name, value in arguments.items() if value is not None}
    query = select.format(_call_text(function, tuple(params)))
    return Statement(query.encode(), params, parse, prepare, changes)
