"""All SQL of the client, and how its rows become objects.

A function makes a Statement: a query, its parameters, and what makes a result of the rows. How it
is run, with or without await, is the caller's business. Results are selected as plain types, so
that the adapters that a caller's connection has do not matter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from modelreg.calls import Row, Statement, call
from modelreg.types import (
    Alias,
    AuditEvent,
    ChainVerification,
    DeploymentStage,
    FileEntry,
    ModelVersion,
    UploadStatus,
    Verification,
    as_text,
)
from modelreg.values import text_list

__all__ = ["Row", "Statement"]

INLINE_SIZE = 1024 * 1024
"""Artifacts up to so many bytes go in one call, with their metadata; larger ones stream."""

PIECE_SIZE = 256 * 1024
"""Bytes in a row of a download."""


# ---- Rows ----

_MODEL_VERSION = (
    "model_id, model_name, model_type, version, version_number,"
    " least(created_at, '9999-12-31 00:00+00') AT TIME ZONE 'UTC',"
    " registered_at AT TIME ZONE 'UTC', registered_by, checksum, artifact_size,"
    " model_config::text, training_metadata::text, dataset_version, parent_ids,"
    " deployment_stage::text, deployed_at AT TIME ZONE 'UTC', performance_metrics::text,"
    " tags, notes, properties::text, file_count, owner::text"
)
_VERSION_WIDTH = 22


def _json(text: str) -> Any:
    """What a jsonb value says. Its numbers may have more digits than Python makes an int of."""
    return json.loads(text, parse_int=_number)


def _number(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:
        return float(digits)


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=timezone.utc)


def version_from_row(row: Row) -> ModelVersion:
    """The version of a row that has the columns in _MODEL_VERSION first."""
    metrics = _json(row[16])
    return ModelVersion(
        model_id=row[0],
        model_name=row[1],
        model_type=row[2],
        version=row[3],
        version_number=row[4],
        created_at=_utc(row[5]),
        registered_at=_utc(row[6]),
        registered_by=row[7],
        checksum=row[8],
        artifact_size=row[9],
        model_config=_json(row[10]),
        training_metadata=_json(row[11]),
        dataset_version=row[12],
        parent_ids=row[13],
        deployment_stage=DeploymentStage(row[14]),
        deployed_at=None if row[15] is None else _utc(row[15]),
        performance_metrics={name: float(value) for name, value in metrics.items()},
        tags=row[17],
        notes=row[18],
        properties=_json(row[19]),
        file_count=row[20],
        owner=row[21],
    )


def _versions(rows: Sequence[Row]) -> list[ModelVersion]:
    return [version_from_row(row) for row in rows]


def _version(rows: Sequence[Row]) -> ModelVersion:
    return version_from_row(rows[0])


def _version_or_none(rows: Sequence[Row]) -> ModelVersion | None:
    return version_from_row(rows[0]) if rows else None


def _version_and_bytes(rows: Sequence[Row]) -> tuple[ModelVersion, bytes | None] | None:
    return (version_from_row(rows[0]), rows[0][_VERSION_WIDTH]) if rows else None


def _nothing(rows: Sequence[Row]) -> None:
    return None


def _value(rows: Sequence[Row]) -> Any:
    return rows[0][0]


_SELECT_VERSION = f"SELECT {_MODEL_VERSION} FROM {{}}"

# ---- Registering ----


def register(artifact: bytes, arguments: Mapping[str, Any]) -> Statement[ModelVersion]:
    """Register these bytes; the arguments are modelreg_register's."""
    return call(
        _SELECT_VERSION,
        "modelreg_register",
        {"artifact": artifact, **arguments},
        _version,
        changes=True,
    )


def check_registration(arguments: Mapping[str, Any]) -> Statement[None]:
    """Have the server refuse arguments before any byte is sent. It reserves nothing."""
    return call("SELECT FROM {}", "modelreg_check_registration", arguments, _nothing)


