"""Where an AsyncModelRegistry gets its connections from. The asyncio variant of connection.py."""

from __future__ import annotations

import asyncio
import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from modelreg import statements
from modelreg.connection import (
    NO_SETTINGS,
    UNKNOWN_OUTCOME,
    Retries,
    check_encoding,
    connect_arguments,
    encodable,
    is_alive,
    names_for_statements,
    needs_transaction,
)
from modelreg.dsn import conninfo, wants_prepared
from modelreg.errors import ConfigurationError, is_lost_connection, translate
from modelreg.statements import Statement

if TYPE_CHECKING:
    import psycopg_pool

T = TypeVar("T")
AsyncConnection: TypeAlias = "psycopg.AsyncConnection[Any]"
AsyncSourceArgument: TypeAlias = (
    "str | os.PathLike[str] | AsyncConnection | psycopg_pool.AsyncConnectionPool[Any] | None"
)


def cursor(connection: AsyncConnection) -> psycopg.AsyncCursor[tuple[Any, ...]]:
    """A plain cursor, whatever factories the caller's connection has."""
    return psycopg.AsyncCursor(connection, row_factory=tuple_row)


async def execute(connection: AsyncConnection, statement: Statement[T]) -> T:
    """Run a statement on this connection. Raises psycopg's errors."""
    async with cursor(connection) as cur:
        with encodable():
            await cur.execute(
                statement.query, statement.params, prepare=statement.prepare, binary=True
            )
        return statement.parse(await cur.fetchall())


class AsyncSource(ABC):
    """Lends connections, for one operation each; see connection.Source."""

    owned: bool
    retries: int = 0
    prepared: bool = False

    @abstractmethod
    def connection(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection for one operation. Raises psycopg's errors."""

    async def close(self) -> None:  # noqa: B027
        """Close what this source has opened itself: here, nothing."""

    async def run(self, statement: Statement[T], settings: Mapping[str, str] = NO_SETTINGS) -> T:
        """Run a statement; reads run again if the connection was lost. Raises ModelregErrors."""
        backoff = Retries(self.retries)
        while True:
            lent = False
            try:
                async with self.connection() as connection:
                    lent = True
                    async with session_settings(connection, settings):
                        return await execute(connection, statement)
            except psycopg.Error as caught:
                error = translate(caught)
                if lent and self.owned and is_lost_connection(error):
                    if not statement.changes and await pause(backoff):
                        continue
                    if statement.changes:
                        error.hint = UNKNOWN_OUTCOME
                raise error from caught


async def pause(backoff: Retries) -> bool:
    """Wait for the next attempt; False: there is none."""
    delay = backoff.next_delay()
    if delay is None:
        return False
    await asyncio.sleep(delay)
    return True


class AsyncDsnSource(AsyncSource):
    """One connection, made when it is first needed, and again when it was lost.

    Tasks wait for each other: an operation, a whole download included, has the connection to
    itself. For one event loop.
    """

    owned = True

    def __init__(self, dsn: str, retries: int, prepared: bool) -> None:
        self._dsn = dsn
        self.retries = retries
        self.prepared = prepared
        self._lock = asyncio.Lock()
        self._connection: AsyncConnection | None = None
        self._connected_before = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        async with self._lock:
            if self._connection is None or not is_alive(self._connection):
                await self._close()
                self._connection = await self._connect()
            yield self._connection

    async def _connect(self) -> AsyncConnection:
        backoff = Retries(self.retries)
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(
                    **connect_arguments(self._dsn, self.prepared)
                )
            except psycopg.OperationalError as error:
                # A server that was there may be restarting.
                again = self._connected_before and is_lost_connection(error)
                if not (again and await pause(backoff)):
                    raise
            else:
                self._connected_before = True
                return connection

    async def close(self) -> None:
        async with self._lock:
            await self._close()

    async def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


class AsyncConnectionSource(AsyncSource):
    """The caller's connection, and the caller's transaction. Not closed here."""

    owned = False

    def __init__(self, connection: AsyncConnection, prepared: bool) -> None:
        self._connection = connection
        self.prepared = prepared
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        async with self._lock:
            with names_for_statements(self._connection, self.prepared):
                check_encoding(self._connection)
                yield self._connection


class AsyncPoolSource(AsyncSource):
    """A connection of the pool's for each operation. The pool is not closed here.

    Connections are used in autocommit, and returned as they were.
    """

    owned = True

    def __init__(
        self, pool: psycopg_pool.AsyncConnectionPool[Any], retries: int, prepared: bool
    ) -> None:
        self._pool = pool
        self.retries = retries
        self.prepared = prepared

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        # After a restart of the server, the pool may hold as many dead ones as it is large.
        dead = 0
        while True:
            async with self._pool.connection() as connection:
                if dead < 1000 and not is_alive(connection):
                    await connection.close()
                    dead += 1
                    continue
                check_encoding(connection)
                autocommit = connection.autocommit
                await connection.set_autocommit(True)
                try:
                    with names_for_statements(connection, self.prepared):
                        yield connection
                finally:
                    idle = connection.pgconn.transaction_status == TransactionStatus.IDLE
                    if idle and not connection.closed:
                        await connection.set_autocommit(autocommit)
                return


def make_async_source(
    source: AsyncSourceArgument, retries: int, prepared: bool | None = None
) -> AsyncSource:
    """The AsyncSource for what a caller gave; see connection.make_source."""
    if source is None or isinstance(source, (str, os.PathLike)):
        return AsyncDsnSource(conninfo(source), retries, wants_prepared(prepared, source))
    if isinstance(source, psycopg.AsyncConnection):
        return AsyncConnectionSource(source, wants_prepared(prepared))
    if isinstance(source, psycopg.Connection):
        raise ConfigurationError(
            "a connection that is not asynchronous was given", hint="ModelRegistry takes it."
        )
    getconn = getattr(source, "getconn", None)
    if inspect.iscoroutinefunction(getconn):
        return AsyncPoolSource(source, retries, wants_prepared(prepared))
    raise ConfigurationError(
        "a registry is a connection string, a psycopg AsyncConnection or a psycopg_pool"
        f" AsyncConnectionPool, not a {type(source).__name__}"
    )


@asynccontextmanager
async def session_settings(
    connection: AsyncConnection, settings: Mapping[str, str]
) -> AsyncIterator[None]:
    """Give settings other values for what is done inside; see connection.session_settings."""
    if not settings:
        yield
        return
    if needs_transaction(connection):
        async with connection.transaction():
            for name, value in settings.items():
                await execute(connection, statements.set_local(name, value))
            yield
        return
    before = {name: await execute(connection, statements.get_setting(name)) for name in settings}
    for name, value in settings.items():
        await execute(connection, statements.set_local(name, value))
    try:
        yield
    finally:
        if connection.pgconn.transaction_status == TransactionStatus.INTRANS:
            for name, old in before.items():
                await execute(connection, statements.set_local(name, old or None))
