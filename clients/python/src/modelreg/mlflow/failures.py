"""Errors of the database as MLflow's exceptions.

MLflow's clients look at the code, and get it over REST too. The server's own message is for the
person: it is kept, with its hint.
"""

from __future__ import annotations

import psycopg
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    DATA_LOSS,
    INTERNAL_ERROR,
    INVALID_PARAMETER_VALUE,
    INVALID_STATE,
    PERMISSION_DENIED,
    RESOURCE_ALREADY_EXISTS,
    RESOURCE_DOES_NOT_EXIST,
    TEMPORARILY_UNAVAILABLE,
    ErrorCode,
)

from ..errors import InvalidArgumentError, ModelregError

_BY_STATE: dict[str, int] = {
    "23505": RESOURCE_ALREADY_EXISTS,
    "25006": INVALID_STATE,
    "42501": PERMISSION_DENIED,
    "42704": RESOURCE_DOES_NOT_EXIST,
    "42710": RESOURCE_ALREADY_EXISTS,
    "55000": INVALID_STATE,
    "55006": INVALID_STATE,
    "XX001": DATA_LOSS,
    "3F000": INVALID_STATE,
    "42P01": INVALID_STATE,
    "42883": INVALID_STATE,
}
_BY_CLASS: dict[str, int] = {
    "08": TEMPORARILY_UNAVAILABLE,
    "22": INVALID_PARAMETER_VALUE,
    "28": PERMISSION_DENIED,
    "40": TEMPORARILY_UNAVAILABLE,
    "53": TEMPORARILY_UNAVAILABLE,
    "54": INVALID_PARAMETER_VALUE,
    "57": TEMPORARILY_UNAVAILABLE,
}
_REFUSALS = {
    ErrorCode.Name(code)
    for code in (INVALID_PARAMETER_VALUE, INVALID_STATE, RESOURCE_ALREADY_EXISTS)
}
_NO_EXTENSION = ("3F000", "42P01", "42883")


class Refusal(MlflowException):
    """What will be refused again if it is tried again.

    MLflow's server answers INVALID_STATE and DATA_LOSS with 500, and MLflow's REST clients take
    that for a passing trouble, and try for minutes. With 409 they hear of it at once.
    """

    def get_http_status_code(self) -> int:
        return 409


def reason_of_refusal(error: Exception) -> str | None:
    """What is said, if something was refused that would be refused again; None for all else."""
    if not isinstance(error, MlflowException):
        error = translate(error)
    return error.message if error.error_code in _REFUSALS else None


def translate(error: Exception) -> MlflowException:
    """The MLflow exception for an error of psycopg, or of the client's own helpers."""
    state = getattr(error, "sqlstate", None)
    text = _text(error)
    if state in _NO_EXTENSION:
        text += " Is modelreg installed in this database, in a schema on the search path?"
    code = _code(error, state)
    kind = Refusal if code in (INVALID_STATE, DATA_LOSS) else MlflowException
    return kind(text, error_code=code, sqlstate=state)


def _code(error: Exception, state: str | None) -> int:
    if state is not None:
        return _BY_STATE.get(state) or _BY_CLASS.get(state[:2]) or INTERNAL_ERROR
    if isinstance(error, (psycopg.DataError, InvalidArgumentError, UnicodeError)):
        return INVALID_PARAMETER_VALUE
    if isinstance(error, (psycopg.OperationalError, TimeoutError)):
        return TEMPORARILY_UNAVAILABLE
    return INTERNAL_ERROR


def _text(error: Exception) -> str:
    if isinstance(error, ModelregError):
        primary, *more = error.message, error.detail, error.hint
    else:
        diagnosis = getattr(error, "diag", None)
        primary = getattr(diagnosis, "message_primary", None) or str(error)
        more = [getattr(diagnosis, part, None) for part in ("message_detail", "message_hint")]
    sentences = (primary[:1].upper() + primary[1:], *more)
    return " ".join(s if s.endswith((".", "?", "!")) else s + "." for s in sentences if s)