def register_upload(upload_id: str, arguments: Mapping[str, Any]) -> Statement[ModelVersion]:
    """Register what was uploaded."""
    return call(
        _SELECT_VERSION,
        "modelreg_register_upload",
        {"upload_id": upload_id, **arguments},
        _version,
        changes=True,
    )


def register_files(
    paths: Sequence[str], upload_ids: Sequence[str], arguments: Mapping[str, Any]
) -> Statement[ModelVersion]:
    """Register uploads as one version, a directory of files."""
    return call(
        _SELECT_VERSION,
        "modelreg_register_files",
        {"paths": paths, "upload_ids": upload_ids, **arguments},
        _version,
        changes=True,
    )


def find_registration(
    arguments: Mapping[str, Any], checksum: str, seconds: float
) -> Statement[ModelVersion | None]:
    """The version that a registration with these arguments made in the last seconds, or None.

    For when the connection was lost while it ran.
    """
    params = {
        "model_name": as_text(arguments.get("model_name") or arguments["model_type"]),
        "version": arguments.get("version"),
        "checksum": checksum,
        "seconds": seconds,
    }
    query = (
        f"SELECT {_MODEL_VERSION} FROM modelreg.model_version"
        " WHERE model_name = %(model_name)s::text AND checksum = %(checksum)s::text"
        " AND registered_by = current_user"
        " AND (%(version)s::text IS NULL OR version = %(version)s::text)"
        " AND registered_at >= clock_timestamp() - make_interval(secs => %(seconds)s::float8)"
        " ORDER BY version_number DESC LIMIT 1"
    )
    return Statement(query.encode(), params, _version_or_none)


def upload_begin(expected_size: int | None) -> Statement[str]:
    """Begin an upload; the result is its id."""
    # 0 is what an empty file has, and the server refuses as an announcement.
    return call(
        "SELECT {}::text",
        "modelreg_upload_begin",
        {"expected_size": expected_size or None},
        _value,
        changes=True,
    )


def upload_append(upload_id: str, data: bytes | memoryview, byte_offset: int) -> Statement[int]:
    """Append a part; the result is how many bytes the upload holds then."""
    return Statement(
        b"SELECT modelreg_upload_append(upload_id => %(upload_id)s::uuid, data => %(data)b,"
        b" byte_offset => %(byte_offset)s::int8)",
        {"upload_id": upload_id, "data": data, "byte_offset": byte_offset},
        _value,
        True,
        True,
    )


def upload_status(upload_id: str) -> Statement[UploadStatus]:
    """How far an upload is."""

    def parse(rows: Sequence[Row]) -> UploadStatus:
        held, expected, by, at, last, expires = rows[0]
        return UploadStatus(
            held, expected, by, _utc(at), _utc(last), None if expires is None else _utc(expires)
        )

    return call(
        "SELECT bytes_held, expected_size, created_by, created_at AT TIME ZONE 'UTC',"
        " last_append_at AT TIME ZONE 'UTC', expires_at AT TIME ZONE 'UTC' FROM {}",
        "modelreg_upload_status",
        {"upload_id": upload_id},
        parse,
    )


def upload_abort(upload_id: str) -> Statement[None]:
    """End an upload without registering it."""
    return call(
        "SELECT {} IS NULL",
        "modelreg_upload_abort",
        {"upload_id": upload_id},
        _nothing,
        changes=True,
    )


# ---- Finding and loading ----


