"""The migration: copies what an MLflow registry has into modelreg.

It reads MLflow through MLflow's own client, whatever kind of server or store that is, and can be
run again: it goes on where it was interrupted, leaves what is there, and mirrors what changed in
MLflow since. Each version is one transaction, with its files.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from mlflow.exceptions import MlflowException
from mlflow.prompt.constants import IS_PROMPT_TAG_KEY, PROMPT_TEXT_TAG_KEY
from mlflow.protos.databricks_pb2 import (
    INVALID_PARAMETER_VALUE,
    INVALID_STATE,
    RESOURCE_ALREADY_EXISTS,
    ErrorCode,
)
from psycopg import errors as pg
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from ..registry import ModelRegistry
from . import files, sources, uri
from .database import Connection, Database, repeated, translated
from .entities import (
    CREATED_PROPERTY,
    SHOWN_AS,
    instant,
    keepable_metrics,
    properties_of,
    tags_of,
)
from .origin import Origin, OriginModel, OriginVersion, tracking_at
from .registering import Ready, Registered, Registration
from .report import ImportReport, Problem, Progress, Step
from .stages import transition

__all__ = ["ImportReport", "Problem", "Step", "import_mlflow"]

T = TypeVar("T")

_PLACEHOLDER = "placeholder for a version that MLflow had deleted"
_REFUSALS = {
    ErrorCode.Name(code)
    for code in (INVALID_PARAMETER_VALUE, INVALID_STATE, RESOURCE_ALREADY_EXISTS)
}


def import_mlflow(
    from_uri: str,
    registry: ModelRegistry | str,
    *,
    names: Sequence[str] | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
    without_files: bool = False,
) -> ImportReport:
    """Copies registered models from the MLflow at ``from_uri`` into ``registry``.

    ``from_uri``: what MLflow takes for a tracking or registry URI. ``registry``: a ModelRegistry, a
    connection string or a registry URI; needs modelreg_admin. ``names``: these models only.

    Versions keep their numbers, with descriptions, tags, stages, aliases, runs and the time that
    they were made; prompts are copied too. Files are hashed when they arrive, and verified in the
    registry. Models that are made allow several production versions, as MLflow does.

    What the registry has otherwise (other bytes under the same number) is left and reported. If
    MLflow cannot deliver the files of a version, this version and those after it wait for the next
    run, since numbers are given in order; with ``without_files`` it is registered without them, as
    a version that knows where its files should be.

    Raises MlflowException if MLflow or the registry cannot be reached, or a name is unknown.
    """
    origin = Origin(from_uri)
    run = _Import(origin, _target(registry), ImportReport(dry_run=dry_run), progress, without_files)
    with tracking_at(from_uri):
        models = origin.models(names)
        run.total = sum(len(model.versions) for model in models)
        for model in models:
            run.model(model)
    return run.report


class _Target(Protocol):
    """Where to: what Database does."""

    def transaction(self, work: Callable[[Connection], T]) -> T: ...


class _RegistryTarget:
    """A ModelRegistry's connection; within a caller's transaction, a savepoint of it."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._source = registry._source

    def transaction(self, work: Callable[[Connection], T]) -> T:
        @contextlib.contextmanager
        def connection() -> Iterator[Connection]:
            with translated(), self._source.connection() as lent:
                factory, lent.row_factory = lent.row_factory, tuple_row
                if not self._source.owned and not lent.autocommit:
                    lent.execute("SELECT")  # begins, so that what follows is a savepoint
                try:
                    yield lent
                finally:
                    lent.row_factory = factory

        return repeated(connection, work)


def _target(registry: ModelRegistry | str) -> _Target:
    if isinstance(registry, ModelRegistry):
        return _RegistryTarget(registry)
    if uri.is_registry_uri(registry):
        return Database(uri.parse(registry).of_database())
    return _RegistryTarget(ModelRegistry(registry))


