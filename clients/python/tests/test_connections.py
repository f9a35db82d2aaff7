"""DSN, connection or pool: transactions, lost connections, threads, forks."""

from __future__ import annotations

import asyncio
import os
import pickle
import select
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from conftest import METRICS
from modelreg import (
    CancelledError,
    ConfigurationError,
    ConnectionFailedError,
    InvalidArgumentError,
    ModelRegistry,
    NotFoundError,
    NotInstalledError,
    RegistryConfig,
    StorageBackend,
    TransactionError,
    create_default_registry,
)
from modelreg.connection import is_alive

LARGE = os.urandom(3 * 1024 * 1024 + 17)


def register(registry, model, obj=b"a model", **more):
    return registry.register_model(
        obj, "detector", **{"performance_metrics": METRICS, "model_name": model, **more}
    )


def terminate(sql, pid):
    sql.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])


def wait_for_lock(sql, pid):
    """Return when this backend waits for a lock."""
    query = "SELECT count(*) FROM pg_locks WHERE pid = %s AND NOT granted"
    while not sql.execute(query, [pid]).fetchone()[0]:
        time.sleep(0.005)


def pid_of(registry):
    with registry._source.connection() as connection:
        return connection.info.backend_pid


def test_an_ended_connection_is_known_by_its_farewell(sql, dsn):
    """The farewell is there before the connection is closed: what came must be read."""
    for _ in range(20):
        with psycopg.connect(dsn, autocommit=True) as connection:
            assert is_alive(connection)
            sql.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
            select.select([connection.fileno()], [], [], 10)
            assert not is_alive(connection)


def test_what_else_comes_ends_no_connection(sql, dsn):
    with psycopg.connect(dsn, autocommit=True) as connection:
        heard = []
        connection.add_notify_handler(heard.append)
        connection.execute("LISTEN test_alive")
        sql.execute("NOTIFY test_alive, 'something'")
        select.select([connection.fileno()], [], [], 10)
        assert is_alive(connection)
        connection.execute("SELECT")
        assert [notification.payload for notification in heard] == ["something"]


# ---- DSN ----


def test_environment(database, model, monkeypatch):
    monkeypatch.setenv("PGDATABASE", database)
    for arguments in ((), (None,), ("",), ("dbname=" + database,)):
        with ModelRegistry(*arguments) as registry:
            version = register(registry, model)
        with create_default_registry(*arguments) as registry:
            assert registry.get_model_info(version.model_id) == version


def test_uri(database, model, dsn):
    with psycopg.connect(dsn) as connection:
        info = connection.info
        query = f"host={info.host}&port={info.port}&user={info.user}"
    for scheme in ("postgresql", "modelreg+postgresql"):
        with create_default_registry(registry_root=f"{scheme}:///{database}?{query}") as registry:
            register(registry, model)


def test_lazy(tmp_path):
    registry = ModelRegistry(make_conninfo(host=str(tmp_path), dbname="nothing"))
    with pytest.raises(ConnectionError) as caught:
        registry.list_versions()
    assert isinstance(caught.value, ConnectionFailedError)
    registry.close()


def test_no_such_database(database):
    with (
        ModelRegistry(make_conninfo(dbname="no_such_" + database)) as registry,
        pytest.raises(ConnectionFailedError) as caught,
    ):
        registry.list_versions()
    assert "does not exist" in str(caught.value)


def test_no_extension(sql, database):
    name = database + "_empty"
    sql.execute(f"CREATE DATABASE {name}")
    try:
        with ModelRegistry(make_conninfo(dbname=name)) as registry:
            for call in (
                registry.list_versions,
                lambda: registry.register_bytes(b"x", "x"),
                lambda: registry.history(),
            ):
                with pytest.raises(NotInstalledError, match="CREATE EXTENSION modelreg"):
                    call()
    finally:
        sql.execute(f"DROP DATABASE {name}")


