"""MLflow's artifact repository for the files of registered versions.

``modelreg+postgresql://…/database/versions/<model_id>`` are the files of a version, or of a
directory in it. They can be listed and downloaded, and never change. A version that was not
registered as a directory has one file, its artifact.

``modelreg+postgresql://…/database?runs=<artifact URI>`` is for ``mlflow server
--artifacts-destination``; see ``destination``.

MLflow imports this module while it is being imported itself, so that not all of it is there yet.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import posixpath
from collections.abc import Iterator
from typing import Any

from mlflow.entities import FileInfo
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import DATA_LOSS, INVALID_STATE, RESOURCE_DOES_NOT_EXIST
from mlflow.store.artifact.artifact_repo import ArtifactRepository

from ..types import FileEntry
from . import uri
from .database import Database
from .failures import Refusal
from .files import stored

PIECE_SIZE = 256 * 1024  # bytes in a row of a download
ARTIFACT = "artifact"  # the file of a version that is none of files


class VersionFiles:
    """The files of one version: listing and verified download."""

    def __init__(self, database: Database, model_id: str) -> None:
        self._database = database
        self._model_id = model_id
        self._files: dict[str, FileEntry] | None = None
        self._is_directory = True

    @property
    def files(self) -> dict[str, FileEntry]:
        """By path. Read once: a registered version does not change."""
        if self._files is None:
            with self._database.connection() as connection:
                found = stored(connection, self._model_id)
                row = connection.execute(
                    "SELECT artifact_size, checksum FROM modelreg.model_version"
                    " WHERE model_id = %s",
                    (self._model_id,),
                ).fetchone()
            if row is None:
                raise MlflowException(
                    f"Model version '{self._model_id}' not found", RESOURCE_DOES_NOT_EXIST
                )
            if not found:
                found = [FileEntry(ARTIFACT, row[0], row[1])]
                self._is_directory = False
            self._files = {file.path: file for file in found}
        return self._files

    def below(self, path: str) -> list[FileEntry]:
        prefix = f"{path}/" if path else ""
        return [file for file in self.files.values() if file.path.startswith(prefix)]

    def list(self, path: str) -> list[FileInfo]:
        """What is directly in a directory; nothing for a file, or for what is not there."""
        start = len(path) + 1 if path else 0
        infos = {}
        for file in self.below(path):
            name, slash, _ = file.path[start:].partition("/")
            full = file.path[: start + len(name)]
            infos[full] = FileInfo(full, bool(slash), None if slash else file.size)
        return [infos[name] for name in sorted(infos)]

    def download(self, path: str, local_path: str | os.PathLike[str]) -> None:
        """Writes one file; its SHA-256 is computed on the way, and the server checks too.

        A file that is not whole is not left behind: it appears under its name when it is right.
        """
        file = self.files.get(path)
        if file is None:
            raise MlflowException(f"No such artifact: '{path}'", RESOURCE_DOES_NOT_EXIST)
        place = os.fspath(local_path)
        partial = f"{place}.{os.getpid()}.partial"
        try:
            with open(partial, "wb") as stream:
                self._write(file, stream)
            os.replace(partial, place)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.remove(partial)

    def _write(self, file: FileEntry, stream: Any) -> None:
        digest = hashlib.sha256()
        statement = (
            "COPY (SELECT modelreg_download("
            "model_id => %s::text, piece_size => %s::int, path => %s::text))"
            " TO STDOUT (FORMAT binary)"
        )
        path = file.path if self._is_directory else None
        with (
            self._database.connection() as connection,
            connection.cursor() as cursor,
            cursor.copy(statement, (self._model_id, PIECE_SIZE, path)) as copy,
        ):
            copy.set_types(["bytea"])
            for (piece,) in copy.rows():
                digest.update(piece)
                stream.write(piece)
        if digest.hexdigest() != file.sha256:
            raise Refusal(
                f"'{file.path}' of model version '{self._model_id}' arrived with other bytes than "
                "were registered",
                DATA_LOSS,
            )


class ModelregArtifactRepository(ArtifactRepository):
    """The files of a registered version, or of a directory in it.

    With the URI of a database alone, makes a :class:`destination.ArtifactsDestination`.
    """

    def __new__(
        cls,
        artifact_uri: str,
        tracking_uri: str | None = None,
        registry_uri: str | None = None,
    ) -> Any:
        if uri.below_destination(artifact_uri) or uri.parse(artifact_uri).model_id is None:
            from .destination import artifacts_destination

            return artifacts_destination(artifact_uri, tracking_uri, registry_uri)
        return super().__new__(cls)

    def __init__(
        self,
        artifact_uri: str,
        tracking_uri: str | None = None,
        registry_uri: str | None = None,
    ) -> None:
        parsed = uri.parse(artifact_uri)
        assert parsed.model_id is not None
        super().__init__(parsed.public(), tracking_uri, None)
        connected = connected_uri(parsed, registry_uri)
        self._version = VersionFiles(Database(connected), parsed.model_id)
        self._directory = normalised(parsed.directory)

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        return [
            FileInfo(self._relative(info.path), info.is_dir, info.file_size)
            for info in self._version.list(self._absolute(path))
        ]

    def _is_directory(self, artifact_path: str | None) -> bool:
        return bool(self._version.below(self._absolute(artifact_path)))

    def _iter_artifacts_recursive(self, path: str | None) -> Iterator[FileInfo]:
        for file in self._version.below(self._absolute(path)):
            yield FileInfo(self._relative(file.path), False, file.size)

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        self._version.download(self._absolute(remote_file_path), local_path)

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        raise unchangeable()

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        raise unchangeable()

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        raise unchangeable()

    def _absolute(self, path: str | None) -> str:
        return posixpath.join(self._directory, normalised(path)).rstrip("/")

    def _relative(self, path: str) -> str:
        return path[len(self._directory) + 1 :] if self._directory else path


def unchangeable() -> Refusal:
    return Refusal(
        "The files of a registered version do not change. Register a new version instead.",
        INVALID_STATE,
    )


def normalised(path: str | None) -> str:
    """A path without detours; INVALID_PARAMETER_VALUE if it leads out of the repository."""
    if not path:
        return ""
    result = posixpath.normpath(path)
    if result.startswith(("/", "../")) or result == ".." or "\0" in result:
        raise MlflowException.invalid_parameter_value(f"Invalid path: '{path}'")
    return "" if result == "." else result


def connected_uri(parsed: uri.RegistryUri, registry_uri: str | None) -> uri.RegistryUri:
    """How to connect to the database of an artifact URI: with the password, and whatever else the
    operator's own URI of that database says.

    A server connects to no other database than its operator's, whatever URI a client stored in it:
    it would hand its passwords to the client's host.
    """
    if uri.in_server():
        known = [candidate for candidate in uri.server_uris() if uri.is_registry_uri(candidate)]
        for candidate in known:
            assert candidate is not None
            if uri.parse(candidate).identity == parsed.identity:
                return uri.with_credentials(parsed, [candidate])
        raise MlflowException.invalid_parameter_value(
            "This MLflow server connects to the registry that it was started with, not to "
            f"'{parsed.public()}'"
        )
    from mlflow.tracking._model_registry.utils import _get_registry_uri_from_context

    return uri.with_credentials(parsed, [registry_uri, _get_registry_uri_from_context()])
