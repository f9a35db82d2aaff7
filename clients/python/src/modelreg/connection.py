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
from psycopg import pq
from psycopg.pq import ConnStatus, TransactionStatus
from psycopg.rows import tuple_row

from modelreg import statements
from modelreg.dsn import conninfo, wants_prepared
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

PREPARE_AFTER = 5
"""How often a statement runs on a connection before it is prepared, where that is wanted."""


def connect_arguments(dsn: str, prepared: bool) -> dict[str, Any]:
    """What to give to psycopg's connect, for a connection of the client's own."""
    return {
        "conninfo": dsn,
        "autocommit": True,
        "prepare_threshold": PREPARE_AFTER if prepared else None,
        "fallback_application_name": "modelreg",
        # Of libpq's environment or the database there might come one that cannot say all texts.
        "client_encoding": "UTF8",
    }


NO_SETTINGS: Mapping[str, str] = {}

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

    listener = pgconn.notice_handler
    farewells = []

    def listen(notice: pq.abc.PGresult) -> None:
        severity = notice.error_field(pq.DiagnosticField.SEVERITY_NONLOCALIZED)
        if severity in (b"FATAL", b"PANIC"):
            farewells.append(notice)  # the end of the connection may be still on its way
        elif listener is not None:
            listener(notice)

    pgconn.notice_handler = listen
    try:
        for _ in range(100):
            if not _readable(pgconn.socket):
                break
            pgconn.consume_input()
            pgconn.is_busy()  # has libpq look at what came
    except psycopg.OperationalError:
        return False
    finally:
        pgconn.notice_handler = listener
    return not farewells and bool(pgconn.status == ConnStatus.OK)


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


@contextmanager
def names_for_statements(connection: psycopg.BaseConnection[Any], wanted: bool) -> Iterator[None]:
    """Have a connection that is not ours prepare nothing of ours, unless that is wanted."""
    before = connection.prepare_threshold
    if not wanted:
        connection.prepare_threshold = None
    try:
        yield
    finally:
        connection.prepare_threshold = before


class Source(ABC):
    """Lends connections; see the module's docstring."""

    owned: bool
    retries: int = 0
    prepared: bool = False
    """Whether statements may be prepared under a name."""

    @abstractmethod
    def lend(self) -> Iterator[Connection]:
        """A generator that yields a connection once, for a context manager."""

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection for one operation. Raises psycopg's errors."""
        yield from self.lend()

    def close(self) -> None:  # noqa: B027
        """Close what this source has opened itself: here, nothing."""

    def run(self, statement: Statement[T], settings: Mapping[str, str] = NO_SETTINGS) -> T:
        """Run a statement; reads run again if the connection was lost. Raises ModelregErrors."""
        backoff = Retries(self.retries)
        while True:
            lent = False
            try:
                with self.connection() as connection:
                    lent = True
                    with session_settings(connection, settings):
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

    def __init__(self, dsn: str, retries: int, prepared: bool) -> None:
        self._dsn = dsn
        self.retries = retries
        self.prepared = prepared
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
                connection = psycopg.connect(**connect_arguments(self._dsn, self.prepared))
            except psycopg.OperationalError as error:
                # A server that was there may be restarting.
                again = self._connected_before and is_lost_connection(error)
                if not (again and backoff.wait()):
                    raise
            else:
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

    def __init__(self, connection: Connection, prepared: bool) -> None:
        self._connection = connection
        self.prepared = prepared
        self._lock = threading.RLock()

    def lend(self) -> Iterator[Connection]:
        with self._lock, names_for_statements(self._connection, self.prepared):
            check_encoding(self._connection)
            yield self._connection


class PoolSource(Source):
    """A connection of the pool's for each operation. The pool is not closed here.

    Connections are used in autocommit, and returned as they were.
    """

    owned = True

    def __init__(
        self, pool: psycopg_pool.ConnectionPool[Any], retries: int, prepared: bool
    ) -> None:
        self._pool = pool
        self.retries = retries
        self.prepared = prepared

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
                    with names_for_statements(connection, self.prepared):
                        yield connection
                finally:
                    idle = connection.pgconn.transaction_status == TransactionStatus.IDLE
                    if idle and not connection.closed:
                        connection.autocommit = autocommit
                return


def make_source(source: SourceArgument, retries: int, prepared: bool | None = None) -> Source:
    """The Source for what a caller gave; prepared None is as the DSN or the environment says."""
    if source is None or isinstance(source, (str, os.PathLike)):
        return DsnSource(conninfo(source), retries, wants_prepared(prepared, source))
    if isinstance(source, psycopg.Connection):
        return ConnectionSource(source, wants_prepared(prepared))
    getconn = getattr(source, "getconn", None)
    if isinstance(source, psycopg.AsyncConnection) or inspect.iscoroutinefunction(getconn):
        raise ConfigurationError(
            f"{type(source).__name__} is for asyncio", hint="AsyncModelRegistry takes it."
        )
    if callable(getconn) and callable(getattr(source, "putconn", None)):
        return PoolSource(source, retries, wants_prepared(prepared))
    raise ConfigurationError(
        f"a registry is a connection string, a psycopg connection or a psycopg_pool pool,"
        f" not a {type(source).__name__}"
    )


def needs_transaction(connection: psycopg.BaseConnection[Any]) -> bool:
    """Whether each statement on this connection would be a transaction of its own."""
    idle = connection.pgconn.transaction_status == TransactionStatus.IDLE
    return idle and connection.autocommit


@contextmanager
def session_settings(connection: Connection, settings: Mapping[str, str]) -> Iterator[None]:
    """Give settings other values for what is done inside, which becomes one transaction.

    They are never set for longer than the transaction: a pooler may lend the session to somebody
    else after it. In a transaction that is under way they are put back at the end; in one that
    fails, the server does that when it is rolled back.
    """
    if not settings:
        yield
        return
    if needs_transaction(connection):
        with connection.transaction():
            for name, value in settings.items():
                execute(connection, statements.set_local(name, value))
            yield
        return
    before = {name: execute(connection, statements.get_setting(name)) for name in settings}
    for name, value in settings.items():
        execute(connection, statements.set_local(name, value))
    try:
        yield
    finally:
        if connection.pgconn.transaction_status == TransactionStatus.INTRANS:
            for name, old in before.items():
                execute(connection, statements.set_local(name, old or None))
