"""What the tests of the command line share: ways to run it, and something to run it on.

A test module names it in pytest_plugins, after it has imported from it: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import forked
from modelreg import ModelRegistry, ModelVersion

WAIT = 60.0  # seconds until a test gives up
COMMAND = [sys.executable, "-m", "modelreg"]
METRICS = {"f1_score": 0.9}

OK, FAILURE, USAGE, NOT_FOUND, REFUSED, UNREACHABLE, DAMAGED = range(7)


@pytest.fixture
def environment(database: str) -> dict[str, str]:
    """The environment of a script: libpq's variables say where the registry is."""
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    return kept | {"PGDATABASE": database, "PYTHONDEVMODE": "", "TERM": "xterm", "TZ": "UTC"}


Result = subprocess.CompletedProcess[str]
Run = Callable[..., Result]


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Run:
    """Runs the command as a script does: no terminal anywhere. Its directory is tmp_path."""

    def run(
        *arguments: str | Path,
        code: int | None = OK,
        env: dict[str, str] | None = None,
        input: str = "",
    ) -> Result:
        done = forked.run(
            [str(argument) for argument in arguments],
            env=environment | (env or {}),
            cwd=tmp_path,
            input=input,
        )
        assert code is None or done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


def read(done: Result) -> Any:
    """The one JSON document on standard output."""
    return json.loads(done.stdout)


@pytest.fixture
def versions(registry: ModelRegistry, model: str) -> list[ModelVersion]:
    """Three versions, the last with other metrics."""
    return [
        registry.register_bytes(
            f"bytes {number} of {model}".encode(),
            "test",
            version=f"1.{number}.0",
            model_name=model,
            performance_metrics=metrics,
            tags=[f"tag{number}"],
            notes=f"Note {number}",
        )
        for number, metrics in enumerate(
            ({"f1_score": 0.8, "log_loss": 0.5}, {"f1_score": 0.9, "log_loss": 0.6}, {"auc": 0.7})
        )
    ]


Terminal = Callable[..., tuple[int, str]]


@pytest.fixture
def terminal(environment: dict[str, str], tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Runs the command with a terminal for everything, 80 columns wide; returns code and output."""

    def terminal(*arguments: str, answer: str = "", **variables: str) -> tuple[int, str]:
        return forked.run_in_terminal(
            arguments,
            env=environment | {"COLUMNS": "80"} | variables,
            cwd=tmp_path,
            answer=answer,
        )

    return terminal


@pytest.fixture
def start(
    environment: dict[str, str], tmp_path: Path
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the command, to be read from while it runs."""
    started = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [*COMMAND, *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
                cwd=tmp_path,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for what no event tells of."""
    ends = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < ends, what
        time.sleep(0.005)
