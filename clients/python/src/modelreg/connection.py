"""Where a registry gets its connections from: a DSN, a connection, or a pool.

A Source lends a connection for one operation. DSN and pool are *owned*: statements commit by
themselves, and a lost connection is replaced. A connection of the caller's is used as it is:
what runs on it is part of the caller's transaction, which is never committed or rolled back here.
"""

from __future__ import annotations

import inspect
import os
import select
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import psycopg
import psycopg.conninfo
from psycopg.pq import ConnStatus, TransactionStatus
from psycopg.rows import tuple_row

from modelreg import statements
from modelreg.errors import (
    ConfigurationError,
    InvalidArgumentError,
    is_lost_connection,
    translate,
)
from modelreg.statements import Statement

if TYPE_CHECKING:
    import psycopg_pool

T = TypeVar("T")
Connection: TypeAlias = "psycopg.Connection[Any]"
SourceArgument: TypeAlias = (
    "str | os.PathLike[str] | Connection | psycopg_pool.ConnectionPool[Any] | None"
)

PREFIX = "modelreg+"
"""What URIs of MLflow's have before the scheme; accepted everywhere, for one URI to do for both."""


def conninfo(dsn: str | os.PathLike[str] | None) -> str:
    """The connection string for libpq; raises ConfigurationError if it is none.

    None and "" mean libpq's environment (PGHOST, PGDATABASE, PGSERVICE …).
    """
    text = os.fspath(dsn) if dsn is not None else ""
    text = text.removeprefix(PREFIX)
    hint = (
        "It is now a connection string, such as postgresql://host/database or"
        " 'host=… dbname=…'; leave it out to use PGHOST, PGDATABASE …"
    )
    if text and "=" not in text and not text.startswith(("postgresql://", "postgres://")):
        # Another library's URL, such as postgresql+psycopg://, may have a password in it.
        named = "this" if "@" in text or "://" in text else f'"{text}"'
        raise ConfigurationError(
            f"{named} is not where a registry is: it is in a database, not in a directory",
            hint=hint,
        )
    try:
        return psycopg.conninfo.make_conninfo(text)
    except psycopg.ProgrammingError:
        # psycopg's message quotes parts of the text, which may be of a password.
        raise ConfigurationError("the connection string cannot be understood", hint=hint) from None


def conninfo_of(connection: psycopg.BaseConnection[Any]) -> str:
    """A connection string for another connection like this one."""
    return psycopg.conninfo.make_conninfo(
        **{
            name: value
            for name, value in {
                **connection.info.get_parameters(),
                "password": connection.info.password or None,
            }.items()
            if value is not None
        }
    )


def connect_arguments(dsn: str) -> dict[str, Any]:
    """What to give to psycopg's connect, for a connection of the client's own."""
    return {
        "conninfo": dsn,
        "autocommit": True,
        "fallback_application_name": "modelreg",
        # Of libpq's environment or the database there might come one that cannot say all texts.
        "client_encoding": "UTF8",
    }


UNKNOWN_OUTCOME = "Whether the change was made is not known: look before retrying."


class Retries:
    """So many attempts more, each after a longer wait, two seconds at most."""

    def __init__(self, retries: int) -> None:
        self.left = retries
        self.delay = 0.05

    def next_delay(self) -> float | None:
        """Seconds to wait before the next attempt; None: there is none."""
        if self.left <= 0:
            return None
        self.left -= 1
        delay, self.delay = self.delay, min(2 * self.delay, 2.0)
        return delay

    def wait(self) -> bool:
        """Wait for the next attempt; False: there is none."""
        delay = self.next_delay()
        if delay is None:
            return False
        time.sleep(delay)
        return True


def is_alive(connection: psycopg.BaseConnection[Any]) -> bool:
    """Whether an idle connection still is one, as far as this end has heard.

    Costs no round trip. A server that went away has sent its farewell, which nobody has read yet;
    found here, it costs nothing, found in the middle of a registration it leaves open
    whether that was made.
    """
    if connection.closed or connection.broken:
        return False
    pgconn = connection.pgconn
    if pgconn.transaction_status != TransactionStatus.IDLE:
        return True
    try:
        for _ in range(100):
            if not _readable(pgconn.socket):
                break
            pgconn.consume_input()
    except psycopg.OperationalError:
        return False
    return bool(pgconn.status == ConnStatus.OK)


def _readable(fd: int) -> bool:
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([fd], [], [], 0)[0])


def check_encoding(connection: psycopg.BaseConnection[Any]) -> None:
    """Raises ConfigurationError if psycopg makes no text of what this connection receives.

    Found before anything is sent: afterwards, a registration would have been made.
    """
    if connection.pgconn.parameter_status(b"client_encoding") == b"SQL_ASCII":
        raise ConfigurationError(
            "the connection's client_encoding is SQL_ASCII, which says nothing about texts",
            hint="Connect with client_encoding=UTF8.",
        )


@contextmanager
def encodable() -> Iterator[None]:
    """Raises InvalidArgumentError for texts that the connection's client_encoding has not."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(
            f"the connection's client_encoding cannot say this text: {error}",
            hint="Connect with client_encoding=UTF8.",
        ) from error


def cursor(connection: Connection) -> psycopg.Cursor[tuple[Any, ...]]:
    """A plain cursor, whatever factories the caller's connection has."""
    return psycopg.Cursor(connection, row_factory=tuple_row)


def execute(connection: Connection, statement: Statement[T]) -> T:
    """Run a statement on this connection. Raises psycopg's errors."""
    with cursor(connection) as cur:
        with encodable():
            cur.execute(statement.query, statement.params, prepare=statement.prepare, binary=True)
        return statement.parse(cur.fetchall())


