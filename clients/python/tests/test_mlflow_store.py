"""The store where it is more than MLflow's: files, races, rules, errors, processes."""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from mlflow.entities.model_registry import ModelVersionTag
from mlflow.exceptions import MlflowException
from mlflow.prompt.constants import IS_PROMPT_TAG_KEY

from mlflow_case import (
    model_directory,
    model_name,
    reference_store,
    refused,
    registry_uri,
    store,
    superuser,
    tags,
    version_tags,
    write_model,
)
from modelreg.mlflow import files
from modelreg.mlflow.store import ModelregStore


def together(*works: Callable[[], Any]) -> list[Any]:
    """Runs the works in threads that begin at the same time; returns results or exceptions."""
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return work()
        except MlflowException as error:
            return error

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def row(database: str, query: str, *parameters: Any) -> Any:
    with superuser(database) as connection:
        return connection.execute(query, parameters).fetchone()


def test_models_are_as_mlflows(store: ModelregStore, database: str, model_name: str) -> None:
    store.create_registered_model(model_name)
    settings = row(
        database,
        "SELECT exclusive_production, max_versions, require_metadata FROM modelreg.model"
        " WHERE model_name = %s",
        model_name,
    )
    assert settings == (False, -1, False)


# ---- Files ----


def test_version_has_its_files(
    store: ModelregStore,
    database: str,
    model_name: str,
    model_directory: Path,
) -> None:
    store.create_registered_model(model_name)
    version = store.create_model_version(
        model_name, str(model_directory), "run", version_tags(k="v"), "http://run", "words"
    )
    assert (version.version, version.status, version.current_stage) == (1, "READY", "None")
    checksum, model_type, count, training, properties, notes = row(
        database,
        "SELECT checksum, model_type, file_count, training_metadata, properties, notes"
        " FROM modelreg.model_version WHERE model_name = %s",
        model_name,
    )
    assert model_type == "sklearn"
    assert count == 4
    assert notes == "words"
    assert properties == {"k": "v"}
    assert training == {
        "run_id": "run", "source": str(model_directory), "run_link": "http://run"
    }  # fmt: skip
    listing = files.Listing.of(model_directory)
    assert checksum == files.checksum(files.digests(listing))
    assert [file.relative for file in listing.files] == [
        "MLmodel", 'data/deep/name with "quotes" and ü.txt', "data/empty", "model.pkl"
    ]  # fmt: skip
    ok = row(database, "SELECT bool_and(ok) FROM modelreg_verify()")
    assert ok == (True,)


def test_local_model_path_goes_before_source(
    store: ModelregStore,
    database: str,
    model_name: str,
    model_directory: Path,
) -> None:
    store.create_registered_model(model_name)
    version = store.create_model_version(
        model_name, "s3://nowhere/model", local_model_path=str(model_directory)
    )
    assert version.source == "s3://nowhere/model"
    count = row(
        database, "SELECT file_count FROM modelreg.model_version WHERE model_name = %s", model_name
    )
    assert count == (4,)


def test_unreadable_source(store: ModelregStore, model_name: str, tmp_path: Path) -> None:
    store.create_registered_model(model_name)
    with refused("INVALID_PARAMETER_VALUE", "cannot be read"):
        store.create_model_version(model_name, str(tmp_path / "absent"))
    (tmp_path / "empty").mkdir()
    with refused("INVALID_PARAMETER_VALUE", "no files"):
        store.create_model_version(model_name, str(tmp_path / "empty"))
    with refused("INVALID_PARAMETER_VALUE", "cannot be read"):
        store.create_model_version(model_name, "nonsense-scheme://x/y")
    with refused("INVALID_PARAMETER_VALUE", f"models:/{model_name}/7"):
        store.create_model_version(model_name, f"models:/{model_name}/7")
    with refused("RESOURCE_DOES_NOT_EXIST"):
        store.create_model_version("absent", str(tmp_path))
    # Secrets in an address are not repeated.
    with pytest.raises(MlflowException) as caught:
        store.create_model_version(model_name, "nonsense-scheme://user:hunter2@x/y")
    assert "hunter2" not in caught.value.message
    assert store.search_model_versions(f"name = '{model_name}'") == []


