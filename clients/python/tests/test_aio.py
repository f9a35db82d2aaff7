"""AsyncModelRegistry, and its watch."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from meddling import damage
from modelreg import (
    AlreadyExistsError,
    AsyncModelRegistry,
    ChecksumError,
    ConfigurationError,
    DeploymentStage,
    InvalidArgumentError,
    ModelRegistry,
    ModelVersion,
    NotAllowedError,
    NotFoundError,
    RegistryConfig,
    UntrustedError,
)

WAIT = 60.0  # seconds until a test gives up
METRICS = {"f1_score": 0.9}
LARGE = 5_000_000


def run(work: Awaitable[Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, WAIT))  # type: ignore[arg-type]


@pytest.fixture
def large() -> bytes:
    """Bytes that take several parts, and that nobody else has."""
    return os.urandom(LARGE)


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait for what no event tells of."""
    ends = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < ends, what
        await asyncio.sleep(0.01)


# ---- Registering and loading ----


def test_objects(dsn: str, model: str) -> None:
    async def work() -> None:
        async with AsyncModelRegistry(dsn) as registry:
            version = await registry.register_model(
                {"weights": [1, 2]}, "test", "1.0.0", METRICS, tags=["a"], model_name=model
            )
            assert (version.version, version.serializer, version.tags) == ("1.0.0", "pickle", ["a"])
            assert await registry.load_model(version.model_id) == {"weights": [1, 2]}
            loaded = await registry.load_latest_model(model_name=model, with_version=True)
            assert loaded == ({"weights": [1, 2]}, version)
            assert await registry.load_latest_model(model_name=model, tags=["b"]) is None
            assert await registry.get_model_info(version.model_id) == version
            assert await registry.get_model_info("nowhere") is None
            with pytest.raises(NotFoundError):
                await registry.load_model("nowhere")
            with pytest.raises(AlreadyExistsError):
                await registry.register_model(1, "test", "1.0.0", METRICS, model_name=model)
            with pytest.raises(UntrustedError):
                await registry.load_model(version.model_id, trusted=set())

    run(work())


def test_as_the_other_registry_has_it(
    dsn: str, model: str, registry: ModelRegistry, tmp_path: Path, large: bytes
) -> None:
    """What one registers, the other reads; with the same fields."""
    (tmp_path / "model.bin").write_bytes(large)

    async def work() -> None:
        async with AsyncModelRegistry(dsn) as other:
            theirs = [
                await other.register_model(large, "test", None, METRICS, model_name=model),
                await other.register_bytes(
                    large, "test", performance_metrics=METRICS, model_name=model
                ),
                await other.register_file(
                    tmp_path / "model.bin", "test", performance_metrics=METRICS, model_name=model
                ),
            ]
            ours = [
                registry.register_model(large, "test", None, METRICS, model_name=model),
                registry.register_bytes(
                    large, "test", performance_metrics=METRICS, model_name=model
                ),
                registry.register_file(
                    tmp_path / "model.bin", "test", performance_metrics=METRICS, model_name=model
                ),
            ]
            for a, b in zip(theirs, ours, strict=True):
                assert a.checksum == b.checksum == hashlib.sha256(large).hexdigest()
                assert a.properties == b.properties
                assert registry.load_model(a.model_id) == large
                assert await other.load_model(b.model_id) == large
                assert await other.load_bytes(b.model_id) == large
            assert await other.list_versions(model_name=model) == registry.list_versions(
                model_name=model
            )
            assert await other.list_versions(model_name=model, max_rows=1) == [ours[-1]]
            assert await other.find_latest(model_name=model) == ours[-1]
            frame = await other.list_models(model_name=model)
            assert frame.equals(registry.list_models(model_name=model))
            ids = [version.model_id for version in ours]
            assert (await other.compare_models(ids)).equals(registry.compare_models(ids))
            await other.set_alias(ids[0], "champion")
            assert await other.resolve(model, "champion") == ours[0]
            assert await other.load_model(f"{model}@champion") == large
            assert await other.list_aliases(model) == registry.list_aliases(model)
            moved = await other.update_deployment_stage(ids[0], DeploymentStage.STAGING)
            assert moved == registry.get_model_info(ids[0])

    run(work())


