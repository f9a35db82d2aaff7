"""The MLflow that is imported from, read through MLflow's own client."""

from __future__ import annotations

import contextlib
import os
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException
from mlflow.prompt.constants import IS_PROMPT_TAG_KEY
from mlflow.prompt.registry_utils import has_prompt_tag
from mlflow.protos.databricks_pb2 import (
    INVALID_PARAMETER_VALUE,
    RESOURCE_DOES_NOT_EXIST,
    ErrorCode,
)
from mlflow.store.artifact.utils.models import _parse_model_uri
from mlflow.tracking._tracking_service import utils as tracking
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri

from . import numbers, sources
from .locating import NOT_THERE

_PAGE = 1000
_TRACKING_URI = "MLFLOW_TRACKING_URI"
_ONLY_PROMPTS = f"tags.`{IS_PROMPT_TAG_KEY}` = 'true'"


@contextlib.contextmanager
def tracking_at(from_uri: str) -> Iterator[None]:
    """Makes it the process's tracking URI for the time: some of MLflow's registry stores ask
    whatever that is about a version's model, and would make an empty one where there is none."""
    variable = os.environ.get(_TRACKING_URI)
    before = tracking._tracking_uri
    tracking.set_tracking_uri(from_uri)
    try:
        yield
    finally:
        tracking.set_tracking_uri(before)  # type: ignore[arg-type]
        if variable is not None:
            os.environ[_TRACKING_URI] = variable


@dataclass
class OriginVersion:
    """A version in MLflow. Times in ms since 1970."""

    number: int
    source: str | None
    location: str
    run_id: str | None
    run_link: str | None
    description: str | None
    tags: list[Any]
    stage: str
    created: int
    user_id: str | None
    mlflow_model_id: str | None
    is_prompt: bool


@dataclass
class OriginModel:
    """A registered model in MLflow, with its versions in the order of their numbers."""

    name: str
    description: str | None
    tags: list[Any]
    created: int
    aliases: dict[str, int]
    last_number: int
    """the last that MLflow has given, to a version that it has deleted too, as far as it tells"""
    versions: list[OriginVersion] = field(default_factory=list)


@dataclass(frozen=True)
class _Tag:
    key: str
    value: str