def test_terminated_while_idle(registry, model, sql):
    """A registration does not fail for a connection that was lost before it began."""
    register(registry, model)
    for _ in range(3):
        terminate(sql, pid_of(registry))
        assert register(registry, model).version_number > 1
        terminate(sql, pid_of(registry))
        assert registry.list_versions(model_name=model)
    assert len(registry.list_versions(model_name=model)) == 4


def test_terminated_while_reading(registry, model, sql):
    """A query that was under way runs again."""
    register(registry, model)
    pid = pid_of(registry)
    with sql.transaction():
        sql.execute("LOCK TABLE modelreg.model_version IN ACCESS EXCLUSIVE MODE")
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(registry.list_versions, model_name=model)
            wait_for_lock(sql, pid)
            terminate(sql, pid)
            sql.execute("ROLLBACK AND CHAIN")
            assert len(waiting.result()) == 1


def test_terminated_while_registering(registry, model, sql):
    """What was under way is not tried again, as it may have been made; the next is."""
    register(registry, model)
    pid = pid_of(registry)
    with sql.transaction():
        sql.execute("SELECT FROM modelreg.model WHERE model_name = %s FOR UPDATE", [model])
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(register, registry, model)
            wait_for_lock(sql, pid)
            terminate(sql, pid)
            with pytest.raises(ConnectionFailedError, match="not known"):
                waiting.result()
    assert register(registry, model).version_number == 2


def test_closed_and_used_again(registry, model):
    register(registry, model)
    registry.close()
    registry.close()
    assert len(registry.list_versions(model_name=model)) == 1


def test_cancelled(registry, model, sql):
    register(registry, model)
    pid = pid_of(registry)
    with sql.transaction():
        sql.execute("SELECT FROM modelreg.model WHERE model_name = %s FOR UPDATE", [model])
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(register, registry, model)
            wait_for_lock(sql, pid)
            sql.execute("SELECT pg_cancel_backend(%s)", [pid])
            with pytest.raises(CancelledError) as caught:
                waiting.result()
    assert caught.value.sqlstate == "57014"
    assert register(registry, model).version_number == 2


def test_threads(registry, model):
    """Threads take turns, a large upload included."""
    small = register(registry, model)

    def work(number):
        if number % 4 == 0:
            version = register(registry, model, LARGE + bytes([number]))
            assert registry.load_model(version.model_id) == LARGE + bytes([number])
        else:
            assert registry.load_model(small.model_id) == b"a model"

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(16)))
    assert len(registry.list_versions(model_name=model)) == 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork(registry, model, tmp_path):
    """A child has a connection of its own, and leaves the parent's alone, even one in use."""
    version = register(registry, model)
    parent_pid = pid_of(registry)
    with registry._source.connection():
        child = os.fork()
        if child == 0:
            status = 1
            try:
                loaded = threading.Thread(
                    target=lambda: (tmp_path / "loaded").write_bytes(
                        registry.load_model(version.model_id)
                    )
                )
                loaded.start()
                loaded.join(20)
                status = int(pid_of(registry) == parent_pid)
                registry.close()
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
    assert (tmp_path / "loaded").read_bytes() == b"a model"
    assert registry.load_model(version.model_id) == b"a model"
    assert pid_of(registry) == parent_pid


def test_settings_of_the_session(database, model):
    """Dates and times come out right whatever the session's settings."""
    with ModelRegistry(dbname := make_conninfo(dbname=database)) as plain:
        version = register(plain, model)
    odd = make_conninfo(
        dbname, options="-c DateStyle=German,DMY -c TimeZone=Asia/Kathmandu -c bytea_output=escape"
    )
    with ModelRegistry(odd) as registry:
        assert registry.get_model_info(version.model_id) == version
        assert registry.load_model(version.model_id) == b"a model"
        again = register(registry, model, created_at=version.created_at)
        assert again.created_at == version.created_at


# ---- The caller's connection ----


