"""The migration from MLflow: complete, repeatable, honest about what it could not do."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersionTag, RegisteredModelTag
from mlflow.exceptions import MlflowException
from mlflow.prompt.constants import IS_PROMPT_TAG_KEY
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED, RESOURCE_DOES_NOT_EXIST
from mlflow.store.model_registry.dbmodels.models import SqlRegisteredModelAlias
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

from mlflow_case import refused, registry_uri, superuser, version_tags, write_model
from modelreg import ModelRegistry
from modelreg.mlflow import files, numbers, sources
from modelreg.mlflow.importing import import_mlflow
from modelreg.mlflow.report import ImportReport, Problem, Step
from modelreg.mlflow.store import ModelregStore

MODELS = ("churn", "fraud", "it's", "prompt")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow that has been in use, with its files."""
    directory = tmp_path_factory.mktemp("mlflow")
    source = f"sqlite:///{directory}/mlflow.db"
    store = SqlAlchemyStore(source)
    client = MlflowClient(tracking_uri=source, registry_uri=source)
    experiment = client.create_experiment("e", artifact_location=f"{directory}/runs")
    run = client.create_run(experiment)
    client.log_metric(run.info.run_id, "accuracy", 0.9)

    store.create_registered_model("churn", [RegisteredModelTag("team", "red")], "who leaves")
    for number in range(1, 8):
        place = write_model(directory / "models" / f"churn{number}", b"weights %d" % number)
        store.create_model_version(
            "churn",
            str(place),
            run.info.run_id if number == 2 else None,
            version_tags(n=str(number)),
            "http://run" if number == 2 else None,
            f"version {number}",
        )
    for number in (1, 4, 5):
        store.delete_model_version("churn", number)
    store.transition_model_version_stage("churn", 2, "Production", False)
    store.transition_model_version_stage("churn", 3, "Production", False)
    store.transition_model_version_stage("churn", 6, "Archived", False)
    store.set_registered_model_alias("churn", "champion", 3)
    store.set_registered_model_alias("churn", "previous", 2)

    store.create_registered_model("fraud")
    store.create_model_version("fraud", str(write_model(directory / "models" / "fraud")))
    store.create_registered_model("it's")
    store.create_model_version("it's", str(write_model(directory / "models" / "its", b"its")))
    store.create_registered_model("empty", description="no versions yet")
    store.create_prompt("prompt", tags={"k": "v"})
    store.create_prompt_version("prompt", "Hello {{name}}", tags={"lang": "en"})
    store.set_prompt_alias("prompt", "live", 1)
    return directory


@pytest.fixture
def origin(template: Path, tmp_path: Path) -> SqlAlchemyStore:
    """A copy of the template, for a test to change. Addresses of files lead to the template's."""
    shutil.copy(template / "mlflow.db", tmp_path)
    return SqlAlchemyStore(f"sqlite:///{tmp_path}/mlflow.db")


@pytest.fixture
def target(database: str) -> Any:
    """The registry as MLflow's clients see it, empty before and after."""
    store = ModelregStore(registry_uri(database))
    yield store
    for model in [*store.search_registered_models(), *store.search_prompts()]:
        store.delete_registered_model(model.name)


@pytest.fixture
def registry(database: str) -> Any:
    with ModelRegistry(f"dbname={database}") as registry:
        yield registry


def everything(store: Any) -> Any:
    """What a registry says of its models and versions, in an order of its own."""
    found = {}
    for model in [
        *store.search_registered_models(max_results=1000),
        *store.search_registered_models(f"tags.`{IS_PROMPT_TAG_KEY}` = 'true'"),
    ]:
        versions = store.search_model_versions()
        if model._is_prompt():
            versions = store.search_model_versions(f"tags.`{IS_PROMPT_TAG_KEY}` = 'true'")
        found[model.name] = (
            model.description,
            model.creation_timestamp,
            model._tags,
            model.aliases,
            {
                version.version: (
                    version.description,
                    version.creation_timestamp,
                    version.current_stage,
                    version.source,
                    version.run_id,
                    version.run_link,
                    version.tags,
                )
                for version in versions
                if version.name == model.name
            },
        )
    return found


