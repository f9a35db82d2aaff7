"""What a new version's source says: where its files are, and which run and metrics it has."""

from __future__ import annotations

import urllib.parse
from typing import TYPE_CHECKING, Any

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    ENDPOINT_NOT_FOUND,
    INVALID_PARAMETER_VALUE,
    NOT_FOUND,
    NOT_IMPLEMENTED,
    RESOURCE_DOES_NOT_EXIST,
    ErrorCode,
)
from mlflow.store.artifact.utils.models import _parse_model_uri

from . import sources
from .entities import keepable_metrics
from .registering import Registration

if TYPE_CHECKING:
    from .store import ModelregStore

# What a tracking server answers that does not know such a run or model, or no logged models.
NOT_THERE = {
    ErrorCode.Name(code)
    for code in (RESOURCE_DOES_NOT_EXIST, NOT_FOUND, ENDPOINT_NOT_FOUND, NOT_IMPLEMENTED)
}


def locate(store: ModelregStore, source: str, registration: Registration) -> tuple[str, str | None]:
    """Where the files are, and the model_id if that is a version of this database."""
    if urllib.parse.urlparse(source).scheme != "models":
        return source, sources.registered_version(source, store.database_uri)
    try:
        parsed = _parse_model_uri(source)
        if parsed.model_id is not None:
            model = sources.logged_model(parsed.model_id, store.tracking_uri)
            registration.run_id = registration.run_id or model.source_run_id
            return str(model.artifact_location), None
        version = _named_version(store, parsed)
        location = store.get_model_version_download_uri(str(parsed.name), version)
    except Exception as error:
        raise MlflowException(
            f"Unable to fetch model from model URI source artifact location '{source}'."
            f"Error: {error}",
            INVALID_PARAMETER_VALUE,
        ) from error
    return location, sources.registered_version(location, store.database_uri)


def _named_version(store: ModelregStore, parsed: Any) -> int | str:
    """The number of the version in a parsed ``models:/`` URI."""
    if parsed.version is not None:
        return str(parsed.version)
    if parsed.alias is not None:
        return store.get_model_version_by_alias(parsed.name, parsed.alias).version
    versions = store.get_latest_versions(parsed.name, [parsed.stage] if parsed.stage else None)
    if not versions:
        raise MlflowException(f"No versions of model with name '{parsed.name}' found")
    return max(int(version.version) for version in versions)


def complete_from_logged_model(
    model_id: str | None, registration: Registration, tracking_uri: str | None
) -> None:
    """Takes over run and metrics of the logged model that is being registered."""
    if not model_id:
        return
    try:
        model = sources.logged_model(model_id, tracking_uri)
    except MlflowException as error:
        if registration.run_id and error.error_code in NOT_THERE:
            return  # its run is known, and that is all that MLflow's own store needs
        raise
    registration.run_id = registration.run_id or model.source_run_id
    registration.metrics = keepable_metrics(
        {metric.key: metric.value for metric in model.metrics or ()}
    )
