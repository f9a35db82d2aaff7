"""Following what is live: watch() and LiveModel."""

from __future__ import annotations

import gc
import logging
import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from modelreg import (
    ChecksumError,
    ConnectionFailedError,
    DeploymentStage,
    InvalidArgumentError,
    LiveModel,
    ModelRegistry,
    ModelVersion,
    NotFoundError,
    UntrustedError,
    Watch,
    watch,
)

WAIT = 60.0  # seconds until a test gives up
METRICS = {"f1_score": 0.9}


class Model:
    """A model that predicts what it was told to."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def predict(self, data: object) -> object:
        return self.answer


@pytest.fixture
def versions(registry: ModelRegistry, model: str) -> list[ModelVersion]:
    """Three versions in development."""
    return [
        registry.register_model(
            Model(number), "test", model_name=model, performance_metrics=METRICS
        )
        for number in range(3)
    ]


@pytest.fixture
def promote(sql: psycopg.Connection[Any]) -> Callable[[ModelVersion], None]:
    """Moves a version to production, by another connection."""

    def promote(version: ModelVersion) -> None:
        sql.execute("SELECT FROM modelreg_update_stage(%s, 'production')", [version.model_id])

    return promote


Promote = Callable[[ModelVersion], None]


def in_background(function: Callable[..., object], *args: object) -> threading.Thread:
    thread = threading.Thread(target=function, args=args, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def watchers(sql: psycopg.Connection[Any]) -> Callable[[], list[int]]:
    """The process ids of the connections of watches to the test's database."""

    def watchers() -> list[int]:
        rows = sql.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'modelreg watch'"
            " AND datname = current_database() ORDER BY pid"
        ).fetchall()
        return [pid for (pid,) in rows]

    return watchers


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for what no event tells of."""
    ends = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < ends, what
        time.sleep(0.01)


@pytest.fixture
def watching(dsn: str, model: str) -> Iterator[Callable[..., Watch]]:
    """Makes a watch of the test's model, which ends with the test, or after WAIT seconds."""
    made = []

    def watching(*args: Any, **options: Any) -> Watch:
        made.append(watch(model, *args, **{"source": dsn, "timeout": WAIT, **options}))
        return made[-1]

    yield watching
    for each in made:
        each.close()


Watching = Callable[..., Watch]


# ---- watch ----


def test_first_what_is_live_then_what_goes_live(
    watching: Watching, versions: list[ModelVersion], promote: Promote
) -> None:
    promote(versions[0])
    live = watching()
    first = next(live)
    assert (first.model_id, first.deployment_stage) == (
        versions[0].model_id,
        DeploymentStage.PRODUCTION,
    )
    for version in (versions[1], versions[0], versions[2]):
        in_background(promote, version)
        assert next(live).model_id == version.model_id


def test_nothing_is_live_at_first(
    watching: Watching, versions: list[ModelVersion], promote: Promote
) -> None:
    live = watching()
    in_background(promote, versions[1])
    assert next(live).model_id == versions[1].model_id


def test_without_what_is_live(
    watching: Watching, versions: list[ModelVersion], promote: Promote
) -> None:
    promote(versions[0])
    assert list(watching(include_current=False, timeout=0.05)) == []
    with watching(include_current=False) as live:
        promote(versions[1])
        assert next(live).model_id == versions[1].model_id


def test_other_stages(
    watching: Watching, registry: ModelRegistry, versions: list[ModelVersion]
) -> None:
    live = watching(DeploymentStage.STAGING)
    in_background(registry.update_deployment_stage, versions[0].model_id, "staging")
    assert next(live).model_id == versions[0].model_id
    # Registered into the stage
    in_background(
        lambda: registry.register_model(
            Model(3),
            "test",
            model_name=versions[0].model_name,
            performance_metrics=METRICS,
            deployment_stage="staging",
        )
    )
    assert next(live).version_number == 4


def test_a_version_never_comes_twice_in_a_row(
    watching: Watching, registry: ModelRegistry, versions: list[ModelVersion], promote: Promote
) -> None:
    promote(versions[0])
    live = watching()
    assert next(live).model_id == versions[0].model_id
    registry.update_deployment_stage(versions[0].model_id, "staging")
    promote(versions[0])
    registry.update_model_version(versions[0].model_id, notes="edited")
    in_background(promote, versions[1])
    assert next(live).model_id == versions[1].model_id


def test_of_changes_that_came_meanwhile_the_last_counts(
    watching: Watching, versions: list[ModelVersion], promote: Promote
) -> None:
    promote(versions[0])
    live = watching()
    next(live)
    for version in (versions[1], versions[0], versions[2]):
        promote(version)
    assert next(live).model_id == versions[2].model_id