def test_registering_a_registered_version_again(
    store: ModelregStore,
    database: str,
    model_name: str,
    model_directory: Path,
) -> None:
    store.create_registered_model(model_name)
    first = store.create_model_version(model_name, str(model_directory))
    store.set_registered_model_alias(model_name, "champion", 1)
    location = store.get_model_version_download_uri(model_name, 1)
    for source in (
        f"models:/{model_name}/1",
        f"models:/{model_name}@champion",
        f"models:/{model_name}/None",
        location,
    ):
        store.create_model_version(model_name, source)
    copy = store.copy_model_version(first, f"{model_name}-copy")
    assert copy.version == 1
    rows = row(
        database,
        "SELECT count(*), count(DISTINCT checksum), min(file_count), min(model_type)"
        " FROM modelreg.model_version WHERE model_name LIKE %s",
        f"{model_name}%",
    )
    assert rows == (6, 1, 4, "sklearn")
    parents = row(
        database,
        "SELECT parent_ids FROM modelreg.model_version WHERE model_name = %s"
        " AND version_number = 2",
        model_name,
    )
    assert parents == ([location.split("?")[0].rsplit("/", 1)[1]],)
    assert row(database, "SELECT bool_and(ok) FROM modelreg_verify()") == (True,)


def test_single_artifact_registered_elsewhere(
    store: ModelregStore,
    database: str,
    model_name: str,
    tmp_path: Path,
) -> None:
    """A version that modelreg's own clients registered is a version for MLflow's."""
    from modelreg.mlflow.artifacts import ModelregArtifactRepository

    with superuser(database) as connection:
        connection.execute(
            "SELECT modelreg_register('some bytes', 'forest', model_name => %s,"
            " performance_metrics => '{\"f1\": 0.5}', deployment_stage => 'canary',"
            # A note of theirs, not where MLflow is to look for the files.
            ' training_metadata => \'{"storage_location": "s3://elsewhere/x"}\')',
            (model_name,),
        )
    version = store.get_model_version(model_name, 1)
    assert version.current_stage == "Staging"
    assert [(metric.key, metric.value) for metric in version.metrics] == [("f1", 0.5)]
    repository = ModelregArtifactRepository(
        store.get_model_version_download_uri(model_name, 1), registry_uri=registry_uri(database)
    )
    assert [(f.path, f.is_dir, f.file_size) for f in repository.list_artifacts()] == [
        ("artifact", False, 10)
    ]
    place = repository.download_artifacts("", str(tmp_path))
    assert Path(place, "artifact").read_bytes() == b"some bytes"
    store.create_registered_model(f"{model_name}-copy")
    store.create_model_version(f"{model_name}-copy", f"models:/{model_name}/1")
    assert row(
        database,
        "SELECT count(DISTINCT checksum), max(file_count) FROM modelreg.model_version"
        " WHERE model_name LIKE %s",
        f"{model_name}%",
    ) == (1, 0)


def test_large_files_stream(
    store: ModelregStore,
    database: str,
    model_name: str,
    tmp_path: Path,
) -> None:
    directory = write_model(tmp_path / "large")
    for number, size in enumerate((65_536, 65_537, 1_048_576, 3_500_000)):
        (directory / f"weights{number}").write_bytes(os.urandom(size))
    store.create_registered_model(model_name)
    store.create_model_version(model_name, str(directory))
    assert row(
        database,
        "SELECT checksum FROM modelreg.model_version WHERE model_name = %s", model_name,
    )[0] == files.checksum(files.digests(files.Listing.of(directory)))  # fmt: skip


def listed(directory: Path, *, links_out: bool = True) -> list[str]:
    return [file.relative for file in files.Listing.of(directory, links_out=links_out).files]


def test_links(model_name: str, tmp_path: Path) -> None:
    directory = write_model(tmp_path / "model")
    (directory / "inside").symlink_to("model.pkl")
    (tmp_path / "outside").write_text("x")
    assert "inside" in listed(directory, links_out=False)
    (directory / "out").symlink_to(tmp_path / "outside")
    assert "out" in listed(directory)
    with refused("INVALID_PARAMETER_VALUE", "'out'", "link out"):
        files.Listing.of(directory, links_out=False)
    (directory / "dangling").symlink_to("absent")
    with refused("INVALID_PARAMETER_VALUE", "'dangling'"):
        files.Listing.of(directory)