@dataclass
class _Present:
    """A version that the registry has under a number."""

    model_id: str
    checksum: str
    file_count: int
    notes: str
    properties: dict[str, Any]
    stage: str

    def has_text_of(self, prompt: OriginVersion) -> bool:
        """Whether it is the same prompt: what files are to a model, its text is to a prompt."""
        keys = (IS_PROMPT_TAG_KEY, PROMPT_TEXT_TAG_KEY)
        wanted = properties_of(prompt.tags)
        return all(self.properties.get(key) == wanted.get(key) for key in keys)


class _Import:
    def __init__(
        self,
        origin: Origin,
        target: _Target,
        report: ImportReport,
        progress: Progress | None,
        without_files: bool,
    ) -> None:
        self.origin = origin
        self.target = target
        self.report = report
        self.total = 0
        self._progress = progress
        self._without_files = without_files
        self._done = 0

    def model(self, model: OriginModel) -> None:
        """Copies one model; problems with it are reported, and do not keep others from going."""
        try:
            last = self._model_itself(model)
        except MlflowException as error:
            if error.error_code not in _REFUSALS:
                raise
            self._conflict(model.name, None, error.message)
            for version in model.versions:
                self._unavailable(model.name, version.number, "waits for its model")
                self._step(model, version, "unavailable")
            return
        blocked: str | None = None
        for version in model.versions:
            if blocked is not None and version.number > last:
                outcome = "unavailable"
                self._unavailable(model.name, version.number, blocked)
            else:
                try:
                    outcome = self._version(model, version, last)
                    last = max(last, version.number) if outcome != "conflict" else last
                except _Unavailable as error:
                    outcome = "unavailable"
                    blocked = f"waits for version {version.number}"
                    self._unavailable(model.name, version.number, str(error))
                except MlflowException as error:
                    if error.error_code not in _REFUSALS:
                        raise
                    outcome = "conflict"
                    if version.number > last:
                        blocked = f"waits for version {version.number}"
                    self._conflict(model.name, version.number, error.message)
            self._step(model, version, outcome)
        if not self.report.dry_run:
            self._aliases(model)

    def _step(self, model: OriginModel, version: OriginVersion, outcome: str) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(Step(model.name, version.number, outcome, self._done, self.total))

    # ---- Models ----

    def _model_itself(self, model: OriginModel) -> int:
        """Makes the model, or brings it up to date; returns the last number that it gave."""

        def work(connection: Connection) -> tuple[bool, int]:
            row = connection.execute(
                "SELECT description, properties, last_version_number FROM modelreg.model"
                " WHERE model_name = %s",
                (model.name,),
            ).fetchone()
            if row is None:
                if not self.report.dry_run:
                    properties = {**properties_of(model.tags), CREATED_PROPERTY: model.created}
                    connection.execute(
                        "SELECT FROM modelreg_create_model("
                        "model_name => %s, model_type => 'mlflow', description => %s,"
                        " properties => %s, exclusive_production => false, max_versions => -1,"
                        " require_metadata => false, reason => %s)",
                        (model.name, model.description, Jsonb(properties), self._reason),
                    )
                return True, 0
            description, properties, last = row
            changes = _changes(properties, properties_of(model.tags))
            if (changes or description != model.description) and not self.report.dry_run:
                connection.execute(
                    "SELECT FROM modelreg_update_model(model_name => %s, description => %s,"
                    " properties => %s, reason => %s)",
                    (model.name, model.description, Jsonb(changes), self._reason),
                )
            return False, last

        created, last = self.target.transaction(work)
        if created:
            self.report.models_created += 1
        else:
            self.report.models_present += 1
        return last

    @property
    def _reason(self) -> str:
        return f"import from MLflow at {self.origin.shown}"

    # ---- Versions ----

    def _version(self, model: OriginModel, version: OriginVersion, last: int) -> str:
        present = self.target.transaction(
            lambda connection: _present(connection, model.name, version.number)
        )
        if present is None and version.number <= last:
            raise MlflowException(
                "the registry has deleted its version of that number, and gives no number twice",
                INVALID_STATE,
            )
        if self.report.dry_run:
            return self._would_do(version, present)
        with contextlib.ExitStack() as held:
            registration = self._registration(model, version)
            if version.is_prompt:
                ready = registration.prompt()
                same = present is not None and present.has_text_of(version)
                listed: list[files.LocalFile] = []
            else:
                try:
                    place = held.enter_context(self.origin.files_of(version))
                    listed = files.list_files(place, source=sources.shown(version.location))
                except MlflowException as error:
                    return self._without(model, version, present, last, registration, error)
                same = present is not None and present.checksum == _checksum(listed)
                ready = registration.local(place)
            if present is not None:
                if not same:
                    raise MlflowException(
                        "the registry has other bytes under this number: "
                        + (
                            f"checksum {present.checksum}, {_checksum(listed)} in MLflow"
                            if listed
                            else "not this prompt"
                        ),
                        RESOURCE_ALREADY_EXISTS,
                    )
                return self._update(model, present, version)
            self._register(model, version, last, ready)
            self.report.files += len(listed)
            self.report.bytes += sum(file.size for file in listed)
        return "imported"

    def _would_do(self, version: OriginVersion, present: _Present | None) -> str:
        if present is not None:
            self.report.versions_present += 1
            return "present"
        self.report.versions_imported += 1
        return "imported"

    def _without(
        self,
        model: OriginModel,
        version: OriginVersion,
        present: _Present | None,
        last: int,
        registration: Registration,
        error: MlflowException,
    ) -> str:
        """What becomes of a version whose files MLflow cannot deliver."""
        if present is not None:
            self._update(model, present, version)
            if present.file_count == 0 and self._without_files:
                return "present"
            self._unavailable(
                model.name, version.number, f"not compared with MLflow's: {error.message}"
            )
            return "unavailable"
        if not self._without_files:
            raise _Unavailable(error.message)
        self._register(model, version, last, registration.reference(version.location))
        self._unavailable(model.name, version.number, f"registered without files: {error.message}")
        return "unavailable"

    def _register(
        self, model: OriginModel, version: OriginVersion, last: int, ready: Ready
    ) -> None:
        with ready:
            refusal = self.target.transaction(
                lambda connection: self._import(connection, model, version, last, ready)
            )
        if refusal is not None:
            self._conflict(model.name, version.number, refusal)
        self.report.versions_imported += 1
        self.report.placeholders += version.number - last - 1

    def _registration(self, model: OriginModel, version: OriginVersion) -> Registration:
        return Registration(
            name=model.name,
            source=version.source,
            run_id=version.run_id,
            properties=dict(properties_of(version.tags)),
            run_link=version.run_link,
            description=version.description,
            mlflow_model_id=version.mlflow_model_id,
            metrics=keepable_metrics(self.origin.metrics_of(version)),
            user_id=version.user_id,
            created_at=instant(version.created),
        )

    def _import(
        self,
        connection: Connection,
        model: OriginModel,
        version: OriginVersion,
        last: int,
        ready: Ready,
    ) -> str | None:
        """Registers a version in the caller's transaction, after placeholders for the numbers
        that MLflow does not have any more; returns why it could not get its stage."""
        for number in range(last + 1, version.number):
            registered = Registration(name=model.name, source=None).placeholder(connection)
            _require_number(registered, number)
            connection.execute(
                "SELECT modelreg_delete(model_id => %s, reason => %s)",
                (registered.model_id, _PLACEHOLDER),
            )
        registered = ready(connection)
        _require_number(registered, version.number)
        rows = connection.execute(
            "SELECT problem FROM modelreg_verify(model_id => %s) WHERE NOT ok",
            (registered.model_id,),
        ).fetchall()
        if rows:
            raise MlflowException(f"the bytes did not arrive whole: {rows[0][0]}", INVALID_STATE)
        return self._move(connection, registered.model_id, "development", version.stage)

    def _update(self, model: OriginModel, present: _Present, version: OriginVersion) -> str:
        """Brings a version's description, tags and stage up to date."""
        changes = _changes(present.properties, properties_of(version.tags))

        def work(connection: Connection) -> tuple[bool, str | None]:
            edited = bool(changes) or present.notes != version.description
            if edited:
                connection.execute(
                    "SELECT FROM modelreg_update(model_id => %s, notes => %s, properties => %s,"
                    " reason => %s)",
                    (present.model_id, version.description, Jsonb(changes), self._reason),
                )
            moves = SHOWN_AS[present.stage] != version.stage
            refusal = self._move(connection, present.model_id, present.stage, version.stage)
            return edited or (moves and refusal is None), refusal

        self.report.versions_present += 1
        changed, refusal = self.target.transaction(work)
        if refusal is not None:
            self._conflict(model.name, version.number, refusal)
        if not changed:
            return "present"
        self.report.versions_updated += 1
        return "updated"

    def _move(self, connection: Connection, model_id: str, present: str, target: str) -> str | None:
        """Moves a version to the stage that it has in MLflow, or returns why it stays."""
        if SHOWN_AS[present] == target:
            return None
        try:
            with connection.transaction():
                transition(connection, model_id, target, archive_existing=False)
        except (MlflowException, pg.ObjectNotInPrerequisiteState) as error:
            return f"is {target} in MLflow, and stays in {present}: {error}"
        return None

    # ---- Aliases ----

    def _aliases(self, model: OriginModel) -> None:
        """Makes the model's aliases those that it has in MLflow."""

        def work(connection: Connection) -> tuple[int, list[Problem]]:
            rows = connection.execute(
                "SELECT a.alias, v.version_number FROM modelreg.model AS m"
                " JOIN modelreg.model_alias AS a USING (model_key)"
                " JOIN modelreg.model_version AS v USING (model_id) WHERE m.model_name = %s",
                (model.name,),
            ).fetchall()
            present: dict[str, int] = dict(rows)
            changed, problems = 0, []
            for alias in present.keys() - model.aliases.keys():
                connection.execute(
                    "SELECT modelreg_drop_alias(model_name => %s, alias => %s, reason => %s)",
                    (model.name, alias, self._reason),
                )
                changed += 1
            for alias, number in sorted(model.aliases.items()):
                if present.get(alias) == number:
                    continue
                version = _present(connection, model.name, number)
                if version is None:
                    reason = f"alias '{alias}' names version {number}, which was not imported"
                    problems.append(Problem(model.name, None, reason))
                    continue
                connection.execute(
                    "SELECT FROM modelreg_set_alias(model_id => %s, alias => %s, reason => %s)",
                    (version.model_id, alias, self._reason),
                )
                changed += 1
            return changed, problems

        try:
            changed, problems = self.target.transaction(work)
        except MlflowException as error:
            if error.error_code not in _REFUSALS:
                raise
            self._conflict(model.name, None, f"aliases: {error.message}")
            return
        self.report.aliases_changed += changed
        self.report.conflicts.extend(problems)

    # ---- Problems ----

    def _conflict(self, name: str, number: int | None, reason: str) -> None:
        self.report.conflicts.append(Problem(name, number, sources.scrubbed(reason)))

    def _unavailable(self, name: str, number: int, reason: str) -> None:
        self.report.unavailable.append(Problem(name, number, reason))


