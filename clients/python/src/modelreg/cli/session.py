"""What every command works with: where the registry is, and where results and messages go."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from modelreg.cli import exits, references, terminal
from modelreg.connection import Source, make_source
from modelreg.statements import Statement
from modelreg.types import ModelVersion

if TYPE_CHECKING:
    from modelreg.registry import ModelRegistry

T = TypeVar("T")

# How often to connect again in one command when the connection was lost.
RETRIES = 3


class Session:
    """One run of the command."""

    def __init__(self, options: Namespace) -> None:
        self.options = options
        self.json: bool = getattr(options, "json", False)
        self.quiet: bool = getattr(options, "quiet", False)
        colour = getattr(options, "color", "auto")
        self.style = terminal.Style(terminal.wants_colour(sys.stdout, colour))
        self.width = terminal.terminal_width(sys.stdout)

    @property
    def dsn(self) -> str | None:
        """The connection string; None: libpq's environment."""
        given: str | None = getattr(self.options, "dsn", None)
        return given or os.environ.get("MODELREG_DSN") or None

    @cached_property
    def source(self) -> Source:
        """The connection, made when it is first used."""
        return make_source(self.dsn, RETRIES)

    @cached_property
    def registry(self) -> ModelRegistry:
        """The registry as the package has it: for what is more than one statement."""
        from modelreg.registry import ModelRegistry

        return ModelRegistry(self.dsn)

    def run(self, statement: Statement[T]) -> T:
        """Run a statement."""
        return self.source.run(statement)

    def find(self, ref: str, *, exact: bool = False) -> ModelVersion:
        """Return the version that the command's REF names; see references.find."""
        return references.find(self.source, ref, self.options, exact=exact)

    def close(self) -> None:
        """Close what was opened."""
        for name in ("source", "registry"):
            if name in self.__dict__:
                self.__dict__[name].close()

    def print(self, text: str) -> None:
        """Print a line of the result, at once, for who reads from a pipe."""
        print(text, flush=True)

    def document(self, value: Any) -> None:
        """Print the result as one JSON document."""
        self.print(json.dumps(value, indent=2))

    def line(self, value: Any) -> None:
        """Print one of several results as a line of JSON."""
        self.print(json.dumps(value))

    def message(self, text: str) -> None:
        """Say something that is not the result."""
        if not self.quiet:
            print(f"modelreg: {terminal.clean(text)}", file=sys.stderr, flush=True)

    def table(
        self,
        columns: list[terminal.Column],
        rows: list[list[str | terminal.Cell]],
    ) -> None:
        """Print a table."""
        self.print(terminal.table(columns, rows, self.style, self.width))

    def stage(self, stage: str) -> terminal.Cell:
        """Return a stage in its colour."""
        return terminal.Cell(str(stage), (terminal.STAGE_COLOURS.get(str(stage), "bold"),))

    def confirm(self, question: str) -> None:
        """Ask on the terminal. Raises CommandError if the answer is no, or nobody can be asked."""
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise exits.CommandError(
                "there is no terminal to ask on", exits.USAGE, "Give --yes to go on without asking."
            )
        print(f"{terminal.clean(question)} [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise exits.CommandError("nothing was done", exits.FAILURE)
