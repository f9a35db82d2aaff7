"""Runs the command line in processes of its own, without the time that Python takes to start.

A fork of the test's process has all modules loaded. All else is as in a new process: descriptors,
directory, environment, signals, exit code.
"""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from modelreg.cli import main

SECONDS = 60  # until a process is ended


def run(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    input: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run `modelreg` with these arguments, no terminal anywhere, and return what came of it."""
    with (
        tempfile.TemporaryFile() as standard_input,
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as errors,
    ):
        standard_input.write(input.encode())
        standard_input.seek(0)
        child = os.fork()
        if child == 0:
            for target, file in enumerate((standard_input, output, errors)):
                os.dup2(file.fileno(), target)
            os.chdir(cwd)
            os.environ.clear()
            os.environ.update(env)
            _as_a_new_process(arguments)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        return subprocess.CompletedProcess(
            ["modelreg", *arguments], code, _read(output.fileno()), _read(errors.fileno())
        )


def run_in_terminal(
    arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path, answer: str = ""
) -> tuple[int, str]:
    """Run `modelreg` with a terminal for everything; return its exit code and what it showed."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(env)
        _as_a_new_process(arguments)
    os.write(terminal, answer.encode())
    shown = b""
    with contextlib.suppress(OSError):  # as Linux says that the other end was closed
        while part := os.read(terminal, 4096):
            shown += part
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), shown.decode().replace("\r\n", "\n")


def _as_a_new_process(arguments: Sequence[str]) -> NoReturn:
    code = 70
    signal.alarm(SECONDS)
    try:
        encoding = os.environ.get("PYTHONIOENCODING", "utf-8")
        sys.stdin = open(0, encoding=encoding, closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding=encoding, closefd=False)  # noqa: SIM115
        signal.signal(signal.SIGINT, signal.default_int_handler)
        code = main(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _read(descriptor: int) -> str:
    with open(os.dup(descriptor), "rb") as file:
        file.seek(0)
        return file.read().decode(errors="surrogateescape")