@pytest.mark.parametrize("artifact", [b"small", LARGE], ids=["small", "large"])
def test_callers_transaction(database, model, artifact, sql, registry):
    sql.execute("CREATE TABLE IF NOT EXISTS run (model_id text)")
    with psycopg.connect(dbname=database) as connection:
        joined = ModelRegistry(connection)
        version = register(joined, model, artifact)
        connection.execute("INSERT INTO run VALUES (%s)", [version.model_id])
        assert connection.info.transaction_status == TransactionStatus.INTRANS
        assert joined.load_model(version.model_id) == artifact
        assert registry.get_model_info(version.model_id) is None
        connection.rollback()
        assert joined.get_model_info(version.model_id) is None
        assert not sql.execute("SELECT FROM modelreg.upload").fetchall()
        connection.rollback()

        version = register(joined, model, artifact)
        connection.execute("INSERT INTO run VALUES (%s)", [version.model_id])
        connection.commit()
    assert registry.load_model(version.model_id) == artifact
    assert sql.execute("SELECT 1 FROM run WHERE model_id = %s", [version.model_id]).fetchone()


def test_callers_transaction_block(database, model, registry):
    with psycopg.connect(dbname=database, autocommit=True) as connection:
        joined = ModelRegistry(connection)
        with connection.transaction() as transaction:
            lost = [register(joined, model, b).model_id for b in (b"x", LARGE)]
            raise psycopg.Rollback(transaction)
        with connection.transaction():
            kept = [register(joined, model, b).model_id for b in (b"x", LARGE)]
            with connection.transaction() as savepoint:
                lost += [register(joined, model, b).model_id for b in (b"y", LARGE + b"y")]
                raise psycopg.Rollback(savepoint)
        joined.update_deployment_stage(kept[0], "staging")
    found = {version.model_id for version in registry.list_versions(model_name=model)}
    assert found == set(kept)
    assert registry.load_model(kept[1]) == LARGE


def test_callers_transaction_that_failed(database, model, registry):
    """An error leaves the transaction failed, as any statement's does: it is the caller's."""
    with psycopg.connect(dbname=database) as connection:
        joined = ModelRegistry(connection)
        version = register(joined, model)
        with pytest.raises(NotFoundError):
            joined.update_deployment_stage("nobody", "staging")
        with pytest.raises(TransactionError):
            joined.get_model_info(version.model_id)
        connection.rollback()
        assert joined.get_model_info(version.model_id) is None
        with pytest.raises(ConfigurationError):
            # Found before a statement failed: the transaction is as it was.
            ModelRegistry(connection, RegistryConfig(max_versions=0))
        joined.list_versions()


def test_callers_connection_is_not_closed(database, model):
    with psycopg.connect(dbname=database) as connection:
        with ModelRegistry(connection) as joined:
            register(joined, model)
        assert not connection.closed
        connection.close()
        with pytest.raises(ConnectionFailedError):
            joined.list_versions()


def test_callers_connection_of_any_kind(database, model, registry):
    """Row factories, cursor factories and adapters of the caller's do not get in the way."""
    with psycopg.connect(
        dbname=database, row_factory=dict_row, cursor_factory=psycopg.ClientCursor
    ) as connection:
        psycopg.types.json.set_json_loads(lambda data: "surprise", connection)
        connection.adapters.register_loader("timestamptz", psycopg.types.string.TextBinaryLoader)
        connection.adapters.register_dumper(str, psycopg.types.string.StrDumper)
        joined = ModelRegistry(connection)
        version = register(joined, model, LARGE, tags=["a"], properties={"b": 1})
        assert joined.load_model(version.model_id) == LARGE
        small = register(joined, model)
        connection.commit()
    assert registry.get_model_info(small.model_id) == small
    assert registry.get_model_info(version.model_id).properties == version.properties


