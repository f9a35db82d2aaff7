"""Versions and comparisons as pandas has them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from modelreg.errors import missing_extra
from modelreg.types import ModelVersion

if TYPE_CHECKING:
    import pandas

_FIELDS = tuple(field.name for field in dataclasses.fields(ModelVersion))
_TIMES = ("created_at", "registered_at")


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise missing_extra("pandas", "pandas", "a DataFrame") from error
    return pandas


def require() -> None:
    """Raises MissingExtraError if pandas is not installed, before the server is asked anything."""
    _pandas()


def version_frame(versions: Sequence[ModelVersion]) -> pandas.DataFrame:
    """A row a version, a column a field; the stage as plain text.

    created_at and registered_at are times in UTC. deployed_at is a column of objects: datetime, or
    None where the version never moved, so that to_dict and jsonify can handle it.
    """
    pd = _pandas()
    columns: dict[str, Any] = {
        name: [getattr(version, name) for version in versions] for name in _FIELDS
    }
    columns["deployment_stage"] = [str(stage) for stage in columns["deployment_stage"]]
    for name in _TIMES:
        columns[name] = pd.Series(columns[name], dtype="datetime64[us, UTC]")
    columns["deployed_at"] = pd.Series(columns["deployed_at"], dtype=object)
    frame: pandas.DataFrame = pd.DataFrame(columns, columns=list(_FIELDS))
    return frame


def comparison_frame(
    versions: Sequence[ModelVersion], metrics: Sequence[str] | None
) -> pandas.DataFrame:
    """A row a version; model_id, version, deployment_stage, and a column a metric.

    Metrics are in the order given, or all that any version has, by name; NaN where one has it not.
    """
    pd = _pandas()
    if metrics is not None:
        metrics = list(dict.fromkeys(metrics))
    else:
        metrics = sorted({name for version in versions for name in version.performance_metrics})
    columns: dict[str, Any] = {
        "model_id": [version.model_id for version in versions],
        "version": [version.version for version in versions],
        "deployment_stage": [str(version.deployment_stage) for version in versions],
    }
    for name in metrics:
        # A metric may be called as one of our columns is.
        column = f"{name} (metric)" if name in ("model_id", "version", "deployment_stage") else name
        columns[column] = pd.Series(
            [version.performance_metrics.get(name) for version in versions], dtype="float64"
        )
    frame: pandas.DataFrame = pd.DataFrame(columns)
    return frame
