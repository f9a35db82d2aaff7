"""Reading and changing single models and versions by name, on an open connection.

What is not there is MLflow's RESOURCE_DOES_NOT_EXIST, in the words of its SQL store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST
from psycopg import errors as pg
from psycopg.types.json import Jsonb

from .database import Connection
from .entities import (
    ALIASES,
    EMPTY_PROPERTY,
    MODEL_COLUMNS,
    VERSION_COLUMNS,
    model_version,
    registered_model,
)
from .times import DESCRIBED_PROPERTY, ms

_MAX_VERSION = 2**31 - 1


def no_model(name: str) -> MlflowException:
    return MlflowException(f"Registered Model with name={name} not found", RESOURCE_DOES_NOT_EXIST)


def no_version(name: str, number: int) -> MlflowException:
    return MlflowException(
        f"Model Version (name={name}, version={number}) not found", RESOURCE_DOES_NOT_EXIST
    )


def possible(number: int) -> bool:
    return 0 < number <= _MAX_VERSION


def model_key(connection: Connection, name: str) -> Any:
    row = connection.execute(
        "SELECT model_key FROM modelreg.model WHERE model_name = %s", (name,)
    ).fetchone()
    if row is None:
        raise no_model(name)
    return row[0]


def model_id(connection: Connection, name: str, number: int) -> str:
    row = None
    if possible(number):
        row = connection.execute(
            "SELECT v.model_id"
            " FROM modelreg.model AS m JOIN modelreg.model_version AS v USING (model_key)"
            " WHERE m.model_name = %s AND v.version_number = %s",
            (name, number),
        ).fetchone()
    if row is None:
        raise no_version(name, number)
    return str(row[0])


def model(connection: Connection, name: str) -> RegisteredModel:
    row = connection.execute(
        f"SELECT {MODEL_COLUMNS} FROM modelreg.model AS m WHERE m.model_name = %s", (name,)
    ).fetchone()
    if row is None:
        raise no_model(name)
    return registered_model(row, latest_versions(connection, [row[0]]).get(row[0], ()))


def version(connection: Connection, name: str, number: int) -> ModelVersion:
    row = None
    if possible(number):
        row = connection.execute(
            f"SELECT {VERSION_COLUMNS}, {ALIASES}"
            " FROM modelreg.model AS m JOIN modelreg.model_version AS v USING (model_key)"
            " WHERE m.model_name = %s AND v.version_number = %s",
            (name, number),
        ).fetchone()
    if row is None:
        raise no_version(name, number)
    return model_version(row, row[-1])


def latest_versions(
    connection: Connection, keys: Sequence[Any], *, with_aliases: bool = False
) -> dict[Any, list[ModelVersion]]:
    """Of each model the newest version in each of MLflow's stages, oldest first."""
    if not keys:
        return {}
    # One descent of an index for each model and stage, however many versions there are.
    aliases = ALIASES if with_aliases else "'{}'::text[]"
    rows = connection.execute(
        f"SELECT {VERSION_COLUMNS}, {aliases}, v.model_key"
        " FROM modelreg.model AS m JOIN unnest(%s::uuid[]) AS k(model_key) USING (model_key)"
        " CROSS JOIN unnest(enum_range(NULL::modelreg.deployment_stage)) AS s(stage)"
        " CROSS JOIN LATERAL (SELECT * FROM modelreg.model_version AS l"
        " WHERE l.model_key = k.model_key AND l.deployment_stage = s.stage"
        " ORDER BY l.version_number DESC LIMIT 1) AS v"
        " ORDER BY v.version_number",
        (list(keys),),
    ).fetchall()
    latest: dict[Any, dict[str, ModelVersion]] = {}
    for row in rows:
        version = model_version(row, row[-2])
        by_stage = latest.setdefault(row[-1], {})
        stage = str(version.current_stage)
        by_stage.pop(stage, None)
        by_stage[stage] = version
    return {key: list(by_stage.values()) for key, by_stage in latest.items()}


def change_model(connection: Connection, name: str, **changes: Any) -> None:
    arguments = "".join(f", {key} => %s" for key in changes)
    try:
        connection.execute(
            f"SELECT FROM modelreg_update_model(model_name => %s{arguments})",
            (name, *changes.values()),
        )
    except pg.UndefinedObject:
        raise no_model(name) from None


def change_version(connection: Connection, name: str, number: int, **changes: Any) -> None:
    found = model_id(connection, name, number)
    arguments = "".join(f", {key} => %s" for key in changes)
    try:
        connection.execute(
            f"SELECT FROM modelreg_update(model_id => %s{arguments})",
            (found, *changes.values()),
        )
    except pg.UndefinedObject:
        raise no_version(name, number) from None


def describe_model(connection: Connection, name: str, description: str | None) -> None:
    """Gives a model a description, or none."""
    row = connection.execute(
        "SELECT description FROM modelreg.model WHERE model_name = %s", (name,)
    ).fetchone()
    properties = _described(connection, description, row)
    change_model(connection, name, description=description or "", properties=Jsonb(properties))


def describe_version(
    connection: Connection, name: str, number: int, description: str | None
) -> None:
    """Gives a version a description, or none."""
    found = model_id(connection, name, number)
    row = connection.execute(
        "SELECT notes FROM modelreg.model_version WHERE model_id = %s", (found,)
    ).fetchone()
    properties = _described(connection, description, row)
    change_version(connection, name, number, notes=description or "", properties=Jsonb(properties))


def _described(
    connection: Connection, description: str | None, present: tuple[Any, ...] | None
) -> dict[str, Any]:
    """The properties to change with a description."""
    properties: dict[str, Any] = {EMPTY_PROPERTY: True if description == "" else None}
    if present is not None and present[0] == (description or ""):
        properties[DESCRIBED_PROPERTY] = now_ms(connection)
    return properties


def now_ms(connection: Connection) -> int:
    """The server's time in ms since 1970."""
    row = connection.execute(f"SELECT {ms('clock_timestamp()')}").fetchone()
    assert row is not None
    return int(row[0])
