"""The artifact repository: as MLflow's local one, verified, unchangeable, and a server's too."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import MultipartUploadMixin, StreamUploadMixin
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from mlflow_case import model_directory, model_name, refused, registry_uri, store, superuser
from modelreg.mlflow import sources, uri
from modelreg.mlflow.artifacts import ModelregArtifactRepository
from modelreg.mlflow.destination import ArtifactsDestination
from modelreg.mlflow.store import ModelregStore

DEEP = 'data/deep/name with "quotes" and ü.txt'


@pytest.fixture
def location(store: ModelregStore, model_name: str, model_directory: Path) -> str:
    """The address of a registered version with these files."""
    store.create_registered_model(model_name)
    store.create_model_version(model_name, str(model_directory))
    return store.get_model_version_download_uri(model_name, 1)


@pytest.fixture
def repository(database: str, location: str) -> Any:
    return get_artifact_repository(location, registry_uri=registry_uri(database))


def contents(root: str | Path) -> dict[str, bytes]:
    top = Path(root)
    return {
        str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()
    }


PATHS = [
    None,
    "",
    ".",
    "data",
    "data/",
    "./data",
    "data/deep",
    "data/deep/..",
    "data/../data",
    "MLmodel",
    DEEP,
    "absent",
    "dat",
    "data/absent",
    "MLmodel/x",
    "..",
    "../x",
    "data/../../x",
    "/etc",
    "/",
]


def answer(method: Callable[..., Any], *args: Any) -> Any:
    try:
        return method(*args)
    except MlflowException as error:
        return error.error_code


@pytest.mark.parametrize("path", PATHS)
def test_lists_as_a_local_one(repository: Any, model_directory: Path, path: str | None) -> None:
    local = LocalArtifactRepository(str(model_directory))

    def listed(of: Any) -> Any:
        found = answer(of.list_artifacts, path)
        if isinstance(found, str):
            return found
        return [(info.path, info.is_dir, info.file_size) for info in found]

    assert listed(repository) == listed(local)


@pytest.mark.parametrize("path", PATHS)
def test_downloads_as_a_local_one(
    repository: Any, model_directory: Path, tmp_path: Path, path: str | None
) -> None:
    local = LocalArtifactRepository(str(model_directory))

    def downloaded(of: Any, where: Path) -> Any:
        where.mkdir()
        place = answer(of.download_artifacts, path, str(where))
        if not os.path.exists(place):
            return place
        return os.path.relpath(place, where), contents(where)

    assert downloaded(repository, tmp_path / "ours") == downloaded(local, tmp_path / "theirs")


def test_registered_under_the_scheme(location: str) -> None:
    assert isinstance(get_artifact_repository(location), ModelregArtifactRepository)
    root = location.split("/versions/")[0].rstrip("/") + "/versions?" + location.split("?")[1]
    assert isinstance(get_artifact_repository(root), ArtifactsDestination)


def test_below_a_directory_and_above_a_version(
    database: str, location: str, tmp_path: Path
) -> None:
    """MLflow asks for directories of a version, and for a version in the directory of all."""
    base, _, query = location.partition("?")
    registry = registry_uri(database)
    below = get_artifact_repository(f"{base}/data?{query}", registry_uri=registry)
    assert [info.path for info in below.list_artifacts()] == ["deep", "empty"]
    assert [info.path for info in below.list_artifacts("deep")] == ["deep/" + Path(DEEP).name]
    with refused("INVALID_PARAMETER_VALUE"):
        below.list_artifacts("../MLmodel")
    parent, _, version = base.rpartition("/")
    above = get_artifact_repository(f"{parent}?{query}", registry_uri=registry)
    assert f"{version}/MLmodel" in [info.path for info in above.list_artifacts(version)]
    place = above.download_artifacts(f"{version}/data", str(tmp_path))
    assert contents(place) == {"empty": b"", DEEP.removeprefix("data/"): b"text"}


def test_unchangeable(repository: Any, model_directory: Path) -> None:
    for work in (
        lambda: repository.log_artifact(str(model_directory / "MLmodel")),
        lambda: repository.log_artifacts(str(model_directory)),
        lambda: repository.delete_artifacts(),
        lambda: repository.delete_artifacts("MLmodel"),
    ):
        with refused("INVALID_STATE", "do not change"):
            work()


def test_unknown_version(database: str) -> None:
    repository = ModelregArtifactRepository(
        uri.parse(registry_uri(database)).of_version("absent_20260101_000000").public()
    )
    for work in (repository.list_artifacts, lambda: repository.download_artifacts("")):
        with refused("RESOURCE_DOES_NOT_EXIST", "absent_20260101_000000"):
            work()


def test_damage_is_found(database: str, repository: Any, tmp_path: Path) -> None:
    with superuser(database) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("ALTER TABLE modelreg.chunk_piece DISABLE TRIGGER ALL")
        connection.execute(
            "UPDATE modelreg.chunk_piece SET data = set_byte(data, 0, get_byte(data, 0) # 1)"
            " WHERE substr(data, 1, 7) = 'weights'"
        )
        try:
            with refused("DATA_LOSS"):
                repository._download_file("model.pkl", str(tmp_path / "model.pkl"))
            assert list(tmp_path.glob("model.pkl*")) == []
            with pytest.raises(MlflowException):
                repository.download_artifacts("", str(tmp_path))
        finally:
            connection.execute(
                "UPDATE modelreg.chunk_piece SET data = set_byte(data, 0, get_byte(data, 0) # 1)"
                " WHERE substr(data, 2, 6) = 'eights'"
            )
    repository._download_file("model.pkl", str(tmp_path / "model.pkl"))
    assert (tmp_path / "model.pkl").read_bytes() == b"weights"


STRANGE = ["a b", "ünïcode", "50%", "x#y?z", "~tilde", "a&b=c", "@"]


@pytest.mark.parametrize("name", STRANGE)
def test_strange_model_names(
    store: ModelregStore, database: str, name: str, model_directory: Path, tmp_path: Path
) -> None:
    from mlflow.artifacts import download_artifacts

    store.create_registered_model(name)
    store.create_model_version(name, str(model_directory))
    location = store.get_model_version_download_uri(name, 1)
    assert urllib.parse.unquote(location) == location
    place = download_artifacts(
        location, dst_path=str(tmp_path), registry_uri=registry_uri(database)
    )
    assert contents(place) == contents(model_directory)


# ---- URIs ----


def test_uri_without_secrets() -> None:
    parsed = uri.parse(
        "modelreg+postgresql://us%20er:p%40ss@db.example.org:5433/data%20base"
        "?sslmode=require&sslpassword=other&passfile=/x&artifacts=reference&runs=s3%3A//key@b/p"
    )
    assert parsed.parameters["password"] == "p@ss"
    assert parsed.parameters["dbname"] == "data base"
    assert parsed.reference_only
    assert parsed.runs_uri == "s3://key@b/p"
    public = parsed.of_version("m_1").public()
    assert public == (
        "modelreg+postgresql://us%20er@db.example.org:5433/data%20base/versions/m_1?sslmode=require"
    )
    assert uri.parse(public).identity == parsed.identity
    for text in (repr(parsed), public):
        for secret in ("p@ss", "p%40ss", "other", "key@"):
            assert secret not in text
    again = uri.with_credentials(uri.parse(public), [None, "sqlite://", registry_of(parsed)])
    assert again.parameters["password"] == "p@ss"
    elsewhere = uri.parse("modelreg+postgresql://u@other/db")
    assert uri.with_credentials(elsewhere, [registry_of(parsed)]) == elsewhere


def registry_of(parsed: uri.RegistryUri) -> str:
    return "modelreg+postgresql:///?" + urllib.parse.urlencode(dict(parsed.parameters))


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://h/db",
        "modelreg+postgresql:/h/db",
        "modelreg+postgresql://h/db?nonsense=1",
        "modelreg+postgresql://h/db?artifacts=maybe",
        "modelreg+postgresql://h/db/elsewhere/x",
        "modelreg+postgresql://u:hunter2/x@h/db",
        "modelreg+postgresql://u:%zz@h/db",
        "modelreg+postgresql://h/db?host",
    ],
)
def test_bad_uris(text: str) -> None:
    with pytest.raises(MlflowException) as caught:
        uri.parse(text)
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
    chain: BaseException | None = caught.value
    while chain is not None:
        assert "hunter2" not in str(chain)
        chain = None if chain.__suppress_context__ else (chain.__cause__ or chain.__context__)


# ---- The server's artifacts destination ----


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    directory = tmp_path / "runs"
    (directory / "1" / "run" / "artifacts").mkdir(parents=True)
    (directory / "1" / "run" / "artifacts" / "x.txt").write_text("of a run")
    return directory


@pytest.fixture
def destination(database: str, runs: Path) -> Any:
    return get_artifact_repository(registry_uri(database, runs=f"file://{runs}"))


def below(location: str) -> str:
    """The path that a version has in the destination."""
    return location.split("?")[0].split("/", 4)[4]


def test_destination_of_versions(
    destination: Any, location: str, tmp_path: Path, model_directory: Path
) -> None:
    path = below(location)
    assert path.startswith("versions/")
    assert [info.path for info in destination.list_artifacts(f"{path}/data")] == [
        f"{path}/data/deep",
        f"{path}/data/empty",
    ]
    assert destination.list_artifacts(f"{path}/MLmodel") == []
    assert destination.get_local_path(f"{path}/MLmodel") is None
    place = destination.download_artifacts(path, str(tmp_path))
    assert contents(place) == contents(model_directory)
    for work in (
        lambda: destination.log_artifact(str(model_directory / "MLmodel"), path),
        lambda: destination.log_artifact_from_stream(io.BytesIO(b"x"), "MLmodel", path),
        lambda: destination.log_artifacts(str(model_directory), path),
        lambda: destination.delete_artifacts(path),
        lambda: destination.delete_artifacts("x/../versions"),
    ):
        with refused("INVALID_STATE", "do not change"):
            work()
    with refused("RESOURCE_DOES_NOT_EXIST"):
        destination.list_artifacts("versions")
    with refused("RESOURCE_DOES_NOT_EXIST"):
        destination.list_artifacts("versions/absent_20260101_000000")


def test_destination_of_runs(destination: Any, runs: Path, tmp_path: Path) -> None:
    path = "1/run/artifacts"
    assert isinstance(destination, StreamUploadMixin)
    assert not isinstance(destination, MultipartUploadMixin)
    assert [info.path for info in destination.list_artifacts(path)] == [f"{path}/x.txt"]
    assert destination.get_local_path(f"{path}/x.txt") == str(runs / path / "x.txt")
    place = destination.download_artifacts(f"{path}/x.txt", str(tmp_path))
    assert Path(place).read_text() == "of a run"
    (tmp_path / "new.txt").write_text("new")
    destination.log_artifact(str(tmp_path / "new.txt"), path)
    destination.log_artifact_from_stream(io.BytesIO(b"streamed"), "s.txt", path)

    async def chunks() -> Any:
        yield b"as"
        yield b"ync"

    asyncio.run(destination.log_artifact_from_async_stream(chunks(), "a.txt", path))
    destination.log_artifacts(str(runs / path), "2")
    assert contents(runs / "2") == {
        "x.txt": b"of a run",
        "new.txt": b"new",
        "s.txt": b"streamed",
        "a.txt": b"async",
    }
    destination.delete_artifacts("2")
    assert not (runs / "2" / "x.txt").exists()


def test_destination_without_runs(database: str, location: str) -> None:
    destination = get_artifact_repository(registry_uri(database))
    assert destination.list_artifacts(below(location))
    assert not isinstance(destination, StreamUploadMixin)
    for work in (
        lambda: destination.list_artifacts("1/run/artifacts"),
        lambda: destination.list_artifacts(),
        lambda: destination.log_artifact("x", "1/run/artifacts"),
    ):
        with refused("INVALID_STATE", "?runs="):
            work()
    with refused("INVALID_PARAMETER_VALUE", "another kind"):
        get_artifact_repository(registry_uri(database, runs=registry_uri(database)))


def test_server_joins_paths_to_its_destination(
    database: str, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow's server appends the path of a trace to the whole URI, query and all."""
    for text in (
        registry_uri(database, runs=f"file://{runs}"),
        registry_uri(database, runs=f"file://{runs}", sslmode="prefer"),
    ):
        monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "mlflow-artifacts:/")
        monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", text)
        repository = get_artifact_repository(f"{text}/1/run/artifacts")
        assert [info.path for info in repository.list_artifacts()] == ["x.txt"]