def test_directory(dsn: str, model: str, tmp_path: Path, large: bytes) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "MLmodel").write_text("flavors: {}")
    (source / "sub" / "weights").write_bytes(large)
    (source / "sub" / "empty").touch()

    async def work() -> None:
        async with AsyncModelRegistry(dsn) as registry:
            version = await registry.register_directory(
                source, "test", performance_metrics=METRICS, model_name=model
            )
            assert version.file_count == 3
            assert [file.path for file in await registry.list_files(version.model_id)] == [
                "MLmodel",
                "sub/empty",
                "sub/weights",
            ]
            assert await registry.load_bytes(version.model_id, "sub/weights") == large
            assert await registry.load_bytes(version.model_id, "sub/empty") == b""
            place = await registry.download(version.model_id, tmp_path / "copy")
            assert (place / "MLmodel").read_text() == "flavors: {}"
            assert (place / "sub" / "weights").read_bytes() == large
            assert (place / "sub" / "empty").read_bytes() == b""
            single = await registry.download(version.model_id, tmp_path / "one", path="MLmodel")
            assert single.read_text() == "flavors: {}"
            assert sorted(entry.name for entry in tmp_path.iterdir()) == ["copy", "one", "source"]

    run(work())


def test_file_like(dsn: str, model: str, tmp_path: Path, large: bytes) -> None:
    (tmp_path / "model.bin").write_bytes(large)

    async def work() -> None:
        async with AsyncModelRegistry(dsn) as registry:
            with (tmp_path / "model.bin").open("rb") as file:
                version = await registry.register_file(
                    file, "test", performance_metrics=METRICS, model_name=model
                )
            assert await registry.load_bytes(version.model_id) == large

    run(work())


def test_resume(
    dsn: str, model: str, registry: ModelRegistry, sql: Any, tmp_path: Path, large: bytes
) -> None:
    (tmp_path / "model.bin").write_bytes(large)
    upload_id = registry.begin_upload(len(large))
    sql.execute("SELECT modelreg_upload_append(%s, %b)", [upload_id, large[:1_500_000]])
    seen: list[int] = []

    async def work() -> None:
        async with AsyncModelRegistry(dsn) as other:
            version = await other.register_file(
                tmp_path / "model.bin",
                "test",
                performance_metrics=METRICS,
                model_name=model,
                resume=upload_id,
                progress=lambda done, total: seen.append(done),
            )
            assert version.checksum == hashlib.sha256(large).hexdigest()
            # A download goes on as well
            part = tmp_path / f".copy.bin.{version.checksum[:16]}.part"
            part.write_bytes(large[:2_000_000])
            seen.clear()
            place = await other.download(
                version.model_id,
                tmp_path / "copy.bin",
                resume=True,
                progress=lambda done, total: seen.append(done),
            )
            assert place.read_bytes() == large
            assert seen[0] == 2_000_000
            assert not part.exists()

    run(work())
    assert seen[-1] == len(large)


def test_damage(dsn: str, model: str, sql: psycopg.Connection[Any], tmp_path: Path) -> None:
    async def work() -> None:
        async with AsyncModelRegistry(dsn) as registry:
            small = await registry.register_model("x" * 1000, "test", None, METRICS)
            large = await registry.register_bytes(
                os.urandom(LARGE), "test", performance_metrics=METRICS
            )
            damage(sql)
            for version in (small, large):
                with pytest.raises(ChecksumError):
                    await registry.load_model(version.model_id)
                with pytest.raises(ChecksumError):
                    await registry.download(version.model_id, tmp_path / "model")
            assert len(await registry.load_bytes(large.model_id, verify_checksum=False)) == LARGE
            assert list(tmp_path.iterdir()) == []
            # The connection is as good as before
            await registry.list_versions()

    run(work())
    sql.execute("SELECT modelreg_delete_model('test', force => true)")
    sql.execute("CALL modelreg_cleanup()")


def test_settings(dsn: str, model: str) -> None:
    async def work() -> None:
        config = RegistryConfig(max_versions=2, auto_cleanup=True, enable_compression="none")
        async with AsyncModelRegistry(dsn, config) as registry:
            for number in range(4):
                await registry.register_model(number, "test", None, METRICS, model_name=model)
            assert len(await registry.list_versions(model_name=model)) == 2
        async with AsyncModelRegistry(config=RegistryConfig(registry_root=dsn)) as registry:
            assert len(await registry.list_versions(model_name=model)) == 2
        with pytest.raises(ConfigurationError):
            AsyncModelRegistry(dsn, RegistryConfig(registry_root=dsn))

    run(work())


