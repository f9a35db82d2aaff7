"""What a watch remembers and decides, without input or output: shared by threads and asyncio."""

from __future__ import annotations

import json
import logging
import os
import random
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from modelreg import statements
from modelreg.dsn import LISTEN_VARIABLE, conninfo, conninfo_of
from modelreg.errors import (
    ConfigurationError,
    InvalidArgumentError,
    is_lost_connection,
    translate,
    warn_caller,
)
from modelreg.pooling import PoolerWarning
from modelreg.types import DeploymentStage, ModelVersion, as_text

logger = logging.getLogger("modelreg")

# Seconds between two looks if nothing is heard: with LISTEN, and without.
POLL_LISTENING = 60.0
POLL_DEAF = 5.0

# Seconds to wait after the connection was lost: doubled each time, between these two.
BACKOFF_FIRST = 0.1
BACKOFF_MOST = 30.0

# Settings of the connection where the caller's do not say otherwise. A peer that vanished without a
# word is found by the kernel's probes within a minute; without them an idle connection would wait
# for ever.
CONNECTION_DEFAULTS: dict[str, Any] = {
    "fallback_application_name": "modelreg watch",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30000,
}


# What libpq knows; a pool's further arguments are psycopg's.
_PARAMETERS = frozenset(option.keyword.decode() for option in pq.Conninfo.get_defaults())


@dataclass(frozen=True)
class Target:
    """What is watched: the newest version in a stage, or the version that an alias names."""

    model_name: str
    stage: str | None
    alias: str | None

    @classmethod
    def of(cls, model_name: str, stage: DeploymentStage | str | None, alias: str | None) -> Target:
        """Raises InvalidArgumentError unless it is a stage there is, or an alias."""
        if alias is not None:
            return cls(model_name, None, alias)
        text = as_text(stage) if stage is not None else None
        if text not in {known.value for known in DeploymentStage}:
            raise InvalidArgumentError(
                f'there is no stage "{text}"',
                hint=f"Stages are: {', '.join(known.value for known in DeploymentStage)}.",
            )
        return cls(model_name, text, None)

    def __str__(self) -> str:
        what = f"alias {self.alias}" if self.alias is not None else self.stage
        return f"{self.model_name} ({what})"

    @property
    def look(self) -> statements.Statement[ModelVersion | None]:
        """The query for the answer."""
        if self.alias is not None:
            return statements.resolve(self.model_name, self.alias)
        return statements.find_latest(model_name=self.model_name, deployment_stage=self.stage)

    def concerned_by(self, payload: str) -> bool:
        """Whether an event may have changed the answer; one that cannot be read may.

        The model_id says nothing about the model: after a rename, ids have the old name.
        """
        try:
            event = json.loads(payload)["event"]
        except (ValueError, TypeError, KeyError):
            return True
        # A change of metadata, or of an alias that no stage depends on, changes no answer.
        unconcerned = ("update", "alias") if self.alias is None else ("update", "stage", "register")
        return event not in unconcerned


