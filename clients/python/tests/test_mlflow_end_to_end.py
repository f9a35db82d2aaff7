"""MLflow as people use it: a training script, and a server with plain clients."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlflow_case import Server, new_database, registry_uri, server_environment, superuser
from modelreg import ModelRegistry
from modelreg.mlflow.importing import import_mlflow

pytest.importorskip("sklearn")

HERE = Path(__file__).parent


def run(script: str, *arguments: str, **more: str) -> str:
    done = subprocess.run(
        [sys.executable, str(HERE / script), *arguments],
        env=server_environment(**more),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_training_script(database: str, tmp_path: Path, starting: Any) -> None:
    uri = registry_uri(database, password="hunter2")
    output = run("mlflow_client_direct.py", uri, str(tmp_path))
    assert output.splitlines()[-1] == "all is well"
    with superuser(database) as connection:
        rows = connection.execute(
            "SELECT model_name, version_number, model_type, file_count > 3, deployment_stage"
            " FROM modelreg.model_version ORDER BY model_name, version_number"
        ).fetchall()
        assert rows == [
            ("direct", 1, "sklearn", True, "production"),
            ("direct", 2, "sklearn", True, "development"),
            ("direct-greeting", 1, "prompt", False, "development"),
            ("direct-live", 1, "sklearn", True, "development"),
        ]
        healthy = connection.execute("SELECT bool_and(ok) FROM modelreg_verify()").fetchone()
        assert healthy == (True,)


@pytest.fixture(scope="module")
def starting(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An MLflow server on the database that may not listen yet."""
    directory = tmp_path_factory.mktemp("server")
    with Server(
        directory,
        *("--backend-store-uri", f"sqlite:///{directory}/mlflow.db"),
        *("--registry-store-uri", registry_uri(database)),
        "--artifacts-destination",
        registry_uri(database, runs=f"file://{directory}/artifacts"),
    ) as server:
        yield server


@pytest.fixture(scope="module")
def server(starting: Server) -> str:
    """The address of an MLflow server on the database."""
    starting.wait()
    return starting.address


def call(address: str, path: str, body: Any = None) -> Any:
    request = urllib.request.Request(
        f"{address}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def test_server_and_plain_client(server: str, database: str, tmp_path: Path) -> None:
    output = run("mlflow_client_plain.py", server, str(tmp_path), HOME=str(tmp_path))
    assert output.splitlines()[-1] == "all is well"
    with superuser(database) as connection:
        rows = connection.execute(
            "SELECT version_number, deployment_stage, file_count > 3 FROM modelreg.model_version"
            " WHERE model_name = 'renamed churn' ORDER BY version_number"
        ).fetchall()
        assert rows == [(1, "archived", True), (2, "production", True)]


def test_import_from_a_server(server: str, database: str) -> None:
    """Over HTTP, files included; the server's registry is ours, as any other would do."""
    with new_database() as copy:
        with ModelRegistry(f"dbname={copy}") as registry:
            report = import_mlflow(server, registry, names=["renamed churn", "greeting"])
            assert report.ok, report
            assert report.versions_imported == 3
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "modelreg",
                "import-mlflow",
                "--from",
                server,
                "--name",
                "renamed churn",
                "--json",
            ],
            env={**os.environ, "PGDATABASE": copy},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert json.loads(done.stdout)["versions_present"] == 2
        assert "Downloading" not in done.stderr  # bars are for terminals
        query = (
            "SELECT model_name, version_number, checksum, deployment_stage, properties"
            " FROM modelreg.model_version WHERE model_name IN ('renamed churn', 'greeting')"
            " ORDER BY model_name, version_number"
        )
        with superuser(database) as theirs, superuser(copy) as ours:
            assert ours.execute(query).fetchall() == theirs.execute(query).fetchall()


def test_user_interface_is_served(server: str) -> None:
    with urllib.request.urlopen(f"{server}/", timeout=30) as response:
        page = response.read().decode()
    assert "<title>MLflow</title>" in page
    api = "/ajax-api/2.0/mlflow"
    call(server, f"{api}/registered-models/create", {"name": "seen in the page"})
    found = call(server, f"{api}/registered-models/search?filter=name%20ILIKE%20%27%25seen%25%27")
    assert [model["name"] for model in found["registered_models"]] == ["seen in the page"]
    found = call(server, f"{api}/model-versions/search?filter=name%3D%27absent%27")
    assert found == {}
    with pytest.raises(urllib.error.HTTPError) as caught:
        call(server, f"{api}/registered-models/get?name=absent")
    assert caught.value.code == 404
    assert json.load(caught.value)["error_code"] == "RESOURCE_DOES_NOT_EXIST"


def test_refusal_arrives_at_once(server: str, database: str) -> None:
    """MLflow's clients repeat for minutes what is answered with 500, as INVALID_STATE is."""
    api = "/api/2.0/mlflow"
    with superuser(database) as connection:
        for stage in ("production", "development"):
            connection.execute(
                "SELECT modelreg_register('x', 'forest', model_name => 'exclusive',"
                " performance_metrics => '{\"f1\": 1}', deployment_stage => %s)",
                (stage,),
            )
    path = f"{api}/model-versions/transition-stage"
    move = {"name": "exclusive", "version": "2", "stage": "Production"}
    with pytest.raises(urllib.error.HTTPError) as caught:
        call(server, path, {**move, "archive_existing_versions": False})
    assert caught.value.code == 409
    answer = json.load(caught.value)
    assert answer["error_code"] == "INVALID_STATE"
    assert "archive_existing_versions=True" in answer["message"]
    moved = call(server, path, {**move, "archive_existing_versions": True})
    assert moved["model_version"]["current_stage"] == "Production"


def test_server_does_not_connect_elsewhere(server: str) -> None:
    """A client must not be able to make the server connect, with its passwords, to some host."""
    api = "/api/2.0/mlflow"
    call(server, f"{api}/registered-models/create", {"name": "bait"})
    with socket.socket() as trap:
        trap.bind(("127.0.0.1", 0))
        trap.listen()
        trap.settimeout(0.2)
        port = trap.getsockname()[1]
        source = f"modelreg+postgresql://x@127.0.0.1:{port}/db/versions/x_1"
        with pytest.raises(urllib.error.HTTPError) as caught:
            call(server, f"{api}/model-versions/create", {"name": "bait", "source": source})
        assert json.load(caught.value)["error_code"] == "INVALID_PARAMETER_VALUE"
        # MLflow does not look at what is behind such a source; the place of a run it just takes.
        place = {"name": "bait", "artifact_location": source}
        experiment = call(server, f"{api}/experiments/create", place)
        run = call(server, f"{api}/runs/create", experiment)["run"]["info"]["run_id"]
        with pytest.raises(urllib.error.HTTPError) as caught:
            call(server, f"{api}/artifacts/list?run_id={run}")
        assert "not to 'modelreg" in json.load(caught.value)["message"]
        with pytest.raises(TimeoutError):
            trap.accept()
