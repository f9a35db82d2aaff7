"""``mlflow server --artifacts-destination 'modelreg+postgresql://…?runs=<artifact URI>'``.

What clients ask the server for below ``versions/`` is a registered version's and comes from the
registry; everything else is a run's, and goes to the other repository. The files of registered
versions are then served to every client, with nothing but the server's address.
"""

from __future__ import annotations

import posixpath
from collections.abc import AsyncIterable, Iterator
from functools import lru_cache
from typing import Any, BinaryIO

from mlflow.entities import FileInfo
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_STATE, RESOURCE_DOES_NOT_EXIST
from mlflow.store.artifact import artifact_repo
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.utils.uri import append_to_uri_path

from . import uri
from .artifacts import VersionFiles, connected_uri, normalised, unchangeable
from .database import Database
from .failures import Refusal


def artifacts_destination(
    artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
) -> ArtifactsDestination:
    """The repository, with MLflow's optional abilities if the one for runs has them."""
    below = uri.below_destination(artifact_uri)
    parsed = uri.parse(artifact_uri[: -len(below)].rstrip("/") if below else artifact_uri)
    runs = None
    if parsed.runs_uri is not None:
        if uri.is_registry_uri(parsed.runs_uri):
            raise MlflowException.invalid_parameter_value(
                "'runs' in the registry URI must be the address of another kind of storage"
            )
        location = parsed.runs_uri
        if below and (below := normalised(below)):
            location = append_to_uri_path(location, below)
        runs = _for_runs(parsed.runs_uri, location, tracking_uri)
    abilities = tuple(
        name
        for name in _ABILITIES
        if (theirs := getattr(artifact_repo, name, None)) and isinstance(runs, theirs)
    )
    return _with_abilities(abilities)(parsed, runs, tracking_uri, registry_uri)


def _for_runs(runs_uri: str, location: str, tracking_uri: str | None) -> Any:
    """The repository of runs, at ``location`` in or below ``runs_uri``.

    A server takes ``runs`` from its operator only: in a URI that a client stored it would be a
    way to any file that the server can read. The operator may name any host, though, which
    MLflow, for what a client stored, would refuse.
    """
    from mlflow.store.artifact.artifact_repository_registry import (
        get_artifact_repository,
        get_registered_artifact_repositories,
    )
    from mlflow.utils.uri import get_uri_scheme

    if not uri.in_server():
        return get_artifact_repository(location, tracking_uri=tracking_uri)
    if runs_uri not in {
        uri.parse(candidate).runs_uri
        for candidate in uri.server_uris()
        if candidate is not None and uri.is_registry_uri(candidate)
    }:
        raise MlflowException.invalid_parameter_value(
            "'runs' in the registry URI is for the URIs that this MLflow server was started with"
        )
    known: dict[str, Any] = get_registered_artifact_repositories()
    repository = known.get(get_uri_scheme(location))
    if repository is None:
        return get_artifact_repository(location, tracking_uri=tracking_uri)  # says why not
    return repository(location, tracking_uri=tracking_uri, registry_uri=None)


