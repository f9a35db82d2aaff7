"""A page of the versions that a search finds, in MLflow's order.

MLflow's own order is by the last change, which is in the trail, and in no index. So:

- If it is not part of the order, the page is found first, and then when its versions changed.
- In one model, the page is among its newest versions and those that have changed since the oldest
  of these was registered.
- In several models, all versions that match are asked when they changed, in one pass.
"""

from __future__ import annotations

from mlflow.entities.model_registry import ModelVersion

from .database import Connection
from .entities import model_version, version_columns
from .search import UPDATED, VersionQuery
from .times import CHANGES_VERSION, END_OF_CHANGE, ms, renamed_ms


def _found(query: VersionQuery) -> str:
    """The models m, and their versions f that match: a view, so that each use has its own plan."""
    return f"""m AS MATERIALIZED (
    SELECT model_key, model_name, properties FROM modelreg.model AS m
    WHERE {query.models.where}),
f AS NOT MATERIALIZED (
    SELECT v.* FROM m JOIN modelreg.model_version AS v USING (model_key)
    WHERE {query.versions.where})"""


def _page(order_by: str, start: int, limit: int) -> str:
    """As k, of which one wants to know when they changed: the page itself."""
    return f"""k AS MATERIALIZED (
    SELECT v.model_id, v.model_key FROM f AS v
    ORDER BY {order_by} LIMIT {limit:d} OFFSET {start:d})"""


def _newest_of_one_model(end: int) -> str:
    """As k: the newest, and what has changed since."""
    return f"""newest AS MATERIALIZED (
    SELECT v.model_id, v.model_key, v.registered_at FROM f AS v
    ORDER BY v.version_number DESC LIMIT {end:d}),
since AS MATERIALIZED (
    SELECT CASE WHEN count(*) = {end:d} THEN date_trunc('milliseconds', min(registered_at))
        ELSE '-infinity' END AS at FROM newest),
k AS MATERIALIZED (
    SELECT model_id, model_key FROM newest
    UNION SELECT v.model_id, v.model_key FROM f AS v
    WHERE v.model_id IN (SELECT e.model_id FROM m, since, modelreg.audit_event AS e
        WHERE e.model_key = m.model_key AND e.at >= since.at AND {CHANGES_VERSION}))"""


_ALL = "k AS MATERIALIZED (SELECT v.model_id, v.model_key FROM f AS v)"

# The last change of each, and when the transaction that made it was done with its model.
_TIMES = f"""c AS MATERIALIZED (
    SELECT DISTINCT ON (e.model_id) e.model_id, e.model_key, e.seq, e.xid
    FROM k JOIN modelreg.audit_event AS e USING (model_id) WHERE {CHANGES_VERSION}
    ORDER BY e.model_id, e.seq DESC),
done AS MATERIALIZED (
    SELECT c.model_key, c.xid, {END_OF_CHANGE} AS at
    FROM (SELECT model_key, xid, max(seq) AS seq FROM c GROUP BY model_key, xid) AS c),
u AS MATERIALIZED (
    SELECT k.model_id, greatest({ms("v.registered_at")}, {renamed_ms("m.properties")},
        {ms("done.at")}) AS updated_ms
    FROM k JOIN modelreg.model_version AS v USING (model_id) JOIN m ON m.model_key = v.model_key
    LEFT JOIN c USING (model_id)
    LEFT JOIN done ON done.model_key = c.model_key AND done.xid = c.xid)"""


def versions(
    connection: Connection, query: VersionQuery, start: int, max_results: int
) -> tuple[list[ModelVersion], bool]:
    """Up to ``max_results`` versions from position ``start`` on, and whether there are more."""
    limit, order_by = max_results + 1, query.order_by
    rest = start
    if UPDATED not in query.order:
        chosen, rest = _page(order_by, start, limit), 0
    elif query.one_model and next(iter(query.order.items())) == (UPDATED, False):
        chosen = _newest_of_one_model(start + limit)
    else:
        chosen = _ALL
    rows = connection.execute(
        f"WITH {_found(query)},\n{chosen},\n{_TIMES}\nSELECT {version_columns('u.updated_ms')}"
        " FROM u JOIN modelreg.model_version AS v USING (model_id)"
        f" ORDER BY {order_by} LIMIT {limit:d} OFFSET {rest:d}",
        (*query.models.parameters, *query.versions.parameters),
    ).fetchall()
    return [model_version(row) for row in rows[:max_results]], len(rows) > max_results