def _filters(
    model_type: Any = None,
    deployment_stage: Any = None,
    min_performance: Mapping[str, float] | None = None,
    tags: Iterable[str] | None = None,
    model_name: str | None = None,
    version: str | None = None,
    max_performance: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    return {
        "model_type": model_type,
        "deployment_stage": deployment_stage,
        "min_performance": min_performance,
        "tags": tags,
        "model_name": model_name,
        "version": version,
        "max_performance": max_performance,
    }


def find_latest(**filters: Any) -> Statement[ModelVersion | None]:
    """The newest version that passes the filters."""
    return call(_SELECT_VERSION, "modelreg_find_latest", _filters(**filters), _version_or_none)


def _with_bytes(verify: bool) -> str:
    """Selects a version, and its bytes if they are few."""
    return (
        f"SELECT {_MODEL_VERSION}, CASE WHEN artifact_size <= {INLINE_SIZE} AND file_count = 0"
        f" THEN modelreg_load(model_id, verify_checksum => {'true' if verify else 'false'}) END"
        " FROM {}"
    )


def load_latest(
    verify: bool, **filters: Any
) -> Statement[tuple[ModelVersion, bytes | None] | None]:
    """The newest version that passes the filters, with its bytes if they are few."""
    return call(
        _with_bytes(verify), "modelreg_find_latest", _filters(**filters), _version_and_bytes
    )


def load(model_id: str, verify: bool) -> Statement[tuple[ModelVersion, bytes | None] | None]:
    """One version, with its bytes if they are few."""
    return call(_with_bytes(verify), "modelreg_info", {"model_id": model_id}, _version_and_bytes)


def load_alias(
    model_name: str, alias: str, verify: bool
) -> Statement[tuple[ModelVersion, bytes | None] | None]:
    """The version that an alias names, with its bytes if they are few."""
    return call(
        _with_bytes(verify),
        "modelreg_resolve",
        {"model_name": model_name, "alias": alias},
        _version_and_bytes,
    )


def list_page(
    max_rows: int | None, before_id: str | None, **filters: Any
) -> Statement[list[ModelVersion]]:
    """A page of the versions that pass the filters, newest first."""
    return call(
        _SELECT_VERSION,
        "modelreg_list",
        {**_filters(**filters), "max_rows": max_rows, "before_id": before_id},
        _versions,
    )


def info(model_id: str) -> Statement[ModelVersion | None]:
    """One version, or None."""
    return call(_SELECT_VERSION, "modelreg_info", {"model_id": model_id}, _version_or_none)


def resolve(model_name: str, alias: str) -> Statement[ModelVersion | None]:
    """The version that an alias names, or None."""
    return call(
        _SELECT_VERSION,
        "modelreg_resolve",
        {"model_name": model_name, "alias": alias},
        _version_or_none,
    )


def files(model_id: str) -> Statement[list[FileEntry]]:
    """The files of a version that is a directory, by path; none for any other."""

    def parse(rows: Sequence[Row]) -> list[FileEntry]:
        return [FileEntry(path, size, digest) for path, size, digest in rows]

    return Statement(
        b"SELECT path, artifact_size, encode(sha256, 'hex') FROM modelreg.version_file"
        b' WHERE model_id = %(model_id)s::text ORDER BY path COLLATE "C"',
        {"model_id": model_id},
        parse,
    )


def download(
    model_id: str, byte_offset: int, path: str | None = None, *, server_verifies: bool = True
) -> Statement[None]:
    """A COPY of the bytes from an offset on, in rows of one bytea; for Cursor.copy and rows().

    `path` is one file of a version that is a directory. The server verifies what it sends as
    modelreg.verify_checksums says in the session; server_verifies false switches that off to the
    end of the transaction, so it is for a transaction that is this statement.
    """
    select = "SELECT {}"
    if not server_verifies:
        select += " FROM set_config('modelreg.verify_checksums', 'off', true)"
    return call(
        f"COPY ({select}) TO STDOUT (FORMAT binary)",
        "modelreg_download",
        {"model_id": model_id, "byte_offset": byte_offset, "piece_size": PIECE_SIZE, "path": path},
        _nothing,
    )


# ---- Comparing ----

Comparison = tuple[
    str, str, str, str, "float | None", "int | None", "float | None", "bool | None", "bool | None"
]
"""metric, model_id, version, stage, value, rank, delta to the first, is best, higher is better"""


def compare(model_ids: Sequence[str], metrics: Sequence[str] | None) -> Statement[list[Comparison]]:
    """Metrics of versions, a row for each metric and version."""

    def parse(rows: Sequence[Row]) -> list[Comparison]:
        return [(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8]) for r in rows]

    return call(
        "SELECT metric, model_id, version, deployment_stage::text, value, rank, delta, is_best,"
        " higher_is_better FROM {}",
        "modelreg_compare",
        {"model_ids": model_ids, "metrics": metrics},
        parse,
    )