def test_alias(watching: Watching, registry: ModelRegistry, versions: list[ModelVersion]) -> None:
    registry.set_alias(versions[0].model_id, "champion")
    live = watching(alias="champion")
    assert next(live).model_id == versions[0].model_id
    registry.set_alias(versions[2].model_id, "champion")
    assert next(live).model_id == versions[2].model_id
    registry.drop_alias(versions[0].model_name, "champion")
    registry.set_alias(versions[1].model_id, "champion")
    assert next(live).model_id == versions[1].model_id


def test_without_events_it_polls(
    watching: Watching, versions: list[ModelVersion], sql: psycopg.Connection[Any], promote: Promote
) -> None:
    promote(versions[0])
    live = watching(poll=0.05)
    next(live)
    sql.execute("SET modelreg.notify = none")
    promote(versions[1])
    assert next(live).model_id == versions[1].model_id


@pytest.mark.parametrize("payload", ["", "nonsense", "[]", "null", '"x"', '{"event": ["stage"]}'])
def test_forged_events(
    watching: Watching,
    versions: list[ModelVersion],
    sql: psycopg.Connection[Any],
    promote: Promote,
    payload: str,
) -> None:
    promote(versions[0])
    live = watching()
    next(live)
    sql.execute("SELECT pg_notify('modelreg', %s)", [payload])
    in_background(promote, versions[1])
    assert next(live).model_id == versions[1].model_id


def test_renamed_model(
    watching: Watching, versions: list[ModelVersion], sql: psycopg.Connection[Any], promote: Promote
) -> None:
    """Ids keep the old name, and are found under the new one."""
    name = versions[0].model_name
    other = f"{name}_before"
    sql.execute("SELECT FROM modelreg_rename_model(%s, %s)", [name, other])
    promote(versions[0])
    live = watching()  # of a model that there is not any more
    sql.execute("SELECT FROM modelreg_rename_model(%s, %s)", [other, name])
    in_background(promote, versions[1])
    assert next(live).model_id in (versions[0].model_id, versions[1].model_id)


def test_lost_connection(
    watching: Watching,
    versions: list[ModelVersion],
    sql: psycopg.Connection[Any],
    watchers: Callable[[], list[int]],
    promote: Promote,
    caplog: pytest.LogCaptureFixture,
) -> None:
    promote(versions[0])
    live = watching()
    next(live)
    (pid,) = watchers()
    with caplog.at_level(logging.WARNING, "modelreg"):
        sql.execute("SELECT pg_terminate_backend(%s)", [pid])
        promote(versions[1])
        assert next(live).model_id == versions[1].model_id
    assert "connecting again" in caplog.text
    assert watchers() != [pid]


def test_server_that_cannot_be_reached_for_a_while(
    watching: Watching,
    versions: list[ModelVersion],
    sql: psycopg.Connection[Any],
    watchers: Callable[[], list[int]],
    promote: Promote,
    caplog: pytest.LogCaptureFixture,
) -> None:
    promote(versions[0])
    live = watching()
    next(live)
    name = sql.info.dbname
    # Nobody gets in now but who is in already.
    with psycopg.connect(dbname="postgres", autocommit=True) as other:
        other.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        try:
            found: list[ModelVersion] = []
            with caplog.at_level(logging.WARNING, "modelreg"):
                waiting = in_background(lambda: found.append(next(live)))
                sql.execute("SELECT pg_terminate_backend(%s)", watchers())
                until(lambda: caplog.text.count("connecting again") >= 3, "it gave up")
            promote(versions[1])
        finally:
            other.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    waiting.join(WAIT)
    assert [version.model_id for version in found] == [versions[1].model_id]


def test_first_connection_must_succeed(model: str) -> None:
    with pytest.raises(ConnectionFailedError):
        next(watch(model, source="dbname=regress_modelreg_nowhere"))


def test_without_rights(model: str, dsn: str, roles: Any) -> None:
    with pytest.raises(PermissionError):
        next(watch(model, source=f"{dsn} user={roles.stranger}"))


@pytest.mark.parametrize("stage", ["live", "", "PRODUCTION", None])
def test_bad_stage(model: str, dsn: str, stage: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="stage"):
        watch(model, stage, source=dsn)


@pytest.mark.parametrize("poll", [0, -1.0, float("nan")])
def test_bad_poll(model: str, dsn: str, poll: float) -> None:
    with pytest.raises(InvalidArgumentError, match="poll"):
        watch(model, source=dsn, poll=poll)


def test_timeout(watching: Watching, versions: list[ModelVersion], promote: Promote) -> None:
    promote(versions[0])
    started = time.monotonic()
    assert [version.model_id for version in watching(timeout=0.2)] == [versions[0].model_id]
    assert time.monotonic() - started >= 0.2
    # It looks at least once
    assert [version.model_id for version in watching(timeout=0)] == [versions[0].model_id]


