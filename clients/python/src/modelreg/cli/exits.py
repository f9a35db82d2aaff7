"""The exit codes of `modelreg`. Scripts rely on them: they never change their meaning."""

from __future__ import annotations

from modelreg import errors

OK = 0
FAILURE = 1
USAGE = 2
NOT_FOUND = 3
REFUSED = 4
UNREACHABLE = 5
DAMAGED = 6
INTERRUPTED = 130
BROKEN_PIPE = 141

TABLE = """\
exit codes:
    0  done
    1  failed for a reason that is none of the following
    2  wrong usage, or an argument that the registry does not accept
    3  there is no such version, model, alias or upload, or nothing to load
    4  refused: not allowed, protected, an illegal move, or it exists already
    5  the server cannot be reached, or the connection was lost
    6  damaged: bytes are not those that were registered
  130  interrupted (Ctrl-C); 143: terminated (SIGTERM)
  141  the reader of the output went away
"""

_BY_CLASS: tuple[tuple[type[BaseException], int], ...] = (
    (errors.FileChangedError, FAILURE),
    (errors.NotFoundError, NOT_FOUND),
    (errors.AlreadyExistsError, REFUSED),
    (errors.ProtectedError, REFUSED),
    (errors.IllegalMoveError, REFUSED),
    (errors.NotAllowedError, REFUSED),
    (errors.TransactionError, REFUSED),  # a write on a replica
    (errors.ConnectionFailedError, UNREACHABLE),
    (errors.ChecksumError, DAMAGED),
    (errors.InvalidArgumentError, USAGE),
    (errors.ConfigurationError, USAGE),
)


def code_of(error: BaseException) -> int:
    """Return the exit code for an error of the registry or of the operating system."""
    return next((code for cls, code in _BY_CLASS if isinstance(error, cls)), FAILURE)


class CommandError(Exception):
    """Something that a command says in one line before it ends with `code`."""

    def __init__(self, message: str, code: int = FAILURE, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint
