"""What the server would refuse is refused before the first byte is sent, and before all else."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cli_case import REFUSED, USAGE, Run
from conftest import METRICS, Roles
from modelreg import (
    AlreadyExistsError,
    AsyncModelRegistry,
    InvalidArgumentError,
    ModelregError,
    ModelRegistry,
    NotAllowedError,
    NotFoundError,
    RegistryConfig,
)

pytest_plugins = ["cli_case"]

MB = 1024 * 1024

Register = Callable[..., Any]

# What is wrong, and what it is refused with.
WRONG: dict[str, tuple[dict[str, Any], type[ModelregError]]] = {
    "version": ({"version": "one"}, InvalidArgumentError),
    "version that is there": ({"version": "1.0.0"}, AlreadyExistsError),
    "parent": ({"parent_ids": ["nobody"]}, NotFoundError),
    "no metric": ({"performance_metrics": {}}, InvalidArgumentError),
    "stage": ({"deployment_stage": "nowhere"}, InvalidArgumentError),
    "name": ({"model_name": "n" * 300}, InvalidArgumentError),
    "tag": ({"tags": [""]}, InvalidArgumentError),
    # Little to send, and more than 16 MB when the server writes out the digits.
    "configuration": ({"model_config": {"x": [1e300] * 60_000}}, InvalidArgumentError),
}


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(os.urandom(3 * MB))
    return path


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "directory"
    path.mkdir()
    (path / "a").write_bytes(b"a")
    (path / "b").write_bytes(os.urandom(2 * MB))
    return path


@pytest.fixture(params=["sync", "async"])
def register(request: pytest.FixtureRequest, large: Path, directory: Path) -> Register:
    """Registers an object, bytes, a file and a directory, and returns what that raised."""
    seen: list[int] = []
    kinds = {
        "register_model": os.urandom(3 * MB),
        "register_bytes": os.urandom(3 * MB),
        "register_file": large,
        "register_directory": directory,
    }

    def attempt(dsn: str, kind: str, **metadata: Any) -> Any:
        options = {"progress": lambda done, total: seen.append(done), **metadata}
        if request.param == "sync":
            with ModelRegistry(dsn) as registry:
                return getattr(registry, kind)(kinds[kind], "x", **options)

        async def work() -> Any:
            async with AsyncModelRegistry(dsn) as registry:
                return await getattr(registry, kind)(kinds[kind], "x", **options)

        return asyncio.run(work())

    def register(dsn: str, error: type[ModelregError], **metadata: Any) -> None:
        for kind in kinds:
            with pytest.raises(error) as caught:
                attempt(dsn, kind, **metadata)
            assert caught.value.upload_id is None, kind
            assert seen == [], kind

    return register


def state(sql: psycopg.Connection[Any]) -> Any:
    """All that a registration could leave behind, if it is refused late."""
    return sql.execute(
        "SELECT (SELECT count(*) FROM modelreg.upload), (SELECT count(*) FROM modelreg.chunk),"
        " (SELECT count(*) FROM modelreg.model), (SELECT count(*) FROM modelreg.model_version),"
        " (SELECT count(*) FROM modelreg.audit_event)"
    ).fetchone()


@pytest.mark.parametrize("wrong", WRONG)
def test_refused_at_once(
    register: Register,
    registry: ModelRegistry,
    dsn: str,
    model: str,
    sql: psycopg.Connection[Any],
    wrong: str,
) -> None:
    metadata = {"model_name": model, "performance_metrics": METRICS}
    registry.register_bytes(b"x", "x", version="1.0.0", **metadata)
    given, error = WRONG[wrong]
    before = state(sql)
    register(dsn, error, **{**metadata, **given})
    assert state(sql) == before
    with pytest.raises(error) as checked:
        registry.check_registration("x", **{**metadata, **given})
    with pytest.raises(error) as registered:
        registry.register_bytes(b"y", "x", **{**metadata, **given})
    assert str(checked.value) == str(registered.value)
    assert checked.value.sqlstate == registered.value.sqlstate


def test_not_allowed(
    register: Register, dsn: str, model: str, roles: Roles, sql: psycopg.Connection[Any]
) -> None:
    before = state(sql)
    metadata = {"model_name": model, "performance_metrics": METRICS}
    register(f"{dsn} user={roles.reader}", NotAllowedError, **metadata)
    metadata["deployment_stage"] = "production"
    register(f"{dsn} user={roles.writer}", NotAllowedError, **metadata)
    assert state(sql) == before


def test_name_of_a_model_as_parent(
    register: Register, registry: ModelRegistry, dsn: str, model: str
) -> None:
    metadata = {"model_name": model, "performance_metrics": METRICS}
    newest = registry.register_bytes(b"x", "x", **metadata)
    register(dsn, NotFoundError, parent_ids=[model], **metadata)
    with pytest.raises(NotFoundError, match=re.escape(newest.model_id)):
        registry.check_registration("x", parent_ids=[model], **metadata)


def test_nothing_is_reserved(
    registry: ModelRegistry, dsn: str, model: str, sql: psycopg.Connection[Any], large: Path
) -> None:
    """A check changes nothing, may be made anywhere, and promises nothing."""
    metadata = {"model_name": model, "performance_metrics": METRICS}
    before = state(sql)
    for _ in range(3):
        registry.check_registration("x", version="1.0.0", **metadata)
    with psycopg.connect(dsn) as connection:
        connection.read_only = True
        ModelRegistry(connection).check_registration("x", **metadata)
    assert state(sql) == before

    def progress(done: int, total: int) -> None:
        if done < 2 * MB:
            registry.register_bytes(b"x", "x", version="1.0.0", **metadata)

    with ModelRegistry(dsn) as other, pytest.raises(AlreadyExistsError) as caught:
        other.register_file(large, "x", version="1.0.0", progress=progress, **metadata)
    assert caught.value.upload_id is not None
    version = other.register_file(
        large, "x", version="1.0.1", resume=caught.value.upload_id, **metadata
    )
    assert version.version == "1.0.1"
    other.close()


def test_settings_of_the_model_count(dsn: str, model: str, large: Path) -> None:
    with ModelRegistry(dsn, RegistryConfig(require_metadata=False)) as registry:
        version = registry.register_file(large, "x", model_name=model)
        assert version.performance_metrics == {}


def test_callers_transaction(dsn: str, model: str, large: Path, directory: Path) -> None:
    """What the transaction has made itself counts."""
    metadata = {"model_name": model, "performance_metrics": METRICS}
    with psycopg.connect(dsn) as connection:
        registry = ModelRegistry(connection)
        parent = registry.register_bytes(b"x", "x", version="1.0.0", **metadata)
        registry.register_file(large, "x", parent_ids=[parent.model_id], **metadata)
        with pytest.raises(AlreadyExistsError):
            registry.register_directory(directory, "x", version="1.0.0", **metadata)
        connection.rollback()
        assert registry.list_versions(model_name=model) == []


def test_push(
    run: Run, model: str, sql: psycopg.Connection[Any], large: Path, directory: Path
) -> None:
    run("push", "large", "--name", model, "--metric", "a=1", "--version", "1.0.0")
    before = state(sql)
    for path in ("large", "directory"):
        for arguments, code in (
            (["--metric", "a=1", "--version", "1.0.0"], REFUSED),
            (["--metric", "a=1", "--version", "one"], USAGE),
            ([], USAGE),
        ):
            done = run("push", path, "--name", model, *arguments, code=code)
            assert "--upload-id" not in done.stderr
    assert state(sql) == before