def versions(model_ids: Sequence[str]) -> Statement[list[ModelVersion]]:
    """These versions, in any order; those that do not exist are not among them."""
    return Statement(
        f"SELECT {_MODEL_VERSION} FROM modelreg.model_version"
        " WHERE model_id = ANY (%(model_ids)s::text[])".encode(),
        {"model_ids": text_list(model_ids, "model_ids")},
        _versions,
    )


# ---- Changing ----


def update_stage(model_id: str, new_stage: Any, reason: str | None) -> Statement[ModelVersion]:
    """Move a version to another stage."""
    return call(
        _SELECT_VERSION,
        "modelreg_update_stage",
        {"model_id": model_id, "new_stage": new_stage, "reason": reason},
        _version,
        changes=True,
    )


def update(model_id: str, **arguments: Any) -> Statement[ModelVersion]:
    """Change notes, tags, performance_metrics or properties; None leaves alone."""
    return call(
        _SELECT_VERSION,
        "modelreg_update",
        {"model_id": model_id, **arguments},
        _version,
        changes=True,
    )


def delete(model_id: str, force: bool, reason: str | None) -> Statement[None]:
    """Delete a version."""
    return call(
        "SELECT {} IS NULL",
        "modelreg_delete",
        {"model_id": model_id, "force": force, "reason": reason},
        _nothing,
        changes=True,
    )


def set_alias(model_id: str, alias: str, reason: str | None) -> Statement[Alias]:
    """Set an alias, or move it."""
    return call(
        f"SELECT {_ALIAS} FROM {{}}",
        "modelreg_set_alias",
        {"model_id": model_id, "alias": alias, "reason": reason},
        lambda rows: _alias(rows[0]),
        changes=True,
    )


def reassign(from_role: str, to_role: str, reason: str | None) -> Statement[int]:
    """Give a role's versions and uploads to another; the result is how many."""
    return call(
        "SELECT {}",
        "modelreg_reassign",
        {"from_role": from_role, "to_role": to_role, "reason": reason},
        _value,
        changes=True,
    )


def drop_alias(model_name: str, alias: str, reason: str | None) -> Statement[bool]:
    """Drop an alias; False: there was none."""
    return call(
        "SELECT {}",
        "modelreg_drop_alias",
        {"model_name": model_name, "alias": alias, "reason": reason},
        _value,
        changes=True,
    )


_ALIAS = "alias, model_id, set_at AT TIME ZONE 'UTC', set_by"


def _alias(row: Row) -> Alias:
    return Alias(row[0], row[1], _utc(row[2]), row[3])


def aliases(model_name: str) -> Statement[list[Alias]]:
    """The aliases of a model."""
    return Statement(
        f"SELECT {_ALIAS} FROM modelreg.model_alias WHERE model_key ="
        " (SELECT model_key FROM modelreg.model WHERE model_name = %(model_name)s::text)"
        ' ORDER BY alias COLLATE "C"'.encode(),
        {"model_name": as_text(model_name)},
        lambda rows: [_alias(row) for row in rows],
    )


def cleanup(keep_production: bool, model_name: str | None) -> Statement[int]:
    """Delete excess versions and unused bytes; the result is how many versions went."""
    return call(
        "CALL {}",
        "modelreg_cleanup",
        {"keep_production": keep_production, "model_name": model_name},
        _value,
        changes=True,
    )


# ---- Looking back ----