def test_directory_that_cannot_be_read_as_a_whole(tmp_path: Path) -> None:
    """What cannot be listed is not left out in silence."""
    directory = write_model(tmp_path / "model")
    deepest = os.open(directory, os.O_RDONLY)
    for _ in range(20):  # to where a path is too long for the operating system
        os.mkdir("d" * 250, dir_fd=deepest)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=deepest)
        os.close(deepest)
        deepest = below
    os.close(deepest)
    with refused("INVALID_PARAMETER_VALUE", "cannot be read"):
        files.Listing.of(directory)


def test_source_is_kept_without_password(
    store: ModelregStore, database: str, model_name: str, model_directory: Path
) -> None:
    store.create_registered_model(model_name)
    store.create_model_version(model_name, str(model_directory))
    location = store.get_model_version_download_uri(model_name, 1)
    secret = location.replace("?", "?password=hunter2&")
    for store_again in (store, ModelregStore(registry_uri(database, artifacts="reference"))):
        version = store_again.create_model_version(model_name, secret)
        assert version.source == location
        number = version.version
        assert "hunter2" not in store.get_model_version_download_uri(model_name, number)
    kept = row(
        database,
        "SELECT string_agg(training_metadata::text, ' ') FROM modelreg.model_version"
        " WHERE model_name = %s",
        model_name,
    )
    assert "hunter2" not in kept[0]


def test_names_that_the_registry_refuses(
    store: ModelregStore,
    model_name: str,
    tmp_path: Path,
) -> None:
    with refused("INVALID_PARAMETER_VALUE", "256 characters"):
        store.create_registered_model("x" * 257)
    with refused("INVALID_PARAMETER_VALUE"):
        store.create_registered_model("line\nbreak")
    with refused("INVALID_PARAMETER_VALUE"):
        store.create_registered_model("nul\0")
    with refused("INVALID_PARAMETER_VALUE"):
        store.create_registered_model("half \ud800 a pair")
    store.create_registered_model(model_name)
    with refused("INVALID_PARAMETER_VALUE", "modelreg's own"):
        store.set_registered_model_tag(model_name, ModelVersionTag("modelreg.x", "v"))
    with refused("INVALID_PARAMETER_VALUE", "modelreg's own"):
        store.create_model_version(
            model_name, str(tmp_path), tags=version_tags(**{"modelreg.x": "v"})
        )
    directory = write_model(tmp_path / "model")
    (directory / "back\\slash").write_text("x")
    with refused("INVALID_PARAMETER_VALUE", "backslash"):
        store.create_model_version(model_name, str(directory))


def test_reference_only(
    reference_store: ModelregStore,
    store: ModelregStore,
    database: str,
    model_name: str,
) -> None:
    reference_store.create_registered_model(model_name)
    reference_store.create_model_version(model_name, "s3://bucket/model")
    for each in (reference_store, store):
        assert each.get_model_version_download_uri(model_name, 1) == "s3://bucket/model"
    assert row(
        database,
        "SELECT convert_from(modelreg_load(model_id), 'UTF8') FROM modelreg.model_version"
        " WHERE model_name = %s",
        model_name,
    ) == ('{"source": "s3://bucket/model"}',)


def test_prompts_have_no_files(store: ModelregStore, database: str, model_name: str) -> None:
    store.create_prompt(model_name)
    store.create_prompt_version(model_name, "Hello {{model_name}}")
    assert store.get_prompt_version(model_name, 1).template == "Hello {{model_name}}"
    assert row(
        database,
        "SELECT model_type, file_count FROM modelreg.model_version WHERE model_name = %s",
        model_name,
    ) == ("prompt", 0)


def test_properties_of_others_are_tags(
    store: ModelregStore,
    database: str,
    model_name: str,
    model_directory: Path,
) -> None:
    store.create_registered_model(model_name)
    store.create_model_version(model_name, str(model_directory))
    with superuser(database) as connection:
        connection.execute(
            "SELECT modelreg_update(model_id, properties =>"
            ' \'{"n": 5, "list": [1], "modelreg.serializer": "raw"}\')'
            " FROM modelreg.model_version WHERE model_name = %s",
            (model_name,),
        )
    assert store.get_model_version(model_name, 1).tags == {"n": "5", "list": "[1]"}
    found = store.search_model_versions("tags.n = '5'")
    assert [version.name for version in found] == [model_name]
    assert store.search_model_versions("tags.`modelreg.serializer` = 'raw'") == []


