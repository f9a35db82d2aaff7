"""A progress bar on standard error, if that is a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from modelreg.cli import terminal
from modelreg.types import Progress

_EVERY = 0.1  # seconds between two drawings


class Bar:
    """Draws over its own line: what is done, how fast, how long it will take."""

    def __init__(self, label: str) -> None:
        self._label = terminal.clean(label)
        self._started = time.monotonic()
        self._drawn_at = 0.0
        self._first: int | None = None

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = done
        if now - self._drawn_at < _EVERY and done < total:
            return
        self._drawn_at = now
        seconds = now - self._started
        rate = (done - self._first) / seconds if seconds > 0.2 else 0.0
        left = f", {(total - done) / rate:.0f} s left" if rate > 0 and done < total else ""
        share = done / total if total else 1.0
        filled = int(share * 20)
        columns = terminal.terminal_width(sys.stderr) or 80
        text = (
            f"{self._label}  [{'#' * filled}{'.' * (20 - filled)}] {share:4.0%}"
            f"  {terminal.size_text(done)} of {terminal.size_text(total)}"
            + (f", {terminal.size_text(int(rate))}/s{left}" if rate else "")
        )
        sys.stderr.write("\r" + terminal.cut(text, columns - 1) + "\033[K")
        sys.stderr.flush()

    def clear(self) -> None:
        """Remove the bar: what follows begins on a clean line."""
        if self._drawn_at:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


@contextmanager
def progress(label: str, quiet: bool) -> Iterator[Progress]:
    """A progress argument for the registry's methods; None where nobody would see a bar."""
    if quiet or not terminal.is_capable(sys.stderr):
        yield None
        return
    bar = Bar(label)
    try:
        yield bar
    finally:
        bar.clear()
