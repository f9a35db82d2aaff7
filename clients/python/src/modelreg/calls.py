"""What a statement is, and how a call of one of the server's functions is built.

Arguments that are None are left out of the call, so that the server's defaults hold. All are cast
to what they are meant as, so that the adapters that a caller's connection has do not matter.
"""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar

from modelreg.errors import InvalidArgumentError
from modelreg.types import as_text

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


# ---- Values ----


def json_text(value: Any, what: str) -> str:
    """The value as JSON; numpy's numbers and arrays are taken for what they hold.

    Raises InvalidArgumentError for what JSON cannot say, NaN and infinity included.
    """
    try:
        return json.dumps(value, default=_plain, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(f"{what} cannot be written as JSON: {error}") from error


def _plain(value: Any) -> Any:
    to_list = getattr(value, "tolist", None)  # numpy's arrays and numbers, torch's tensors
    if callable(to_list) and not isinstance(value, type):
        return to_list()
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def metrics_text(metrics: Mapping[str, Any], what: str = "performance_metrics") -> str:
    """Metrics as JSON, each a finite number."""
    if not callable(getattr(metrics, "items", None)):
        raise InvalidArgumentError(f"{what} is a dict, not a {type(metrics).__name__}")
    numbers: dict[str, float] = {}
    for name, value in metrics.items():
        try:
            number = float(value)
        except (TypeError, ValueError) as error:
            raise InvalidArgumentError(f'{what}: "{name}" is not a number') from error
        except OverflowError as error:
            raise InvalidArgumentError(f'{what}: "{name}" is too large') from error
        if not math.isfinite(number):
            raise InvalidArgumentError(
                f'{what}: "{name}" is {number}',
                hint="JSON knows finite numbers only: leave this metric out.",
            )
        numbers[name] = number
    return json_text(numbers, what)


def text(value: str | enum.Enum, what: str) -> str:
    """The value as text that can be sent. Raises InvalidArgumentError if it is none."""
    try:
        result = as_text(value)
    except TypeError as error:
        raise InvalidArgumentError(f"{what}: {error}") from error
    try:
        result.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(f"{what} has characters that UTF-8 has not: {error}") from error
    return result


def text_list(values: Iterable[str], what: str) -> list[str]:
    """The values as a list of texts. A text alone is refused: it would be one of its letters."""
    if isinstance(values, str):
        raise InvalidArgumentError(f"{what} is a list of texts, not the text {values!r}")
    return [text(value, what) for value in values]


def aware(value: datetime, what: str) -> datetime:
    """The instant; without a time zone it is local time, and not that of the server's session."""
    if not isinstance(value, datetime):
        raise InvalidArgumentError(f"{what} is a datetime, not a {type(value).__name__}")
    if value.tzinfo is not None:
        return value
    try:
        # pandas's Timestamp cannot do that by itself.
        return datetime.combine(value.date(), value.time()).astimezone()
    except (OverflowError, ValueError, OSError) as error:
        raise InvalidArgumentError(f"{what} is out of range: {error}") from error


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
