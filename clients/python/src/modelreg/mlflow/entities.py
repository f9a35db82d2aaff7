"""Rows of modelreg as MLflow's entities, and MLflow's names for its stages.

A page may have tens of thousands of versions, so a row has what an entity needs and no more, as
types that cost little to read.
"""

from __future__ import annotations

import datetime
import inspect
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlflow.entities import Metric
from mlflow.entities.model_registry import (
    ModelVersion,
    ModelVersionTag,
    RegisteredModel,
    RegisteredModelAlias,
    RegisteredModelTag,
)
from mlflow.entities.model_registry.model_version_stages import (
    STAGE_ARCHIVED,
    STAGE_NONE,
    STAGE_PRODUCTION,
    STAGE_STAGING,
)
from mlflow.exceptions import MlflowException

from .times import MODEL_UPDATED_MS, VERSION_UPDATED_MS, ms

# MLflow has four stages, modelreg six.
SHOWN_AS: Mapping[str, str] = {
    "development": STAGE_NONE,
    "staging": STAGE_STAGING,
    "canary": STAGE_STAGING,
    "production": STAGE_PRODUCTION,
    "deprecated": STAGE_ARCHIVED,
    "archived": STAGE_ARCHIVED,
}
MOVED_TO: Mapping[str, str] = {
    STAGE_NONE: "development",
    STAGE_STAGING: "staging",
    STAGE_PRODUCTION: "production",
    STAGE_ARCHIVED: "archived",
}

# Properties of our own are not tags.
INTERNAL = "modelreg."
# When MLflow says that an imported model was created, in ms since 1970.
CREATED_PROPERTY = "modelreg.mlflow_created"
# Set if an MLflow client has given the empty text as description: to MLflow that is not the same
# as none, and its server gives it where its clients give none.
EMPTY_PROPERTY = "modelreg.mlflow_empty_description"

# Keys of training_metadata.
RUN_ID = "run_id"
SOURCE = "source"
RUN_LINK = "run_link"
MLFLOW_MODEL_ID = "mlflow_model_id"
USER_ID = "mlflow_user_id"

# The columns that the mappers read, of modelreg.model m and modelreg.model_version v.
MODEL_COLUMNS = f"""m.model_key, m.model_name, m.description,
    NULLIF(m.properties, '{{}}')::text, {ms("m.created_at")}, {MODEL_UPDATED_MS},
    ARRAY(SELECT a.alias FROM modelreg.model_alias a
          JOIN modelreg.model_version av USING (model_id)
          WHERE a.model_key = m.model_key ORDER BY a.alias),
    ARRAY(SELECT av.version_number FROM modelreg.model_alias a
          JOIN modelreg.model_version av USING (model_id)
          WHERE a.model_key = m.model_key ORDER BY a.alias)"""


def version_columns(updated_ms: str) -> str:
    """The columns of a version, with that for when it last changed."""
    return f"""v.model_id, v.model_name, v.version_number, {ms("v.created_at")}, {updated_ms},
    v.notes, COALESCE(v.training_metadata ->> '{USER_ID}', v.registered_by),
    v.deployment_stage::text, v.training_metadata ->> '{SOURCE}',
    v.training_metadata ->> '{RUN_ID}', v.training_metadata ->> '{RUN_LINK}',
    v.training_metadata ->> '{MLFLOW_MODEL_ID}',
    NULLIF(v.properties, '{{}}')::text, NULLIF(v.performance_metrics, '{{}}')::text"""


VERSION_COLUMNS = version_columns(VERSION_UPDATED_MS)  # with model m
NEW_VERSION_COLUMNS = version_columns(ms("v.registered_at"))  # of what has just been registered
ALIASES = """ARRAY(SELECT a.alias FROM modelreg.model_alias a
    WHERE a.model_key = v.model_key AND a.model_id = v.model_id ORDER BY a.alias)"""

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_MILLISECOND = datetime.timedelta(milliseconds=1)

