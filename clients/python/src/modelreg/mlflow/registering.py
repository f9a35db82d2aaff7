"""Registering one version with what MLflow knows of it.

Each kind of registration is a context in which it can be called with a connection, several times
if the transaction must be repeated; what it needs on disk is there until the context ends.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlflow.exceptions import MlflowException
from psycopg.types.json import Jsonb

from . import files, sources, uri
from .database import Connection
from .entities import MLFLOW_MODEL_ID, NEW_VERSION_COLUMNS, RUN_ID, RUN_LINK, SOURCE, USER_ID

STORAGE_LOCATION = "storage_location"


def is_pointer(storage_location: str | None, checksum: str) -> bool:
    """Whether a version without files is the address of files, and no artifact of its own.

    Its metadata alone do not say it: those of others may have a ``storage_location`` too, and that
    must not take the place of the bytes that they registered.
    """
    if storage_location is None:
        return False
    locations = (storage_location, None) if storage_location == "" else (storage_location,)
    return checksum in {hashlib.sha256(_pointer_to(each)).hexdigest() for each in locations}


def _pointer_to(location: str | None) -> bytes:
    return json.dumps({"source": location}, ensure_ascii=False).encode()


@dataclass(frozen=True)
class Registered:
    """A new version: its model's identity, id, checksum, and the row for the entity."""

    model_key: Any
    checksum: str
    columns: Sequence[Any]

    @property
    def model_id(self) -> str:
        return str(self.columns[0])


class Ready:
    """A registration that can be carried out. A context manager."""

    def __init__(self, register: Callable[[Connection], Registered]) -> None:
        self._register = register
        self.held = contextlib.ExitStack()

    def __call__(self, connection: Connection) -> Registered:
        return self._register(connection)

    def __enter__(self) -> Ready:
        return self

    def __exit__(self, *_: object) -> None:
        self.held.close()


@dataclass
class Registration:
    """What a version is to be registered with, the files apart."""

    name: str
    source: str | None
    run_id: str | None = None
    properties: dict[str, Any] = field(default_factory=dict)
    run_link: str | None = None
    description: str = ""
    mlflow_model_id: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    user_id: str | None = None
    created_at: datetime.datetime | None = None
    progress: files.Progress | None = None

    def prompt(self) -> Ready:
        """A prompt: its text is in a tag, there are no files."""
        return Ready(lambda connection: self._pointer(connection, "prompt", self.source))

    def reference(self, location: str) -> Ready:
        """A version that knows where its files are, and no more."""
        return Ready(lambda connection: self._pointer(connection, "mlflow", location))

    def placeholder(self, connection: Connection) -> Registered:
        """A version to use up a number."""
        return self._pointer(connection, "mlflow", None)

    def local(self, place: str | os.PathLike[str]) -> Ready:
        """The files of a local directory."""
        return self._directory(os.fspath(place), os.fspath(place))

    def fetched(self, location: str, tracking_uri: str | None, registry_uri: str | None) -> Ready:
        """The files at an artifact URI, which are fetched now."""
        with contextlib.ExitStack() as held:
            place = held.enter_context(sources.on_disk(location, tracking_uri, registry_uri))
            ready = self._directory(place, sources.shown(location))
            ready.held = held.pop_all()
            return ready

    def copy(self, model_id: str) -> Ready:
        """The artifact of another version of this database; its bytes stay in the server."""

        def register(connection: Connection) -> Registered:
            row = connection.execute(
                "SELECT checksum, model_type, file_count, artifact_size, performance_metrics"
                " FROM modelreg.model_version WHERE model_id = %s",
                (model_id,),
            ).fetchone()
            if row is None:
                raise MlflowException.invalid_parameter_value(
                    f"The source '{self.source}' does not exist any more"
                )
            checksum, model_type, file_count, size, metrics = row
            arguments = self._arguments(model_type, expected_checksum=checksum)
            arguments["performance_metrics"] = Jsonb(self.metrics or metrics)
            arguments["parent_ids"] = [model_id]
            if file_count == 0:
                upload = files.copy(connection, model_id, None, size)
                return self._call(
                    connection, "modelreg_register_upload", {"upload_id": upload, **arguments}
                )
            stored = files.stored(connection, model_id)
            uploads = [files.copy(connection, model_id, file.path, file.size) for file in stored]
            return self._files(connection, [file.path for file in stored], uploads, arguments)

        return Ready(register)

    def _directory(self, place: str, source: str) -> Ready:
        listing = files.Listing.of(place, source=source, links_out=not uri.in_server())
        model_type = sources.model_type(listing.root)

        def register(connection: Connection) -> Registered:
            uploads, stored = files.upload(connection, listing, self.progress)
            arguments = self._arguments(model_type, expected_checksum=files.checksum(stored))
            return self._files(connection, [file.path for file in stored], uploads, arguments)

        return Ready(register)

    def _pointer(self, connection: Connection, model_type: str, location: str | None) -> Registered:
        artifact = _pointer_to(location)
        arguments = self._arguments(model_type)
        arguments["training_metadata"].obj[STORAGE_LOCATION] = location or ""
        return self._call(connection, "modelreg_register", {"artifact": artifact, **arguments})

    def _arguments(self, model_type: str, expected_checksum: str | None = None) -> dict[str, Any]:
        training = {
            SOURCE: self.source,
            RUN_ID: self.run_id,
            RUN_LINK: self.run_link,
            MLFLOW_MODEL_ID: self.mlflow_model_id,
            USER_ID: self.user_id,
        }
        return {
            "model_type": model_type,
            "model_name": self.name,
            "performance_metrics": Jsonb(self.metrics),
            "notes": self.description,
            "training_metadata": Jsonb({k: v for k, v in training.items() if v is not None}),
            "properties": Jsonb(self.properties),
            "created_at": self.created_at,
            "expected_checksum": expected_checksum,
        }

    def _files(
        self,
        connection: Connection,
        paths: Sequence[str],
        uploads: Sequence[str],
        arguments: dict[str, Any],
    ) -> Registered:
        return self._call(
            connection,
            "modelreg_register_files",
            {"paths": list(paths), "upload_ids": list(uploads), **arguments},
        )

    def _call(self, connection: Connection, function: str, arguments: dict[str, Any]) -> Registered:
        casts = {"upload_ids": "::uuid[]", "upload_id": "::uuid", "created_at": "::timestamptz"}
        passed = ", ".join(f"{name} => %s{casts.get(name, '')}" for name in arguments)
        row = connection.execute(
            f"SELECT {NEW_VERSION_COLUMNS}, v.model_key, v.checksum FROM {function}({passed}) AS v",
            list(arguments.values()),
        ).fetchone()
        assert row is not None
        return Registered(model_key=row[-2], checksum=row[-1], columns=row[:-2])