def history(
    model_name: str | None, model_id: str | None, since: datetime | None
) -> Statement[list[AuditEvent]]:
    """The audit trail, oldest first."""

    def parse(rows: Sequence[Row]) -> list[AuditEvent]:
        return [
            AuditEvent(
                seq=row[0],
                at=_utc(row[1]),
                event=row[2],
                model_name=row[3],
                model_id=row[4],
                session_user=row[5],
                actor=row[6],
                client=_json(row[7]) if row[7] is not None else {},
                old_values=None if row[8] is None else _json(row[8]),
                new_values=None if row[9] is None else _json(row[9]),
                reason=row[10] or "",
                hash=row[11],
            )
            for row in rows
        ]

    return call(
        "SELECT seq, at AT TIME ZONE 'UTC', event, model_name, model_id, session_user_name, actor,"
        " client::text, old_values::text, new_values::text, reason, encode(hash, 'hex') FROM {}",
        "modelreg_history",
        {"model_name": model_name, "model_id": model_id, "since": since},
        parse,
    )


def verify(model_id: str | None) -> Statement[list[Verification]]:
    """Compare stored bytes with their SHA-256: of one version, or all that is stored."""
    return call(
        "SELECT model_id, ok, expected, actual, problem FROM {}",
        "modelreg_verify",
        {"model_id": model_id},
        lambda rows: [Verification(*row) for row in rows],
    )


def audit_verify(model_name: str | None) -> Statement[list[ChainVerification]]:
    """Verify the audit trail of one model, or all of it."""
    return call(
        "SELECT model_name, events, ok, first_bad_seq, problem FROM {}",
        "modelreg_audit_verify",
        {"model_name": model_name},
        lambda rows: [ChainVerification(*row) for row in rows],
    )


# ---- Settings ----

ModelSettings = tuple[bool, bool, dict[str, Any]]
"""Whether the model exists, whether the caller may change it, and what holds for it."""


def model_settings(model_name: str) -> Statement[ModelSettings]:
    """A model's max_versions, auto_cleanup and require_metadata, by default the server's."""

    def parse(rows: Sequence[Row]) -> ModelSettings:
        exists, may_change, max_versions, auto_cleanup, require_metadata = rows[0]
        return (
            exists,
            may_change,
            {
                "max_versions": max_versions,
                "auto_cleanup": auto_cleanup,
                "require_metadata": require_metadata,
            },
        )

    query = (
        "SELECT m.model_key IS NOT NULL, pg_has_role('modelreg_admin', 'USAGE'),"
        " coalesce(m.max_versions, current_setting('modelreg.max_versions', true)::int),"
        " coalesce(m.auto_cleanup, current_setting('modelreg.auto_cleanup', true)::bool),"
        " coalesce(m.require_metadata, current_setting('modelreg.require_metadata', true)::bool)"
        " FROM (SELECT) AS one LEFT JOIN modelreg.model AS m ON m.model_name = %(model_name)s::text"
    )
    return Statement(query.encode(), {"model_name": model_name}, parse)


def create_model(model_name: str, **arguments: Any) -> Statement[None]:
    """Create a model with settings of its own."""
    return call(
        "SELECT FROM {}",
        "modelreg_create_model",
        {"model_name": model_name, **arguments},
        _nothing,
        changes=True,
    )


def update_model(model_name: str, **arguments: Any) -> Statement[None]:
    """Change a model's settings."""
    return call(
        "SELECT FROM {}",
        "modelreg_update_model",
        {"model_name": model_name, **arguments},
        _nothing,
        changes=True,
    )


def get_setting(name: str) -> Statement[str | None]:
    """The value of a setting in this session; None if it is not known."""
    return Statement(b"SELECT current_setting(%(name)s::text, true)", {"name": name}, _value)


def set_local(name: str, value: str | None) -> Statement[str]:
    """Give a setting a value to the end of the transaction; None is the one it had at first."""
    return Statement(
        b"SELECT set_config(%(name)s::text, %(value)s::text, true)",
        {"name": name, "value": value},
        _value,
    )