def test_everything_is_copied(
    origin: SqlAlchemyStore, target: ModelregStore, registry: ModelRegistry, template: Path
) -> None:
    steps: list[Step] = []
    report = import_mlflow(origin.db_uri, registry, progress=steps.append)
    assert everything(target) == everything(origin)
    assert report.ok
    assert (report.models_created, report.versions_imported, report.placeholders) == (5, 7, 3)
    assert (report.aliases_changed, report.files) == (3, 24)
    assert report.bytes == sum(
        file.size
        for name in ("churn2", "churn3", "churn6", "churn7", "fraud", "its")
        for file in files.Listing.of(template / "models" / name).files
    )
    assert [step.outcome for step in steps] == ["imported"] * 7
    assert (steps[-1].done, steps[-1].total) == (7, 7)
    for number in (2, 3, 6, 7):
        version = registry.get_model_info(model_id(registry, "churn", number))
        assert version is not None
        listing = files.Listing.of(template / "models" / f"churn{number}")
        assert version.checksum == files.checksum(files.digests(listing))
        assert version.model_type == "sklearn"
        assert version.performance_metrics == ({"accuracy": 0.9} if number == 2 else {})
    assert all(result.ok for result in registry.verify())
    deletions = [event.reason for event in registry.history() if event.event == "delete"]
    assert deletions == ["placeholder for a version that MLflow had deleted"] * 3
    # The next version has the number that MLflow would give it.
    again = target.create_model_version("churn", str(template / "models" / "churn2"))
    assert again.version == 8


def model_id(registry: ModelRegistry, name: str, number: int) -> str:
    (found,) = [v for v in registry.list_versions(model_name=name) if v.version_number == number]
    return found.model_id


def test_second_run_changes_nothing(
    origin: SqlAlchemyStore, target: ModelregStore, registry: ModelRegistry
) -> None:
    import_mlflow(origin.db_uri, registry)
    events = len(registry.history())
    report = import_mlflow(origin.db_uri, registry)
    assert report == ImportReport(models_present=5, versions_present=7)
    assert len(registry.history()) == events


def test_changes_are_mirrored(
    origin: SqlAlchemyStore, target: ModelregStore, registry: ModelRegistry, template: Path
) -> None:
    import_mlflow(origin.db_uri, registry)
    origin.update_registered_model("churn", "rewritten")
    origin.delete_registered_model_tag("churn", "team")
    origin.set_registered_model_tag("churn", RegisteredModelTag("owner", "me"))
    origin.update_model_version("churn", 2, "rewritten")
    origin.set_model_version_tag("churn", 2, ModelVersionTag("n", "two"))
    origin.delete_model_version_tag("churn", 3, "n")
    origin.transition_model_version_stage("churn", 6, "Production", True)
    origin.set_registered_model_alias("churn", "champion", 6)
    origin.delete_registered_model_alias("churn", "previous")
    origin.create_model_version("fraud", str(template / "models" / "fraud"))
    report = import_mlflow(origin.db_uri, registry)
    assert everything(target) == everything(origin)
    assert report.ok
    assert (report.versions_imported, report.versions_present, report.versions_updated) == (1, 7, 3)
    assert report.aliases_changed == 2


def test_conflicts(
    origin: SqlAlchemyStore, target: ModelregStore, registry: ModelRegistry, template: Path
) -> None:
    """What the registry has otherwise is left as it is, and the rest is copied."""
    for name in ("churn", "fraud"):
        target.create_registered_model(name)
        target.create_model_version(name, str(template / "models" / "its"))
    target.create_model_version("fraud", str(template / "models" / "its"))
    target.delete_model_version("churn", 1)
    target.create_model_version("churn", str(template / "models" / "its"))
    target.create_model_version("churn", str(template / "models" / "its"))
    target.delete_model_version("churn", 3)
    report = import_mlflow(origin.db_uri, registry)
    assert not report.ok
    assert report.unavailable == []
    reasons = {(p.model_name, p.version): p.reason for p in report.conflicts}
    assert set(reasons) == {("churn", 2), ("churn", 3), ("churn", None), ("fraud", 1)}
    assert "other bytes" in reasons["churn", 2]
    assert "gives no number twice" in reasons["churn", 3]
    assert "alias 'champion'" in reasons["churn", None]
    assert "other bytes" in reasons["fraud", 1]
    assert report.versions_imported == 4
    assert {v.version for v in target.search_model_versions("name = 'churn'")} == {2, 6, 7}