def test_cleanup_in_a_transaction(database, model):
    with psycopg.connect(dbname=database) as connection:
        joined = ModelRegistry(connection)
        with pytest.raises(TransactionError, match="commits as it goes"):
            joined.cleanup_old_versions()
        assert connection.info.transaction_status == TransactionStatus.IDLE
        connection.autocommit = True
        assert joined.cleanup_old_versions(model_name=register(joined, model).model_name) == 0
        with connection.transaction(), pytest.raises(TransactionError):
            joined.cleanup_old_versions()


def test_lost_in_the_callers_transaction(database, model, sql):
    with psycopg.connect(dbname=database) as connection:
        joined = ModelRegistry(connection)
        register(joined, model)
        terminate(sql, connection.info.backend_pid)
        with pytest.raises(ConnectionFailedError):
            joined.list_versions()
        with pytest.raises(ConnectionFailedError):
            register(joined, model, LARGE)
        connection.close()


# ---- Pools ----


def test_pool(dsn, model, sql):
    pool_module = pytest.importorskip("psycopg_pool")
    with pool_module.ConnectionPool(dsn, min_size=3, max_size=3, open=True) as pool:
        registry = ModelRegistry(pool)
        with ThreadPoolExecutor(6) as threads:
            versions = list(
                threads.map(
                    lambda n: register(
                        registry, model, (LARGE if n % 3 == 0 else b"") + bytes([n])
                    ),
                    range(1, 13),
                )
            )
        assert sorted(v.version_number for v in versions) == list(range(1, 13))
        assert registry.cleanup_old_versions(model_name=model) == 2
        with pool.connection() as connection:
            assert not connection.autocommit
            assert connection.info.transaction_status == TransactionStatus.IDLE
        # All of them are lost at once.
        sql.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert register(registry, model).version_number == 13
        with pytest.raises(NotFoundError):
            registry.load_model("nobody")
        assert registry.load_model(versions[-1].model_id)
        registry.close()
        assert not pool.closed


def test_pool_timeout(dsn):
    pool_module = pytest.importorskip("psycopg_pool")
    with pool_module.ConnectionPool(dsn, min_size=1, max_size=1, timeout=0.2, open=True) as pool:
        registry = ModelRegistry(pool)
        with pool.connection():
            started = time.monotonic()
            with pytest.raises(ConnectionFailedError):
                registry.list_versions()
            assert time.monotonic() - started < 2


# ---- Settings ----


@pytest.mark.parametrize(
    "refused",
    [
        {"storage_backend": StorageBackend.S3},
        {"storage_backend": "gcs"},
        {"enable_locking": False},
        {"cleanup_interval_hours": 24},
        {"max_versions": 0},
        {"enable_compression": "gzip"},
        {"dsn": "./model_registry"},
        {"registry_root": Path("./model_registry")},
        {"registry_root": "s3://bucket/models"},
        {"dsn": "a=b c"},
        {"dsn": "dbname=x", "registry_root": "dbname=x"},
        {"dsn": 7},
    ],
    ids=str,
)
def test_refused_settings(refused):
    with pytest.raises(ConfigurationError) as caught:
        create_default_registry(**refused)
    assert isinstance(caught.value, ValueError)


def test_old_settings_that_hold_here():
    config = RegistryConfig(
        storage_backend=StorageBackend.LOCAL, enable_checksums=True, enable_locking=True
    )
    ModelRegistry(config=config).close()


def test_settings_alone(dsn, model):
    with ModelRegistry(RegistryConfig(dsn)) as registry:
        register(registry, model)
    with pytest.raises(ConfigurationError):
        ModelRegistry(RegistryConfig(dsn), RegistryConfig())
    with pytest.raises(ConfigurationError):
        ModelRegistry(dsn, RegistryConfig(dsn))


def test_asynchronous_ones_are_refused(dsn):
    async def refused():
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            with pytest.raises(ConfigurationError, match="AsyncModelRegistry"):
                ModelRegistry(connection)
        pool_module = pytest.importorskip("psycopg_pool")
        with pytest.raises(ConfigurationError, match="AsyncModelRegistry"):
            ModelRegistry(pool_module.AsyncConnectionPool(dsn, open=False))

    asyncio.run(refused())