class Origin:
    """MLflow's registry and tracking store at a URI."""

    def __init__(self, from_uri: str) -> None:
        _require_there(from_uri)
        self._uri = from_uri
        self._client = MlflowClient(tracking_uri=from_uri, registry_uri=from_uri)
        self._store = self._client._get_registry_client().store
        self._last_given = numbers.last_given(self._store)

    @property
    def shown(self) -> str:
        """The URI without secrets."""
        return sources.shown(self._uri)

    def models(self, names: Sequence[str] | None) -> list[OriginModel]:
        """The models of these names, or all, prompts included, by name; with their versions."""
        if names is not None:
            found = [self._store.get_registered_model(name) for name in dict.fromkeys(names)]
        else:
            found = self._all()
        return [self._model(model) for model in sorted(found, key=lambda model: str(model.name))]

    def created(self) -> dict[str, int]:
        """When each model was made, by its name: it keeps that when it is renamed."""
        return {str(model.name): model.creation_timestamp or 0 for model in self._all()}

    @property
    def tells_last_numbers(self) -> bool:
        """Whether one learns of the versions that were deleted behind the last one."""
        return self._last_given is not None

    @contextlib.contextmanager
    def files_of(self, version: OriginVersion) -> Iterator[str]:
        """The version's files on disk; INVALID_PARAMETER_VALUE if MLflow cannot deliver them."""
        with sources.on_disk(version.location, self._uri, self._uri) as place:
            yield place

    def metrics_of(self, version: OriginVersion) -> Mapping[str, float]:
        """The metrics of the logged model or, failing that, of the run; none if both are gone."""
        if version.mlflow_model_id is not None:
            model = _if_there(self._client.get_logged_model, version.mlflow_model_id)
            if model is not None and model.metrics:
                return {metric.key: metric.value for metric in model.metrics}
        if version.run_id is not None:
            run = _if_there(self._client.get_run, version.run_id)
            if run is not None:
                return dict(run.data.metrics)
        return {}

    def _all(self) -> list[RegisteredModel]:
        found = [*self._pages(self._store.search_registered_models, None)]
        with contextlib.suppress(NotImplementedError):
            found += self._pages(self._store.search_registered_models, _ONLY_PROMPTS)
        return list({model.name: model for model in found}.values())

    def _model(self, model: RegisteredModel) -> OriginModel:
        is_prompt = model._is_prompt()
        versions = [
            self._version(version, is_prompt) for version in self._versions(model.name, is_prompt)
        ]
        last_given = self._last_given(model.name) if self._last_given is not None else 0
        return OriginModel(
            name=model.name,
            description=model.description,
            tags=[_Tag(key, value) for key, value in model._tags.items()],
            created=model.creation_timestamp or 0,
            aliases={alias: int(number) for alias, number in model.aliases.items()},
            last_number=max([last_given, *(version.number for version in versions)]),
            versions=sorted(versions, key=lambda version: version.number),
        )

    def _versions(self, name: str, is_prompt: bool) -> list[ModelVersion]:
        quote = '"' if "'" in name else "'"
        clauses = [] if quote in name else [f"name = {quote}{name}{quote}"]
        if is_prompt:
            clauses.append(_ONLY_PROMPTS)
        found = self._pages(self._store.search_model_versions, " AND ".join(clauses))
        return [version for version in found if version.name == name]

    def _version(self, version: ModelVersion, of_prompt: bool) -> OriginVersion:
        is_prompt = of_prompt or has_prompt_tag(version.tags)
        source = version.source or ""
        location = source
        if not is_prompt:
            location = self._store.get_model_version_download_uri(version.name, version.version)
        return OriginVersion(
            number=int(version.version),
            source=version.source,
            location=location,
            run_id=version.run_id or None,
            run_link=version.run_link or None,
            description=version.description,
            tags=[_Tag(key, value) for key, value in version.tags.items()],
            stage=version.current_stage or "None",
            created=version.creation_timestamp,
            user_id=version.user_id or None,
            mlflow_model_id=version.model_id or _logged_model_id(source),
            is_prompt=is_prompt,
        )

    @staticmethod
    def _pages(method: Callable[..., Any], filter_string: str | None) -> list[Any]:
        found, token = [], None
        while True:
            page = method(
                filter_string=filter_string, max_results=_PAGE, order_by=None, page_token=token
            )
            found.extend(page)
            token = page.token
            if not token:
                return found


def _require_there(from_uri: str) -> None:
    """MLflow would make an empty database or directory where a mistyped path leads, and have
    nothing in it."""
    place = None
    if from_uri.startswith("sqlite:"):
        place = urllib.parse.unquote(urllib.parse.urlsplit(from_uri).path)[1:]
    elif is_local_uri(from_uri, is_tracking_or_registry_uri=True):
        place = local_file_uri_to_path(from_uri)
    if place is not None and place != ":memory:" and not os.path.exists(place):
        raise MlflowException(
            f"There is no MLflow at '{sources.shown(from_uri)}'", RESOURCE_DOES_NOT_EXIST
        )


def _if_there(get: Callable[[str], Any], name: str) -> Any:
    """The run or model, or None; a version's run may be of another tracking server, or deleted."""
    try:
        return get(name)
    except MlflowException as error:
        if error.error_code in (*NOT_THERE, ErrorCode.Name(INVALID_PARAMETER_VALUE)):
            return None
        raise


def _logged_model_id(source: str) -> str | None:
    if urllib.parse.urlparse(source).scheme != "models":
        return None
    with contextlib.suppress(MlflowException):
        model_id: str | None = _parse_model_uri(source).model_id
        return model_id
    return None
