"""list, show, compare and history: commands that only look."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from modelreg import statements
from modelreg.cli import exits, references, terminal
from modelreg.cli.session import Session
from modelreg.cli.terminal import Cell, Column
from modelreg.types import AuditEvent, ModelVersion


def list_versions(session: Session) -> int:
    """List versions, newest first."""
    options = session.options
    limit: int | None = None if options.all else options.limit
    versions = session.run(
        statements.list_page(
            None if limit is None else limit + 1,
            options.before,
            model_name=options.name,
            model_type=options.type,
            version=options.version,
            deployment_stage=options.stage,
            tags=options.tag,
            min_performance=dict(options.min),
            max_performance=dict(options.max),
        )
    )
    more = limit is not None and len(versions) > limit
    versions = versions[:limit]
    after = versions[-1].model_id if more else None
    if session.json:
        session.document(
            {"versions": [version.to_dict() for version in versions], "next_before": after}
        )
        return exits.OK
    if versions:
        session.table(
            [
                Column("MODEL_ID"),
                Column("VERSION"),
                Column("STAGE"),
                Column("REGISTERED", drops=2),  # the id tells it as well
                Column("SIZE", right=True),
                Column("METRICS", shrinks=True, drops=1),
                Column("TAGS", shrinks=True, drops=3),
            ],
            [
                [
                    version.model_id,
                    version.version,
                    session.stage(version.deployment_stage),
                    terminal.time_text(version.registered_at),
                    _short_size(version),
                    _metrics(version),
                    ", ".join(version.tags),
                ]
                for version in versions
            ],
        )
    if after is not None:
        session.message(f"there are more; --before {after} shows the next ones, --all shows all")
    return exits.OK


def _short_size(version: ModelVersion) -> str:
    if version.file_count:
        return f"{version.file_count} file{'' if version.file_count == 1 else 's'}"
    return terminal.size_text(version.artifact_size)


def _metrics(version: ModelVersion) -> str:
    return " ".join(
        f"{name}={terminal.number_text(value)}"
        for name, value in sorted(version.performance_metrics.items())
    )


def show(session: Session) -> int:
    """Show all that is known about a version."""
    version = session.find(session.options.ref)
    aliases = [
        alias.alias
        for alias in session.run(statements.aliases(version.model_name))
        if alias.model_id == version.model_id
    ]
    files = session.run(statements.files(version.model_id)) if version.file_count else []
    if session.json:
        session.document(
            version.to_dict()
            | {"aliases": aliases, "files": [dataclasses.asdict(file) for file in files]}
        )
        return exits.OK
    items: dict[str, str | Cell] = {
        "model_id": Cell(version.model_id, ("bold",)),
        "model": version.model_name,
        "type": version.model_type,
        "version": f"{version.version} (number {version.version_number})",
        "stage": session.stage(version.deployment_stage),
        "aliases": ", ".join(aliases),
        "moved": terminal.time_with_age(version.deployed_at),
        "registered": f"{terminal.time_with_age(version.registered_at)} by {version.registered_by}",
        "owner": version.owner if version.owner != version.registered_by else "",
        "trained": terminal.time_with_age(version.created_at),
        "size": _size(version, sum(file.size for file in files)),
        "sha256": version.checksum,
        "serializer": version.serializer or "",
        "metrics": "\n".join(
            f"{name} = {terminal.number_text(value)}"
            for name, value in sorted(version.performance_metrics.items())
        ),
        "tags": ", ".join(version.tags),
        "dataset": version.dataset_version or "",
        "parents": "\n".join(version.parent_ids),
        "config": _json_lines(version.model_config),
        "training": _json_lines(version.training_metadata),
        "properties": _json_lines(version.properties),
        "files": "\n".join(
            f"{terminal.size_text(file.size):>9}  {terminal.clean(file.path)}" for file in files
        ),
        "notes": version.notes,
    }
    shown = [(name, item) for name, item in items.items() if item not in ("", Cell(""))]
    session.print(terminal.pairs(shown, session.style))
    return exits.OK


def _size(version: ModelVersion, of_files: int) -> str:
    if version.file_count:
        return f"{terminal.size_text(of_files)} in {_short_size(version)}"
    size = version.artifact_size
    return terminal.size_text(size) + (f" ({size} bytes)" if size >= 1000 else "")


def _json_lines(value: dict[str, Any]) -> str:
    return "\n".join(
        f"{name} = {json.dumps(item, ensure_ascii=False)}" for name, item in value.items()
    )


_COMPARED = ("value", "rank", "delta", "is_best", "higher_is_better")


def compare(session: Session) -> int:
    """Compare the metrics of versions: a row for each version, a column for each metric."""
    options = session.options
    refs, of = options.refs, options.of
    if of is None and len(refs) == 1 and not references.read(refs[0], options).is_exact:
        # The newest version of a model, compared with nothing, is not what is meant.
        refs, of = [], refs[0]
    versions = {version.model_id: version for version in (session.find(ref) for ref in refs)}
    if of is not None:
        newest = session.run(statements.list_page(options.limit, None, model_name=of))
        if not newest:
            raise exits.CommandError(f'there is no model "{of}"', exits.NOT_FOUND)
        versions |= {version.model_id: version for version in newest}
    if not versions:
        raise exits.CommandError(
            "nothing to compare", exits.USAGE, "Give REFs, or --of NAME for those of a model."
        )
    rows = session.run(statements.compare([*versions], options.metric or None))
    metrics = [*dict.fromkeys(row[0] for row in rows)]
    cells = {(row[0], row[1]): row for row in rows}
    if session.json:
        session.document(
            [
                {
                    "model_id": model_id,
                    "version": version.version,
                    "deployment_stage": str(version.deployment_stage),
                    "metrics": {
                        metric: dict(zip(_COMPARED, row[4:], strict=True))
                        for metric in metrics
                        if (row := cells[metric, model_id])[4] is not None
                    },
                }
                for model_id, version in versions.items()
            ]
        )
        return exits.OK
    table: list[list[str | Cell]] = []
    for model_id, version in versions.items():
        line: list[str | Cell] = [
            model_id,
            version.version,
            session.stage(version.deployment_stage),
        ]
        for metric in metrics:
            row = cells[metric, model_id]
            value, best = row[4], row[7] and len(versions) > 1
            if value is None:
                line.append("")
            elif best:
                line.append(Cell(f"{terminal.number_text(value)} *", ("bold", "green")))
            else:
                line.append(f"{terminal.number_text(value)}  ")
        table.append(line)
    session.table(
        [
            Column("MODEL_ID"),
            Column("VERSION"),
            Column("STAGE"),
            *(Column(f"{metric}  ", right=True) for metric in metrics),
        ],
        table,
    )
    return exits.OK


def history(session: Session) -> int:
    """Show the audit trail: of a model, of a version, or all."""
    options = session.options
    name: str | None = None
    model_id: str | None = None
    if options.ref is not None:
        reference = references.read(options.ref, options)
        if reference.model_id is not None:
            model_id = reference.model_id
        elif reference.is_exact:
            model_id = session.find(options.ref).model_id
        else:
            name = reference.name
    events = session.run(statements.history(name, model_id, options.since))
    known = events or options.ref is None
    if not known and options.since is not None:
        known = session.run(statements.history(name, model_id, None))
    if not known:
        raise exits.CommandError(f'nothing is known of "{options.ref}"', exits.NOT_FOUND)
    if options.limit is not None:
        events = events[-options.limit :]
    if session.json:
        session.document([event.to_dict() for event in events])
    elif events:
        session.table(
            [
                Column("TIME"),
                Column("EVENT"),
                Column("MODEL_ID"),
                Column("WHAT", shrinks=True),
                Column("BY", shrinks=True, drops=2),
                Column("REASON", shrinks=True, drops=1),
            ],
            [
                [
                    terminal.time_text(event.at),
                    event.event,
                    event.model_id or event.model_name or "",
                    _what(event),
                    event.actor,
                    event.reason,
                ]
                for event in events
            ],
        )
    return exits.OK


def _what(event: AuditEvent) -> str:
    """Say in a few words what an event changed."""
    old, new = event.old_values or {}, event.new_values or {}
    if event.event == "stage":
        return f"{old.get('deployment_stage')} -> {new.get('deployment_stage')}"
    if event.event == "register":
        return f"{new.get('version')} in {new.get('deployment_stage')}"
    if event.event == "delete":
        return f"{old.get('version')}, {new.get('cause')}{', forced' if new.get('forced') else ''}"
    changes = []
    for name in dict.fromkeys([*old, *new]):
        if name in _NOT_FOR_PEOPLE:
            continue
        if name in old and name in new:
            changes.append(f"{name}: {_short(old[name])} -> {_short(new[name])}")
        elif name not in _KNOWN_ANYWAY and (value := new.get(name, old.get(name))):
            changes.append(f"{name}: {_short(value)}")
    return ", ".join(changes)


# Of a model's row: what other columns of the table show, or follows from the event.
_KNOWN_ANYWAY = ("model_key", "model_name", "created_at", "created_by", "set_at", "set_by")

# By which a verification knows the role, whatever it is called.
_NOT_FOR_PEOPLE = ("owner_source",)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return terminal.cut(text, 40)