def test_rights(dsn: str, model: str, roles: Any) -> None:
    async def work() -> None:
        async with AsyncModelRegistry(f"{dsn} user={roles.reader}") as registry:
            with pytest.raises(NotAllowedError):
                await registry.register_model(1, "test", None, METRICS, model_name=model)
            with pytest.raises(NotAllowedError):
                await registry.register_bytes(
                    bytes(LARGE), "test", performance_metrics=METRICS, model_name=model
                )
            assert await registry.list_versions(model_name=model) == []

    run(work())


# ---- Sources ----


def test_callers_transaction(dsn: str, model: str, registry: ModelRegistry, large: bytes) -> None:
    async def work() -> None:
        connection = await psycopg.AsyncConnection.connect(dsn)
        async with connection:
            other = AsyncModelRegistry(connection)
            await connection.execute("SELECT 1")
            for data in (b"small", large):
                version = await other.register_bytes(
                    data, "test", performance_metrics=METRICS, model_name=model
                )
                assert await other.load_bytes(version.model_id) == data
                assert registry.get_model_info(version.model_id) is None
            await connection.rollback()
            assert registry.list_versions(model_name=model) == []

            kept = await other.register_bytes(
                large, "test", performance_metrics=METRICS, model_name=model
            )
            await connection.commit()
            assert registry.load_bytes(kept.model_id) == large
            await other.close()
            assert not connection.closed

    run(work())


def test_pool(dsn: str, model: str, large: bytes) -> None:
    psycopg_pool = pytest.importorskip("psycopg_pool")

    async def work() -> None:
        async with psycopg_pool.AsyncConnectionPool(
            dsn, min_size=1, max_size=3, open=False
        ) as pool:
            registry = AsyncModelRegistry(pool)
            versions = await asyncio.gather(
                *(
                    registry.register_bytes(
                        large + bytes([number]),
                        "test",
                        performance_metrics=METRICS,
                        model_name=model,
                    )
                    for number in range(5)
                )
            )
            assert sorted(version.version_number for version in versions) == [1, 2, 3, 4, 5]
            loaded = await asyncio.gather(
                *(registry.load_bytes(version.model_id) for version in versions)
            )
            assert [data[-1] for data in loaded] == [0, 1, 2, 3, 4]
            async with pool.connection() as connection:
                assert not connection.autocommit

    run(work())


def test_tasks_share_a_connection(dsn: str, model: str, large: bytes) -> None:
    async def work() -> None:
        async with AsyncModelRegistry(dsn) as registry:
            versions = await asyncio.gather(
                *(
                    registry.register_model(large, "test", None, METRICS, model_name=model)
                    for _ in range(3)
                )
            )
            for data in await asyncio.gather(
                *(registry.load_model(version.model_id) for version in versions)
            ):
                assert data == large

    run(work())


