"""Behind PgBouncer, which lends a session of the server for one transaction at a time."""

from __future__ import annotations

import asyncio
import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cli_case import Run
from conftest import METRICS
from modelreg import (
    AsyncModelRegistry,
    ConfigurationError,
    ModelRegistry,
    PoolerWarning,
    RegistryConfig,
    watch,
)
from modelreg.connection import cursor
from modelreg.dsn import conninfo
from modelreg.pooling import lends_by_transaction
from pooler import PoolerDsn, without_tracking

pytest_plugins = ["cli_case", "pooler"]

MB = 1024 * 1024
CLIENTS = 12
WAIT = 60.0


def work(registry: ModelRegistry, model: str, number: int) -> list[str]:
    """What a client does: everything, and more often than psycopg waits until it prepares."""
    made = []
    for turn in range(8):
        data = os.urandom(1000 if turn % 4 else 2 * MB)
        version = registry.register_bytes(
            data, "x", model_name=f"{model}{number % 4}", performance_metrics=METRICS
        )
        assert registry.load_bytes(version.model_id) == data
        assert registry.get_model_info(version.model_id) == version
        registry.update_deployment_stage(version.model_id, "staging")
        assert registry.list_versions(model_name=version.model_name, max_rows=3)
        made.append(version.model_id)
    return made


@pytest.mark.parametrize("kind", ["dsn", "pool"])
def test_many_clients(pooler: PoolerDsn, model: str, kind: str) -> None:
    """Twelve clients on three sessions: no name of a statement is anybody's but its own's."""
    where = pooler()

    def client(number: int) -> list[str]:
        with ModelRegistry(where) as registry:
            return work(registry, model, number)

    with ThreadPoolExecutor(CLIENTS) as threads:
        if kind == "dsn":
            made = list(threads.map(client, range(CLIENTS)))
        else:
            module = pytest.importorskip("psycopg_pool")
            with module.ConnectionPool(where, min_size=CLIENTS, max_size=CLIENTS) as pool:
                registry = ModelRegistry(pool)
                made = list(threads.map(lambda n: work(registry, model, n), range(CLIENTS)))
    ids = [model_id for each in made for model_id in each]
    assert len(set(ids)) == len(ids) == CLIENTS * 8


def test_many_asynchronous_clients(pooler: PoolerDsn, model: str) -> None:
    where = pooler()

    async def client(number: int) -> None:
        async with AsyncModelRegistry(where) as registry:
            for turn in range(8):
                data = os.urandom(1000 if turn % 4 else 2 * MB)
                version = await registry.register_bytes(
                    data, "x", model_name=f"{model}{number % 4}", performance_metrics=METRICS
                )
                assert await registry.load_bytes(version.model_id) == data
                await registry.update_deployment_stage(version.model_id, "staging")

    async def clients() -> None:
        await asyncio.gather(*(client(number) for number in range(CLIENTS)))

    asyncio.run(asyncio.wait_for(clients(), WAIT))


def test_directory(pooler: PoolerDsn, model: str, tmp_path: Path) -> None:
    """Hundreds of uploads that begin in one pipeline, and end in another transaction."""
    source = tmp_path / "source"
    source.mkdir()
    files = {f"{number:03}": os.urandom(number * 500) for number in range(300)}
    for name, data in files.items():
        (source / name).write_bytes(data)
    where = pooler()
    config = RegistryConfig(enable_compression="zstd")
    options = {"performance_metrics": METRICS, "model_name": model}
    with ModelRegistry(where, config) as registry:
        version = registry.register_directory(source, "x", **options)
        target = registry.download(version.model_id, tmp_path / "copy")
    assert {path.name: path.read_bytes() for path in target.iterdir()} == files

    async def work() -> str:
        async with AsyncModelRegistry(where, config) as registry:
            return (await registry.register_directory(source, "x", **options)).checksum

    assert asyncio.run(work()) == version.checksum


def test_prepared_on_request(pooler: PoolerDsn, model: str, dsn: str) -> None:
    """With names, PgBouncer's clients collide: it is that which the default is for."""
    where = pooler(**without_tracking())
    with ModelRegistry(dsn, RegistryConfig(prepared=True)) as registry:
        work(registry, model, 0)
        with registry._source.connection() as connection:
            (count,) = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
        assert count > 3

    def client(number: int) -> list[str]:
        with ModelRegistry(where, RegistryConfig(prepared=True)) as registry:
            return work(registry, model, number)

    with (
        ThreadPoolExecutor(CLIENTS) as threads,
        pytest.raises(Exception, match="prepared statement"),
    ):
        list(threads.map(client, range(CLIENTS)))


