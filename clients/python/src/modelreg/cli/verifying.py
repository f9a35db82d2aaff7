"""verify: compare stored bytes with their SHA-256, and the trail with itself."""

from __future__ import annotations

import dataclasses
from typing import Any

from modelreg import statements
from modelreg.cli import exits
from modelreg.cli.session import Session
from modelreg.cli.terminal import Cell, Column


def verify(session: Session) -> int:
    """Verify one version, or everything; the exit code says whether all is whole."""
    options = session.options
    one = session.find(options.ref).model_id if options.ref is not None else None
    results = session.run(statements.verify(one))
    damaged = [result for result in results if not result.ok]
    chains = session.run(statements.audit_verify(None)) if options.audit else []
    broken = [chain for chain in chains if not chain.ok]
    code = exits.DAMAGED if damaged or broken else exits.OK
    if session.json:
        document: dict[str, Any] = {
            "ok": code == exits.OK,
            "results": [dataclasses.asdict(result) for result in results],
        }
        if options.audit:
            document["audit"] = [dataclasses.asdict(chain) for chain in chains]
        session.document(document)
        return code
    rows: list[list[str | Cell]] = [
        [result.model_id or "(no version)", Cell(result.problem or "damaged", ("red",))]
        for result in damaged
    ]
    rows += [
        [
            f"trail of {chain.model_name or 'the registry'}",
            Cell(f"event {chain.first_bad_seq}: {chain.problem}", ("red",)),
        ]
        for chain in broken
    ]
    if rows:
        session.table([Column("DAMAGED"), Column("PROBLEM")], rows)
    versions = sum(result.model_id is not None for result in results)
    parts = [
        f"{versions} version{'' if versions == 1 else 's'} verified",
        _colour(session, len(damaged)),
    ]
    if options.audit:
        events = sum(chain.events for chain in chains)
        parts.append(f"{events} events of the trail verified, {_colour(session, len(broken))}")
    session.print(", ".join(parts))
    return code


def _colour(session: Session, count: int) -> str:
    text = f"{count} damaged"
    return session.style(text, "red", "bold") if count else session.style(text, "green")