def test_version_below_a_destination_without_parameters(
    database: str, location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, _, parameters = location.partition("?")
    for key, value in urllib.parse.parse_qsl(parameters):
        monkeypatch.setenv(f"PG{key.upper()}", value)
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "mlflow-artifacts:/")
    destination = address.partition("/versions/")[0]
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", destination)
    assert "MLmodel" in [info.path for info in get_artifact_repository(address).list_artifacts()]
    with refused("INVALID_STATE", "?runs="):
        get_artifact_repository(f"{destination}/1/run").list_artifacts()


def test_server_connects_to_its_own_database_only(
    database: str, location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "mlflow-artifacts:/")
    monkeypatch.setenv("_MLFLOW_SERVER_REGISTRY_STORE", registry_uri(database))
    assert get_artifact_repository(location).list_artifacts()
    for elsewhere in (
        "modelreg+postgresql://attacker.example.org/db/versions/m_1",
        location.replace(database, "postgres"),
        location.replace("port=", "service=x&port="),
    ):
        with refused("INVALID_PARAMETER_VALUE", "started with"):
            get_artifact_repository(elsewhere)


def test_server_takes_the_place_of_runs_from_its_operator(
    database: str, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A URI that a client stored is no way to the files of the server's machine."""
    operators = registry_uri(database, runs=f"file://{runs}")
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "mlflow-artifacts:/")
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", operators)
    assert get_artifact_repository(operators).list_artifacts("1/run/artifacts")
    with refused("INVALID_PARAMETER_VALUE", "started with"):
        get_artifact_repository(registry_uri(database, runs=f"file://{tmp_path}"))
    with refused("INVALID_PARAMETER_VALUE", "Invalid path"):
        get_artifact_repository(f"{operators}/../../etc")
    monkeypatch.setenv("_MLFLOW_SERVER_SERVE_ARTIFACTS", "true")
    for source in ("mlflow-artifacts:/1/../../x", "mlflow-artifacts:/1/%2e%2e/%2e%2e/x"):
        with refused("INVALID_PARAMETER_VALUE", "Invalid path"):
            sources.repository_for(source)


def test_runs_at_a_host_of_the_operators(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow lets a server connect to hosts of its operator's only, which this is one of."""
    operators = registry_uri(
        database, runs="http://artifacts.example.org/api/2.0/mlflow-artifacts/artifacts"
    )
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "mlflow-artifacts:/")
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", operators)
    assert get_artifact_repository(operators)._runs.artifact_uri.startswith("http://artifacts.")
    monkeypatch.setenv(
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION", registry_uri(database, runs="what:/x")
    )
    with refused("INTERNAL_ERROR", "what:/x"):
        get_artifact_repository(registry_uri(database, runs="what:/x"))


def test_mlflow_loads_the_entry_points() -> None:
    """MLflow imports the repository while it is being imported itself."""
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            "import warnings, sys; import mlflow\n"
            "from mlflow.store.artifact.artifact_repository_registry import"
            " _artifact_repository_registry as r\n"
            "print(r._registry['modelreg+postgresql'].__name__)",
        ],
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "ModelregArtifactRepository", done.stderr