def test_password_is_not_told():
    with pytest.raises(ConfigurationError) as caught:
        create_default_registry("host=x password=secret nonsense")
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(RegistryConfig(registry_root="password=secret"))
    for dsn in (
        "host=x password=very secret",
        "postgresql+psycopg2://somebody:secret@host/database",
        "mysql://somebody:secret@host",
        "somebody:secret@host/database",
    ):
        with pytest.raises(ConfigurationError) as caught:
            create_default_registry(dsn)
        assert "secret" not in "".join(traceback.format_exception(caught.value))


def test_max_versions(open_registry, roles, model, sql):
    # What the server says anyway needs no right.
    register(open_registry(roles.writer, max_versions=10), model)
    with pytest.raises(ConfigurationError, match="modelreg_update_model") as caught:
        register(open_registry(roles.writer, max_versions=3), model)
    assert caught.value.sqlstate == "42501"
    with pytest.raises(ConfigurationError, match="modelreg_create_model"):
        register(open_registry(roles.writer, auto_cleanup=True), model + "_new")
    admin = open_registry(roles.admin, max_versions=2, auto_cleanup=True, require_metadata=False)
    register(admin, model)
    register(admin, model + "_new", performance_metrics=None)
    for name in (model, model + "_new"):
        settings = sql.execute(
            "SELECT max_versions, auto_cleanup, require_metadata, model_type FROM modelreg.model"
            " WHERE model_name = %s",
            [name],
        ).fetchone()
        assert settings == (2, True, False, "detector")
    register(admin, model)
    assert len(admin.list_versions(model_name=model)) == 2
    # Now that they hold, a writer may have them.
    register(open_registry(roles.writer, max_versions=2), model)


def test_model_settings_in_the_callers_transaction(database, roles, model, registry, sql):
    with psycopg.connect(dbname=database, user=roles.writer) as connection:
        joined = ModelRegistry(connection, RegistryConfig(max_versions=3))
        with pytest.raises(ConfigurationError):
            register(joined, model)
        assert connection.info.transaction_status == TransactionStatus.INTRANS
        assert joined.list_versions(model_name=model) == []
    with psycopg.connect(dbname=database, user=roles.admin) as connection:
        joined = ModelRegistry(connection, RegistryConfig(max_versions=3))
        for _ in range(2):
            register(joined, model)
            connection.rollback()
        register(joined, model)
    assert sql.execute(
        "SELECT max_versions FROM modelreg.model WHERE model_name = %s", [model]
    ).fetchone() == (3,)


@pytest.mark.parametrize("compression", [True, False, "zstd"])
@pytest.mark.parametrize("kind", ["dsn", "connection", "pool"])
def test_compression(dsn, model, sql, compression, kind):
    artifact = (f"{kind} {compression} " * 20_000).encode()
    large = artifact * 10
    config = RegistryConfig(enable_compression=compression)
    if kind == "dsn":
        with ModelRegistry(dsn, config) as registry:
            versions = [register(registry, model, a) for a in (artifact, large)]
    elif kind == "connection":
        with psycopg.connect(dsn) as connection:
            registry = ModelRegistry(connection, config)
            versions = [register(registry, model, a) for a in (artifact, large)]
            assert connection.execute("SHOW modelreg.compression").fetchone() == ("lz4",)
    else:
        pool_module = pytest.importorskip("psycopg_pool")
        with pool_module.ConnectionPool(dsn, min_size=1, max_size=1, open=True) as pool:
            registry = ModelRegistry(pool, config)
            versions = [register(registry, model, a) for a in (artifact, large)]
            with pool.connection() as connection:
                assert connection.execute("SHOW modelreg.compression").fetchone() == ("lz4",)
    codecs = sql.execute(
        "SELECT DISTINCT codec FROM modelreg.artifact AS a"
        " JOIN modelreg.artifact_chunk USING (content) JOIN modelreg.chunk USING (chunk)"
        " WHERE encode(sha256, 'hex') = ANY (%s)",
        [[v.checksum for v in versions]],
    ).fetchall()
    assert codecs == [({True: 1, False: 0, "zstd": 2}[compression],)]