def test_nothing_stays_in_the_sessions(
    pooler: PoolerDsn, model: str, sql: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """No prepared statement, no LISTEN and no setting is left for who gets the session next."""
    where = pooler(default_pool_size=1)
    (tmp_path / "large").write_bytes(bytes(3 * MB))
    with ModelRegistry(where, RegistryConfig(enable_compression="none")) as registry:
        for _ in range(8):
            registry.register_bytes(b"x", "x", model_name=model, performance_metrics=METRICS)
        large = registry.register_file(
            tmp_path / "large", "x", model_name=model, performance_metrics=METRICS
        )
        registry.load_bytes(large.model_id, verify_checksum=False)
    rescued = ModelRegistry(psycopg.connect(where, autocommit=True))
    rescued.load_bytes(large.model_id, verify_checksum=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolerWarning)
        assert [*watch(model, source=where, timeout=0)] == []
    with psycopg.connect(where, prepare_threshold=None) as connection:
        for query, nothing in (
            ("SELECT count(*) FROM pg_prepared_statements", 0),
            ("SELECT count(*) FROM pg_listening_channels()", 0),
            ("SELECT source FROM pg_settings WHERE name = 'modelreg.compression'", "default"),
            ("SELECT source FROM pg_settings WHERE name = 'modelreg.verify_checksums'", "default"),
        ):
            assert connection.execute(query).fetchone() == (nothing,)
    # It did have the settings while it worked.
    codecs = sql.execute(
        "SELECT DISTINCT codec FROM modelreg.artifact JOIN modelreg.artifact_chunk"
        " USING (content) JOIN modelreg.chunk USING (chunk) WHERE sha256 = decode(%s, 'hex')",
        [large.checksum],
    ).fetchall()
    assert codecs == [(0,)]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"default_pool_size": 1},
        {"server_round_robin": 1},
        {"pool_mode": "statement"},
    ],
    ids=str,
)
def test_watch(
    pooler: PoolerDsn, registry: ModelRegistry, model: str, settings: dict[str, Any]
) -> None:
    """It finds out that it would hear nothing, says so, and looks by itself."""
    version = registry.register_bytes(b"x", "x", model_name=model, performance_metrics=METRICS)
    where = pooler(**settings)
    live = watch(model, source=where, poll=0.2, timeout=WAIT)
    with pytest.warns(PoolerWarning, match=r"every 0\.2 s.*listen_dsn"):
        live.start()
    with live:
        registry.update_deployment_stage(version.model_id, "production")
        assert next(live).model_id == version.model_id