class ArtifactsDestination(ArtifactRepository):
    """Registered versions below ``versions/``, and another repository for everything else."""

    def __init__(
        self,
        parsed: uri.RegistryUri,
        runs: Any,
        tracking_uri: str | None,
        registry_uri: str | None,
    ) -> None:
        super().__init__(parsed.public(), tracking_uri, None)
        self._database = Database(connected_uri(parsed, registry_uri))
        self._prefix = parsed.directory
        self._for_runs = runs

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        version = self._version(path)
        if version is None:
            listed: list[FileInfo] = self._runs.list_artifacts(path)
            return listed
        files, below, prefix = version
        return [
            FileInfo(prefix + info.path, info.is_dir, info.file_size) for info in files.list(below)
        ]

    def get_local_path(self, artifact_path: str) -> str | None:
        if self._version(artifact_path) is not None:
            return None
        local: str | None = self._runs.get_local_path(artifact_path)
        return local

    def download_artifacts(self, artifact_path: str, dst_path: str | None = None) -> str:
        if self._version(artifact_path) is None:
            return str(self._runs.download_artifacts(artifact_path, dst_path))
        local = super().download_artifacts(artifact_path, dst_path)  # type: ignore[no-untyped-call]
        return str(local)

    def _is_directory(self, artifact_path: str | None) -> bool:
        version = self._version(artifact_path)
        if version is None:
            return bool(self._runs._is_directory(artifact_path))
        files, below, _ = version
        return bool(files.below(below))

    def _iter_artifacts_recursive(self, path: str | None) -> Iterator[FileInfo]:
        version = self._version(path)
        if version is None:
            yield from self._runs._iter_artifacts_recursive(path)
            return
        files, below, prefix = version
        for file in files.below(below):
            yield FileInfo(prefix + file.path, False, file.size)

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        version = self._version(remote_file_path)
        if version is None:
            self._runs._download_file(remote_file_path, local_path)
            return
        files, below, _ = version
        files.download(below, local_path)

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        self._writable(artifact_path).log_artifact(local_file, artifact_path)

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        self._writable(artifact_path).log_artifacts(local_dir, artifact_path)

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        self._writable(artifact_path).delete_artifacts(artifact_path)

    @property
    def _runs(self) -> Any:
        if self._for_runs is None:
            raise Refusal(
                "This artifacts destination has the files of registered versions only. Say where "
                "those of runs shall go: add ?runs=<artifact URI, percent-encoded> to the "
                "registry URI of --artifacts-destination, such as ?runs=s3%3A//bucket/mlflow",
                INVALID_STATE,
            )
        return self._for_runs

    def _version(self, path: str | None) -> tuple[VersionFiles, str, str] | None:
        """The version that a path is in, the path in it, and what comes before that; None: it is
        a run's."""
        full = posixpath.join(self._prefix, normalised(path))
        if full.partition("/")[0] != uri.VERSIONS:
            return None
        found = uri.split_version_path(full)
        if found is None:
            raise MlflowException(f"No such artifact: '{path}'", RESOURCE_DOES_NOT_EXIST)
        model_id, below = found
        version = full[: len(full) - len(below)].rstrip("/")
        prefix = version[len(self._prefix) :].lstrip("/") + "/"
        return VersionFiles(self._database, model_id), below, prefix

    def _writable(self, path: str | None) -> Any:
        if posixpath.join(self._prefix, normalised(path)).partition("/")[0] == uri.VERSIONS:
            raise unchangeable()
        return self._runs


class _StreamsUploads:
    def log_artifact_from_stream(
        self: Any, stream: BinaryIO, artifact_file_name: str, artifact_path: str | None = None
    ) -> None:
        self._writable(artifact_path).log_artifact_from_stream(
            stream, artifact_file_name, artifact_path
        )

    async def log_artifact_from_async_stream(
        self: Any,
        chunks: AsyncIterable[bytes],
        artifact_file_name: str,
        artifact_path: str | None = None,
    ) -> None:
        await self._writable(artifact_path).log_artifact_from_async_stream(
            chunks, artifact_file_name, artifact_path
        )


class _UploadsInParts:
    def create_multipart_upload(
        self: Any, local_file: str, num_parts: int, artifact_path: str | None = None
    ) -> Any:
        runs = self._writable(artifact_path)
        return runs.create_multipart_upload(local_file, num_parts, artifact_path)

    def complete_multipart_upload(
        self: Any,
        local_file: str,
        upload_id: str,
        parts: list[Any],
        artifact_path: str | None = None,
    ) -> None:
        runs = self._writable(artifact_path)
        runs.complete_multipart_upload(local_file, upload_id, parts, artifact_path)

    def abort_multipart_upload(
        self: Any, local_file: str, upload_id: str, artifact_path: str | None = None
    ) -> None:
        runs = self._writable(artifact_path)
        runs.abort_multipart_upload(local_file, upload_id, artifact_path)


class _DownloadsByUrl:
    def get_download_presigned_url(self: Any, artifact_path: str, expiration: int = 300) -> Any:
        if self._version(artifact_path) is not None:
            # The answer that makes MLflow's clients ask the server for the bytes instead.
            from mlflow.exceptions import _UnsupportedMultipartDownloadException

            raise _UnsupportedMultipartDownloadException
        return self._runs.get_download_presigned_url(artifact_path, expiration=expiration)


# What MLflow's server looks for in a repository, by the names of its classes; not every version
# of MLflow has them all.
_ABILITIES: dict[str, type] = {
    "StreamUploadMixin": _StreamsUploads,
    "MultipartUploadMixin": _UploadsInParts,
    "MultipartDownloadMixin": _DownloadsByUrl,
}


@lru_cache
def _with_abilities(names: tuple[str, ...]) -> type[ArtifactsDestination]:
    ours = [_ABILITIES[name] for name in names]
    theirs = [getattr(artifact_repo, name) for name in names]
    return type(ArtifactsDestination.__name__, (ArtifactsDestination, *ours, *theirs), {})
