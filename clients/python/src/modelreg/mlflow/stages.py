"""Moving a version between MLflow's stages."""

from __future__ import annotations

import contextlib

from mlflow.entities.model_registry.model_version_stages import STAGE_PRODUCTION
from mlflow.protos.databricks_pb2 import INVALID_STATE
from psycopg import errors as pg

from .database import Connection
from .entities import MOVED_TO, SHOWN_AS
from .failures import Refusal
from .times import MOVED_PROPERTY, ms

# Where MLflow allows a move that modelreg's rules do not, it is made by way of one of these.
_WAYS = ("development", "staging")


def transition(connection: Connection, model_id: str, target: str, archive_existing: bool) -> None:
    """Moves a version to one of MLflow's stages, in the caller's READ COMMITTED transaction; with
    ``archive_existing`` all others in that stage are archived.

    The move comes first, and takes the model's lock even if the version is there already: of two
    that race, the second then sees what the first did, and archives it.
    """
    row = connection.execute(
        "SELECT v.model_key, v.deployment_stage::text, m.exclusive_production"
        " FROM modelreg.model_version AS v JOIN modelreg.model AS m USING (model_key)"
        " WHERE v.model_id = %s",
        (model_id,),
    ).fetchone()
    if row is None:
        raise pg.UndefinedObject(f'model version "{model_id}" does not exist')
    key, present, exclusive = row
    if exclusive and target == STAGE_PRODUCTION and not archive_existing:
        _require_no_incumbent(connection, key, model_id)
    stays = SHOWN_AS[present] == target
    _move(connection, model_id, present if stays else MOVED_TO[target])
    if stays:
        _note(connection, model_id)
    if archive_existing:
        for other in _others(connection, key, model_id, target):
            _move(connection, other, "archived")


def _note(connection: Connection, model_id: str) -> None:
    """Keeps the time of a move to where the version was: for MLflow it is one as any other."""
    connection.execute(
        "SELECT FROM modelreg_update(model_id => %s,"
        f" properties => jsonb_build_object(%s::text, {ms('clock_timestamp()')}))",
        (model_id, MOVED_PROPERTY),
    )


def _require_no_incumbent(connection: Connection, key: object, model_id: str) -> None:
    """A model that was made for one production version would demote it without being asked to."""
    connection.execute("SELECT FROM modelreg_update(model_id => %s)", (model_id,))  # locks
    if others := _others(connection, key, model_id, STAGE_PRODUCTION):
        raise Refusal(
            f"Model version '{others[0]}' is in production, and this model allows one production "
            "version at a time. Pass archive_existing_versions=True to archive it.",
            INVALID_STATE,
        )


def _others(connection: Connection, key: object, model_id: str, target: str) -> list[str]:
    stages = [stage for stage, shown in SHOWN_AS.items() if shown == target]
    rows = connection.execute(
        "SELECT model_id FROM modelreg.model_version WHERE model_key = %s AND model_id <> %s"
        " AND deployment_stage = ANY (%s::text[]::modelreg.deployment_stage[])"
        " ORDER BY version_number",
        (key, model_id, stages),
    )
    return [row[0] for row in rows]


def _move(connection: Connection, model_id: str, stage: str) -> None:
    try:
        with connection.transaction():
            _update_stage(connection, model_id, stage)
        return
    except pg.ObjectNotInPrerequisiteState as error:
        refusal = error
    for way in _WAYS:
        with contextlib.suppress(pg.ObjectNotInPrerequisiteState), connection.transaction():
            _update_stage(connection, model_id, way)
            _update_stage(connection, model_id, stage)
            return
    raise refusal


def _update_stage(connection: Connection, model_id: str, stage: str) -> None:
    connection.execute(
        "SELECT FROM modelreg_update_stage(model_id => %s, new_stage => %s)", (model_id, stage)
    )