def test_model_that_the_registry_refuses(
    origin: SqlAlchemyStore,
    registry: ModelRegistry,
    target: ModelregStore,
    template: Path,
) -> None:
    """It does not keep the others from going."""
    long = "a" * 1025
    for name, tags in ((long, []), ("b", [RegisteredModelTag("modelreg.x", "y")])):
        origin.create_registered_model(name, tags)
        origin.create_model_version(name, str(template / "models" / "fraud"))
    steps: list[Step] = []
    report = import_mlflow(origin.db_uri, registry, progress=steps.append)
    assert [(p.model_name, p.version) for p in report.conflicts] == [(long, None), ("b", None)]
    assert [(p.model_name, p.version) for p in report.unavailable] == [(long, 1), ("b", 1)]
    assert steps[-1].done == steps[-1].total == 9
    for name in (long, "b"):
        origin.delete_registered_model(name)
    assert everything(target) == everything(origin)


def test_dates_of_the_session(
    origin: SqlAlchemyStore, target: ModelregStore, database: str
) -> None:
    with ModelRegistry(f"dbname={database} options='-c datestyle=German'") as registry:
        assert import_mlflow(origin.db_uri, registry).ok
    assert everything(target) == everything(origin)


def test_lost_files(
    origin: SqlAlchemyStore,
    target: ModelregStore,
    registry: ModelRegistry,
    template: Path,
    tmp_path: Path,
) -> None:
    """They do not keep later versions from going: their number is kept for them without files."""
    moved = tmp_path / "moved"
    shutil.move(template / "models" / "churn6", moved)
    try:
        for imported in (7, 0):
            report = import_mlflow(origin.db_uri, registry)
            assert report.versions_imported == imported
            assert report.placeholders == (3 if imported else 0)
            assert [(p.model_name, p.version) for p in report.unavailable] == [("churn", 6)]
            assert "churn6" in report.unavailable[0].reason
            assert report.conflicts == []
            assert everything(target) == everything(origin)
    finally:
        shutil.move(moved, template / "models" / "churn6")
    # What is registered has the bytes that it has.
    report = import_mlflow(origin.db_uri, registry)
    (problem,) = report.conflicts
    assert (problem.model_name, problem.version) == ("churn", 6)
    assert "without its files" in problem.reason
    target.delete_registered_model("churn")
    assert import_mlflow(origin.db_uri, registry).ok
    assert everything(target) == everything(origin)


def test_lost_files_at_the_end(
    origin: SqlAlchemyStore,
    target: ModelregStore,
    registry: ModelRegistry,
    template: Path,
    tmp_path: Path,
) -> None:
    """Nothing needs their number yet, so they wait for the next run."""
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("churn6", "churn7", "its"):
        shutil.move(template / "models" / name, moved)
    try:
        report = import_mlflow(origin.db_uri, registry)
        assert report.conflicts == []
        waiting = [("churn", 6), ("churn", 7), ("it's", 1)]
        assert [(p.model_name, p.version) for p in report.unavailable] == waiting
        assert {v.version for v in target.search_model_versions("name = 'churn'")} == {2, 3}
    finally:
        for name in ("churn6", "churn7", "its"):
            shutil.move(moved / name, template / "models")
    report = import_mlflow(origin.db_uri, registry)
    assert report.ok
    assert (report.versions_imported, report.versions_present) == (3, 4)
    assert everything(target) == everything(origin)