class Source(ABC):
    """Lends connections; see the module's docstring."""

    owned: bool
    retries: int = 0

    @abstractmethod
    def lend(self) -> Iterator[Connection]:
        """A generator that yields a connection once, for a context manager."""

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection for one operation. Raises psycopg's errors."""
        yield from self.lend()

    def close(self) -> None:  # noqa: B027
        """Close what this source has opened itself: here, nothing."""

    def run(self, statement: Statement[T]) -> T:
        """Run a statement; reads run again if the connection was lost. Raises ModelregErrors."""
        backoff = Retries(self.retries)
        while True:
            lent = False
            try:
                with self.connection() as connection:
                    lent = True
                    return execute(connection, statement)
            except psycopg.Error as caught:
                error = translate(caught)
                if lent and self.owned and is_lost_connection(error):
                    if not statement.changes and backoff.wait():
                        continue
                    if statement.changes:
                        error.hint = UNKNOWN_OUTCOME
                raise error from caught


class DsnSource(Source):
    """One connection, made when it is first needed, and again when it was lost.

    Threads wait for each other: an operation, a whole download included, has the connection to
    itself. A process that was forked makes a connection of its own.
    """

    owned = True

    def __init__(self, dsn: str, retries: int, settings: dict[str, str]) -> None:
        self._dsn = dsn
        self.retries = retries
        self._settings = settings
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._connection: Connection | None = None
        self._in_use = False
        self._connected_before = False

    def lend(self) -> Iterator[Connection]:
        if self._pid != os.getpid():
            # The parent's connection is not ours to use or to close, and a thread that
            # held its lock does not exist here.
            self._lock = threading.RLock()
            self._connection = None
            self._in_use = False
            self._pid = os.getpid()
        with self._lock:
            if self._in_use:
                # A progress callback uses the registry, in the middle of a transfer.
                with self._connect() as another:
                    yield another
                return
            if self._connection is None or not is_alive(self._connection):
                self.close()
                self._connection = self._connect()
            connection = self._connection
            self._in_use = True
            try:
                yield connection
            finally:
                self._in_use = False
                if connection.pgconn.transaction_status != TransactionStatus.IDLE:
                    # Interrupted in the middle of something.
                    connection.close()

    def _connect(self) -> Connection:
        backoff = Retries(self.retries)
        while True:
            try:
                connection = psycopg.connect(**connect_arguments(self._dsn))
                break
            except psycopg.OperationalError as error:
                # A server that was there may be restarting.
                again = self._connected_before and is_lost_connection(error)
                if not (again and backoff.wait()):
                    raise
        try:
            for name, value in self._settings.items():
                execute(connection, statements.set_setting(name, value))
        except BaseException:
            connection.close()
            raise
        self._connected_before = True
        return connection

    def close(self) -> None:
        if self._pid != os.getpid():
            return
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


class ConnectionSource(Source):
    """The caller's connection, and the caller's transaction. Not closed here."""

    owned = False

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.RLock()

    def lend(self) -> Iterator[Connection]:
        with self._lock:
            check_encoding(self._connection)
            yield self._connection


class PoolSource(Source):
    """A connection of the pool's for each operation. The pool is not closed here.

    Connections are used in autocommit, and returned as they were.
    """

    owned = True

    def __init__(self, pool: psycopg_pool.ConnectionPool[Any], retries: int) -> None:
        self._pool = pool
        self.retries = retries

    def lend(self) -> Iterator[Connection]:
        # After a restart of the server, the pool may hold as many dead ones as it is large.
        dead = 0
        while True:
            with self._pool.connection() as connection:
                if dead < 1000 and not is_alive(connection):
                    connection.close()
                    dead += 1
                    continue
                check_encoding(connection)
                autocommit = connection.autocommit
                connection.autocommit = True
                try:
                    yield connection
                finally:
                    idle = connection.pgconn.transaction_status == TransactionStatus.IDLE
                    if idle and not connection.closed:
                        connection.autocommit = autocommit
                return


def make_source(source: SourceArgument, retries: int, settings: dict[str, str]) -> Source:
    """The Source for what a caller gave; settings are for connections that are made here."""
    if source is None or isinstance(source, (str, os.PathLike)):
        return DsnSource(conninfo(source), retries, settings)
    if isinstance(source, psycopg.Connection):
        return ConnectionSource(source)
    getconn = getattr(source, "getconn", None)
    if isinstance(source, psycopg.AsyncConnection) or inspect.iscoroutinefunction(getconn):
        raise ConfigurationError(
            f"{type(source).__name__} is for asyncio", hint="AsyncModelRegistry takes it."
        )
    if callable(getconn) and callable(getattr(source, "putconn", None)):
        return PoolSource(source, retries)
    raise ConfigurationError(
        f"a registry is a connection string, a psycopg connection or a psycopg_pool pool,"
        f" not a {type(source).__name__}"
    )


@contextmanager
def session_settings(connection: Connection, settings: Mapping[str, str]) -> Iterator[None]:
    """Give settings of the session other values for the time.

    In a transaction that fails, the server puts them back by itself when that is rolled back. In
    one, they are set for no longer than that, or a SET LOCAL of the caller's would outlive it.
    """
    before = {name: execute(connection, statements.get_setting(name)) for name in settings}
    local = connection.pgconn.transaction_status == TransactionStatus.INTRANS
    for name, value in settings.items():
        execute(connection, statements.set_setting(name, value, local))
    try:
        yield
    finally:
        status = connection.pgconn.transaction_status
        if status in (TransactionStatus.IDLE, TransactionStatus.INTRANS):
            for name, old in before.items():
                execute(connection, statements.set_setting(name, old or None, local))
