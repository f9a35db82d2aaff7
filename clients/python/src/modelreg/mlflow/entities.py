"""Rows of modelreg as MLflow's entities, and MLflow's names for its stages."""

from __future__ import annotations

import datetime
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

# Keys of training_metadata.
RUN_ID = "run_id"
SOURCE = "source"
RUN_LINK = "run_link"
MLFLOW_MODEL_ID = "mlflow_model_id"
USER_ID = "mlflow_user_id"

# The columns that the mappers read, of modelreg.model m and modelreg.model_version v.
MODEL_COLUMNS = """m.model_key, m.model_name, m.description, m.properties, m.created_at,
    COALESCE(m.audit_at, m.created_at),
    ARRAY(SELECT a.alias FROM modelreg.model_alias a
          JOIN modelreg.model_version av USING (model_id)
          WHERE a.model_key = m.model_key ORDER BY a.alias),
    ARRAY(SELECT av.version_number FROM modelreg.model_alias a
          JOIN modelreg.model_version av USING (model_id)
          WHERE a.model_key = m.model_key ORDER BY a.alias)"""
UPDATED_AT = """(SELECT e.at FROM modelreg.audit_event e
     WHERE e.model_id = v.model_id ORDER BY e.seq DESC LIMIT 1)"""
VERSION_COLUMNS = f"""v.model_id, v.model_name, v.version_number,
    least(v.created_at, '9999-12-31 00:00+00'),
    {UPDATED_AT},
    v.notes, v.registered_by, v.deployment_stage::text, v.training_metadata, v.properties,
    v.performance_metrics"""
ALIASES = """ARRAY(SELECT a.alias FROM modelreg.model_alias a
    WHERE a.model_key = v.model_key AND a.model_id = v.model_id ORDER BY a.alias)"""

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_MILLISECOND = datetime.timedelta(milliseconds=1)


def registered_model(
    row: Sequence[Any], latest_versions: Iterable[ModelVersion] = ()
) -> RegisteredModel:
    """From a row of MODEL_COLUMNS."""
    _key, name, description, properties, created_at, updated_at, aliases, numbers = row
    created = properties.get(CREATED_PROPERTY)
    return RegisteredModel(
        name,
        created if isinstance(created, int) else milliseconds(created_at),
        milliseconds(updated_at),
        description or None,
        list(latest_versions),
        [RegisteredModelTag(key, value) for key, value in tags_of(properties).items()],
        [
            RegisteredModelAlias(alias, number)
            for alias, number in zip(aliases, numbers, strict=True)
        ],
    )


def model_version(row: Sequence[Any], aliases: Iterable[str] = ()) -> ModelVersion:
    """From a row of VERSION_COLUMNS."""
    (
        _model_id,
        name,
        number,
        created_at,
        updated_at,
        notes,
        registered_by,
        stage,
        training,
        properties,
        metrics,
    ) = row[:11]
    created = milliseconds(created_at)
    updated = milliseconds(updated_at) if updated_at is not None else created
    return ModelVersion(
        name,
        number,
        created,
        updated,
        notes or None,
        _text(training.get(USER_ID)) or registered_by,
        SHOWN_AS[stage],
        _text(training.get(SOURCE)),
        _text(training.get(RUN_ID)),
        tags=[ModelVersionTag(key, value) for key, value in tags_of(properties).items()],
        run_link=_text(training.get(RUN_LINK)),
        aliases=list(aliases),
        model_id=_text(training.get(MLFLOW_MODEL_ID)),
        metrics=[Metric(key, float(value), created, 0) for key, value in metrics.items()] or None,
    )


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


def milliseconds(instant: datetime.datetime) -> int:
    return (instant - _EPOCH) // _MILLISECOND


def instant(ms: int) -> datetime.datetime:
    return _EPOCH + ms * _MILLISECOND


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)
