"""The command line: exit codes, messages, terminals, and what is hostile."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

from cli_case import (
    COMMAND,
    FAILURE,
    METRICS,
    NOT_FOUND,
    OK,
    REFUSED,
    UNREACHABLE,
    USAGE,
    Run,
    Terminal,
    read,
)
from modelreg import ModelRegistry, ModelVersion

pytest_plugins = ["cli_case"]


# ---- What can go wrong ----


def test_usage(run: Run) -> None:
    assert "exit codes:" in run("--help").stdout
    for command in ("push", "pull", "list", "watch", "alias"):
        assert run(command, "--help").stdout.startswith(f"usage: modelreg {command}")
    assert re.fullmatch(r"modelreg \S+\n", run("--version").stdout)
    assert run(code=USAGE).stdout == ""
    done = run("nonsense", code=USAGE)
    assert done.stderr.startswith("modelreg: ")
    # Options of all commands, before and after
    assert read(run("--json", "list")).keys() == read(run("list", "--json")).keys()


def test_server_that_is_not_there(run: Run, tmp_path: Path, model: str) -> None:
    for arguments in (
        ["--dsn", f"host={tmp_path}"],
        ["--dsn", "postgresql://localhost:1/x"],
        ["--dsn", "dbname=regress_modelreg_nowhere"],
    ):
        done = run("list", *arguments, code=UNREACHABLE)
        first, *more = done.stderr.splitlines()
        assert first.startswith("modelreg: connection")
        assert len(more) <= 1
    for command in (["watch", model], ["push", "-", "--name", "m"], ["verify"]):
        run(*command, "--dsn", f"host={tmp_path}", code=UNREACHABLE, input="x")
    run("list", "--dsn", "./models", code=USAGE)
    run("list", "--dsn", "nonsense=1", code=USAGE)
    run("list", env={"MODELREG_DSN": f"host={tmp_path}"}, code=UNREACHABLE)


def test_closed_streams(environment: dict[str, str]) -> None:
    """A shell's >&- leaves no stream at all, and its number to whoever opens something next."""
    for closed in (">&-", "2>&-", "<&-", ">&- 2>&- <&-"):
        done = subprocess.run(
            ["sh", "-c", f'"$@" {closed}', "sh", *COMMAND, "list", "--json"],
            env=environment,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (OK, b""), closed


def test_database_without_the_extension(run: Run) -> None:
    done = run("list", "--dsn", "dbname=postgres", code=FAILURE)
    assert "CREATE EXTENSION" in done.stderr


def test_roles(run: Run, roles: Any, versions: list[ModelVersion], tmp_path: Path) -> None:
    (tmp_path / "model").write_text("bytes")
    name, model_id = versions[0].model_name, versions[0].model_id
    reader = {"PGUSER": roles.reader}
    run("list", env=reader)
    run("pull", name, "-o", "out", env=reader)
    for command in (
        ["push", "model", "--name", name, "--metric", "a=1"],
        ["promote", model_id],
        ["delete", model_id, "--yes"],
        ["alias", "set", model_id, "champion"],
    ):
        done = run(*command, env=reader, code=REFUSED)
        assert done.stderr.startswith("modelreg: ")
        assert done.stdout == ""
    run("promote", model_id, env={"PGUSER": roles.writer}, code=REFUSED)
    run("list", env={"PGUSER": roles.stranger}, code=REFUSED)


def test_debugging(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [*COMMAND, "show", "nowhere"],
        capture_output=True,
        text=True,
        check=False,
        env=environment | {"MODELREG_DEBUG": "1"},
    )
    assert done.returncode == NOT_FOUND
    assert "Traceback" in done.stderr


def test_reader_that_goes_away(
    registry: ModelRegistry, environment: dict[str, str], model: str
) -> None:
    registry.register_bytes(
        os.urandom(5_000_000), "test", model_name=model, performance_metrics=METRICS
    )
    for arguments in (["pull", model, "-o", "-"], ["list", "--json"]):
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            [*COMMAND, *arguments],
            stdout=writing,
            stderr=subprocess.PIPE,
            env=environment,
            check=False,
        )
        os.close(writing)
        assert (done.returncode, done.stderr) == (141, b"")


