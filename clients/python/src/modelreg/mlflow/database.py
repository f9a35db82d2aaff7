"""Connections for the store and the artifact repository.

There is one pool for each database and process: MLflow makes a repository for every download,
its server forks workers, and threads call one store at the same time. Connections are in
autocommit mode; what must be one transaction opens one.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import psycopg
from mlflow.exceptions import MlflowException
from psycopg import errors as pg
from psycopg.pq import TransactionStatus

try:
    import psycopg_pool
except ImportError as error:
    raise ImportError(
        "MLflow on modelreg needs psycopg_pool: pip install 'modelreg[mlflow]'"
    ) from error

from ..connection import is_alive
from ..errors import ModelregError
from .failures import translate
from .uri import RegistryUri

Connection = psycopg.Connection[tuple[Any, ...]]
Pool = psycopg_pool.ConnectionPool[Connection]
T = TypeVar("T")

APPLICATION_NAME = "modelreg-mlflow"
MAX_CONNECTIONS = 16  # of one process to one database
WAIT = 30.0  # seconds for a free connection
_TRIES = 5
_AGAIN = (pg.SerializationFailure, pg.DeadlockDetected)

_logger = logging.getLogger(__name__)
_pools: dict[str, Pool] = {}
_lock = threading.Lock()


class Database:
    """One database, reached through this process's pool. Can be pickled and forked."""

    def __init__(self, uri: RegistryUri) -> None:
        self._uri = uri

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection in autocommit mode. Errors of the database leave as MLflow's."""
        with translated():
            pool = _pool(self._uri)
            connection = _alive(pool, self._uri)
            try:
                yield connection
            finally:
                pool.putconn(connection)

    def transaction(self, work: Callable[[Connection], T]) -> T:
        """Runs ``work`` in one READ COMMITTED transaction, again after a deadlock or a
        serialization failure, so ``work`` must be fit to run several times."""
        return repeated(self.connection, work)


def repeated(
    connect: Callable[[], contextlib.AbstractContextManager[Connection]],
    work: Callable[[Connection], T],
) -> T:
    """As Database.transaction, on connections from elsewhere."""
    for attempt in range(1, _TRIES + 1):
        with connect() as connection:
            try:
                with connection.transaction():
                    return work(connection)
            except _AGAIN as error:
                in_transaction = connection.info.transaction_status != TransactionStatus.IDLE
                if in_transaction or attempt == _TRIES:
                    raise
                _logger.debug("Transaction failed with %s, trying again", error)
        time.sleep(random.uniform(0, 0.01 * 2**attempt))
    raise AssertionError("unreachable")


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turns errors of the database into MLflow's."""
    try:
        yield
    except MlflowException:
        raise
    except (psycopg.Error, ModelregError, UnicodeError) as error:
        raise translate(error) from error


def _pool(uri: RegistryUri) -> Pool:
    conninfo = uri.conninfo
    pool = _pools.get(conninfo)
    if pool is None:
        with _lock:
            pool = _pools.get(conninfo)
            if pool is None:
                pool = psycopg_pool.ConnectionPool(
                    conninfo,
                    connection_class=psycopg.Connection[tuple[Any, ...]],
                    kwargs={
                        "autocommit": True,
                        # A pooler between may give the next statement to another connection.
                        "prepare_threshold": None,
                        "fallback_application_name": APPLICATION_NAME,
                        # Of the environment there might come one that cannot say all texts.
                        "client_encoding": "UTF8",
                    },
                    min_size=0,
                    max_size=MAX_CONNECTIONS,
                    timeout=WAIT,
                    open=False,
                    configure=_configure,
                    name=f"modelreg-mlflow-{len(_pools)}",
                )
                # Who cannot connect shall hear why at once, not that a pool timed out.
                _explain(uri)
                pool.open()
                _pools[conninfo] = pool
    return pool


def _alive(pool: Pool, uri: RegistryUri) -> Connection:
    """A connection that the server has not closed, as far as can be told without a round trip.

    After a restart of the server all that the pool holds are dead; its own check would wait ever
    longer after each.
    """
    for _ in range(MAX_CONNECTIONS):
        try:
            connection = pool.getconn()
        except psycopg_pool.PoolTimeout:
            _explain(uri)
            raise
        if is_alive(connection):
            return connection
        connection.close()
        pool.putconn(connection)
    _explain(uri)
    return pool.getconn()


def _configure(connection: Connection) -> None:
    # What waits for a lock must see then what the other has done, whatever the database's default.
    connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED


def _explain(uri: RegistryUri) -> None:
    """Raises the reason if a connection cannot be made."""
    psycopg.connect(
        uri.conninfo, connect_timeout=10, fallback_application_name=APPLICATION_NAME
    ).close()


def _close_all() -> None:
    for pool in _pools.values():
        pool.close(timeout=1)
    _pools.clear()


def _forget_after_fork() -> None:
    """The parent's pools and lock are of no use to the child, and its connections not its own."""
    global _lock, _pools
    _lock = threading.Lock()
    _inherited.append(_pools)
    _pools = {}


# Kept, so that nothing of the parent's is finalised in a child.
_inherited: list[dict[str, Pool]] = []

atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
