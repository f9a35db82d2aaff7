"""What a repeated import renames and deletes, because MLflow has.

What was imported from where, the trail knows: the reason of its first event says so. A model keeps
the time at which it was made in MLflow when it is renamed there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import psycopg

from .database import Connection
from .entities import CREATED_PROPERTY
from .failures import reason_of_refusal
from .report import Problem


@dataclass
class Plan:
    """Models by their names in the registry: the new names, what goes, what is not clear."""

    renames: dict[str, str] = field(default_factory=dict)
    deletions: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def imported_models(connection: Connection, reason: str) -> dict[str, int]:
    """When each model that was made by such an import was made in MLflow."""
    rows = connection.execute(
        "SELECT m.model_name, (m.properties ->> %(created)s)::bigint"
        " FROM modelreg.model AS m JOIN modelreg.audit_event AS e"
        " ON e.model_key = m.model_key AND e.seq = 1"
        " WHERE jsonb_typeof(m.properties -> %(created)s) = 'number' AND e.reason = %(reason)s"
        " ORDER BY m.model_name",
        {"created": CREATED_PROPERTY, "reason": reason},
    ).fetchall()
    return dict(rows)


def imported_versions(connection: Connection, name: str, reason: str) -> list[tuple[int, str]]:
    """Numbers and ids of a model's versions that such an import registered."""
    return connection.execute(
        "SELECT v.version_number, v.model_id"
        " FROM modelreg.model AS m JOIN modelreg.model_version AS v USING (model_key)"
        " WHERE m.model_name = %s AND EXISTS (SELECT FROM modelreg.audit_event AS e"
        " WHERE e.model_id = v.model_id AND e.event = 'register' AND e.reason = %s)"
        " ORDER BY v.version_number",
        (name, reason),
    ).fetchall()


def plan(there: Mapping[str, int], here: Mapping[str, int], names: set[str] | None) -> Plan:
    """``there``, ``here``: the models in MLflow and the imported ones, and when they were made.

    With ``names``, only renames to these.
    """
    result = Plan()
    for created in sorted(set(here.values())):
        gone = [name for name in here if here[name] == created and there.get(name) != created]
        come = [name for name in there if there[name] == created and here.get(name) != created]
        if names is not None:
            come = [name for name in come if name in names]
        if len(gone) == len(come) == 1:
            result.renames[gone[0]] = come[0]
        elif gone and come:
            reason = (
                f"MLflow made {', '.join(come)} at the same moment as this; which of them it is"
                " now, or whether it was deleted, cannot be told"
            )
            result.problems += [Problem(name, None, reason) for name in gone]
        elif names is None:
            result.deletions += gone
    return result


def carry_out(connection: Connection, plan: Plan, reason: str) -> tuple[int, int, list[Problem]]:
    """Carries out what it can in the caller's transaction; how many models were renamed and
    deleted, and what could not be."""
    problems = list(plan.problems)
    deleted = 0
    for name in plan.deletions:
        problem = _delete(connection, name, reason)
        if problem is None:
            deleted += 1
        else:
            problems.append(Problem(name, None, problem))
    # Names may have been exchanged: what is in the way of another steps aside first.
    aside: dict[str, str] = {}
    for name in plan.renames:
        if name in plan.renames.values():
            other = f"{name[:40]} (renamed in MLflow {len(aside)})"
            if _rename(connection, name, other, reason) is None:
                aside[name] = other
    renamed = 0
    for name, new_name in plan.renames.items():
        problem = _rename(connection, aside.get(name, name), new_name, reason)
        if problem is None:
            renamed += 1
            continue
        if name in aside:
            problem += f" It is called '{aside[name]}' now."
        problems.append(Problem(name, None, f"is '{new_name}' in MLflow now: {problem}"))
    return renamed, deleted, problems


def _delete(connection: Connection, name: str, reason: str) -> str | None:
    row = connection.execute(
        "SELECT count(*) FROM modelreg.model AS m"
        " JOIN modelreg.model_version AS v USING (model_key) WHERE m.model_name = %s",
        (name,),
    ).fetchone()
    if row is not None and row[0] != len(imported_versions(connection, name, reason)):
        return "was deleted in MLflow, and has versions here that were not imported from there"
    return _attempt(
        connection,
        "SELECT modelreg_delete_model(model_name => %s, force => true, reason => %s)",
        (name, reason),
    )


def _rename(connection: Connection, name: str, new_name: str, reason: str) -> str | None:
    return _attempt(
        connection,
        "SELECT FROM modelreg_rename_model(model_name => %s, new_name => %s, reason => %s)",
        (name, new_name, reason),
    )


def _attempt(connection: Connection, statement: str, parameters: tuple[str, ...]) -> str | None:
    """Runs a statement, or returns why it was refused."""
    try:
        with connection.transaction():
            connection.execute(statement, parameters)
    except psycopg.Error as error:
        if (reason := reason_of_refusal(error)) is None:
            raise
        return reason
    return None
