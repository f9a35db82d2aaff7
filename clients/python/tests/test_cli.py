"""The command line: looking, changing, following; and what can go wrong."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cli_case import (
    DAMAGED,
    FAILURE,
    METRICS,
    NOT_FOUND,
    OK,
    REFUSED,
    UNREACHABLE,
    USAGE,
    WAIT,
    Run,
    read,
)
from meddling import damage
from modelreg import ModelRegistry, ModelVersion

pytest_plugins = ["cli_case"]


# ---- Looking ----


def test_list(run: Run, versions: list[ModelVersion], model: str) -> None:
    ids = [version.model_id for version in versions]

    def listed(*arguments: str) -> list[str]:
        document = read(run("list", model, "--json", *arguments))
        return [version["model_id"] for version in document["versions"]]

    assert listed() == ids[::-1]
    assert listed("--tag", "tag1") == [ids[1]]
    assert listed("--min", "f1_score=0.85") == [ids[1]]
    assert listed("--max", "log_loss=0.5") == [ids[0]]
    assert listed("--version", "1.0.0") == [ids[0]]
    assert listed("--type", "other") == []
    assert listed("--stage", "production") == []
    page = read(run("list", model, "--json", "--limit", "2"))
    assert (len(page["versions"]), page["next_before"]) == (2, ids[1])
    page = read(run("list", model, "--json", "--limit", "2", "--before", ids[1]))
    assert (len(page["versions"]), page["next_before"]) == (1, None)
    assert page["versions"][0] == versions[0].to_dict()
    assert listed("--all") == ids[::-1]
    done = run("list", model, "--limit", "2")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["MODEL_ID", ids[2], ids[1]]
    assert f"--before {ids[1]}" in done.stderr
    assert run("list", f"no{model}").stdout == ""
    run("list", "--before", "nowhere", code=NOT_FOUND)


def test_show(run: Run, registry: ModelRegistry, versions: list[ModelVersion]) -> None:
    version = versions[1]
    registry.set_alias(version.model_id, "champion")
    shown = read(run("show", version.model_id, "--json"))
    assert shown == version.to_dict() | {"aliases": ["champion"], "files": []}
    text = run("info", version.model_id).stdout
    for part in (version.model_id, version.checksum, "champion", "f1_score = 0.9", "Note 1"):
        assert part in text


def test_references(
    run: Run, registry: ModelRegistry, versions: list[ModelVersion], model: str
) -> None:
    registry.set_alias(versions[0].model_id, "champion")
    registry.update_deployment_stage(versions[1].model_id, "production")

    def found(*arguments: str) -> str:
        model_id: str = read(run("show", "--json", *arguments))["model_id"]
        return model_id

    first, second, third = (version.model_id for version in versions)
    assert found(first) == found("--id", first) == first
    assert found(f"{model}==1.1.0") == found(model, "--version", "1.1.0") == second
    assert found(f"{model}@champion") == found(model, "--alias", "champion") == first
    assert found(f"{model}:production") == found(model, "--stage", "production") == second
    assert found(model) == found("--name", model) == third
    for reference in (f"{model}==9.9.9", f"{model}@no", f"{model}:canary", f"no{model}", "a_b"):
        assert run("show", reference, code=NOT_FOUND).stderr.startswith("modelreg: there is no ")
    run("show", "", code=USAGE)
    run("show", model, "--alias", "a", "--version", "1.0.0", code=USAGE)


def test_names_that_look_like_something_else(
    run: Run, registry: ModelRegistry, versions: list[ModelVersion], model: str
) -> None:
    """The form alone decides how a REF is read, so that no name of a model can be put under it."""
    other = registry.register_bytes(b"x", "test", model_name="x", performance_metrics=METRICS)
    for name in (f"{model}@champion", f"{model}==9.0.0", f"{model}:canary", "x_20260101_000000"):
        version = registry.register_bytes(
            b"evil", "test", model_name=name, performance_metrics=METRICS
        )
        run("show", name, code=NOT_FOUND)
        for arguments in (
            ["--name", name],
            [name, "--version", "0.1.0"],
            [version.model_id],
            [f"{name}==0.1.0"],
            [f"{name}:development"],
        ):
            shown = read(run("show", "--json", *arguments))
            assert shown["model_id"] == version.model_id
    registry.delete_model(other.model_id)


def test_names_that_look_like_options(run: Run, registry: ModelRegistry, tmp_path: Path) -> None:
    for name in ("-", "--json", "-x", "a/b", "a b", "'\";$(exit)"):
        version = registry.register_bytes(
            b"x", "test", model_name=name, performance_metrics=METRICS
        )
        assert read(run("show", "--json", "--", name))["model_id"] == version.model_id
        place = Path(run("pull", "--", name).stdout.rstrip("\n"))
        assert place.parent == Path(".")
        assert (tmp_path / place).read_bytes() == b"x"
        run("delete", "--yes", "--", version.model_id)


def test_compare(run: Run, versions: list[ModelVersion], model: str) -> None:
    ids = [version.model_id for version in versions]
    lines = run("compare", *ids).stdout.splitlines()
    assert lines[0].split() == ["MODEL_ID", "VERSION", "STAGE", "auc", "f1_score", "log_loss"]
    assert lines[1].split() == [ids[0], "1.0.0", "development", "0.8", "0.5", "*"]
    assert lines[2].split() == [ids[1], "1.1.0", "development", "0.9", "*", "0.6"]
    assert lines[3].split() == [ids[2], "1.2.0", "development", "0.7", "*"]
    document = read(run("compare", "--of", model, "--metric", "f1_score", "--json"))
    assert [row["model_id"] for row in document] == ids[::-1]
    assert document[1]["metrics"] == {
        "f1_score": {
            "value": 0.9,
            "rank": 1,
            "delta": None,
            "is_best": True,
            "higher_is_better": True,
        }
    }
    assert document[0]["metrics"] == {}
    # The name of a model alone is of its newest few.
    document = read(run("compare", model, "--json"))
    assert [row["model_id"] for row in document] == ids[::-1]
    document = read(run("compare", model, "--limit", "2", "--json"))
    assert [row["model_id"] for row in document] == ids[:0:-1]
    document = read(run("compare", model, ids[0], "--json"))
    assert [row["model_id"] for row in document] == [ids[2], ids[0]]
    document = read(run("compare", f"{model}==1.0.0", "--json"))
    assert [row["model_id"] for row in document] == ids[:1]
    done = run("compare", model, "--id", code=NOT_FOUND)
    assert f"its newest version is {ids[2]}" in done.stderr
    run("compare", code=USAGE)
    run("compare", "nowhere", code=NOT_FOUND)
    run("compare", "--of", "nowhere", code=NOT_FOUND)


def test_history(run: Run, registry: ModelRegistry, versions: list[ModelVersion]) -> None:
    name, model_id = versions[0].model_name, versions[0].model_id
    registry.update_deployment_stage(model_id, "staging", reason="looks good")
    registry.delete_model(model_id)
    text = run("history", name).stdout
    assert "development -> staging" in text
    assert "looks good" in text
    events = read(run("history", model_id, "--json"))
    assert [event["event"] for event in events] == ["register", "stage", "delete"]
    assert read(run("history", model_id, "--json", "--limit", "1")) == events[-1:]
    assert read(run("history", name, "--json", "--since", "2999-01-01")) == []
    by_version = read(run("history", f"{name}==1.1.0", "--json"))
    assert [event["model_id"] for event in by_version] == [versions[1].model_id]
    assert len(read(run("history", "--json"))) > len(events)
    run("history", "nowhere", code=NOT_FOUND)


def test_verify(
    run: Run, registry: ModelRegistry, model: str, sql: psycopg.Connection[Any], tmp_path: Path
) -> None:
    version = registry.register_bytes(
        os.urandom(1000), "test", model_name=model, performance_metrics=METRICS
    )
    assert run("verify", model).stdout == "1 version verified, 0 damaged\n"
    document = read(run("verify", "--json", "--audit"))
    assert document["ok"] is True
    assert all(chain["ok"] for chain in document["audit"])
    damage(sql)
    try:
        done = run("verify", model, code=DAMAGED)
        assert version.model_id in done.stdout
        assert "1 damaged" in done.stdout
        assert read(run("verify", "--json", code=DAMAGED))["ok"] is False
        done = run("pull", model, "-o", "out", code=DAMAGED)
        assert "checksum verification failed" in done.stderr
        assert not (tmp_path / "out").exists()
        run("pull", model, "-o", "-", code=DAMAGED)
    finally:
        damage(sql)  # the same bit again
    run("verify")


# ---- Changing ----


def test_promote(run: Run, versions: list[ModelVersion], model: str, sql: Any) -> None:
    first, second, _ = (version.model_id for version in versions)
    assert run("promote", f"{model}==1.0.0").stdout == f"{first}  development -> production\n"
    moved = read(run("promote", second, "production", "--reason", "better", "--json"))
    assert moved["deployment_stage"] == "production"
    assert read(run("show", first, "--json"))["deployment_stage"] == "deprecated"
    assert read(run("history", second, "--json"))[-1]["reason"] == "better"
    run("promote", f"{model}:production", "canary")
    run("promote", first, "archived")
    refused = run("promote", first, code=REFUSED)
    assert refused.stderr.splitlines()[1].startswith("  Legal moves from archived are to:")
    assert "is a model" in run("promote", model, code=USAGE).stderr
    run("promote", first, "live", code=USAGE)
    run("promote", model, "--stage", "canary", code=USAGE)  # which of the two would it mean?
    run("promote", f"no{model}==1.0.0", code=NOT_FOUND)


def test_delete(run: Run, registry: ModelRegistry, versions: list[ModelVersion]) -> None:
    first, second, third = (version.model_id for version in versions)
    done = run("delete", first, code=USAGE)
    assert "--yes" in done.stderr
    assert run("delete", first, "--yes").stdout == f"{first}  deleted\n"
    run("delete", first, "--yes", code=NOT_FOUND)
    registry.update_deployment_stage(second, "production")
    refused = run("delete", second, "-y", code=REFUSED)
    assert "in production" in refused.stderr
    assert "--force" in refused.stderr
    deleted = read(run("delete", second, "-y", "--force", "--reason", "wrong", "--json"))
    assert deleted["deleted"]["model_id"] == second
    registry.set_alias(third, "champion")
    run("delete", third, "-y", code=REFUSED)


def test_alias(run: Run, versions: list[ModelVersion], model: str) -> None:
    first, second, _ = (version.model_id for version in versions)
    assert run("alias", "show", model).stdout == ""
    done = run("alias", "set", f"{model}==1.0.0", "champion")
    assert done.stdout == f"{model}@champion -> {first}\n"
    moved = read(run("alias", "set", second, "champion", "--reason", "better", "--json"))
    assert (moved["model_id"], moved["alias"]) == (second, "champion")
    assert second in run("alias", "show", model).stdout
    (shown,) = read(run("alias", "show", model, "--json"))
    assert shown == moved
    assert run("alias", "drop", model, "champion").stdout == f"{model}@champion dropped\n"
    run("alias", "drop", model, "champion", code=NOT_FOUND)
    run("alias", "drop", f"no{model}", "champion", code=NOT_FOUND)
    run("alias", "show", f"no{model}", code=NOT_FOUND)
    run("alias", "set", first, "a/b", code=USAGE)
    run("alias", "set", model, "champion", code=USAGE)
    run("alias", code=USAGE)
    run("alias", "show", code=USAGE)


def test_empty_options_do_not_mean_the_newest(
    run: Run, versions: list[ModelVersion], model: str
) -> None:
    for option in ("--version", "--alias"):
        for command in ("show", "pull"):
            done = run(command, model, option, "", code=USAGE)
            assert f"{option} is empty" in done.stderr


# ---- Following ----


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_watch(
    start: Any, registry: ModelRegistry, versions: list[ModelVersion], how: signal.Signals
) -> None:
    first, second, _ = (version.model_id for version in versions)
    registry.update_deployment_stage(first, "production")
    process = start("watch", versions[0].model_name)
    assert process.stdout.readline().split()[2:] == [
        "production",
        versions[0].model_name,
        "1.0.0",
        first,
    ]
    registry.update_deployment_stage(second, "production")
    assert process.stdout.readline().split()[-1] == second
    process.send_signal(how)
    assert process.communicate(timeout=WAIT) == ("", "")
    assert process.returncode == OK


def test_watch_for_scripts(
    run: Run, start: Any, registry: ModelRegistry, versions: list[ModelVersion], model: str
) -> None:
    run("watch", model, "--poll", "1e300", code=USAGE)
    run("watch", model, "--timeout", "0.1", code=NOT_FOUND)
    registry.update_deployment_stage(versions[0].model_id, "production")
    assert read(run("watch", model, "--count", "1", "--json"))["version"] == "1.0.0"
    run("watch", model, "--timeout", "0.1", "--no-current", code=NOT_FOUND)
    assert run("watch", model, "--timeout", "0.1").stdout.count("\n") == 1
    registry.set_alias(versions[1].model_id, "champion")
    done = run("watch", model, "--alias", "champion", "--count", "1", "--json")
    assert read(done)["version"] == "1.1.0"
    run("watch", model, "--alias", "a", "--stage", "canary", code=USAGE)
    run("watch", model, "--poll", "0", code=USAGE)


def test_watch_runs_commands(
    run: Run, registry: ModelRegistry, versions: list[ModelVersion], model: str, tmp_path: Path
) -> None:
    registry.update_deployment_stage(versions[0].model_id, "production")
    command = 'cat >version.json; printf "%s|" "$MODELREG_MODEL_ID" "$MODELREG_VERSION" >>log'
    run("watch", model, "--count", "1", "--exec", command)
    assert (tmp_path / "log").read_text() == f"{versions[0].model_id}|1.0.0|"
    written = json.loads((tmp_path / "version.json").read_text())
    assert written["checksum"] == versions[0].checksum
    # A command that fails, and does not read: the watch goes on
    done = run("watch", model, "--count", "1", "--exec", "exit 3")
    assert "the command ended with 3" in done.stderr


# ---- MLflow ----


def test_import_from_mlflow(run: Run, model: str, tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("modelreg.mlflow.importing")
    source = f"sqlite:///{tmp_path}/mlflow.db"
    client = mlflow.MlflowClient(tracking_uri=source, registry_uri=source)
    client.create_registered_model(model)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "MLmodel").write_text("flavors: {}")
    client.create_model_version(model, str(tmp_path / "files"))
    client.set_registered_model_alias(model, "champion", "1")
    dry = read(run("import-mlflow", "--from", source, "--dry-run", "--json"))
    assert (dry["versions_imported"], dry["dry_run"]) == (1, True)
    run("show", model, code=NOT_FOUND)
    done = run("import-mlflow", "--from", source, "--name", model)
    assert "versions    1 imported" in done.stdout
    assert f"1 of 1  {model}/1  imported" in done.stderr
    assert read(run("show", f"{model}@champion", "--json"))["file_count"] == 1
    again = read(run("import-mlflow", "--from", source, "--json", "-q"))
    assert (again["versions_imported"], again["versions_present"]) == (0, 1)
    run("import-mlflow", "--from", source, "--name", "nowhere", code=NOT_FOUND)
    for address, code in (
        ("http://user:hunter2@127.0.0.1:1", UNREACHABLE),
        ("nonsense+x://user:hunter2@127.0.0.1:1/x", USAGE),
    ):
        done = run(
            *("import-mlflow", "--from", address, "--json"),
            env={"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"},
            code=code,
        )
        assert done.stdout == ""
        assert "//127.0.0.1:1" in done.stderr
        assert "hunter2" not in done.stderr


def test_import_without_mlflow(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow.exceptions", None)
    done = run("import-mlflow", "--from", "sqlite:///x", code=FAILURE)
    assert "modelreg[mlflow]" in done.stderr