class Backoff:
    """How long to wait after failures in a row: doubled each time, and spread, so that not all come
    at once.
    """

    def __init__(self, first: float = BACKOFF_FIRST, most: float = BACKOFF_MOST) -> None:
        self._first = first
        self._most = most
        self._failures = 0

    def reset(self) -> None:
        self._failures = 0

    def next(self) -> float:
        delay = min(self._most, self._first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return delay * random.uniform(0.75, 1.25)


@dataclass
class Follower:
    """What a watch remembers and decides. No input or output: shared by threads and asyncio."""

    target: Target
    include_current: bool
    poll: float | None
    timeout: float | None
    last: str | None = None
    looked: bool = False
    listening: bool = False
    pooled: bool = False
    """Whether the connection is one on which LISTEN would hear nothing."""
    payloads: list[str] = field(default_factory=list)
    backoff: Backoff = field(default_factory=Backoff)
    _warned: bool = False
    _ends: float | None = None
    _look_at: float = 0.0

    def __post_init__(self) -> None:
        if self.poll is not None and not self.poll > 0:
            raise InvalidArgumentError("poll must be more than 0 seconds")

    def start(self) -> None:
        """Begin to count `timeout`."""
        if self.timeout is not None:
            self._ends = time.monotonic() + self.timeout

    @property
    def over(self) -> bool:
        """Whether `timeout` has passed."""
        return self._ends is not None and time.monotonic() >= self._ends

    def limit(self, seconds: float) -> float:
        """Shorten a wait so that it ends when the watch does."""
        if self._ends is None:
            return seconds
        return max(0.0, min(seconds, self._ends - time.monotonic()))

    def found(self, version: ModelVersion | None) -> ModelVersion | None:
        """Take the result of a look. Return the version if it is to be yielded."""
        first, self.looked = not self.looked, True
        self.backoff.reset()
        poll = self.poll or (POLL_LISTENING if self.listening else POLL_DEAF)
        self._look_at = time.monotonic() + poll
        if version is None or version.model_id == self.last:
            return None
        self.last = version.model_id
        return None if first and not self.include_current else version

    def heard(self) -> bool:
        """Forget the events that came. Return whether one concerned us."""
        payloads, self.payloads[:] = self.payloads[:], []
        return any(self.target.concerned_by(payload) for payload in payloads)

    def patience(self) -> float:
        """How long to wait for an event, in seconds, before looking anyway."""
        return self.limit(max(0.0, self._look_at - time.monotonic()))

    def look_within(self, seconds: float) -> None:
        """Forget what was yielded last, and look again after so many seconds at most."""
        self.last = None
        self._look_at = min(self._look_at, time.monotonic() + seconds)

    def failed(self, error: psycopg.Error) -> float:
        """Return how long to wait before connecting again. Raises what another try will not mend.

        The first look has to succeed: a wrong password or name is to be seen at once.
        """
        if not self.looked or not _may_mend(error):
            raise translate(error) from error
        delay = self.backoff.next()
        logger.warning(
            "watch of %s: %s; connecting again in %.1f s",
            self.target,
            str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__,
            delay,
        )
        return self.limit(delay)

    def behind_pooler(self) -> None:
        """Remember that notifications do not come through, and say so, once."""
        self.pooled = True
        if not self._warned:
            self._warned = True
            warn_caller(
                f"watch of {self.target}: notifications do not come through this connection pooler,"
                f" so it looks every {self.poll or POLL_DEAF:g} s. Give listen_dsn, or"
                f" {LISTEN_VARIABLE}: a connection string of the server itself.",
                PoolerWarning,
            )

    def drain(self, connection: pq.abc.PGconn) -> None:
        """Take the events that have arrived. Raises OperationalError if the connection is lost.

        To be called before each wait for the socket: an event that came right behind the result of
        a query has been read from it already.
        """
        connection.consume_input()
        while notify := connection.notifies():
            self.payloads.append(notify.extra.decode("utf-8", "replace"))


def _may_mend(error: psycopg.Error) -> bool:
    # A server that restarts may for a while not even know a role's password; a watch that has
    # worked goes on.
    return is_lost_connection(error) or isinstance(error, psycopg.OperationalError)


def watch_settings(source: object, listen_dsn: object) -> dict[str, Any]:
    """Return psycopg's arguments for the connection of a watch.

    It goes to listen_dsn or, where that is None, to what the environment says, or to the source.
    """
    if listen_dsn is None:
        listen_dsn = os.environ.get(LISTEN_VARIABLE) or None
    settings = connection_settings(source if listen_dsn is None else listen_dsn)
    return {**settings, "autocommit": True, "prepare_threshold": None}


def connection_settings(source: object) -> dict[str, Any]:
    """Return libpq's parameters for a connection of a watch's own to where `source` connects.

    `source` is a DSN (None: libpq's environment), a connection or a pool, psycopg's asynchronous
    ones as well.
    """
    given: dict[str, Any]
    if source is None or isinstance(source, (str, os.PathLike)):
        given = conninfo_to_dict(conninfo(source))
    elif isinstance(source, psycopg.BaseConnection):
        given = conninfo_to_dict(conninfo_of(source))
    else:
        pool_conninfo = getattr(source, "conninfo", None)
        pool_kwargs = getattr(source, "kwargs", None)
        if not isinstance(pool_conninfo, str) or not isinstance(pool_kwargs, dict | None):
            raise ConfigurationError(
                f"a watch cannot tell where a {type(source).__name__} connects",
                hint="Give it a connection string as source.",
            )
        options = {
            name: value for name, value in (pool_kwargs or {}).items() if name in _PARAMETERS
        }
        given = conninfo_to_dict(pool_conninfo, **options)
    defaults = dict(CONNECTION_DEFAULTS)
    if "PGCONNECT_TIMEOUT" in os.environ:
        del defaults["connect_timeout"]
    return defaults | given | {"client_encoding": "UTF8"}