# ---- Stages ----


def test_six_stages_shown_as_four(
    store: ModelregStore,
    database: str,
    model_name: str,
    model_directory: Path,
) -> None:
    store.create_registered_model(model_name)
    for _ in range(3):
        store.create_model_version(model_name, str(model_directory))

    def stages() -> list[str]:
        with superuser(database) as connection:
            return [
                stage
                for (stage,) in connection.execute(
                    "SELECT deployment_stage FROM modelreg.model_version WHERE model_name = %s"
                    " ORDER BY version_number",
                    (model_name,),
                )
            ]

    with superuser(database) as connection:
        connection.execute(
            "SELECT modelreg_update_stage(model_id, CASE version_number WHEN 1 THEN 'canary'"
            " WHEN 2 THEN 'deprecated' ELSE 'staging' END)"
            " FROM modelreg.model_version WHERE model_name = %s",
            (model_name,),
        )
    assert stages() == ["canary", "deprecated", "staging"]
    shown = {
        v.version: v.current_stage for v in store.search_model_versions(f"name = '{model_name}'")
    }
    assert shown == {1: "Staging", 2: "Archived", 3: "Staging"}
    assert [v.version for v in store.get_latest_versions(model_name, ["Staging"])] == [3]
    # What is in the stage already stays as it is; the others of that stage go, canary included.
    store.transition_model_version_stage(model_name, 2, "Archived", False)
    store.transition_model_version_stage(model_name, 1, "Staging", False)
    assert stages() == ["canary", "deprecated", "staging"]
    store.transition_model_version_stage(model_name, 3, "Staging", True)
    assert stages() == ["archived", "deprecated", "staging"]


def test_exclusive_model_does_not_demote_silently(
    store: ModelregStore,
    database: str,
    model_name: str,
) -> None:
    with superuser(database) as connection:
        for number in range(2):
            connection.execute(
                "SELECT modelreg_register(%s, 'forest', model_name => %s,"
                " performance_metrics => '{\"f1\": 0.5}')",
                (f"bytes {number}".encode(), model_name),
            )
    store.transition_model_version_stage(model_name, 1, "Production", False)
    with refused("INVALID_STATE", "archive_existing_versions=True"):
        store.transition_model_version_stage(model_name, 2, "Production", False)
    assert store.get_model_version(model_name, 1).current_stage == "Production"
    store.transition_model_version_stage(model_name, 1, "Production", False)
    store.transition_model_version_stage(model_name, 2, "Production", True)
    assert store.get_model_version(model_name, 1).current_stage == "Archived"


def test_stage_rules_hold(
    store: ModelregStore,
    database: str,
    model_name: str,
    model_directory: Path,
) -> None:
    store.create_registered_model(model_name)
    store.create_model_version(model_name, str(model_directory))
    store.transition_model_version_stage(model_name, 1, "Archived", False)

    def rule(source: str, target: str, allowed: bool | None) -> None:
        with superuser(database) as connection:
            connection.execute(
                "SELECT modelreg_set_stage_rule(%s, %s, %s)", (source, target, allowed)
            )

    rules = [("development", "production"), ("staging", "production")]
    try:
        for source, target in rules:
            rule(source, target, False)
        with refused("INVALID_STATE", "cannot move from archived to production"):
            store.transition_model_version_stage(model_name, 1, "Production", False)
        assert store.get_model_version(model_name, 1).current_stage == "Archived"
        rule("staging", "production", None)
        store.transition_model_version_stage(model_name, 1, "Production", False)
        assert store.get_model_version(model_name, 1).current_stage == "Production"
    finally:
        for source, target in rules:
            rule(source, target, None)


# ---- Races ----


@pytest.mark.parametrize("options", ["", "-c default_transaction_isolation=serializable"])
def test_two_exclusive_productions_leave_one(
    database: str, model_name: str, model_directory: Path, options: str
) -> None:
    store = ModelregStore(registry_uri(database, options=options))
    store.create_registered_model(model_name)
    for _ in range(2):
        store.create_model_version(model_name, str(model_directory))
    winners = set()
    for start in ["None", "Production", "Archived"] * 8:
        for number in (1, 2):
            store.transition_model_version_stage(model_name, number, start, False)
        results = together(
            lambda: store.transition_model_version_stage(model_name, 1, "Production", True),
            lambda: store.transition_model_version_stage(model_name, 2, "Production", True),
        )
        assert not [result for result in results if isinstance(result, Exception)]
        stages = [store.get_model_version(model_name, number).current_stage for number in (1, 2)]
        assert sorted(stages) == ["Archived", "Production"]
        winners.add(tuple(stages))
    assert winners  # which one is last is the threads' affair


