"""What the tests of the MLflow part share: databases, stores, and models to register."""

from __future__ import annotations

import contextlib
import os
import urllib.parse
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
