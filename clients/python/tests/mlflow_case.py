"""What the tests of the MLflow part share: databases, stores, and models to register."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

pytest.importorskip("mlflow")

from mlflow.entities.model_registry import ModelVersionTag, RegisteredModelTag
from mlflow.exceptions import MlflowException

from modelreg.mlflow.store import ModelregStore


def superuser(dbname: str | None = None, **parameters: Any) -> psycopg.Connection[Any]:
    """A connection in autocommit mode, to where libpq's environment leads."""
    if dbname is not None:
        parameters["dbname"] = dbname
    return psycopg.connect("", autocommit=True, **parameters)


@contextlib.contextmanager
def new_database() -> Iterator[str]:
    """A database with the extension, dropped in the end."""
    name = f"modelreg_mlflow_{uuid.uuid4().hex[:12]}"
    with superuser(os.environ.get("PGDATABASE", "postgres")) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        with superuser(name) as connection:
            connection.execute("CREATE EXTENSION modelreg")
        yield name
    finally:
        with superuser(os.environ.get("PGDATABASE", "postgres")) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def registry_uri(dbname: str, *, scheme: str = "modelreg+postgresql", **query: str) -> str:
    """A URI with everything in it, for processes without libpq's environment."""
    with superuser(dbname) as connection:
        info = connection.info
        query = {"host": info.host, "port": str(info.port), **query}
        user = urllib.parse.quote(info.user, safe="")
        if info.password:
            user += ":" + urllib.parse.quote(info.password, safe="")
    return f"{scheme}://{user}@/{dbname}?" + urllib.parse.urlencode(query)


def server_environment(**more: str) -> dict[str, str]:
    """Without what would lead to the database, or to another MLflow."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PG", "MLFLOW", "_MLFLOW", "MODELREG"))
    }
    return {
        **kept,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONWARNINGS": "ignore",
        **more,
    }


class Server:
    """An MLflow server of one worker, which may not listen yet; ended with the block."""

    def __init__(self, directory: Path, *options: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        self.address = f"http://127.0.0.1:{port}"
        self._log = directory / "log"
        with self._log.open("w") as output:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "mlflow", "server"),
                    *("--host", "127.0.0.1", "--port", port, "--workers", "1", *options),
                ],
                env=server_environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=directory,
            )

    def wait(self) -> None:
        """Until it answers."""
        for _ in range(1200):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.address}/health", timeout=1).close()
                return
            assert self._process.poll() is None, self._log.read_text()
            time.sleep(0.1)
        raise AssertionError(self._log.read_text())

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        for number, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(self._process.pid, number)
                self._process.wait(seconds)


@pytest.fixture(scope="module")
def store(database: str) -> ModelregStore:
    """The store with files."""
    return ModelregStore(registry_uri(database))


@pytest.fixture(scope="module")
def reference_store(database: str) -> ModelregStore:
    """The store that keeps addresses only."""
    return ModelregStore(registry_uri(database, artifacts="reference"))


@pytest.fixture
def model_name() -> str:
    """A model's name that no other test has."""
    return f"model-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def model_directory(tmp_path: Path) -> Path:
    """The files of a model, as MLflow would lay them out."""
    return write_model(tmp_path / "model")


def write_model(directory: Path, content: bytes = b"weights", flavor: str = "sklearn") -> Path:
    (directory / "data" / "deep").mkdir(parents=True, exist_ok=True)
    (directory / "MLmodel").write_text(
        "artifact_path: model\nflavors:\n  python_function:\n    loader_module: x\n"
        f"  {flavor}:\n    pickled_model: model.pkl\n"
    )
    (directory / "model.pkl").write_bytes(content)
    (directory / "data" / "empty").write_bytes(b"")
    (directory / "data" / "deep" / 'name with "quotes" and ü.txt').write_text("text")
    return directory


def tags(**values: str) -> list[RegisteredModelTag]:
    return [RegisteredModelTag(key, value) for key, value in values.items()]


def version_tags(**values: str) -> list[ModelVersionTag]:
    return [ModelVersionTag(key, value) for key, value in values.items()]


@contextlib.contextmanager
def refused(code: str, *words: str) -> Iterator[None]:
    """The block raises MLflow's exception with that code, and these words in its message."""
    with pytest.raises(MlflowException) as caught:
        yield
    assert caught.value.error_code == code, caught.value
    for word in words:
        assert word in caught.value.message