def test_place_that_does_not_answer(
    origin: SqlAlchemyStore,
    target: ModelregStore,
    registry: ModelRegistry,
    template: Path,
) -> None:
    """Its files may be there, and none shall be registered without because of a bad moment."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    address = f"modelreg+postgresql://x@127.0.0.1:{port}/db/versions/x_1"
    origin.create_model_version("fraud", address)
    origin.create_model_version("fraud", str(template / "models" / "fraud"))
    report = import_mlflow(origin.db_uri, registry, names=["fraud"])
    assert [(p.model_name, p.version) for p in report.unavailable] == [("fraud", 2), ("fraud", 3)]
    assert report.unavailable[1].reason == "waits for version 2"
    report = import_mlflow(origin.db_uri, registry, names=["fraud"], without_files=True)
    assert report.versions_imported == 2
    assert everything(target)["fraud"] == everything(origin)["fraud"]


def answered(status: int) -> Exception:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(response=response)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (FileNotFoundError(), False),
        (MlflowException("no", RESOURCE_DOES_NOT_EXIST), False),
        (answered(404), False),
        (MlflowException("no", PERMISSION_DENIED), True),
        (answered(403), True),
        (answered(503), True),
        (TimeoutError(), True),
        (ModuleNotFoundError(), True),
        (requests.ConnectionError(), True),
        (type("NoCredentialsError", (type("BotoCoreError", (Exception,), {}),), {})(), True),
    ],
)
def test_what_is_unreachable(error: Exception, expected: bool) -> None:
    with pytest.raises(MlflowException) as wrapped:
        raise MlflowException("cannot be read") from error
    assert sources.is_unreachable(wrapped.value) is expected


def test_numbers_deleted_at_the_end(
    origin: SqlAlchemyStore, target: ModelregStore, registry: ModelRegistry, template: Path
) -> None:
    """They mean a version that is gone, here as in MLflow, and not the next one."""
    place = str(template / "models" / "fraud")
    for name in ("fraud", "fraud", "empty"):
        origin.create_model_version(name, place)
    for name, number in (("fraud", 2), ("fraud", 3), ("it's", 1), ("empty", 1)):
        origin.delete_model_version(name, number)
    report = import_mlflow(origin.db_uri, registry)
    assert report.ok
    assert report.placeholders == 3 + 4
    assert everything(target) == everything(origin)
    assert import_mlflow(origin.db_uri, registry).placeholders == 0
    for name in ("fraud", "it's", "empty", "churn"):
        ours, theirs = (each.create_model_version(name, place) for each in (target, origin))
        assert ours.version == theirs.version


def test_numbers_that_mlflow_does_not_tell(
    origin: SqlAlchemyStore,
    target: ModelregStore,
    registry: ModelRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server of MLflow's does not; its user can."""
    monkeypatch.setattr(numbers, "last_given", lambda store: None)
    report = import_mlflow(origin.db_uri, registry, last_numbers={"fraud": 3, "churn": 2})
    assert (report.ok, report.last_numbers_known, report.placeholders) == (True, False, 5)
    place = target.get_model_version("fraud", 1).source
    assert target.create_model_version("fraud", place).version == 4
    assert target.create_model_version("churn", place).version == 8


LENGTHS = ["n" * 200, "n" * 256, "\u00fc" * 256, "\U0001f600" * 256, "n" * 257]


def test_long_names(
    origin: SqlAlchemyStore,
    target: ModelregStore,
    registry: ModelRegistry,
    database: str,
    template: Path,
) -> None:
    """What the registry takes is copied, and what it refuses is reported; the rest goes on."""
    accepted = []
    with superuser(database) as connection:
        for name in LENGTHS:
            with contextlib.suppress(psycopg.errors.InvalidParameterValue):
                connection.execute("SELECT modelreg_create_model(model_name => %s)", (name,))
                connection.execute("SELECT modelreg_delete_model(model_name => %s)", (name,))
                accepted.append(name)
    assert "n" * 200 in accepted
    for name in LENGTHS:
        origin.create_registered_model(name)
        origin.create_model_version(name, str(template / "models" / "fraud"))
        origin.set_registered_model_alias(name, "a", 1)
    report = import_mlflow(origin.db_uri, registry)
    refused_names = sorted(set(LENGTHS) - set(accepted))
    assert [p.model_name for p in report.conflicts] == refused_names
    assert [(p.model_name, p.version) for p in report.unavailable] == [
        (name, 1) for name in refused_names
    ]
    assert report.versions_imported == 7 + len(accepted)
    for name in refused_names:
        origin.delete_registered_model(name)
    assert everything(target) == everything(origin)


def test_alias_that_the_registry_refuses(
    origin: SqlAlchemyStore, target: ModelregStore, registry: ModelRegistry
) -> None:
    """It does not keep the others from going."""
    with origin.ManagedSessionMaker(read_only=False) as session:
        for alias in ("control\x01", "zuletzt"):
            session.merge(
                SqlRegisteredModelAlias(workspace="default", name="churn", alias=alias, version=3)
            )
    report = import_mlflow(origin.db_uri, registry)
    assert target.get_registered_model("churn").aliases.items() >= {
        ("champion", 3), ("previous", 2), ("zuletzt", 3)
    }  # fmt: skip
    assert ["alias 'control\x01'" in p.reason for p in report.conflicts] == [True]