def test_encodings(run: Run, registry: ModelRegistry, model: str) -> None:
    """Names that the output's encoding does not have are escaped."""
    name = f"{model}ü模型"
    registry.register_bytes(b"x", "test", model_name=name, performance_metrics=METRICS)
    assert name in run("list", name).stdout
    latin = run("list", name, env={"PYTHONIOENCODING": "ascii"}).stdout
    assert "\\xfc\\u6a21" in latin
    assert read(run("list", name, "--json"))["versions"][0]["model_name"] == name


# ---- Terminals ----


def test_colours(run: Run, terminal: Terminal, versions: list[ModelVersion], model: str) -> None:
    run("promote", versions[0].model_id)
    for arguments in (["list", model], ["show", model], ["compare", "--of", model]):
        assert "\033" not in run(*arguments).stdout
        assert "\033[" in terminal(*arguments)[1]
        assert "\033" not in terminal(*arguments, NO_COLOR="1")[1]
        assert "\033" not in terminal(*arguments, TERM="dumb")[1]
    assert "\033[32mproduction" in terminal("list", model)[1]
    assert "\033[" in run("list", model, "--color", "always").stdout
    assert "\033" not in terminal("list", model, "--color", "never")[1]
    assert "\033" not in terminal("list", model, "--json")[1]


def test_tables_fit(registry: ModelRegistry, terminal: Terminal, model: str) -> None:
    registry.register_bytes(
        b"x",
        "test",
        model_name=model[:8],
        performance_metrics={f"metric_{number}": number for number in range(20)},
        tags=[f"標籤{number}" for number in range(20)],
    )
    code, output = terminal("list", model[:8], NO_COLOR="1")
    assert code == OK
    _, line = output.splitlines()
    assert len(line) <= 80
    assert "…" in line


def test_hostile_texts(run: Run, terminal: Terminal, registry: ModelRegistry, model: str) -> None:
    """What somebody registered cannot act on a terminal."""
    hostile = "\033]0;title\007\033[2J\x9b31m\u202egnp.exe\r\x08"
    version = registry.register_bytes(
        b"x",
        "test",
        model_name=model,
        performance_metrics=METRICS,
        notes=f"first{hostile}\nsecond",
        properties={hostile: hostile},
    )
    registry.update_model_version(version.model_id, notes=f"a{hostile}", reason=hostile)
    for arguments in (
        ["show", version.model_id],
        ["list", f"{model}\u202e"],
        ["list", model],
        ["history", version.model_id],
        ["promote", version.model_id],
        ["show", f"no{hostile}"],
    ):
        done = run(*arguments, code=None)
        for char in "\033\007\x9b\u202e\r\x08":
            assert char not in done.stdout + done.stderr
    _, output = terminal("show", version.model_id, NO_COLOR="1")
    assert not set(output) & set("\033\007\x9b\u202e\r\x08")


def test_questions(terminal: Terminal, registry: ModelRegistry, versions: Any) -> None:
    first, second, _ = (version.model_id for version in versions)
    code, output = terminal("delete", first, answer="n\n")
    assert code == FAILURE
    assert "[y/N]" in output
    assert registry.get_model_info(first) is not None
    code, output = terminal("delete", first, answer="y\n")
    assert code == OK
    assert registry.get_model_info(first) is None
    code, output = terminal("delete", second, "--yes")
    assert code == OK
    assert "[y/N]" not in output


def test_progress(terminal: Terminal, run: Run, model: str, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(os.urandom(3_000_000))
    code, output = terminal("push", "model.bin", "--name", model, "--metric", "a=1")
    assert code == OK
    assert "100%" in output
    assert "3.00 MB of 3.00 MB" in output
    assert output.rstrip("\n").split("\r\033[K")[-1].startswith(model)
    for more in (["--quiet"], ["--json", "-q"]):
        _, output = terminal("pull", model, "-o", "out", "--force", *more)
        assert "100%" not in output
    assert "100%" not in terminal("pull", model, "-o", "out", "--force", TERM="dumb")[1]
    # Bytes are not for terminals
    code, output = terminal("pull", model, "-o", "-")
    assert code == USAGE
    assert "is a terminal" in output