def test_alias_never_dangles(
    store: ModelregStore,
    database: str,
    model_name: str,
    model_directory: Path,
) -> None:
    store.create_registered_model(model_name)
    outcomes = set()
    for number in range(1, 31):
        store.create_model_version(model_name, str(model_directory))
        set_it, delete_it = together(
            lambda number=number: store.set_registered_model_alias(model_name, "champion", number),
            lambda number=number: store.delete_model_version(model_name, number),
        )
        assert delete_it is None
        if set_it is not None:
            assert set_it.error_code == "RESOURCE_DOES_NOT_EXIST"
        outcomes.add(set_it is None)
        with refused("INVALID_PARAMETER_VALUE", "alias champion not found"):
            store.get_model_version_by_alias(model_name, "champion")
        assert store.get_registered_model(model_name).aliases == {}
    assert outcomes


def test_versions_created_at_once_have_numbers_of_their_own(
    store: ModelregStore,
    model_name: str,
    model_directory: Path,
) -> None:
    store.create_registered_model(model_name)
    results = together(
        *[
            lambda: store.create_model_version(model_name, str(model_directory)).version
            for _ in range(12)
        ]
    )
    assert sorted(results) == list(range(1, 13))


def test_one_of_two_equal_models_is_made(store: ModelregStore, model_name: str) -> None:
    results = together(*[lambda: store.create_registered_model(model_name).name for _ in range(6)])
    refusals = [result for result in results if isinstance(result, MlflowException)]
    assert len(refusals) == 5
    assert {error.error_code for error in refusals} == {"RESOURCE_ALREADY_EXISTS"}


def test_tags_set_at_once_are_all_there(store: ModelregStore, model_name: str) -> None:
    store.create_registered_model(model_name)
    together(
        *[
            lambda n=n: store.set_registered_model_tag(model_name, ModelVersionTag(f"k{n}", "v"))
            for n in range(10)
        ]
    )
    assert len(store.get_registered_model(model_name).tags) == 10


def test_model_deleted_while_its_files_come_in(
    store: ModelregStore, database: str, model_name: str, model_directory: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    store.create_registered_model(model_name)
    original = files.upload

    def upload(*args: Any) -> Any:
        store.delete_registered_model(model_name)
        return original(*args)

    monkeypatch.setattr(files, "upload", upload)
    with refused("RESOURCE_DOES_NOT_EXIST"):
        store.create_model_version(model_name, str(model_directory))
    assert row(
        database, "SELECT count(*) FROM modelreg.model WHERE model_name = %s", model_name
    ) == (0,)


# ---- Errors and processes ----


def test_roles(database: str, model_name: str, model_directory: Path) -> None:
    role = "regress_modelreg_mlflow_writer"
    with superuser(database) as connection:
        connection.execute(f"DROP ROLE IF EXISTS {role}")
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'p' IN ROLE modelreg_writer")
        try:
            admin = ModelregStore(registry_uri(database))
            admin.create_registered_model(model_name)
            writer = ModelregStore(registry_uri(database, options=f"-c role={role}"))
            with refused("PERMISSION_DENIED"):
                writer.create_registered_model(f"{model_name}-2")
            writer.create_model_version(model_name, str(model_directory))
            assert writer.get_model_version(model_name, 1).user_id == role
            writer.update_model_version(model_name, 1, "mine")
            writer.transition_model_version_stage(model_name, 1, "Staging", False)
            for work in (
                lambda: writer.transition_model_version_stage(model_name, 1, "Production", False),
                lambda: writer.set_registered_model_alias(model_name, "champion", 1),
                lambda: writer.set_registered_model_tag(model_name, ModelVersionTag("k", "v")),
            ):
                with refused("PERMISSION_DENIED"):
                    work()
            admin.set_registered_model_alias(model_name, "champion", 1)
            with refused("PERMISSION_DENIED"):
                writer.delete_model_version(model_name, 1)
            admin.delete_registered_model_alias(model_name, "champion")
            writer.delete_model_version(model_name, 1)
        finally:
            connection.execute(f"DROP ROLE {role}")


def test_no_server_and_no_extension(database: str, tmp_path: Path) -> None:
    nowhere = f"modelreg+postgresql://u:hunter2@/db?host={tmp_path}"
    with pytest.raises(MlflowException) as caught:
        ModelregStore(nowhere).search_registered_models()
    assert caught.value.error_code == "TEMPORARILY_UNAVAILABLE"
    assert "hunter2" not in str(caught.value)
    with pytest.raises(MlflowException) as caught:
        ModelregStore(registry_uri("postgres")).search_registered_models()
    assert caught.value.error_code == "INVALID_STATE"
    assert "Is modelreg installed" in caught.value.message


def test_lost_connections_are_replaced(
    store: ModelregStore, database: str, model_name: str
) -> None:
    store.create_registered_model(model_name)
    with superuser(database) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'modelreg-mlflow' AND datname = current_database()"
        )
        wait_until_gone(connection)
    assert store.get_registered_model(model_name).name == model_name