def test_bad_sources(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        for source in (connection, 1, "./models"):
            with pytest.raises(ConfigurationError):
                AsyncModelRegistry(source)  # type: ignore[arg-type]


def test_what_the_other_registry_refuses(dsn: str, model: str) -> None:
    async def never(version: ModelVersion) -> bool:
        return False

    async def work() -> None:
        async with AsyncModelRegistry(RegistryConfig(dsn)) as registry:
            version = await registry.register_model(
                {"a": 1}, "test", None, METRICS, model_name=model
            )
            with pytest.raises(InvalidArgumentError, match="plain function"):
                await registry.load_model(version.model_id, trusted=never)
            with pytest.raises(InvalidArgumentError, match="list of texts"):
                await registry.compare_models(version.model_id)
            with pytest.raises(InvalidArgumentError, match="one artifact"):
                await registry.load_bytes(version.model_id, "a")
            await registry.set_alias(version.model_id, "nightly_20261126_020000")
            assert await registry.load_model(f"{model}@nightly_20261126_020000") == {"a": 1}
            assert await registry.get_model_info(f"{model}@nightly_20261126_020000") == version
        with pytest.raises(ConfigurationError, match="two"):
            AsyncModelRegistry(RegistryConfig(dsn), RegistryConfig())
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            show = "SHOW modelreg.compression"
            before = await (await connection.execute(show)).fetchone()
            await connection.execute("SET LOCAL modelreg.compression = 'zstd'")
            registry = AsyncModelRegistry(connection, RegistryConfig(enable_compression=False))
            await registry.register_bytes(
                b"x", "test", performance_metrics=METRICS, model_name=model
            )
            await connection.commit()
            assert await (await connection.execute(show)).fetchone() == before
            await connection.execute("SET client_encoding = 'SQL_ASCII'")
            with pytest.raises(ConfigurationError, match="SQL_ASCII"):
                await registry.get_model_info(model)

    run(work())


def test_refused_directory(dsn: str, model: str, sql: Any, tmp_path: Path) -> None:
    """Nobody can go on with the uploads of a directory: they do not stay."""
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")

    async def work() -> None:
        async with AsyncModelRegistry(dsn) as registry:
            arguments = {"version": "1.0.0", "performance_metrics": METRICS, "model_name": model}
            await registry.register_directory(tmp_path, "test", **arguments)
            with pytest.raises(ValueError, match="exists"):
                await registry.register_directory(tmp_path, "test", **arguments)

    run(work())
    assert sql.execute("SELECT count(*) FROM modelreg.upload").fetchone() == (0,)


def test_lost_connection(
    dsn: str, model: str, sql: psycopg.Connection[Any], tmp_path: Path, large: bytes
) -> None:
    """Uploads, downloads and searches go on with another connection."""
    killed: list[Any] = []

    def kill(done: int = 1, total: int = 2) -> None:
        if 0 < done < total and not killed:
            killed.extend(
                sql.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'modelreg' AND datname = current_database()"
                ).fetchall()
            )

    async def work() -> None:
        async with AsyncModelRegistry(dsn) as registry:
            version = await registry.register_bytes(
                large, "test", performance_metrics=METRICS, model_name=model, progress=kill
            )
            assert len(killed) == 1
            assert version.checksum == hashlib.sha256(large).hexdigest()
            killed.clear()
            place = await registry.download(version.model_id, tmp_path / "model", progress=kill)
            assert len(killed) == 1
            assert place.read_bytes() == large
            killed.clear()
            kill()
            assert await registry.get_model_info(version.model_id) == version
            assert await registry.list_versions(model_name=model) == [version]

    run(work())
    assert sql.execute("SELECT count(*) FROM modelreg.upload").fetchone() == (0,)


# ---- The loop stays free ----


class Slow:
    """An object that is pickled, and unpickled, when the event loop says so, and not before."""

    going = threading.Event()

    def __reduce__(self) -> tuple[object, ...]:
        assert Slow.going.wait(WAIT), "the loop is blocked"
        return (slow, ())


def slow() -> Slow:
    assert Slow.going.wait(WAIT), "the loop is blocked"
    return Slow()


def test_the_loop_goes_on_meanwhile(dsn: str, model: str) -> None:
    async def go(after: int) -> None:
        for _ in range(after):
            await asyncio.sleep(0)
        Slow.going.set()

    async def work() -> None:
        async with AsyncModelRegistry(dsn) as registry:
            Slow.going.clear()
            version, _ = await asyncio.gather(
                registry.register_model(Slow(), "test", None, METRICS, model_name=model), go(50)
            )
            Slow.going.clear()
            loaded, _ = await asyncio.gather(registry.load_model(version.model_id), go(50))
            assert isinstance(loaded, Slow)

    run(work())


# ---- Cancellation ----


def stopping(at: int) -> tuple[Callable[[int, int], None], asyncio.Event]:
    """A progress function, and the event that it sets when so many bytes are done."""
    loop = asyncio.get_running_loop()
    reached = asyncio.Event()

    def progress(done: int, total: int) -> None:
        if done >= at:
            loop.call_soon_threadsafe(reached.set)

    return progress, reached


async def cancelled_at(reached: asyncio.Event, work: Awaitable[Any]) -> None:
    """Run until the event, and cancel then."""
    task = asyncio.ensure_future(work)
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("own", [False, True], ids=["connection", "dsn"])
def test_cancelled_upload(dsn: str, model: str, sql: psycopg.Connection[Any], own: bool) -> None:
    data = os.urandom(30_000_000)

    async def work() -> None:
        connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
        async with connection, AsyncModelRegistry(dsn if own else connection) as registry:
            for at in (1, 5_000_000):
                progress, reached = stopping(at)
                await cancelled_at(
                    reached,
                    registry.register_bytes(
                        data,
                        "test",
                        performance_metrics=METRICS,
                        model_name=model,
                        progress=progress,
                    ),
                )
                counts = sql.execute(
                    "SELECT (SELECT count(*) FROM modelreg.upload),"
                    " (SELECT count(*) FROM modelreg.model_version WHERE model_name = %s)",
                    [model],
                ).fetchone()
                assert counts == (0, 0)
                assert await registry.find_latest(model_name=model) is None
                assert not connection.closed
            version = await registry.register_bytes(
                data[:LARGE], "test", performance_metrics=METRICS, model_name=model
            )
            assert version.version_number == 1

    run(work())


