"""The last number that an MLflow registry has given to a version of a model.

MLflow does not show deleted versions, but gives the number behind the last of them too. What its
stores know of that is in them, and in no answer of an MLflow server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LastGiven = Callable[[str], int]


def last_given(store: Any) -> LastGiven | None:
    """The function for a registry store of MLflow's, or None if it cannot be found out."""
    from .store import ModelregStore

    if isinstance(store, ModelregStore):
        return store.last_number
    kinds = {kind.__name__ for kind in type(store).__mro__}
    if "SqlAlchemyStore" in kinds:
        return lambda name: _of_sql_store(store, name)
    if "FileStore" in kinds:
        return lambda name: _of_file_store(store, name)
    return None


def _of_sql_store(store: Any, name: str) -> int:
    from mlflow.store.model_registry.dbmodels.models import SqlModelVersion
    from sqlalchemy import func

    # Not in every version of MLflow.
    of_workspace: Callable[[Any], Any] = getattr(store, "_get_workspace_clauses", lambda _: [])
    with store.ManagedSessionMaker() as session:
        query = session.query(func.max(SqlModelVersion.version)).filter(
            SqlModelVersion.name == name, *of_workspace(SqlModelVersion)
        )
        return int(query.scalar() or 0)


def _of_file_store(store: Any, name: str) -> int:
    path = store._get_registered_model_path(name)
    found = store._list_file_model_versions_under_path(path)
    return max((int(version.version) for version in found), default=0)
