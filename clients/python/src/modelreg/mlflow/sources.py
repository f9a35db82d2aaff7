"""Where the files of a new version come from.

MLflow tells a registry the address of a model's files. Every kind of address that MLflow can read
is read by MLflow's own artifact repositories; those that lead to a version of the same database
need no reading.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    CUSTOMER_UNAUTHORIZED,
    PERMISSION_DENIED,
    REQUEST_LIMIT_EXCEEDED,
    TEMPORARILY_UNAVAILABLE,
    UNAUTHENTICATED,
    ErrorCode,
)

from . import uri
from .entities import is_name
from .files import MLMODEL

_ROUTE = "/api/2.0/mlflow-artifacts/artifacts/"
_TYPE_WITHOUT_FLAVOR = "mlflow"

# What the libraries of object stores raise, which are not needed here: by name.
_OTHERS = {
    "BotoCoreError",  # no credentials, no answer; what S3 answers is a ClientError
    "ClientAuthenticationError",
    "DefaultCredentialsError",
    "OperationalError",  # of the database that the files are in
    "ServiceRequestError",
    "ServiceResponseError",
    "TransportError",
}
_PASSING_CODES = {
    ErrorCode.Name(code)
    for code in (
        CUSTOMER_UNAUTHORIZED,
        PERMISSION_DENIED,
        REQUEST_LIMIT_EXCEEDED,
        TEMPORARILY_UNAVAILABLE,
        UNAUTHENTICATED,
    )
}


@contextlib.contextmanager
def on_disk(
    location: str, tracking_uri: str | None = None, registry_uri: str | None = None
) -> Iterator[str]:
    """The files at an artifact URI as a local directory (or file), until the block ends.

    What is on this machine anyway is not copied. INVALID_PARAMETER_VALUE if MLflow cannot read it.
    """
    scratch = tempfile.mkdtemp(prefix="modelreg-")
    try:
        try:
            place = _fetch(location, tracking_uri, registry_uri, scratch)
        except Exception as error:
            raise MlflowException.invalid_parameter_value(
                f"The files of the model cannot be read from its source '{shown(location)}': "
                + scrubbed(str(error).replace(location, shown(location)))
            ) from error
        yield place
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def is_unreachable(error: BaseException | None) -> bool:
    """Whether files could not be read for a reason that is not theirs: a place that does not
    answer, credentials, a library. They may be there, and come another time."""
    from requests import ConnectionError as NoConnection
    from requests import HTTPError, Timeout

    passing = (ConnectionError, TimeoutError, PermissionError, ImportError, NoConnection, Timeout)
    while error is not None:
        if isinstance(error, passing) or not _OTHERS.isdisjoint(
            kind.__name__ for kind in type(error).__mro__
        ):
            return True
        answer = getattr(error, "response", None)
        status = getattr(answer, "status_code", None) if isinstance(error, HTTPError) else None
        if isinstance(answer, dict):  # botocore's ClientError
            status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if status is not None and (status in (401, 403, 407, 408, 429) or status >= 500):
            return True
        if isinstance(error, MlflowException) and error.error_code in _PASSING_CODES:
            return True
        error = error.__cause__ or error.__context__
    return False


def _fetch(location: str, tracking_uri: str | None, registry_uri: str | None, scratch: str) -> str:
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    repository, path = repository_for(location, tracking_uri, registry_uri)
    repository = getattr(repository, "repo", repository)
    if isinstance(repository, LocalArtifactRepository):
        return str(repository.download_artifacts(path))  # the place itself
    in_place = getattr(repository, "get_local_path", None)  # not in every version of MLflow
    if in_place is not None and (local := in_place(path)) is not None:
        return str(local)
    return str(repository.download_artifacts(path, scratch))


def repository_for(
    location: str, tracking_uri: str | None = None, registry_uri: str | None = None
) -> tuple[Any, str]:
    """MLflow's artifact repository for an address, and the path in it."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    from .artifacts import normalised

    destination = uri.served_artifacts_destination()
    path = proxied_path(location)
    if destination is not None and path is not None:
        return get_artifact_repository(destination), normalised(path)
    return (
        get_artifact_repository(location, tracking_uri=tracking_uri, registry_uri=registry_uri),
        "",
    )


def proxied_path(location: str) -> str | None:
    """The path below the artifacts destination that an address names, if it does."""
    parsed = urllib.parse.urlparse(location)
    if parsed.scheme == "mlflow-artifacts":
        return urllib.parse.unquote(parsed.path).lstrip("/")
    if parsed.scheme in ("http", "https") and _ROUTE in parsed.path:
        return urllib.parse.unquote(parsed.path.split(_ROUTE, 1)[1]).lstrip("/")
    return None


def registered_version(location: str, database: uri.RegistryUri) -> str | None:
    """The model_id that an address names, if it is a version of this database as a whole."""
    if uri.is_registry_uri(location):
        parsed = uri.parse(location)
        if parsed.identity == database.identity and not parsed.directory:
            return parsed.model_id
        return None
    destination, path = uri.served_artifacts_destination(), proxied_path(location)
    if path is not None and uri.is_registry_uri(destination):
        assert destination is not None
        found = uri.split_version_path(path)
        if found is not None and not found[1]:
            same = uri.parse(destination).identity == database.identity
            return found[0] if same else None
    return None


def logged_model(model_id: str, tracking_uri: str | None) -> Any:
    """MLflow's logged model of that id, from the tracking store of this process."""
    if uri.in_server():
        from mlflow.server.handlers import _get_tracking_store

        return _get_tracking_store().get_logged_model(model_id)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=tracking_uri).get_logged_model(model_id)


def model_type(root: str | os.PathLike[str]) -> str:
    """The flavour in a model's MLmodel file, the first that is not python_function."""
    place = Path(root, MLMODEL)
    try:
        flavors = yaml.safe_load(place.read_text(encoding="utf-8"))["flavors"]
        names = [name for name in flavors if name != "python_function"] or list(flavors)
        return checked_type(names[0])
    except (OSError, UnicodeError, yaml.YAMLError, LookupError, TypeError):
        return _TYPE_WITHOUT_FLAVOR


def checked_type(name: Any) -> str:
    """The name if the registry takes it for a type, else ``mlflow``."""
    return name if isinstance(name, str) and is_name(name) else _TYPE_WITHOUT_FLAVOR


def shown(location: str) -> str:
    """The address without user, password and query, which may hold secrets."""
    if uri.is_registry_uri(location):
        return uri.parse(location).public()
    parsed = urllib.parse.urlsplit(location)
    host = parsed.netloc.rpartition("@")[2]
    return urllib.parse.urlunsplit((parsed.scheme, host, parsed.path, "", ""))


def scrubbed(message: str) -> str:
    """The message of somebody else's error without the passwords in the URLs that it quotes."""
    message = re.sub(r"(?<=://)[^/?#\s'\"<>]*@", "", message)
    return re.sub(
        r"(?i)(?<=[?&])(\w*(?:password|token|secret)\w*)=[^&\s'\"<>]*", r"\1=***", message
    )
