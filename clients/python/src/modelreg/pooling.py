"""Whether a connection is to the server, or to a pooler that lends sessions by the transaction.

Behind such a pooler LISTEN hears nothing, and stays in a session that other clients get.
"""

from __future__ import annotations

import contextlib
import selectors
import time
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import pq

PID = "SELECT pg_backend_pid()"

# How often to ask, and how long to wait for an answer: a pooler may have no session left to lend.
ROUNDS = 5
SECONDS = 5.0


class PoolerWarning(UserWarning):
    """Notifications do not come through this connection, so a watch looks every few seconds."""


def is_pooled(connection: psycopg.BaseConnection[Any], backend_pid: int) -> bool:
    """Whether the process that answers is not the one that the connection was promised.

    A pooler, of whatever kind, gives out a number of its own.
    """
    return connection.pgconn.backend_pid != backend_pid


def lends_by_transaction(settings: Mapping[str, Any]) -> bool:
    """Whether two connections with these settings get the same session of the server in turn.

    Asks without leaving anything in a session. Where there is no answer, it is taken for so.
    """
    with contextlib.ExitStack() as stack:
        try:
            first, second = (
                stack.enter_context(contextlib.closing(psycopg.connect(**settings)))
                for _ in range(2)
            )
            home = None
            for _ in range(ROUNDS):
                here = _ask(first.pgconn, PID)
                there = _ask(second.pgconn, f"BEGIN; {PID}")
                again = _ask(first.pgconn, PID)
                _ask(second.pgconn, "ROLLBACK")
                if home not in (None, here) or there == here or again != here:
                    return True
                home = here
        except (psycopg.Error, TimeoutError):
            return True
    return False


def _ask(connection: pq.abc.PGconn, query: str) -> bytes | None:
    """The value that a query ends with. Raises TimeoutError, which psycopg would not."""
    connection.send_query(query.encode())
    value = None
    ends = time.monotonic() + SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(connection.socket, selectors.EVENT_READ)
        while True:
            while connection.flush() or connection.is_busy():
                if not selector.select(max(0.0, ends - time.monotonic())):
                    raise TimeoutError(query)
                connection.consume_input()
            result = connection.get_result()
            if result is None:
                return value
            if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
                raise psycopg.OperationalError(result.error_message.decode(errors="replace"))
            if result.ntuples:
                value = result.get_value(0, 0)
