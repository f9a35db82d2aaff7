"""A repeated import that renames and deletes what MLflow has renamed and deleted since."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

from mlflow_case import superuser, write_model
from modelreg import ModelRegistry
from modelreg.mlflow import mirroring
from modelreg.mlflow.importing import import_mlflow
from modelreg.mlflow.report import ImportReport
from modelreg.mlflow.store import ModelregStore
from test_mlflow_importing import everything, registry, target

NAMES = ("a", "b", "c", "d")


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(write_model(tmp_path / "model"))


@pytest.fixture
def origin(tmp_path: Path, place: str) -> SqlAlchemyStore:
    """Models of three versions each, made one after the other."""
    store = SqlAlchemyStore(f"sqlite:///{tmp_path}/mlflow.db")
    for name in NAMES:
        store.create_registered_model(name)
        for _ in range(3):
            store.create_model_version(name, place)
        store.set_registered_model_alias(name, "champion", 2)
        store.transition_model_version_stage(name, 2, "Production", False)
    return store


def again(origin: SqlAlchemyStore, registry: ModelRegistry, **more: Any) -> ImportReport:
    return import_mlflow(origin.db_uri, registry, mirror=True, **more)


def test_without_being_asked(
    origin: SqlAlchemyStore, target: ModelregStore, registry: ModelRegistry
) -> None:
    import_mlflow(origin.db_uri, registry)
    origin.rename_registered_model("a", "new")
    origin.delete_registered_model("b")
    origin.delete_model_version("c", 2)
    report = import_mlflow(origin.db_uri, registry)
    assert (report.models_created, report.models_renamed, report.models_deleted) == (1, 0, 0)
    assert sorted(everything(target)) == ["a", "b", "c", "d", "new"]
    assert target.get_model_version("c", 2).current_stage == "Production"


def test_renames_and_deletions(
    origin: SqlAlchemyStore, target: ModelregStore, registry: ModelRegistry, place: str
) -> None:
    report = again(origin, registry)
    assert (report.models_created, report.versions_imported) == (4, 12)
    origin.rename_registered_model("a", "new")
    origin.create_registered_model("a")  # another one of that name
    origin.create_model_version("a", place)
    origin.delete_registered_model("b")
    origin.delete_model_version("c", 2)  # in production, with an alias
    origin.delete_model_version("c", 3)
    origin.create_model_version("c", place)
    dry = again(origin, registry, dry_run=True)
    assert sorted(everything(target)) == ["a", "b", "c", "d"]
    report = again(origin, registry)
    assert report.ok, report
    assert everything(target) == everything(origin)
    assert (report.models_renamed, report.models_deleted, report.versions_deleted) == (1, 1, 2)
    assert (dry.models_renamed, dry.models_deleted, dry.versions_deleted) == (1, 1, 2)
    assert (report.models_created, report.versions_imported) == (1, 2)
    assert all(result.ok for result in registry.verify())
    events = len(registry.history())
    report = again(origin, registry)
    assert report == ImportReport(models_present=4, versions_present=9)
    assert len(registry.history()) == events


def test_names_exchanged(
    origin: SqlAlchemyStore, target: ModelregStore, registry: ModelRegistry
) -> None:
    again(origin, registry)
    origin.update_model_version("a", 1, "was in a")
    for name, new_name in (("a", "x"), ("b", "a"), ("c", "b"), ("x", "c")):
        origin.rename_registered_model(name, new_name)
    report = again(origin, registry)
    assert (report.ok, report.models_renamed) == (True, 3)
    assert everything(target) == everything(origin)
    assert target.get_model_version("c", 1).description == "was in a"


def test_named_models_alone(
    origin: SqlAlchemyStore, target: ModelregStore, registry: ModelRegistry
) -> None:
    again(origin, registry)
    for name in ("a", "b"):
        origin.rename_registered_model(name, f"new {name}")
    origin.delete_registered_model("c")
    origin.delete_model_version("d", 1)
    report = again(origin, registry, names=["new a"])
    assert (report.models_renamed, report.models_deleted, report.versions_deleted) == (1, 0, 0)
    assert sorted(everything(target)) == ["b", "c", "d", "new a"]


def test_what_others_have_registered_stays(
    origin: SqlAlchemyStore,
    target: ModelregStore,
    registry: ModelRegistry,
    database: str,
    tmp_path: Path,
    place: str,
) -> None:
    other = SqlAlchemyStore(f"sqlite:///{tmp_path}/other.db")
    other.create_registered_model("from another")
    other.create_model_version("from another", place)
    import_mlflow(other.db_uri, registry)
    target.create_registered_model("own")
    target.create_registered_model("taken")
    again(origin, registry)
    assert target.create_model_version("a", place).version == 4
    assert target.create_model_version("b", place).version == 4
    origin.delete_registered_model("a")
    origin.delete_model_version("b", 1)
    origin.rename_registered_model("c", "taken")
    report = again(origin, registry)
    assert (report.models_renamed, report.models_deleted, report.versions_deleted) == (0, 0, 1)
    reasons = {p.model_name: p.reason for p in report.conflicts}
    assert "not imported from there" in reasons["a"]
    assert "'taken'" in reasons["c"]
    assert {v.version for v in target.search_model_versions("name = 'b'")} == {2, 3, 4}
    assert sorted(set(everything(target)) - set(NAMES)) == ["from another", "own", "taken"]
    # Nor what somebody has given the same property.
    with superuser(database) as connection:
        connection.execute(
            "SELECT modelreg_update_model('own', properties => '{\"modelreg.mlflow_created\": 1}')"
        )
    assert again(origin, registry).models_deleted == 0


def test_what_cannot_be_told_apart() -> None:
    plan = mirroring.plan({"x": 1, "y": 1, "z": 2}, {"a": 1, "b": 1, "z": 2, "old": 3}, None)
    assert (plan.renames, plan.deletions) == ({}, ["old"])
    assert [problem.model_name for problem in plan.problems] == ["a", "b"]
    # A twin that is there under its name is told apart by that.
    plan = mirroring.plan({"a": 1, "y": 1}, {"a": 1, "b": 1}, None)
    assert (plan.renames, plan.problems) == ({"b": "y"}, [])


def test_command(origin: SqlAlchemyStore, target: ModelregStore, database: str, place: str) -> None:
    def run(*options: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "modelreg", "import-mlflow", "--from", origin.db_uri, *options],
            env={**os.environ, "PGDATABASE": database},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == code, done.stderr
        return done.stdout

    run("--last-number", "d=5")
    assert target.create_model_version("d", place).version == 6
    target.delete_model_version("d", 6)
    origin.rename_registered_model("a", "new = a")
    origin.delete_registered_model("b")
    assert "1 models to be renamed, 1 to be deleted" in run("--mirror", "--dry-run")
    found = json.loads(run("--mirror", "--json", "--last-number", "new = a=4"))
    assert (found["models_renamed"], found["models_deleted"], found["placeholders"]) == (1, 1, 1)
    assert everything(target) == everything(origin)
    for wrong in ("a", "=3", "a=", "a=-1", "a=x"):
        run("--last-number", wrong, code=2)
