"""Text for people: colours, widths, tables, sizes and times.

Whatever comes from the registry is printed through `clean`, so that a name or a note cannot move
the cursor, change colours or reorder the line.
"""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TextIO

_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}

STAGE_COLOURS = {
    "development": "blue",
    "staging": "cyan",
    "canary": "yellow",
    "production": "green",
    "deprecated": "magenta",
    "archived": "dim",
}

# Marks that turn the direction of what follows: with them, a name can look like another.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean(text: str, *, lines: bool = False) -> str:
    """Escape what would act on a terminal instead of being shown.

    `lines` lets line ends and tabs be.
    """
    if text.isascii() and text.isprintable():
        return text
    out = []
    for char in text:
        if lines and char in "\n\t":
            out.append(char)
        elif char in _BIDI or unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp"):
            out.append(char.encode("unicode_escape").decode("ascii"))
        else:
            out.append(char)
    return "".join(out)


def width_of(text: str) -> int:
    """Return how many columns a text takes on a terminal."""
    if text.isascii():
        return len(text)
    width = 0
    for char in text:
        if unicodedata.category(char) in ("Mn", "Me", "Cf"):
            continue
        width += 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1
    return width


def cut(text: str, width: int) -> str:
    """Shorten a text to `width` columns, the last one an ellipsis."""
    if width_of(text) <= width:
        return text
    out, used = [], 0
    for char in text:
        wide = width_of(char)
        if used + wide > width - 1:
            break
        out.append(char)
        used += wide
    return "".join(out) + "…"


def wants_colour(stream: TextIO, choice: str) -> bool:
    """Say whether to colour: a terminal that is not dumb, and nobody asked not to
    (https://no-color.org).
    """
    if choice != "auto":
        return choice == "always"
    return not os.environ.get("NO_COLOR") and is_capable(stream)


def is_capable(stream: TextIO) -> bool:
    """Say whether it is a terminal on which a line can be drawn over."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "")


def terminal_width(stream: TextIO) -> int | None:
    """Return the columns to fit into. None: not a terminal, so nothing is cut."""
    if not stream.isatty():
        return None
    try:
        asked = int(os.environ.get("COLUMNS", ""))
    except ValueError:
        asked = 0
    if asked > 0:
        return asked
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except OSError:
        columns = 0
    return columns or shutil.get_terminal_size().columns


def size_text(size: int) -> str:
    """Return a size in bytes, kB, MB … of 1000 each, three digits."""
    if size < 1000:
        return f"{size} B"
    value = float(size)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.5 or unit == "TB":
            break
    return f"{value:.2f} {unit}" if value < 9.995 else f"{value:.3g} {unit}"


def time_text(when: datetime | None) -> str:
    """Return a time in the local time zone, to the minute."""
    return "" if when is None else _local(when).strftime("%Y-%m-%d %H:%M")


def time_with_age(when: datetime | None, now: datetime | None = None) -> str:
    """Return a time to the second with its zone, and how long ago that was."""
    if when is None:
        return ""
    local = _local(when)
    return f"{local:%Y-%m-%d %H:%M:%S %z} ({age_text(when, now)})"


def _local(when: datetime) -> datetime:
    try:
        return when.astimezone()
    except (OverflowError, OSError, ValueError):  # the year 1 or 9999, beyond the zone's reach
        return when


def age_text(when: datetime, now: datetime | None = None) -> str:
    """Return how long ago: "3 minutes ago", "in 2 days"."""
    seconds = ((now or datetime.now(timezone.utc)) - when).total_seconds()
    past, seconds = seconds >= 0, abs(seconds)
    if seconds < 1:
        return "just now"
    units = (
        ("year", 31557600.0),
        ("month", 2629800.0),
        ("day", 86400.0),
        ("hour", 3600.0),
        ("minute", 60.0),
        ("second", 1.0),
    )
    unit, length = next((unit for unit in units if seconds >= unit[1]), units[-1])
    count = int(seconds / length)
    text = f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{text} ago" if past else f"in {text}"


def number_text(value: float) -> str:
    """Return a metric's value, as short as it can be without losing a digit that counts."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.6g}"


class Style:
    """Colours, or none."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def __call__(self, text: str, *names: str) -> str:
        if not self.on or not text or not names:
            return text
        return f"\033[{';'.join(_CODES[name] for name in names)}m{text}\033[0m"

    def stage(self, stage: str) -> str:
        return self(stage, STAGE_COLOURS.get(stage, "bold"))


@dataclass
class Column:
    """A column of a table.

    Where the terminal is too narrow, columns that `shrinks` are cut, and those with the highest
    `drops` left out; 0 stays.
    """

    title: str
    right: bool = False
    shrinks: bool = False
    drops: int = 0


@dataclass
class Cell:
    """A text, and the names of its colours."""

    text: str
    colours: tuple[str, ...] = ()


def table(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str | Cell]],
    style: Style,
    width: int | None,
) -> str:
    """Lay out rows in columns, two spaces between them. Texts are cleaned here."""
    cells = [
        [
            Cell(clean(cell.text), cell.colours) if isinstance(cell, Cell) else Cell(clean(cell))
            for cell in row
        ]
        for row in rows
    ]
    titles = [clean(column.title) for column in columns]
    widths = [
        max([width_of(titles[at])] + [width_of(row[at].text) for row in cells])
        for at in range(len(columns))
    ]
    shown = list(range(len(columns)))
    if width is not None:
        shown = _fit(widths, columns, width)

    def line(row: Sequence[Cell]) -> str:
        out = []
        for at in shown:
            text = cut(row[at].text, widths[at])
            pad = " " * (widths[at] - width_of(text))
            coloured = style(text, *row[at].colours)
            out.append(pad + coloured if columns[at].right else coloured + pad)
        return "  ".join(out).rstrip()

    head = line([Cell(title, ("bold",)) for title in titles])
    return "\n".join([head, *(line(row) for row in cells)])


# A column that shrinks is worth its place from this width on.
_LEAST = 12


def _fit(widths: list[int], columns: Sequence[Column], width: int) -> list[int]:
    """Return the columns to show, and make `widths` so that they fit, if that is possible."""
    shown = list(range(len(columns)))

    def least(at: int) -> int:
        return min(widths[at], _LEAST) if columns[at].shrinks else widths[at]

    while sum(least(at) + 2 for at in shown) - 2 > width:
        candidates = [at for at in shown if columns[at].drops]
        if not candidates:
            break
        shown.remove(max(candidates, key=lambda at: columns[at].drops))
    excess = sum(widths[at] + 2 for at in shown) - 2 - width
    while excess > 0:
        wide = [at for at in shown if columns[at].shrinks and widths[at] > _LEAST]
        if not wide:
            break
        widths[max(wide, key=lambda at: widths[at])] -= 1
        excess -= 1
    return shown


def pairs(items: Sequence[tuple[str, str | Cell]], style: Style) -> str:
    """Lay out a name and a text a line; further lines of a text are indented below its first."""
    room = max(width_of(clean(name)) for name, _ in items)
    out = []
    for name, value in items:
        cell = value if isinstance(value, Cell) else Cell(value)
        lines = clean(cell.text, lines=True).expandtabs(4).split("\n")
        name = clean(name)
        lead = style(name, "bold") + " " * (room - width_of(name) + 2)
        out.append((lead + style(lines[0], *cell.colours)).rstrip())
        out.extend((" " * (room + 2) + style(more, *cell.colours)).rstrip() for more in lines[1:])
    return "\n".join(out)
