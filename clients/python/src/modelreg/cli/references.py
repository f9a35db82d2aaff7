"""How a command line names a version: the REF.

A model may be called nearly anything, "a@b", "x==1" or what looks like a model_id included. So that
nobody can slip a version under a REF by the name of a model, the text of a REF alone decides how it
is read, never what the registry happens to hold. For models with such names there are the options
--id, --name, --version, --alias and --stage.
"""

from __future__ import annotations

import re
from argparse import Namespace
from dataclasses import dataclass

from modelreg import statements
from modelreg.cli import exits
from modelreg.connection import Source
from modelreg.preparing import hint_of, named
from modelreg.statements import Statement
from modelreg.types import DeploymentStage, ModelVersion

HELP = """\
REF names a version. Its form decides, in this order:
  MODEL_ID         theft_20261123_073453   ends as the ids of the registry do
  NAME==VERSION    theft==1.2.0
  NAME@ALIAS       theft@champion
  NAME:STAGE       theft:production        the newest in one of the six stages
  NAME             theft                   the newest of all; not for commands that change something
For a model whose name looks like another form: with --version, --alias or --stage, REF is the name
of a model; so it is with --name (the newest of all); with --id, it is a model_id.
"""

STAGES = tuple(stage.value for stage in DeploymentStage)

# What a semantic version, and an alias, can consist of.
_VERSION = re.compile(r"[0-9A-Za-z.+-]+")
_ALIAS = re.compile(r"[^@/:]+")
_MODEL_ID = re.compile(r".+_[0-9]{8}_[0-9]{6}(_[0-9]+)?", re.DOTALL)


@dataclass(frozen=True)
class Reference:
    """A REF as read. At most one of the last four is set; none: the newest version of the model."""

    name: str = ""
    model_id: str | None = None
    version: str | None = None
    alias: str | None = None
    stage: str | None = None

    @property
    def is_exact(self) -> bool:
        """Whether it is more than the name of a model."""
        return bool(self.model_id or self.version or self.alias or self.stage)

    def __str__(self) -> str:
        if self.model_id is not None:
            return f'version "{self.model_id}"'
        if self.version is not None:
            return f'version "{self.version}" of model "{self.name}"'
        if self.alias is not None:
            return f'alias "{self.alias}" of model "{self.name}"'
        if self.stage is not None:
            return f'version of model "{self.name}" in {self.stage}'
        return f'model "{self.name}"'

    @property
    def statement(self) -> Statement[ModelVersion | None]:
        """The query that finds it."""
        if self.model_id is not None:
            return statements.info(self.model_id)
        if self.alias is not None:
            return statements.resolve(self.name, self.alias)
        return statements.find_latest(
            model_name=self.name, version=self.version, deployment_stage=self.stage
        )


def read(text: str, options: Namespace | None = None) -> Reference:
    """Read a REF, given the options that go with it. Raises CommandError for what cannot be one."""
    if not text:
        raise exits.CommandError("an empty REF names nothing", exits.USAGE)
    names = ("id", "name", "version", "alias", "stage")
    given = [name for name in names if _option(options, name) is not None]
    for name in given:
        # A script's variable that is not set: the newest version is not what it means.
        if not _option(options, name):
            raise exits.CommandError(f"--{name} is empty", exits.USAGE)
    if len(given) > 1:
        raise exits.CommandError(
            f"{' and '.join('--' + name for name in given)} exclude each other", exits.USAGE
        )
    if given == ["id"]:
        return Reference(model_id=text)
    if given == ["name"]:
        return Reference(name=text)
    if given:
        return Reference(name=text, **{given[0]: _option(options, given[0])})
    if _MODEL_ID.fullmatch(text):
        return Reference(model_id=text)
    name, mark, version = text.rpartition("==")
    if mark and name and _VERSION.fullmatch(version):
        return Reference(name=name, version=version)
    name, mark, alias = text.rpartition("@")
    if mark and name and _ALIAS.fullmatch(alias):
        return Reference(name=name, alias=alias)
    name, mark, stage = text.rpartition(":")
    if mark and name and stage in STAGES:
        return Reference(name=name, stage=stage)
    return Reference(name=text)


def _option(options: Namespace | None, name: str) -> str | None:
    value: str | None = getattr(options, f"ref_{name}", None)
    return value


def find(
    source: Source, text: str, options: Namespace | None = None, *, exact: bool = False
) -> ModelVersion:
    """Return the version that a REF names.

    With `exact`, the name of a model alone is not enough: for commands that change something, as
    the newest version may be another one by the time they run. Raises CommandError: 3 not found, 2
    not exact.
    """
    reference = read(text, options)
    version = source.run(reference.statement)
    if version is None:
        hint = None
        if reference.model_id is not None and (newest := source.run(named(reference.model_id))):
            hint = hint_of(reference.model_id, newest)
        raise exits.CommandError(f"there is no {reference}", exits.NOT_FOUND, hint)
    if exact and not reference.is_exact:
        raise exits.CommandError(
            f'"{text}" is a model; this needs one of its versions',
            exits.USAGE,
            f"Its newest is {version.model_id}. Give a MODEL_ID, NAME==VERSION, NAME@ALIAS or"
            " NAME:STAGE.",
        )
    return version
