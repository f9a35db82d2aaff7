"""Follow which version of a model is live: watch(), Watch and AsyncWatch.

A watch has a connection of its own. It LISTENs first and looks then, so that no change falls
between the two. A notification is only a hint to look again: it may be forged, missed or switched
off. So a watch also looks after every `poll` seconds. It does nothing else on a replica, where
LISTEN is impossible, and behind a pooler that lends sessions by the transaction, where it hears
nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from types import TracebackType
from typing import Any

import psycopg

from modelreg.connection import SourceArgument
from modelreg.core import PathArgument
from modelreg.follower import Follower, Target, watch_settings
from modelreg.pooling import PID, is_pooled, lends_by_transaction
from modelreg.types import DeploymentStage, ModelVersion

LISTEN = "LISTEN modelreg"
IN_RECOVERY = f"{PID}, pg_is_in_recovery()"


def watch(
    model_name: str,
    stage: DeploymentStage | str | None = DeploymentStage.PRODUCTION,
    *,
    alias: str | None = None,
    source: SourceArgument = None,
    listen_dsn: PathArgument | None = None,
    include_current: bool = True,
    poll: float | None = None,
    timeout: float | None = None,
) -> Watch:
    """Iterate over the versions of a model as they go live.

    First comes the version that is live now, unless `include_current` is false; then each other one
    when it takes its place. Live is the newest version in `stage`, or the one that `alias` names.
    Only what is live at the time of a look is seen: of two promotions in quick succession perhaps
    the second alone. The same version never comes twice in a row, so one that is withdrawn and put
    back is not announced again; a withdrawal alone is not announced.

    source      a DSN (None: libpq's environment); of a connection or a pool, only its settings are
                used: a watch has a connection of its own, in autocommit mode, and closes it
    listen_dsn  where to connect instead, if notifications do not come through the source, as behind
                a pooler that lends sessions by the transaction (PoolerWarning says so); None: as
                MODELREG_LISTEN_DSN says, or to the source
    poll        seconds after which to look even if no event came; None: 60, or 5 where LISTEN is
                impossible
    timeout     seconds after which the iteration ends; None: never

    Connects at the first step, or when it is entered as a context manager, and raises if that
    fails. A connection that is lost later is made anew, for as long as it takes. close() ends the
    iteration, from any thread.
    """
    target = Target.of(model_name, stage, alias)
    return Watch(Follower(target, include_current, poll, timeout), source, listen_dsn)


class Watch(Iterator[ModelVersion]):
    """The iterator that watch() returns. One thread iterates; any may call close()."""

    def __init__(self, follower: Follower, source: object, listen_dsn: object = None) -> None:
        self._follower = follower
        self._wake = _Wake()
        # Not a method: the generator must not refer to its owner, so that both go at once, and the
        # connection with them.
        self._versions = _follow(follower, self._wake, watch_settings(source, listen_dsn))
        self._started = False

    def __iter__(self) -> Watch:
        return self

    def __next__(self) -> ModelVersion:
        self.start()
        version = next(self._versions)
        assert version is not None
        return version

    def start(self) -> None:
        """Connect and look, if that has not been done: what happens from now on is not missed."""
        if not self._started:
            self._started = True
            next(self._versions, None)

    @property
    def stopped(self) -> bool:
        """Whether close() was called."""
        return self._wake.stopped

    def close(self) -> None:
        """End the iteration and close the connection.

        A step that waits in another thread ends at once.
        """
        self._wake.stop()
        # It is in use: then it ends by itself.
        with contextlib.suppress(ValueError):
            self._versions.close()

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def repeat_within(self, seconds: float) -> None:
        """Have the live version come once more: at the next event, or after so many seconds."""
        self._follower.look_within(seconds)


class _Wake:
    """Waits for a socket and for stop(), which other threads and signal handlers may call."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs.setblocking(False)
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True
        with contextlib.suppress(OSError):
            self._theirs.send(b"\0")

    def wait(self, fileno: int | None, seconds: float) -> None:
        """Return when the socket can be read, after so many seconds, or if stopped."""
        if self.stopped:
            return
        with selectors.DefaultSelector() as selector:
            selector.register(self._ours, selectors.EVENT_READ)
            if fileno is not None:
                selector.register(fileno, selectors.EVENT_READ)
            selector.select(seconds)

    def __del__(self) -> None:
        self._ours.close()
        self._theirs.close()


def _follow(
    follower: Follower, wake: _Wake, settings: dict[str, Any]
) -> Generator[ModelVersion | None, None, None]:
    """Yields None after the first look, and then the versions."""
    connection: psycopg.Connection[Any] | None = None
    follower.start()
    try:
        while not wake.stopped and not (follower.looked and follower.over):
            started = follower.looked
            try:
                if connection is None:
                    connection = _connect(follower, settings)
                version = follower.found(_look(follower, connection, settings))
            except psycopg.Error as error:
                delay = follower.failed(error)
                _close(connection)
                connection = None
                wake.wait(None, delay)
                continue
            if not started:
                yield None
            if version is not None:
                yield version
            try:
                while not wake.stopped:
                    follower.drain(connection.pgconn)
                    if follower.heard() or not follower.patience():
                        break
                    wake.wait(connection.fileno(), follower.patience())
            except psycopg.Error as error:
                delay = follower.failed(error)
                _close(connection)
                connection = None
                wake.wait(None, delay)
    finally:
        _close(connection)


def _connect(follower: Follower, settings: dict[str, Any]) -> psycopg.Connection[Any]:
    connection = psycopg.connect(**settings)
    try:
        connection.add_notify_handler(lambda notify: follower.payloads.append(notify.payload))
        follower.listening = follower.pooled = False
        _listen(follower, connection, settings)
    except BaseException:
        connection.close()
        raise
    return connection


def _listen(
    follower: Follower, connection: psycopg.Connection[Any], settings: dict[str, Any]
) -> None:
    """LISTEN, unless this is a replica, which cannot, or a pooler, where it would hear nothing."""
    row = connection.execute(IN_RECOVERY).fetchone()
    assert row is not None
    backend_pid, in_recovery = row
    if in_recovery:
        return
    if is_pooled(connection, backend_pid) and lends_by_transaction(settings):
        follower.behind_pooler()
    else:
        connection.execute(LISTEN)
        follower.listening = True


def _look(
    follower: Follower, connection: psycopg.Connection[Any], settings: dict[str, Any]
) -> ModelVersion | None:
    if not (follower.listening or follower.pooled):
        _listen(follower, connection, settings)  # it may have become a primary
    look = follower.target.look
    cursor = connection.execute(look.query, look.params, binary=True)
    return look.parse(cursor.fetchall())


def _close(connection: psycopg.Connection[Any] | None) -> None:
    if connection is not None:
        connection.close()


class AsyncWatch(AsyncIterator[ModelVersion]):
    """The asyncio variant of Watch: for `async for`.

    To end it, cancel the task, or call aclose() between two steps.
    """

    def __init__(self, follower: Follower, source: object, listen_dsn: object = None) -> None:
        self._versions = _follow_async(follower, watch_settings(source, listen_dsn))
        self._started = False

    def __aiter__(self) -> AsyncWatch:
        return self

    async def __anext__(self) -> ModelVersion:
        await self.start()
        version = await anext(self._versions)
        assert version is not None
        return version

    async def start(self) -> None:
        """Connect and look, if that has not been done: what happens from now on is not missed."""
        if not self._started:
            self._started = True
            await anext(self._versions, None)

    async def aclose(self) -> None:
        """End the iteration and close the connection."""
        await self._versions.aclose()

    async def __aenter__(self) -> AsyncWatch:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


async def _follow_async(
    follower: Follower, settings: dict[str, Any]
) -> AsyncGenerator[ModelVersion | None, None]:
    """Yields None after the first look, and then the versions."""
    connection: psycopg.AsyncConnection[Any] | None = None
    follower.start()
    try:
        while not (follower.looked and follower.over):
            started = follower.looked
            try:
                if connection is None:
                    connection = await _connect_async(follower, settings)
                version = follower.found(await _look_async(follower, connection, settings))
            except psycopg.Error as error:
                delay = follower.failed(error)
                await _close_async(connection)
                connection = None
                await asyncio.sleep(delay)
                continue
            if not started:
                yield None
            if version is not None:
                yield version
            try:
                while True:
                    follower.drain(connection.pgconn)
                    if follower.heard() or not follower.patience():
                        break
                    await _readable(connection.fileno(), follower.patience())
            except psycopg.Error as error:
                delay = follower.failed(error)
                await _close_async(connection)
                connection = None
                await asyncio.sleep(delay)
    finally:
        await _close_async(connection)


async def _readable(fileno: int, seconds: float) -> None:
    """Return when the socket can be read, or after so many seconds."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(fileno, ready.set)
    try:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(ready.wait(), seconds)
    finally:
        loop.remove_reader(fileno)


async def _connect_async(
    follower: Follower, settings: dict[str, Any]
) -> psycopg.AsyncConnection[Any]:
    connection = await psycopg.AsyncConnection.connect(**settings)
    try:
        connection.add_notify_handler(lambda notify: follower.payloads.append(notify.payload))
        follower.listening = follower.pooled = False
        await _listen_async(follower, connection, settings)
    except BaseException:
        await connection.close()
        raise
    return connection


async def _listen_async(
    follower: Follower, connection: psycopg.AsyncConnection[Any], settings: dict[str, Any]
) -> None:
    row = await (await connection.execute(IN_RECOVERY)).fetchone()
    assert row is not None
    backend_pid, in_recovery = row
    if in_recovery:
        return
    if is_pooled(connection, backend_pid) and await asyncio.to_thread(
        lends_by_transaction, settings
    ):
        follower.behind_pooler()
    else:
        await connection.execute(LISTEN)
        follower.listening = True


async def _look_async(
    follower: Follower, connection: psycopg.AsyncConnection[Any], settings: dict[str, Any]
) -> ModelVersion | None:
    if not (follower.listening or follower.pooled):
        await _listen_async(follower, connection, settings)
    look = follower.target.look
    cursor = await connection.execute(look.query, look.params, binary=True)
    return look.parse(await cursor.fetchall())


async def _close_async(connection: psycopg.AsyncConnection[Any] | None) -> None:
    if connection is not None:
        await connection.close()