class _Unavailable(Exception):
    """MLflow cannot deliver the files of a version."""


def _present(connection: Connection, name: str, number: int) -> _Present | None:
    row = connection.execute(
        "SELECT v.model_id, v.checksum, v.file_count, v.notes, v.properties,"
        " v.deployment_stage::text"
        " FROM modelreg.model AS m JOIN modelreg.model_version AS v USING (model_key)"
        " WHERE m.model_name = %s AND v.version_number = %s",
        (name, number),
    ).fetchone()
    return None if row is None else _Present(*row)


def _checksum(listed: Sequence[files.LocalFile]) -> str:
    return files.checksum(files.digest(file) for file in listed)


def _changes(present: dict[str, Any], wanted: dict[str, str]) -> dict[str, str | None]:
    """What to merge into the present properties for the tags among them to be as wanted."""
    tags = tags_of(present)
    changes: dict[str, str | None] = dict.fromkeys(tags.keys() - wanted.keys())
    changes.update({key: value for key, value in wanted.items() if tags.get(key) != value})
    return changes


def _require_number(registered: Registered, number: int) -> None:
    given = registered.columns[2]
    if given != number:
        raise MlflowException(
            f"the registry would give this version the number {given}: somebody else registers "
            "versions of this model",
            INVALID_STATE,
        )