# What MLflow's SQL store says. Left out, MLflow looks for it in the environment, for each entity.
_WORKSPACE: dict[str, Any] = {"workspace": "default"}
_OF_MODEL, _OF_VERSION = (
    _WORKSPACE if "workspace" in inspect.signature(entity).parameters else {}
    for entity in (RegisteredModel, ModelVersion)
)


def registered_model(
    row: Sequence[Any], latest_versions: Iterable[ModelVersion] = ()
) -> RegisteredModel:
    """From a row of MODEL_COLUMNS."""
    _key, name, description, properties_text, created_ms, updated_ms, aliases, numbers = row
    properties = _object(properties_text)
    created = properties.get(CREATED_PROPERTY)
    return RegisteredModel(
        name,
        created if isinstance(created, int) else created_ms,
        updated_ms,
        _description(description, properties),
        list(latest_versions),
        [RegisteredModelTag(key, value) for key, value in tags_of(properties).items()],
        [
            RegisteredModelAlias(alias, number)
            for alias, number in zip(aliases, numbers, strict=True)
        ],
        **_OF_MODEL,
    )


def model_version(row: Sequence[Any], aliases: Iterable[str] = ()) -> ModelVersion:
    """From a row of VERSION_COLUMNS."""
    (
        _model_id,
        name,
        number,
        created,
        updated,
        notes,
        user,
        stage,
        source,
        run_id,
        run_link,
        mlflow_model_id,
        properties_text,
        metrics_text,
    ) = row[:14]
    properties = _object(properties_text)
    metrics = _object(metrics_text)
    return ModelVersion(
        name,
        number,
        created,
        updated,
        _description(notes, properties),
        user,
        SHOWN_AS[stage],
        source,
        run_id,
        tags=[ModelVersionTag(key, value) for key, value in tags_of(properties).items()],
        run_link=run_link,
        aliases=list(aliases),
        model_id=mlflow_model_id,
        metrics=[Metric(key, float(value), created, 0) for key, value in metrics.items()] or None,
        **_OF_VERSION,
    )


def _object(text: str | None) -> dict[str, Any]:
    """The JSON object of a text; the empty one has none."""
    return json.loads(text) if text else {}


def _description(text: str, properties: Mapping[str, Any]) -> str | None:
    return text or ("" if properties.get(EMPTY_PROPERTY) is True else None)


def empty_property(description: str | None) -> dict[str, Any]:
    """The property that a new model or version has for its description, if any."""
    return {EMPTY_PROPERTY: True} if description == "" else {}


def tags_of(properties: Mapping[str, Any]) -> dict[str, str]:
    """The properties that are MLflow's tags; what is no text is shown as JSON."""
    return {
        key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in properties.items()
        if not key.startswith(INTERNAL)
    }


def properties_of(tags: Iterable[Any] | None) -> dict[str, str]:
    """MLflow's tags as properties; the last of equal keys counts."""
    properties = {}
    for tag in tags or ():
        check_tag_key(tag.key)
        properties[tag.key] = "" if tag.value is None else str(tag.value)
    return properties


def check_tag_key(key: str) -> None:
    if key.startswith(INTERNAL):
        raise MlflowException.invalid_parameter_value(
            f"Tag keys that begin with '{INTERNAL}' are modelreg's own: '{key}'"
        )


def keepable_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Those that modelreg can keep: JSON has neither infinity nor NaN, and names have rules."""
    numbers = {key: float(value) for key, value in metrics.items() if is_name(key)}
    return {key: value for key, value in numbers.items() if math.isfinite(value)}


def is_name(text: str) -> bool:
    """Whether modelreg takes it for the name of a type or metric."""
    control = any(ord(character) < 32 or ord(character) == 127 for character in text)
    return text == text.strip(" ") and 0 < len(text.encode()) <= 200 and not control


def instant(ms: int) -> datetime.datetime:
    return _EPOCH + ms * _MILLISECOND
