"""The entry of the command line: from arguments to an exit code."""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING

from modelreg.cli import exits, parser, terminal
from modelreg.errors import ModelregError

if TYPE_CHECKING:
    from modelreg.cli.session import Session

# Which module has the function of a command; loaded when it is called.
COMMANDS = {
    "push": ("pushing", "push"),
    "pull": ("pulling", "pull"),
    "list": ("reading", "list_versions"),
    "show": ("reading", "show"),
    "compare": ("reading", "compare"),
    "history": ("reading", "history"),
    "verify": ("verifying", "verify"),
    "promote": ("changing", "promote"),
    "delete": ("changing", "delete"),
    "alias_set": ("changing", "alias_set"),
    "alias_drop": ("changing", "alias_drop"),
    "alias_show": ("changing", "alias_show"),
    "watch": ("following", "watch"),
    "import-mlflow": ("migrating", "import_mlflow"),
}


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (default: the process's), and return its exit code."""
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal's encoding does not have is escaped, and no error.
            stream.reconfigure(errors="backslashreplace")
    before = signal.getsignal(signal.SIGTERM)
    try:
        signal.signal(signal.SIGTERM, _terminate)
    except ValueError:  # not in the main thread: then whoever called decides about signals
        before = None
    try:
        try:
            code = _run(argv)
        finally:
            sys.stdout.flush()
    except SystemExit as end:  # argparse, after --help or a usage error
        code = end.code if isinstance(end.code, int) else exits.FAILURE
    except BrokenPipeError:
        # Python flushes once more at its end, and shall find no pipe then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = exits.BROKEN_PIPE
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)
    return code


def _open_what_is_closed() -> None:
    """Who started us may have closed a standard stream: nothing else, a connection to the server
    for instance, shall get its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def _run(argv: Sequence[str] | None) -> int:
    top = parser.build()
    options = top.parse_args(argv)
    if options.client_version:
        from importlib.metadata import version

        print(f"modelreg {version('modelreg')}")
        return exits.OK
    if options.command is None:
        top.print_help(sys.stderr)
        return exits.USAGE
    from modelreg.cli.session import Session

    session = Session(options)
    try:
        module, function = COMMANDS[options.run]
        command: Callable[[Session], int] = getattr(
            importlib.import_module(f"modelreg.cli.{module}"), function
        )
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: session.message(f"warning: {message}")
            return command(session)
    except BrokenPipeError:
        raise
    except Terminated:
        return 128 + signal.SIGTERM
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except Exception as error:
        return _failed(error)
    finally:
        session.close()


def _failed(error: Exception) -> int:
    """Say what went wrong, in one line and a hint, and return the exit code."""
    if os.environ.get("MODELREG_DEBUG", "") not in ("", "0"):
        traceback.print_exc()
    if isinstance(error, exits.CommandError):
        text, hint, code = str(error), error.hint, error.code
    elif isinstance(error, ModelregError):
        text, hint, code = error.message, error.hint or error.detail, exits.code_of(error)
    elif isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename is not None else ""
        text, hint, code = where + error.strerror, None, exits.FAILURE
    else:
        text = f"{type(error).__name__}: {error}"
        hint = "With MODELREG_DEBUG=1 it says where that happened."
        code = exits.FAILURE
    # libpq explains a failed connection in several lines.
    first, *more = text.strip().splitlines() or [type(error).__name__]
    hint = " ".join(line.strip() for line in [*more, *(hint or "").splitlines()])
    print(f"modelreg: {terminal.clean(first)}", file=sys.stderr)
    if hint:
        print(f"  {terminal.clean(hint)}", file=sys.stderr)
    sys.stderr.flush()
    return code