def test_close_from_another_thread(
    watching: Watching,
    versions: list[ModelVersion],
    promote: Promote,
    watchers: Callable[[], list[int]],
) -> None:
    promote(versions[0])
    live = watching()
    next(live)
    rest: list[ModelVersion] = []
    waiting = in_background(lambda: rest.extend(live))
    assert not live.stopped
    live.close()
    waiting.join(WAIT)
    assert not waiting.is_alive()
    assert rest == []
    assert live.stopped
    assert next(live, None) is None
    until(lambda: not watchers(), "the connection is still open")
    live.close()


def test_a_loop_that_is_left_closes_its_connection(
    model: str,
    dsn: str,
    versions: list[ModelVersion],
    promote: Promote,
    watchers: Callable[[], list[int]],
) -> None:
    promote(versions[0])
    for version in watch(model, source=dsn):
        assert version.model_id == versions[0].model_id
        assert len(watchers()) == 1
        break
    gc.collect()
    until(lambda: not watchers(), "the connection is still open")


def test_sources(
    model: str, dsn: str, versions: list[ModelVersion], promote: Promote, sql: Any
) -> None:
    """Of a connection or a pool, the settings are used, and not a transaction that is open."""
    pool = pytest.importorskip("psycopg_pool")
    promote(versions[0])
    with (
        psycopg.connect(dsn) as connection,
        pool.ConnectionPool(dsn, kwargs={"autocommit": True}, min_size=1, open=True) as pooled,
    ):
        connection.execute("SELECT 1")
        for source in (dsn, connection, pooled):
            found = list(ModelRegistry(source).watch(model, timeout=0))
            assert [version.model_id for version in found] == [versions[0].model_id]
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS


# ---- LiveModel ----


@pytest.fixture
def live(registry: ModelRegistry, model: str) -> Iterator[Callable[..., LiveModel]]:
    """Makes a LiveModel of the test's model, closed after the test."""
    made = []

    def live(**options: Any) -> LiveModel:
        made.append(registry.live_model(model, **options))
        return made[-1]

    yield live
    for each in made:
        each.close()


Live = Callable[..., LiveModel]


def test_live_model(live: Live, versions: list[ModelVersion], promote: Promote) -> None:
    promote(versions[0])
    reloads: list[tuple[object, str]] = []
    serving = live(on_reload=lambda model, version: reloads.append((model.answer, version.version)))
    assert serving.model.answer == 0
    assert serving.version.model_id == versions[0].model_id
    assert serving.metadata.model_id == versions[0].model_id
    assert serving.predict("anything") == 0
    promote(versions[1])
    assert serving.wait_for(versions[1], WAIT).model_id == versions[1].model_id
    model, version = serving.current
    assert (model.answer, version.model_id) == (1, versions[1].model_id)
    promote(versions[2])
    assert serving.wait_for("0.3.0", WAIT).model_id == versions[2].model_id
    assert serving.wait_for(versions[2].model_id, 0).model_id == versions[2].model_id
    serving.close()
    assert reloads == [(1, "0.2.0"), (2, "0.3.0")]
    assert serving.predict("still there") == 2
    assert serving.error is None


def test_live_model_before_anything_is_live(
    live: Live, versions: list[ModelVersion], promote: Promote
) -> None:
    serving = live()
    with pytest.raises(NotFoundError, match="live"):
        _ = serving.model
    with pytest.raises(TimeoutError):
        serving.wait_for(timeout=0.05)
    promote(versions[0])
    serving.wait_for(timeout=WAIT)
    assert serving.model.answer == 0


def test_live_model_keeps_what_was_withdrawn(
    live: Live, registry: ModelRegistry, versions: list[ModelVersion], promote: Promote
) -> None:
    promote(versions[0])
    serving = live()
    registry.update_deployment_stage(versions[0].model_id, "archived")
    registry.delete_model(versions[0].model_id)
    assert serving.model.answer == 0
    promote(versions[1])
    serving.wait_for(versions[1], WAIT)


def test_live_model_of_an_alias(
    live: Live, registry: ModelRegistry, versions: list[ModelVersion]
) -> None:
    registry.set_alias(versions[0].model_id, "champion")
    serving = live(alias="champion")
    assert serving.model.answer == 0
    registry.set_alias(versions[1].model_id, "champion")
    serving.wait_for(versions[1], WAIT)
    assert serving.model.answer == 1


