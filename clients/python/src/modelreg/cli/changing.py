"""promote, delete and alias: commands that change what is registered."""

from __future__ import annotations

from modelreg import statements
from modelreg.cli import exits, terminal
from modelreg.cli.session import Session
from modelreg.errors import ProtectedError
from modelreg.types import Alias


def promote(session: Session) -> int:
    """Move a version to a stage."""
    options = session.options
    version = session.find(options.ref, exact=True)
    before = version.deployment_stage
    moved = session.run(statements.update_stage(version.model_id, options.to_stage, options.reason))
    if session.json:
        session.document(moved.to_dict())
    else:
        session.print(
            f"{terminal.clean(moved.model_id)}  {session.style.stage(str(before))} ->"
            f" {session.style.stage(str(moved.deployment_stage))}"
        )
    return exits.OK


def delete(session: Session) -> int:
    """Delete a version."""
    options = session.options
    version = session.find(options.ref, exact=True)
    if not options.yes:
        forced = " although it may be in use" if options.force else ""
        session.confirm(
            f'Delete version {version.version} of model "{version.model_name}"'
            f" ({version.deployment_stage}, {version.model_id}){forced}?"
        )
    try:
        session.run(statements.delete(version.model_id, options.force, options.reason))
    except ProtectedError as error:
        raise exits.CommandError(
            error.message,
            exits.REFUSED,
            "Move it to another stage or drop its aliases first, or give --force.",
        ) from error
    if session.json:
        session.document({"deleted": version.to_dict()})
    else:
        session.print(f"{terminal.clean(version.model_id)}  deleted")
    return exits.OK


def alias_set(session: Session) -> int:
    """Make an alias name a version."""
    options = session.options
    version = session.find(options.ref, exact=True)
    alias = session.run(statements.set_alias(version.model_id, options.new_alias, options.reason))
    if session.json:
        session.document(_alias(version.model_name, alias))
    else:
        session.print(terminal.clean(f"{version.model_name}@{alias.alias} -> {alias.model_id}"))
    return exits.OK


def alias_drop(session: Session) -> int:
    """Drop an alias."""
    options = session.options
    if not session.run(statements.drop_alias(options.name, options.old_alias, options.reason)):
        raise exits.CommandError(
            f'model "{options.name}" has no alias "{options.old_alias}"', exits.NOT_FOUND
        )
    if session.json:
        session.document({"dropped": {"model_name": options.name, "alias": options.old_alias}})
    else:
        session.print(terminal.clean(f"{options.name}@{options.old_alias} dropped"))
    return exits.OK


def alias_show(session: Session) -> int:
    """List the aliases of a model."""
    name = session.options.name
    aliases = session.run(statements.aliases(name))
    if not aliases and session.run(statements.find_latest(model_name=name)) is None:
        raise exits.CommandError(f'there is no model "{name}"', exits.NOT_FOUND)
    if session.json:
        session.document([_alias(name, alias) for alias in aliases])
    elif aliases:
        session.table(
            [
                terminal.Column("ALIAS"),
                terminal.Column("MODEL_ID"),
                terminal.Column("SET"),
                terminal.Column("BY", shrinks=True),
            ],
            [
                [alias.alias, alias.model_id, terminal.time_text(alias.set_at), alias.set_by]
                for alias in aliases
            ],
        )
    return exits.OK


def _alias(model_name: str, alias: Alias) -> dict[str, str]:
    return {
        "model_name": model_name,
        "alias": alias.alias,
        "model_id": alias.model_id,
        "set_at": alias.set_at.isoformat(),
        "set_by": alias.set_by,
    }