def wait_until_gone(connection: psycopg.Connection[Any]) -> None:
    for _ in range(500):
        count = connection.execute(
            "SELECT count(*), pg_sleep(0.01) FROM pg_stat_activity"
            " WHERE application_name = 'modelreg-mlflow' AND datname = current_database()"
        ).fetchone()
        if count is not None and count[0] == 0:
            return
    raise AssertionError("connections did not end")


def test_whatever_the_session_is_set_to(
    database: str, model_name: str, model_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the environment, or by the role or the database."""
    name = f"{model_name} 日本"
    for encoding in ("LATIN1", "SQL_ASCII"):
        monkeypatch.setenv("PGCLIENTENCODING", encoding)
        options = f"-c datestyle=German -c timezone=Asia/Kathmandu -c my.{encoding}=1"
        store = ModelregStore(registry_uri(database, options=options))
        store.create_registered_model(name)
        version = store.create_model_version(name, str(model_directory))
        store.transition_model_version_stage(name, 1, "Production", True)
        assert abs(version.creation_timestamp / 1000 - time.time()) < 60
        assert [v.name for v in store.search_model_versions(f"name = '{name}'")] == [name]
        store.delete_registered_model(name)


def test_pickled(store: ModelregStore, model_name: str) -> None:
    store.create_registered_model(model_name)
    again = pickle.loads(pickle.dumps(store))
    assert again.get_registered_model(model_name).name == model_name


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forked(store: ModelregStore, model_name: str) -> None:
    store.create_registered_model(model_name)
    child = os.fork()
    if child == 0:
        try:
            store.set_registered_model_tag(model_name, ModelVersionTag("from", "child"))
            os._exit(0)
        except BaseException:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert store.get_registered_model(model_name).tags == {"from": "child"}


def test_webhooks(store: ModelregStore) -> None:
    from mlflow.entities.webhook import WebhookAction, WebhookEntity, WebhookEvent
    from mlflow.webhooks.delivery import _deliver_webhook_impl

    event = WebhookEvent(WebhookEntity.REGISTERED_MODEL, WebhookAction.CREATED)
    _deliver_webhook_impl(event=event, payload={}, store=store)  # type: ignore[typeddict-item]
    assert list(store.list_webhooks()) == []
    with refused("NOT_IMPLEMENTED", "LISTEN"):
        store.create_webhook("n", "https://example.org", [event])
    with refused("RESOURCE_DOES_NOT_EXIST"):
        store.delete_webhook("x")


def test_every_abstract_method_is_ours() -> None:
    from mlflow.store.model_registry.abstract_store import AbstractStore

    abstract = [
        method
        for method, value in vars(AbstractStore).items()
        if getattr(value, "__isabstractmethod__", False)
    ]
    assert len(abstract) >= 21
    assert [method for method in abstract if method not in vars(ModelregStore)] == []


def test_prompt_tag_is_what_makes_a_prompt(store: ModelregStore, model_name: str) -> None:
    store.create_registered_model(model_name, tags=tags(**{IS_PROMPT_TAG_KEY: "true"}))
    with refused("RESOURCE_ALREADY_EXISTS", "prompt"):
        store.create_registered_model(model_name)
