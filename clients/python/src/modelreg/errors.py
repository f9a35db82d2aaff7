"""The errors of the client, one class for each thing a caller can do about it.

Every error that the server reports is raised as a subclass of ModelregError that keeps
SQLSTATE, detail and hint, `from` psycopg's own. Where Python has a class that callers
catch for such a thing (ValueError, LookupError, PermissionError …), ours is one too.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg


class ModelregError(Exception):
    """Base of all errors of this package.

    sqlstate, detail and hint are those of the server, None where the client itself found
    the error; the text of the error shows them. upload_id is set where a registration failed after
    its bytes were sent, at least in part: they can be used again with resume=.
    """

    upload_id: str | None = None

    def __init__(
        self,
        message: str,
        *,
        sqlstate: str | None = None,
        detail: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.sqlstate = sqlstate
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.message]
        if self.detail:
            lines.append(f"DETAIL:  {self.detail}")
        if self.hint:
            lines.append(f"HINT:  {self.hint}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments are not in args; worker pools pickle what was raised.
        return (
            _rebuild,
            (type(self), self.message, self.sqlstate, self.detail, self.hint),
            {"upload_id": self.upload_id},
        )


def _rebuild(
    cls: type[ModelregError],
    message: str,
    sqlstate: str | None,
    detail: str | None,
    hint: str | None,
) -> ModelregError:
    return cls(message, sqlstate=sqlstate, detail=detail, hint=hint)


class InvalidArgumentError(ModelregError, ValueError):
    """A bad argument (22023 and its like)."""


class FileChangedError(InvalidArgumentError):
    """A file or directory changed while it was sent. Nothing was registered."""


class NotFoundError(ModelregError, LookupError, ValueError):
    """No such version, model, alias or upload (42704)."""


class AlreadyExistsError(ModelregError, ValueError):
    """The version or the model exists, or a second production version (23505, 42710)."""


class ProtectedError(ModelregError, ValueError):
    """The version is in production, or an alias names it (55006)."""


class IllegalMoveError(ModelregError, ValueError):
    """The stage rules forbid this move (55000)."""


class NotAllowedError(ModelregError, PermissionError):
    """The role may not (42501)."""


class ChecksumError(ModelregError, ValueError):
    """Bytes are not those that the SHA-256 is of.

    22000: they changed on the way to the server, nothing was registered. XX001: the server
    found that what is stored is damaged. None: the client found it of what arrived.
    """


class UntrustedError(ModelregError, ValueError):
    """The bytes were not unpickled, because the caller does not trust them."""


class SerializationError(ModelregError, TypeError):
    """No serializer, or not the one asked for, can handle the object or the bytes."""


class ConfigurationError(ModelregError, ValueError):
    """A setting cannot be honoured here."""


class MissingExtraError(ModelregError, ImportError):
    """An optional library is not installed; the hint says which extra has it."""


class UnsupportedError(ModelregError, NotImplementedError):
    """The server, or the version at hand, cannot do this (0A000)."""


class TooLargeError(ModelregError, ValueError):
    """More than a limit allows (54000)."""


class TransactionError(ModelregError):
    """Not in this state of the transaction, or not on a replica (25xxx, 2D000)."""


class ConflictError(ModelregError):
    """A concurrent change was in the way: roll back and try again (40001, 40P01, 55P03)."""


class CancelledError(ModelregError):
    """The query was cancelled, or timed out (57014)."""


class ConnectionFailedError(ModelregError, ConnectionError):
    """The server cannot be reached, or the connection was lost.

    Whether a change that was under way was made is not known then, unless the message
    says so.
    """


class NotInstalledError(ModelregError):
    """The database does not have the extension, or not where search_path looks (42883)."""


_BY_SQLSTATE: dict[str, type[ModelregError]] = {
    "22000": ChecksumError,
    "XX001": ChecksumError,
    "42704": NotFoundError,
    "23505": AlreadyExistsError,
    "42710": AlreadyExistsError,
    "55006": ProtectedError,
    "55000": IllegalMoveError,
    "42501": NotAllowedError,
    "0A000": UnsupportedError,
    "54000": TooLargeError,
    "2D000": TransactionError,
    "40001": ConflictError,
    "40P01": ConflictError,
    "55P03": ConflictError,
    "57014": CancelledError,
    "57P01": ConnectionFailedError,
    "57P02": ConnectionFailedError,
    "57P03": ConnectionFailedError,
    "57P05": ConnectionFailedError,
    "53300": ConnectionFailedError,
    "42883": NotInstalledError,
    "42P01": NotInstalledError,
    "3F000": NotInstalledError,
}

_BY_CLASS: dict[str, type[ModelregError]] = {
    "08": ConnectionFailedError,
    "22": InvalidArgumentError,
    "23": InvalidArgumentError,
    "25": TransactionError,
    "28": ConnectionFailedError,
    "3D": ConnectionFailedError,
}

_INSTALL_HINT = (
    "Run CREATE EXTENSION modelreg in this database as a superuser, and have the schema that it"
    " was created in on search_path. Both must be of this client's version, or later."
)


def translate(error: psycopg.Error) -> ModelregError:
    """The error of this package for one of psycopg's, to be raised from it."""
    diagnostic = error.diag
    sqlstate = error.sqlstate
    message = diagnostic.message_primary or str(error).strip() or type(error).__name__
    cls: type[ModelregError] = ModelregError
    if sqlstate is not None:
        cls = _BY_SQLSTATE.get(sqlstate) or _BY_CLASS.get(sqlstate[:2]) or ModelregError
    elif isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        cls = ConnectionFailedError
    elif isinstance(error, psycopg.DataError):
        # Found by psycopg before it sent anything, such as a NUL in a text.
        cls = InvalidArgumentError
    elif isinstance(error, psycopg.ProgrammingError):
        cls = InvalidArgumentError
    hint = diagnostic.message_hint
    if cls is NotInstalledError:
        hint = _INSTALL_HINT
    return cls(message, sqlstate=sqlstate, detail=diagnostic.message_detail, hint=hint)


@contextmanager
def translated() -> Iterator[None]:
    """Raise what psycopg raises inside as an error of this package."""
    try:
        yield
    except psycopg.Error as error:
        raise translate(error) from error


def is_lost_connection(error: BaseException) -> bool:
    """Whether the error means that the connection is gone, and another may work."""
    if type(error).__module__.startswith("psycopg_pool"):
        return False  # it had none to lend, and has waited for one already
    if isinstance(error, psycopg.Error):
        error = translate(error)
    # 28xxx, 3Dxxx (no such role or database) will not get better.
    return isinstance(error, ConnectionFailedError) and (
        error.sqlstate is None or error.sqlstate[:2] in ("08", "57", "53")
    )


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn about the line of the first caller outside of this package."""
    package = os.path.dirname(__file__) + os.sep
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(package):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def missing_extra(library: str, extra: str, purpose: str) -> MissingExtraError:
    """The error for an optional library that is not there."""
    return MissingExtraError(
        f"{purpose} needs {library}, which is not installed",
        hint=f"pip install 'modelreg[{extra}]'",
    )
