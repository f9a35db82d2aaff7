"""Where a registry is: connection strings, with the client's own parameters in them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from urllib.parse import unquote

import psycopg
import psycopg.conninfo

from modelreg.errors import ConfigurationError

PREFIX = "modelreg+"
"""What URIs of MLflow's have before the scheme; accepted everywhere, for one URI to do for both."""

OWN = "modelreg_"
"""Parameters that begin so are not libpq's."""

PREPARED_VARIABLE = "MODELREG_PREPARED"
LISTEN_VARIABLE = "MODELREG_LISTEN_DSN"

_HINT = (
    "It is now a connection string, such as postgresql://host/database or"
    " 'host=… dbname=…'; leave it out to use PGHOST, PGDATABASE …"
)
_SCHEMES = ("postgresql://", "postgres://")

# A parameter of libpq's keyword/value form.
_PAIR = re.compile(r"\s*([^\s=]+)\s*=\s*('(?:\\.|[^'\\])*'|(?:\\.|[^\s\\'])*)", re.DOTALL)
# One of ours in a URI, with what is around it.
_IN_URI = re.compile(rf"([?&]){OWN}([^=&]*)=([^&]*)(&|\Z)")

_TRUE, _FALSE = ("1", "true", "on", "yes"), ("0", "false", "off", "no")


def conninfo(dsn: str | os.PathLike[str] | None) -> str:
    """The connection string for libpq; raises ConfigurationError if it is none.

    None and "" mean libpq's environment (PGHOST, PGDATABASE, PGSERVICE …).
    """
    return _split(dsn)[0]


def wants_prepared(given: bool | None, dsn: str | os.PathLike[str] | None = None) -> bool:
    """Whether statements may be prepared under a name: as given, or else as the connection string
    says, or the environment. Otherwise not: behind a pooler that lends sessions by the transaction,
    another client has the session, and its names, by the next statement.
    """
    if given is not None:
        return given
    in_dsn = _split(dsn)[1].get("prepared")
    if in_dsn is not None:
        return _switch(in_dsn, f"{OWN}prepared")
    return _switch(os.environ.get(PREPARED_VARIABLE) or "0", PREPARED_VARIABLE)


def _switch(text: str, what: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise ConfigurationError(f'{what} is on or off, not "{text}"')
    return text.lower() in _TRUE


def _split(dsn: str | os.PathLike[str] | None) -> tuple[str, dict[str, str]]:
    """The connection string for libpq, and our own parameters without their prefix."""
    text = os.fspath(dsn) if dsn is not None else ""
    text = text.removeprefix(PREFIX)
    is_uri = text.startswith(_SCHEMES)
    if text and "=" not in text and not is_uri:
        # Another library's URL, such as postgresql+psycopg://, may have a password in it.
        named = "this" if "@" in text or "://" in text else f'"{text}"'
        raise ConfigurationError(
            f"{named} is not where a registry is: it is in a database, not in a directory",
            hint=_HINT,
        )
    own: dict[str, str] = {}
    text = _without_own_in_uri(text, own) if is_uri else _without_own(text, own)
    for name in own:
        if name != "prepared":
            raise ConfigurationError(f'there is no parameter "{OWN}{name}"')
    try:
        return psycopg.conninfo.make_conninfo(text), own
    except psycopg.ProgrammingError:
        # psycopg's message quotes parts of the text, which may be of a password.
        raise ConfigurationError("the connection string cannot be understood", hint=_HINT) from None


def _without_own_in_uri(text: str, own: dict[str, str]) -> str:
    while found := _IN_URI.search(text):
        before, name, value, after = found.groups()
        own[name] = unquote(value)
        between = before if after else ""
        text = text[: found.start()] + between + text[found.end() :]
    return text


def _without_own(text: str, own: dict[str, str]) -> str:
    pairs = list(_pairs(text))
    if not any(name.startswith(OWN) for name, _ in pairs):
        return text
    kept = []
    for name, value in pairs:
        if name.startswith(OWN):
            own[name.removeprefix(OWN)] = re.sub(r"\\(.)", r"\1", value.strip("'"))
        else:
            kept.append(f"{name}={value}")
    return " ".join(kept)


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """The parameters as they are written; none if libpq would not understand the text."""
    position, found = 0, []
    while match := _PAIR.match(text, position):
        found.append((match[1], match[2]))
        position = match.end()
    return iter(() if text[position:].strip() else found)


def conninfo_of(connection: psycopg.BaseConnection[object]) -> str:
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