def test_live_model_that_cannot_be_loaded(
    live: Live,
    registry: ModelRegistry,
    versions: list[ModelVersion],
    promote: Promote,
    model: str,
    sql: psycopg.Connection[Any],
) -> None:
    """The old one stays in service; the new one is tried again, and is when it can be."""
    promote(versions[0])
    failed = threading.Event()
    errors: list[tuple[ModelVersion | None, Exception]] = []

    def on_error(version: ModelVersion | None, error: Exception) -> None:
        errors.append((version, error))
        failed.set()

    serving = live(on_error=on_error)
    good = pickle.dumps(Model("healed"))
    bad = registry.register_bytes(
        good, "test", model_name=model, performance_metrics=METRICS, serializer="pickle"
    )
    piece = "UPDATE modelreg.chunk_piece SET data = %b WHERE data = %b"
    with sql.transaction():
        sql.execute("ALTER TABLE modelreg.chunk_piece DISABLE TRIGGER USER")
        assert sql.execute(piece, [good[:-1] + b"?", good]).rowcount == 1
    promote(bad)
    assert failed.wait(WAIT)
    assert serving.model.answer == 0
    version, error = errors[0]
    assert version is not None
    assert version.model_id == bad.model_id
    assert isinstance(error, ChecksumError)
    assert serving.error is not None
    with pytest.raises(TimeoutError) as caught:
        serving.wait_for(bad, 0)
    assert isinstance(caught.value.__cause__, ChecksumError)

    sql.execute(piece, [good, good[:-1] + b"?"])
    serving.wait_for(bad, WAIT)
    assert serving.model.answer == "healed"
    assert serving.error is None


def test_live_model_at_its_start(
    live: Live, registry: ModelRegistry, versions: list[ModelVersion], promote: Promote, model: str
) -> None:
    """What is live at the start has to be loaded: the constructor raises."""
    promote(versions[0])
    with pytest.raises(UntrustedError):
        live(trusted=lambda version: False)
    assert live(trusted={versions[0].checksum}).model.answer == 0


def test_live_model_loaded_in_another_way(
    live: Live, registry: ModelRegistry, model: str, tmp_path: Path, promote: Promote
) -> None:
    """A version that is a directory of files, for instance."""
    source = tmp_path / "source"
    source.mkdir()
    for number in range(2):
        (source / "answer").write_text(str(number))
        version = registry.register_directory(
            source, "test", model_name=model, performance_metrics=METRICS
        )
        promote(version)
        if number == 0:
            serving = live(
                load=lambda registry, version: Model(
                    registry.load_bytes(version.model_id, "answer")
                )
            )
            assert serving.predict(None) == b"0"
    serving.wait_for(version, WAIT)
    assert serving.predict(None) == b"1"


def test_live_model_with_callbacks_that_fail(
    live: Live, versions: list[ModelVersion], promote: Promote, caplog: Any
) -> None:
    promote(versions[0])

    def on_reload(model: Any, version: ModelVersion) -> None:
        raise RuntimeError("of the callback")

    serving = live(on_reload=on_reload)
    for version in (versions[1], versions[2]):
        promote(version)
        serving.wait_for(version, WAIT)
    serving.close()
    assert caplog.text.count("RuntimeError: of the callback") == 2


def test_live_model_beside_an_open_transaction(
    dsn: str, model: str, versions: list[ModelVersion], promote: Promote
) -> None:
    promote(versions[0])
    with psycopg.connect(dsn) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT FROM modelreg.model_version")
        with ModelRegistry(connection).live_model(model) as serving:
            promote(versions[1])
            serving.wait_for(versions[1], WAIT)


def test_live_model_lets_go(
    live: Live,
    versions: list[ModelVersion],
    promote: Promote,
    sql: psycopg.Connection[Any],
    watchers: Callable[[], list[int]],
) -> None:
    """One idle connection while it serves, none after close()."""
    promote(versions[0])
    serving = live()
    promote(versions[1])
    serving.wait_for(versions[1], WAIT)
    until(lambda: len(watchers()) == 1, "more than one connection")
    serving.close()
    serving.close()
    until(lambda: not watchers(), "connections are left")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_live_model_after_a_fork(
    live: Live, versions: list[ModelVersion], promote: Promote
) -> None:
    """As servers do that load the application, and fork their workers then."""
    promote(versions[0])
    serving = live()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        answer = b"failed"
        try:
            assert serving.model.answer == 0
            os.write(writing, b"ready\n")
            serving.wait_for(versions[1], WAIT)
            answer = f"{serving.model.answer}\n".encode()
        finally:
            os.write(writing, answer)
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answers:
        assert answers.readline() == "ready\n"
        promote(versions[1])
        assert answers.readline() == "1\n"
    os.waitpid(child, 0)
    serving.wait_for(versions[1], WAIT)
    assert serving.model.answer == 1