@pytest.mark.parametrize("how", ["argument", "environment", "settings", "live model"])
def test_watch_with_a_second_dsn(
    pooler: PoolerDsn,
    dsn: str,
    registry: ModelRegistry,
    model: str,
    how: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Notifications come by it: within the test's time, and long before it would look."""
    version = registry.register_model(1, "x", model_name=model, performance_metrics=METRICS)
    where = pooler()
    with warnings.catch_warnings():
        warnings.simplefilter("error", PoolerWarning)
        if how == "live model":
            pooled = ModelRegistry(where, RegistryConfig(listen_dsn=dsn))
            with pooled, pooled.live_model(model, poll=1000) as production:
                registry.update_deployment_stage(version.model_id, "production")
                assert production.wait_for(version, timeout=WAIT) == production.version
            return
        if how == "argument":
            live = watch(model, source=where, listen_dsn=dsn, poll=1000, timeout=WAIT)
        elif how == "environment":
            monkeypatch.setenv("MODELREG_LISTEN_DSN", dsn)
            live = watch(model, source=where, poll=1000, timeout=WAIT)
        else:
            pooled = ModelRegistry(where, RegistryConfig(listen_dsn=dsn))
            live = pooled.watch(model, poll=1000, timeout=WAIT)
        with live:
            registry.update_deployment_stage(version.model_id, "production")
            assert next(live).model_id == version.model_id


def test_asynchronous_watch(
    pooler: PoolerDsn, dsn: str, registry: ModelRegistry, model: str
) -> None:
    version = registry.register_bytes(b"x", "x", model_name=model, performance_metrics=METRICS)
    where = pooler()

    async def first(config: RegistryConfig, **options: Any) -> str:
        async with AsyncModelRegistry(where, config) as pooled, pooled.watch(model, **options) as w:
            registry.update_deployment_stage(version.model_id, "production")
            return (await anext(w)).model_id

    with pytest.warns(PoolerWarning):
        assert asyncio.run(first(RegistryConfig(), poll=0.2, timeout=WAIT)) == version.model_id
    registry.update_deployment_stage(version.model_id, "staging")
    with warnings.catch_warnings():
        warnings.simplefilter("error", PoolerWarning)
        config = RegistryConfig(listen_dsn=dsn)
        assert asyncio.run(first(config, poll=1000, timeout=WAIT)) == version.model_id


def test_watch_behind_a_pooler_of_sessions(
    pooler: PoolerDsn, registry: ModelRegistry, model: str
) -> None:
    """There, LISTEN works."""
    version = registry.register_bytes(b"x", "x", model_name=model, performance_metrics=METRICS)
    where = pooler(pool_mode="session", default_pool_size=10)
    with warnings.catch_warnings():
        warnings.simplefilter("error", PoolerWarning)
        with watch(model, source=where, poll=1000, timeout=WAIT) as live:
            registry.update_deployment_stage(version.model_id, "production")
            assert next(live).model_id == version.model_id


def test_watch_of_the_command_line(
    pooler: PoolerDsn, run: Run, registry: ModelRegistry, dsn: str, model: str
) -> None:
    version = registry.register_bytes(b"x", "x", model_name=model, performance_metrics=METRICS)
    registry.update_deployment_stage(version.model_id, "production")
    arguments = ("watch", model, "--count", "1", "--dsn", pooler())
    done = run(*arguments)
    assert version.model_id in done.stdout
    assert done.stderr.startswith("modelreg: warning: watch of ")
    assert "listen_dsn" in done.stderr
    assert run(*arguments, "--listen-dsn", dsn).stderr == ""
    assert run(*arguments, env={"MODELREG_LISTEN_DSN": dsn}).stderr == ""
    assert run(*arguments, "-q").stderr == ""


def test_pooler_that_has_no_session_left(
    pooler: PoolerDsn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question is not waited for without end."""
    monkeypatch.setattr("modelreg.pooling.SECONDS", 0.3)
    where = pooler(pool_mode="session", default_pool_size=1)
    with psycopg.connect(where) as connection:
        connection.execute("SELECT 1")
        assert lends_by_transaction({"conninfo": where, "autocommit": True})


def test_interrupted_upload(pooler: PoolerDsn, model: str, sql: psycopg.Connection[Any]) -> None:
    """Parts that each come by another session are one upload; so they are when one breaks."""
    where = pooler()
    data = os.urandom(40 * MB)
    kills = [10 * MB, 36 * MB]
    noise = threading.Event()

    def others() -> None:
        with ModelRegistry(where) as registry:
            while not noise.is_set():
                registry.list_versions(model_name=model)

    def progress(done: int, total: int) -> None:
        if kills and done >= kills[0]:
            kills.pop(0)
            sql.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    thread = threading.Thread(target=others)
    thread.start()
    try:
        with ModelRegistry(where) as registry:
            version = registry.register_bytes(
                data, "x", model_name=model, performance_metrics=METRICS, progress=progress
            )
            assert not kills
            assert registry.load_bytes(version.model_id) == data
    finally:
        noise.set()
        thread.join()


# ---- How statements come to have names ----


@pytest.mark.parametrize(
    ("given", "text", "variable", "wanted"),
    [
        (None, "dbname=x", None, False),
        (None, "dbname=x", "1", True),
        (None, "dbname=x", "", False),
        (None, "dbname=x modelreg_prepared=1", None, True),
        (None, "modelreg_prepared = 'on' dbname=x", None, True),
        (None, "dbname=x modelreg_prepared=off", "1", False),
        (None, "postgresql://h/x?modelreg_prepared=yes", None, True),
        (None, "postgresql://h/x?modelreg_prepared=TRUE&connect_timeout=3", None, True),
        (None, "modelreg+postgresql://h/x?connect_timeout=3&modelreg_prepared=0", "1", False),
        (False, "dbname=x modelreg_prepared=1", "1", False),
        (True, "dbname=x modelreg_prepared=0", "0", True),
    ],
)
def test_who_says_so(
    given: bool | None,
    text: str,
    variable: str | None,
    wanted: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MODELREG_PREPARED", raising=False)
    if variable is not None:
        monkeypatch.setenv("MODELREG_PREPARED", variable)
    registry = ModelRegistry(text, RegistryConfig(prepared=given))
    assert registry.prepared == wanted
    assert AsyncModelRegistry(text, RegistryConfig(prepared=given)).prepared == wanted
    kept = psycopg.conninfo.conninfo_to_dict(conninfo(text))
    assert kept["dbname"] == "x"
    assert kept.get("connect_timeout") == ("3" if "connect_timeout" in text else None)
    assert not any(name.startswith("modelreg") for name in kept)


@pytest.mark.parametrize(
    "text",
    [
        "dbname=x modelreg_prepared=perhaps",
        "dbname=x modelreg_other=1",
        "postgresql://h/x?modelreg_other=1",
        "postgresql://h/x?modelreg_prepared=",
    ],
)
def test_parameters_that_are_none(text: str) -> None:
    with pytest.raises(ConfigurationError, match="modelreg_"):
        ModelRegistry(text)


def test_text_in_quotes_is_left_alone() -> None:
    text = r"password='it\'s modelreg_prepared=1' dbname=x modelreg_prepared=0"
    kept = psycopg.conninfo.conninfo_to_dict(conninfo(text))
    assert kept == {"password": "it's modelreg_prepared=1", "dbname": "x"}


def test_callers_connection_is_as_it_was(dsn: str, model: str) -> None:
    """It prepares nothing of ours, and its own as before."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        registry = ModelRegistry(connection)
        for _ in range(10):
            registry.list_versions(model_name=model)
        query = "SELECT count(*) FROM pg_prepared_statements"
        assert connection.execute(query).fetchone() == (0,)
        assert connection.prepare_threshold == 5
        named = ModelRegistry(connection, RegistryConfig(prepared=True))
        for _ in range(10):
            named.list_versions(model_name=model)
        assert connection.execute(query).fetchone() == (1,)
        with cursor(connection) as cur:
            assert cur.execute("SELECT 1", prepare=True).fetchone() == (1,)
