"""Python's values as the server's: text, JSON, metrics, instants."""

from __future__ import annotations

import enum
import json
import math
import reprlib
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePath
from typing import Any
from uuid import UUID

from modelreg.errors import InvalidArgumentError
from modelreg.types import as_text

# ---- Given by the user: what cannot be said is an error ----


def json_text(value: Any, what: str) -> str:
    """The value as JSON.

    numpy's numbers and arrays are taken for what they hold; dates, paths, enums, UUIDs and sets for
    what they mean; a Decimal is a number if a double has all of its digits, else text. Raises
    InvalidArgumentError for what JSON, or a text of PostgreSQL's, cannot say: NaN and infinity, and
    the character 0.
    """
    try:
        return json.dumps(_plain(value), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(f"{what} cannot be written as JSON: {error}") from error


def _plain(value: Any) -> Any:
    """The value in types that JSON has."""
    if isinstance(value, enum.Enum):
        return _plain(value.value)
    if isinstance(value, str):
        return _sayable(str.__str__(value))
    if value is None or isinstance(value, (int, float)):
        return value
    if isinstance(value, Mapping):
        return _plain_mapping(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return _in_order([_plain(item) for item in value])
    for kinds, form in _FORMS:
        if isinstance(value, kinds):
            return form(value)
    to_list = getattr(value, "tolist", None)  # numpy's arrays and numbers, torch's tensors
    if callable(to_list) and not isinstance(value, type):
        # An array of numbers holds nothing else.
        numbers = getattr(getattr(value, "dtype", None), "kind", None) in tuple("biuf")
        return to_list() if numbers else _plain(to_list())
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _plain_mapping(value: Mapping[Any, Any]) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for key, item in value.items():
        name = _plain(key)
        if name in result:
            raise ValueError(f"two keys are {name!r}")
        result[name] = _plain(item)
    return result


def _in_order(items: list[Any]) -> list[Any]:
    """The items of a set, in an order that does not change from run to run."""
    try:
        return sorted(items)
    except TypeError:
        return sorted(items, key=json.dumps)


def _decimal(value: Decimal) -> int | float | str:
    if not value.is_finite():
        raise ValueError(f"{value} is not finite")
    if value == value.to_integral_value() and abs(value) < 2**53:
        return int(value)
    number = float(value)
    return number if Decimal(repr(number)) == value else str(value)


_FORMS: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    ((date, time), lambda value: value.isoformat()),  # datetimes are dates
    (timedelta, timedelta.total_seconds),
    (PurePath, lambda value: _sayable(str(value))),
    (UUID, str),
    (Decimal, _decimal),
)


def _sayable(text: str) -> str:
    """The text. Raises ValueError if it has characters that a text of PostgreSQL's cannot have."""
    if "\0" in text:
        raise ValueError("a text has the character \\0, which PostgreSQL's have not")
    text.encode()  # a lone surrogate raises
    return text


def metrics_text(metrics: Mapping[str, Any], what: str = "performance_metrics") -> str:
    """Metrics as JSON, each a finite number."""
    if not callable(getattr(metrics, "items", None)):
        raise InvalidArgumentError(f"{what} is a dict, not a {type(metrics).__name__}")
    numbers: dict[str, float] = {}
    for name, value in metrics.items():
        try:
            number = float(value)
        except (TypeError, ValueError) as error:
            raise InvalidArgumentError(f'{what}: "{name}" is not a number') from error
        except OverflowError as error:
            raise InvalidArgumentError(f'{what}: "{name}" is too large') from error
        if not math.isfinite(number):
            raise InvalidArgumentError(
                f'{what}: "{name}" is {number}',
                hint="JSON knows finite numbers only: leave this metric out.",
            )
        numbers[name] = number
    return json_text(numbers, what)


def text(value: Any, what: str) -> str:
    """The value as text that can be sent. Raises InvalidArgumentError if it is none.

    Dates, paths and UUIDs are texts here.
    """
    try:
        if isinstance(value, (date, PurePath, UUID)):
            value = _plain(value)
        return _sayable(as_text(value))
    except TypeError as error:
        raise InvalidArgumentError(f"{what}: {error}") from error
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(f"{what} has characters that UTF-8 has not: {error}") from error
    except ValueError as error:
        raise InvalidArgumentError(f"{what}: {error}") from error


def text_list(values: Iterable[Any], what: str) -> list[str]:
    """The values as a list of texts. A text alone is refused: it would be one of its letters."""
    if isinstance(values, str):
        raise InvalidArgumentError(f"{what} is a list of texts, not the text {values!r}")
    return [text(value, what) for value in values]


def aware(value: datetime, what: str) -> datetime:
    """The instant; without a time zone it is local time, and not that of the server's session."""
    if not isinstance(value, datetime):
        raise InvalidArgumentError(f"{what} is a datetime, not a {type(value).__name__}")
    if value.tzinfo is not None:
        return value
    try:
        # pandas's Timestamp cannot do that by itself.
        return datetime.combine(value.date(), value.time()).astimezone()
    except (OverflowError, ValueError, OSError) as error:
        raise InvalidArgumentError(f"{what} is out of range: {error}") from error


# ---- Collected by the client: what cannot be said, or is long, becomes a short text ----

SHORT = 200
"""Characters in a short text."""

_LONG = 10_000
"""Characters, or bytes of an array, that a value may have."""

_ALL = 1_000_000
"""Characters that all values may have."""


def collected(values: Mapping[Any, Any]) -> dict[str, Any]:
    """The values, each as JSON or as a short text, whatever they are."""
    result: dict[str, Any] = {}
    room = _ALL
    for key, value in values.items():
        name = short_text(key) if not isinstance(key, str) else _cut(key)
        kept = _kept(value)
        room -= len(name) + len(json.dumps(kept))
        if room < 0:
            result["…"] = f"{len(values) - len(result)} more"
            break
        result[name] = kept
    return result


def _kept(value: Any) -> Any:
    try:
        if not _is_long(value):
            plain = _plain(value)
            if len(json.dumps(plain, allow_nan=False)) <= _LONG:
                return plain
    except Exception:
        pass
    return short_text(value)


def _is_long(value: Any) -> bool:
    sizes = [getattr(value, "nbytes", 0)]
    if isinstance(value, (str, bytes, list, tuple, set, frozenset, Mapping)):
        sizes.append(len(value))
    return any(isinstance(size, int) and size > _LONG for size in sizes)


def short_text(value: Any) -> str:
    """What repr says of a value, cut short; its type where that fails."""
    try:
        shown = reprlib.repr(value) if _is_long(value) else repr(value)
    except Exception:
        shown = f"<{type(value).__name__}>"
    return _cut(shown)


def said(error: BaseException) -> str:
    """The kind of an error, and what it says, where it can say it."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__


def _cut(shown: str) -> str:
    text = shown[: SHORT + 1].encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    return text if len(text) <= SHORT else text[: SHORT - 1] + "…"