def test_errors_can_be_pickled(registry):
    with pytest.raises(NotFoundError) as caught:
        registry.load_model("nobody")
    caught.value.upload_id = "an upload"
    assert pickle.loads(pickle.dumps(caught.value)).upload_id == "an upload"
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again), again.sqlstate, again.hint) == (
        NotFoundError, str(caught.value), "42704", caught.value.hint,
    )  # fmt: skip


def test_independent(registry, database, dsn, model):
    register(registry, model)
    other = registry.independent()
    assert pid_of(other) != pid_of(registry)
    other.close()
    with psycopg.connect(dsn) as connection:
        joined = ModelRegistry(connection)
        with joined.independent() as other:
            assert other.list_versions(model_name=model)
            assert pid_of(other) != connection.info.backend_pid


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_encoding_of_the_environment(dsn, model, monkeypatch, encoding):
    monkeypatch.setenv("PGCLIENTENCODING", encoding)
    with ModelRegistry(dsn) as registry:
        version = register(registry, model, notes="\N{SNOWMAN}")
        assert registry.get_model_info(version.model_id).notes == "\N{SNOWMAN}"
        registry.update_deployment_stage(version.model_id, "production")
        with registry.watch(model, timeout=0) as versions:
            assert [v.notes for v in versions] == ["\N{SNOWMAN}"]


def test_encoding_of_the_callers_connection(dsn, model):
    """Found out before anything is sent, and not when it cannot be taken back."""
    with psycopg.connect(dsn, client_encoding="LATIN1", autocommit=True) as connection:
        registry = ModelRegistry(connection)
        assert register(registry, model, notes="\xe4").notes == "\xe4"
        with pytest.raises(InvalidArgumentError, match="client_encoding"):
            register(registry, model, notes="\N{SNOWMAN}")
        assert len(registry.list_versions(model_name=model)) == 1
        connection.execute("SET client_encoding = 'SQL_ASCII'")
        with pytest.raises(ConfigurationError, match="SQL_ASCII"):
            register(registry, model)
        connection.execute("SET client_encoding = 'UTF8'")
        assert len(registry.list_versions(model_name=model)) == 1
    pool_module = pytest.importorskip("psycopg_pool")
    with pool_module.ConnectionPool(
        dsn, min_size=1, max_size=1, kwargs={"client_encoding": "SQL_ASCII"}, open=True
    ) as pool:
        for _ in range(3):
            with pytest.raises(ConfigurationError, match="SQL_ASCII"):
                register(ModelRegistry(pool), model)


def test_settings_of_the_callers_transaction(dsn, model):
    """What the caller has set for the transaction does not outlive it."""
    with psycopg.connect(dsn) as connection:
        show = "SHOW modelreg.compression"
        (before,) = connection.execute(show).fetchone()
        connection.execute("SET LOCAL modelreg.compression = 'zstd'")
        register(ModelRegistry(connection, RegistryConfig(enable_compression=False)), model)
        assert connection.execute(show).fetchone() == ("zstd",)
        connection.commit()
        assert connection.execute(show).fetchone() == (before,)


def test_nothing_is_prepared_where_that_is_switched_off(dsn, model):
    """As for a pooler that gives each transaction another session."""
    with psycopg.connect(dsn, prepare_threshold=None) as connection:
        registry = ModelRegistry(connection)
        register(registry, model, bytes(3_000_000))
        for _ in range(10):
            registry.find_latest(model_name=model)
        assert connection.execute("SELECT FROM pg_prepared_statements").fetchall() == []
