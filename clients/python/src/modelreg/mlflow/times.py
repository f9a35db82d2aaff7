"""When a model or version last changed, as MLflow counts it.

For MLflow a version changes when it is registered, moved, described anew, or renamed with its
model; a model also when a version of it is registered, moved or deleted. Tags and aliases do not
count. All that one call changes has one time, in milliseconds since 1970.

The trail knows all of this but for two things that it has no event for, which are properties of
ours: a call that sets what is so already, and, as one event of a model with a million versions,
a rename.
"""

from __future__ import annotations

# When a call of MLflow's left a version in its stage, or a version or model with its description.
MOVED_PROPERTY = "modelreg.mlflow_moved"
DESCRIBED_PROPERTY = "modelreg.mlflow_described"
# When a model was renamed, in ms since 1970: the time of all its versions.
RENAMED_PROPERTY = "modelreg.mlflow_renamed"


def ms(expression: str) -> str:
    """A timestamp in ms since 1970, rounded down."""
    return f"floor(extract(epoch FROM {expression}) * 1000)::bigint"


def _set(key: str) -> str:
    """Whether event e gave a property another value."""
    return (
        f"e.new_values #>> '{{properties,{key}}}'"
        f" IS DISTINCT FROM e.old_values #>> '{{properties,{key}}}'"
    )


def renamed_ms(properties: str) -> str:
    """The time in RENAMED_PROPERTY, if that is a number: properties are anybody's to set."""
    return (
        f"CASE WHEN {properties} ->> '{RENAMED_PROPERTY}' ~ '^[0-9]{{1,15}}$'"
        f" THEN ({properties} ->> '{RENAMED_PROPERTY}')::bigint END"
    )


# Whether event e changed its version, for MLflow, after the version was registered.
CHANGES_VERSION = f"""(e.event = 'stage' OR e.event = 'update'
    AND (e.new_values ? 'notes' OR {_set(MOVED_PROPERTY)} OR {_set(DESCRIBED_PROPERTY)}))"""

# Whether event e changed its model.
_CHANGES_MODEL = f"""(e.event IN ('register', 'stage', 'delete', 'model_create', 'model_rename')
    OR e.event = 'update' AND {_set(MOVED_PROPERTY)}
    OR e.event = 'model_update' AND (e.new_values ? 'description'
        OR {_set(DESCRIBED_PROPERTY)} OR {_set(RENAMED_PROPERTY)}))"""

# The time of the last change that the transaction of event c made to a version of c's model: its
# events follow each other in the model's chain, as it holds the model's lock.
END_OF_CHANGE = f"""(SELECT e.at FROM modelreg.audit_event e
    WHERE e.model_key = c.model_key AND e.seq >= c.seq
        AND e.seq < COALESCE((SELECT n.seq FROM modelreg.audit_event n
            WHERE n.model_key = c.model_key AND n.seq > c.seq AND n.xid <> c.xid
            ORDER BY n.seq LIMIT 1), 9223372036854775807)
        AND {CHANGES_VERSION}
    ORDER BY e.seq DESC LIMIT 1)"""

# Of model m. The model itself is made a moment before its first event.
MODEL_UPDATED_MS = f"""COALESCE((SELECT CASE
        WHEN e.event = 'model_create' THEN {ms("m.created_at")}
        WHEN e.event = 'model_update' AND {_set(RENAMED_PROPERTY)}
            THEN COALESCE({renamed_ms("(e.new_values -> 'properties')")}, {ms("e.at")})
        ELSE {ms("e.at")} END
    FROM modelreg.audit_event e WHERE e.model_key = m.model_key AND {_CHANGES_MODEL}
    ORDER BY e.seq DESC LIMIT 1), {ms("m.created_at")})"""

# Of version v of model m, for few versions.
VERSION_UPDATED_MS = f"""greatest({ms("v.registered_at")}, {renamed_ms("m.properties")},
    (SELECT {ms(END_OF_CHANGE)} FROM (SELECT e.model_key, e.seq, e.xid
        FROM modelreg.audit_event e WHERE e.model_id = v.model_id AND {CHANGES_VERSION}
        ORDER BY e.seq DESC LIMIT 1) AS c))"""