def test_cancelled_at_once(dsn: str, model: str, sql: psycopg.Connection[Any]) -> None:
    """Wherever it is: while it connects, serializes, begins, sends or registers."""
    data = os.urandom(2_000_000)

    async def work() -> None:
        for steps in range(0, 60, 3):
            async with AsyncModelRegistry(dsn) as registry:
                task = asyncio.ensure_future(
                    registry.register_model(data, "test", None, METRICS, model_name=model)
                )
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                await registry.list_versions(model_name=model)
                assert sql.execute("SELECT count(*) FROM modelreg.upload").fetchone() == (0,)

    run(work())


def test_cancelled_upload_in_a_transaction(dsn: str, model: str, sql: Any) -> None:
    data = os.urandom(30_000_000)

    async def work() -> None:
        connection = await psycopg.AsyncConnection.connect(dsn)
        async with connection:
            registry = AsyncModelRegistry(connection)
            progress, reached = stopping(1)
            await cancelled_at(
                reached,
                registry.register_bytes(
                    data, "test", performance_metrics=METRICS, model_name=model, progress=progress
                ),
            )
            await connection.rollback()
            version = await registry.register_model(1, "test", None, METRICS, model_name=model)
            assert version.version_number == 1

    run(work())
    assert sql.execute("SELECT count(*) FROM modelreg.upload").fetchone() == (0,)


@pytest.mark.parametrize("resume", [False, True])
def test_cancelled_download(
    dsn: str, model: str, registry: ModelRegistry, tmp_path: Path, resume: bool
) -> None:
    data = os.urandom(30_000_000)
    version = registry.register_bytes(data, "test", performance_metrics=METRICS, model_name=model)

    async def work() -> None:
        connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
        async with connection:
            other = AsyncModelRegistry(connection)
            progress, reached = stopping(3_000_000)
            await cancelled_at(
                reached,
                other.download(
                    version.model_id, tmp_path / "model", progress=progress, resume=resume
                ),
            )
            parts = list(tmp_path.iterdir())
            if resume:
                (part,) = parts
                assert data.startswith(part.read_bytes())
                assert 3_000_000 <= part.stat().st_size < len(data)
            else:
                assert parts == []
            assert await other.get_model_info(version.model_id) == version
            place = await other.download(version.model_id, tmp_path / "model", resume=resume)
            assert place.read_bytes() == data
            assert list(tmp_path.iterdir()) == [place]

    run(work())


# ---- watch ----


def test_watch(dsn: str, model: str, registry: ModelRegistry, sql: Any) -> None:
    versions = [
        registry.register_model(number, "test", None, METRICS, model_name=model)
        for number in range(3)
    ]

    def promote(number: int) -> None:
        registry.update_deployment_stage(versions[number].model_id, "production")

    def watchers() -> Any:
        return sql.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'modelreg watch'"
            " AND datname = current_database()"
        ).fetchone()[0]

    async def work() -> None:
        promote(0)
        async with AsyncModelRegistry(dsn) as other:
            async with other.watch(model) as live:
                assert (await anext(live)).model_id == versions[0].model_id
                promote(1)
                assert (await anext(live)).model_id == versions[1].model_id
                # Its connection is lost
                sql.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'modelreg watch' AND datname = current_database()"
                )
                promote(2)
                assert (await anext(live)).model_id == versions[2].model_id
                # A search on the way, by the registry's own connection
                assert await other.load_model(versions[2].model_id) == 2
            await until(lambda: watchers() == 0, "the connection is still open")

            # Cancelled while it waits
            live = other.watch(model, include_current=False)
            await live.start()
            task = asyncio.ensure_future(anext(live))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: watchers() == 0, "the connection is still open")

            # By alias, and to its end
            await other.set_alias(versions[1].model_id, "champion")
            found = [
                version.model_id
                async for version in other.watch(model, alias="champion", timeout=0.1)
            ]
            assert found == [versions[1].model_id]
            with pytest.raises(InvalidArgumentError):
                other.watch(model, "live")

    run(work())