def test_lost_files_given_up(
    origin: SqlAlchemyStore,
    target: ModelregStore,
    registry: ModelRegistry,
    template: Path,
    tmp_path: Path,
) -> None:
    moved = tmp_path / "moved"
    shutil.move(template / "models" / "churn6", moved)
    try:
        for imported in (7, 0):
            report = import_mlflow(origin.db_uri, registry, without_files=True)
            assert report.versions_imported == imported
        assert everything(target) == everything(origin)
        location = str(template / "models" / "churn6")
        assert target.get_model_version_download_uri("churn", 6) == location
    finally:
        shutil.move(moved, template / "models" / "churn6")
    report = import_mlflow(origin.db_uri, registry)
    assert [(p.model_name, p.version) for p in report.conflicts] == [("churn", 6)]


def test_some_models_and_dry_run(
    origin: SqlAlchemyStore, target: ModelregStore, registry: ModelRegistry, database: str
) -> None:
    report = import_mlflow(origin.db_uri, registry, dry_run=True)
    assert report.dry_run
    assert (report.models_created, report.versions_imported) == (5, 7)
    assert everything(target) == {}
    report = import_mlflow(origin.db_uri, registry_uri(database), names=["fraud", "prompt"])
    assert sorted(everything(target)) == ["fraud", "prompt"]
    assert report.as_dict()["ok"]
    report = import_mlflow(origin.db_uri, registry, names=["fraud", "it's"], dry_run=True)
    assert (report.versions_present, report.versions_imported) == (1, 1)
    with refused("RESOURCE_DOES_NOT_EXIST"):
        import_mlflow(origin.db_uri, registry, names=["absent"])


def test_mistyped_address(registry: ModelRegistry, tmp_path: Path) -> None:
    for address in (f"sqlite:///{tmp_path}/absent.db", f"file://{tmp_path}/absent"):
        with refused("RESOURCE_DOES_NOT_EXIST", "There is no MLflow"):
            import_mlflow(address, registry)
    assert list(tmp_path.iterdir()) == []


def test_joins_the_callers_transaction(
    origin: SqlAlchemyStore, target: ModelregStore, database: str
) -> None:
    with psycopg.connect(dbname=database, row_factory=psycopg.rows.dict_row) as connection:
        report = import_mlflow(origin.db_uri, ModelRegistry(connection), names=["churn"])
        assert report.ok
        connection.rollback()
    assert everything(target) == {}


def test_file_store(
    target: ModelregStore, registry: ModelRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    source = f"file://{tmp_path}/mlruns"
    monkeypatch.chdir(tmp_path)
    client = MlflowClient(tracking_uri=source, registry_uri=source)
    run = client.create_run("0")
    client.log_metric(run.info.run_id, "accuracy", 0.5)
    client.create_registered_model("m", {"k": "v"}, "text")
    place = write_model(tmp_path / "model")
    client.create_model_version("m", str(place), run.info.run_id, tags={"t": "1"})
    client.set_registered_model_alias("m", "champion", "1")
    (tmp_path / "mlflow.db").unlink(missing_ok=True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///elsewhere.db")
    report = import_mlflow(source, registry)
    assert report.ok
    assert os.environ["MLFLOW_TRACKING_URI"] == "sqlite:///elsewhere.db"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlruns", "model"]
    (found,) = registry.list_versions(model_name="m")
    assert found.performance_metrics == {"accuracy": 0.5}
    version = target.get_model_version_by_alias("m", "champion")
    assert (version.version, version.tags) == (1, {"t": "1"})


def test_exclusive_model_is_not_demoted(
    origin: SqlAlchemyStore, target: ModelregStore, registry: ModelRegistry, database: str
) -> None:
    with superuser(database) as connection:
        connection.execute(
            "SELECT modelreg_create_model('churn', require_metadata => false)",
        )
    report = import_mlflow(origin.db_uri, registry, names=["churn"])
    assert [(p.model_name, p.version) for p in report.conflicts] == [("churn", 3)]
    assert "allows one production" in report.conflicts[0].reason
    assert report.versions_imported == 4
    assert target.get_model_version("churn", 2).current_stage == "Production"
    assert target.get_model_version("churn", 3).current_stage == "None"
