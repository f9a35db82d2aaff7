"""The migration: copies what an MLflow registry has into modelreg.

It reads MLflow through MLflow's own client, whatever kind of server or store that is, and can be
run again: it goes on where it was interrupted, leaves what is there, and mirrors what changed in
MLflow since. Each version is one transaction, with its files.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import psycopg
from mlflow.exceptions import MlflowException
from mlflow.prompt.constants import IS_PROMPT_TAG_KEY, PROMPT_TEXT_TAG_KEY
from mlflow.protos.databricks_pb2 import (
    INVALID_STATE,
    RESOURCE_ALREADY_EXISTS,
)
from psycopg import errors as pg
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from ..registry import ModelRegistry
from ..tree import TreeFile
from . import files, mirroring, sources, uri
from .database import Connection, Database, repeated, translated
from .entities import (
    CREATED_PROPERTY,
    EMPTY_PROPERTY,
    SHOWN_AS,
    empty_property,
    instant,
    keepable_metrics,
    properties_of,
    tags_of,
)
from .failures import reason_of_refusal
from .origin import Origin, OriginModel, OriginVersion, tracking_at
from .registering import Ready, Registered, Registration, is_pointer
from .report import ImportReport, Problem, Progress, Step
from .stages import transition

__all__ = ["ImportReport", "Problem", "Step", "import_mlflow"]

T = TypeVar("T")

_PLACEHOLDER = "placeholder for a version that MLflow had deleted"
_REGISTERED_WITHOUT_FILES = (
    "was registered without its files, which MLflow could not deliver then, and a version's files"
    " do not change; delete the model in the registry and import it again to have them"
)


def import_mlflow(
    from_uri: str,
    registry: ModelRegistry | str,
    *,
    names: Sequence[str] | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
    without_files: bool = False,
    mirror: bool = False,
    last_numbers: Mapping[str, int] | None = None,
) -> ImportReport:
    """Copies registered models from the MLflow at ``from_uri`` into ``registry``.

    ``from_uri``: what MLflow takes for a tracking or registry URI. ``registry``: a ModelRegistry, a
    connection string or a registry URI; needs modelreg_admin. ``names``: these models only.

    Versions keep their numbers, with descriptions, tags, stages, aliases, runs and the time that
    they were made; prompts are copied too. Files are hashed when they arrive, and verified in the
    registry. Models that are made allow several production versions, as MLflow does.

    What the registry has otherwise (other bytes under the same number) is left and reported.

    Numbers are given in order, and a version's files do not change. So a version whose files are
    gone waits for the next run as long as no later one can be registered; then it is registered
    without them, as a version that knows where its files should be, and reported. With
    ``without_files`` it is so at once. A version whose files could not be asked for (a place that
    does not answer, or credentials) waits, and those after it too.

    The number of a version that MLflow has deleted is not given to another. An MLflow server does
    not tell of those behind the last version; ``last_numbers`` can, by the models' names.

    ``mirror``: what was imported from the same ``from_uri`` before, and was renamed or deleted in
    MLflow since, is renamed and deleted in the registry too. What others have registered stays.

    Raises MlflowException if MLflow or the registry cannot be reached, or a name is unknown.
    """
    origin = Origin(from_uri)
    report = ImportReport(dry_run=dry_run, last_numbers_known=origin.tells_last_numbers)
    run = _Import(origin, _target(registry), report, progress, without_files, mirror)
    with tracking_at(from_uri):
        models = origin.models(names)
        for model in models:
            model.last_number = max(model.last_number, (last_numbers or {}).get(model.name, 0))
        if mirror:
            run.mirror_models(None if names is None else set(names))
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
    storage_location: str | None

    @property
    def is_without_files(self) -> bool:
        return self.file_count == 0 and is_pointer(self.storage_location, self.checksum)

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
        mirror: bool,
    ) -> None:
        self.origin = origin
        self.target = target
        self.report = report
        self.total = 0
        self._progress = progress
        self._without_files = without_files
        self._mirror = mirror
        self._reason = f"import from MLflow at {origin.shown}"
        self._renamed: dict[str, str] = {}  # in a dry run: present names, or none, by the new ones
        self._missing: dict[int, _Missing] = {}
        self._done = 0

    def model(self, model: OriginModel) -> None:
        """Copies one model; problems with it are reported, and do not keep others from going."""
        try:
            last = self._model_itself(model)
        except MlflowException as error:
            if reason_of_refusal(error) is None:
                raise
            self._conflict(model.name, None, error.message)
            for version in model.versions:
                self._unavailable(model.name, version.number, "waits for its model")
                self._step(model, version, "unavailable")
            return
        blocked: str | None = None
        self._missing = {}
        for version in model.versions:
            if blocked is not None and version.number > last:
                outcome = "unavailable"
                self._unavailable(model.name, version.number, blocked)
            else:
                try:
                    outcome = self._version(model, version, last)
                    if version.number not in self._missing:
                        last = max(last, version.number)
                except _Unreachable as error:
                    outcome = "unavailable"
                    blocked = f"waits for version {version.number}"
                    self._unavailable(model.name, version.number, str(error))
                except MlflowException as error:
                    if reason_of_refusal(error) is None:
                        raise
                    outcome = "conflict"
                    if version.number > last:
                        blocked = f"waits for version {version.number}"
                    self._conflict(model.name, version.number, error.message)
            self._step(model, version, outcome)
        for missing in self._missing.values():
            self._unavailable(model.name, missing.version.number, missing.reason)
        if not self.report.dry_run:
            if blocked is None and not self._missing:
                self._use_up(model, last)
            self._aliases(model)
        if self._mirror:
            self._mirror_versions(model)

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
                (self._present_name(model),),
            ).fetchone()
            if row is None:
                if not self.report.dry_run:
                    properties = {
                        **properties_of(model.tags),
                        **empty_property(model.description),
                        CREATED_PROPERTY: model.created,
                    }
                    connection.execute(
                        "SELECT FROM modelreg_create_model("
                        "model_name => %s, model_type => 'mlflow', description => %s,"
                        " properties => %s, exclusive_production => false, max_versions => -1,"
                        " require_metadata => false, reason => %s)",
                        (model.name, model.description or "", Jsonb(properties), self._reason),
                    )
                return True, 0
            description, properties, last = row
            changes = _changes(properties, properties_of(model.tags), model.description)
            edited = changes or description != (model.description or "")
            if edited and not self.report.dry_run:
                connection.execute(
                    "SELECT FROM modelreg_update_model(model_name => %s, description => %s,"
                    " properties => %s, reason => %s)",
                    (model.name, model.description or "", Jsonb(changes), self._reason),
                )
            return False, last

        created, last = self.target.transaction(work)
        if created:
            self.report.models_created += 1
        else:
            self.report.models_present += 1
        return last

    def _present_name(self, model: OriginModel) -> str:
        return self._renamed.get(model.name, model.name)

    # ---- Versions ----

    def _version(self, model: OriginModel, version: OriginVersion, last: int) -> str:
        present = self.target.transaction(
            lambda connection: _present(connection, self._present_name(model), version.number)
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
                listed: list[TreeFile] = []
                checksum = ""
            else:
                try:
                    place = held.enter_context(self.origin.files_of(version))
                    listing = files.Listing.of(place, source=sources.shown(version.location))
                except MlflowException as error:
                    return self._without(model, version, present, last, registration, error)
                listed = listing.files
                checksum = "" if present is None else files.checksum(files.digests(listing))
                same = present is not None and present.checksum == checksum
                ready = registration.local(place)
            if present is not None:
                if not same:
                    if present.is_without_files and listed:
                        raise MlflowException(_REGISTERED_WITHOUT_FILES, RESOURCE_ALREADY_EXISTS)
                    raise MlflowException(
                        "the registry has other bytes under this number: "
                        + (
                            f"checksum {present.checksum}, {checksum} in MLflow"
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
            if sources.is_unreachable(error):
                raise _Unreachable(error.message)
            self._missing[version.number] = _Missing(version, registration, error.message)
            return "unavailable"
        self._register(model, version, last, registration.reference(version.location))
        self._unavailable(model.name, version.number, f"registered without files: {error.message}")
        return "unavailable"

    def _register(
        self, model: OriginModel, version: OriginVersion, last: int, ready: Ready
    ) -> None:
        with ready:
            refusals = self.target.transaction(
                lambda connection: self._import(connection, model, version, last, ready)
            )
        for number, refusal in refusals:
            self._conflict(model.name, number, refusal)
        for missing in self._missing.values():
            reason = f"registered without files: {missing.reason}"
            self._unavailable(model.name, missing.version.number, reason)
        self.report.versions_imported += 1 + len(self._missing)
        self.report.placeholders += version.number - last - 1 - len(self._missing)
        self._missing = {}

    def _registration(self, model: OriginModel, version: OriginVersion) -> Registration:
        return Registration(
            name=model.name,
            source=version.source,
            run_id=version.run_id,
            properties={**properties_of(version.tags), **empty_property(version.description)},
            run_link=version.run_link,
            description=version.description or "",
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
    ) -> list[tuple[int, str]]:
        """Registers a version in the caller's transaction, after what is to have the numbers
        before it; returns those that could not get their stage, and why."""
        refusals = []
        with self._as_reason(connection):
            for number in range(last + 1, version.number):
                missing = self._missing.get(number)
                if missing is None:
                    _use_up(connection, model.name, number)
                    continue
                pointer = missing.registration.reference(missing.version.location)
                refusals.append(self._import_one(connection, missing.version, pointer))
            refusals.append(self._import_one(connection, version, ready))
        return [(number, refusal) for number, refusal in refusals if refusal is not None]

    def _import_one(
        self, connection: Connection, version: OriginVersion, ready: Ready
    ) -> tuple[int, str | None]:
        registered = ready(connection)
        _require_number(registered, version.number)
        rows = connection.execute(
            "SELECT problem FROM modelreg_verify(model_id => %s) WHERE NOT ok",
            (registered.model_id,),
        ).fetchall()
        if rows:
            raise MlflowException(f"the bytes did not arrive whole: {rows[0][0]}", INVALID_STATE)
        refusal = self._move(connection, registered.model_id, "development", version.stage)
        return version.number, refusal

    @contextlib.contextmanager
    def _as_reason(self, connection: Connection) -> Iterator[None]:
        """In the trail, registrations say then that they are of this import."""
        before = connection.execute("SELECT current_setting('modelreg.reason', true)").fetchone()
        setting = "SELECT set_config('modelreg.reason', %s, true)"
        connection.execute(setting, (self._reason,))
        yield
        connection.execute(setting, before)

    def _use_up(self, model: OriginModel, last: int) -> None:
        """Uses up the numbers that MLflow has given to versions behind the last that it has."""

        def work(connection: Connection) -> None:
            for number in range(last + 1, model.last_number + 1):
                _use_up(connection, model.name, number)

        try:
            self.target.transaction(work)
        except MlflowException as error:
            if reason_of_refusal(error) is None:
                raise
            self._conflict(model.name, None, error.message)
            return
        self.report.placeholders += max(model.last_number - last, 0)

    def _update(self, model: OriginModel, present: _Present, version: OriginVersion) -> str:
        """Brings a version's description, tags and stage up to date."""
        tags = properties_of(version.tags)
        changes = _changes(present.properties, tags, version.description)
        description = version.description or ""

        def work(connection: Connection) -> tuple[bool, str | None]:
            edited = bool(changes) or present.notes != description
            if edited:
                connection.execute(
                    "SELECT FROM modelreg_update(model_id => %s, notes => %s, properties => %s,"
                    " reason => %s)",
                    (present.model_id, description, Jsonb(changes), self._reason),
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
            for alias in sorted(present.keys() | model.aliases.keys()):
                number = model.aliases.get(alias)
                if present.get(alias) == number:
                    continue
                try:
                    with connection.transaction():
                        problem = self._alias(connection, model.name, alias, number)
                except psycopg.Error as error:
                    if (reason := reason_of_refusal(error)) is None:
                        raise
                    problem = f"alias '{alias}': {reason}"
                if problem is None:
                    changed += 1
                else:
                    problems.append(Problem(model.name, None, sources.scrubbed(problem)))
            return changed, problems

        changed, problems = self.target.transaction(work)
        self.report.aliases_changed += changed
        self.report.conflicts.extend(problems)

    def _alias(
        self, connection: Connection, name: str, alias: str, number: int | None
    ) -> str | None:
        """Moves an alias to a number or, without one, drops it; returns why it cannot."""
        if number is None:
            connection.execute(
                "SELECT modelreg_drop_alias(model_name => %s, alias => %s, reason => %s)",
                (name, alias, self._reason),
            )
            return None
        version = _present(connection, name, number)
        if version is None:
            return f"alias '{alias}' names version {number}, which was not imported"
        connection.execute(
            "SELECT FROM modelreg_set_alias(model_id => %s, alias => %s, reason => %s)",
            (version.model_id, alias, self._reason),
        )
        return None

    # ---- What MLflow has renamed and deleted ----

    def mirror_models(self, names: set[str] | None) -> None:
        """Renames and deletes models as MLflow has, of these names only if there are any."""
        there = self.origin.created()

        def work(connection: Connection) -> tuple[int, int, list[Problem]]:
            plan = mirroring.plan(there, mirroring.imported_models(connection, self._reason), names)
            if self.report.dry_run:
                self._renamed = dict.fromkeys([*plan.renames, *plan.deletions], "")
                self._renamed.update({new: old for old, new in plan.renames.items()})
                return len(plan.renames), len(plan.deletions), plan.problems
            return mirroring.carry_out(connection, plan, self._reason)

        renamed, deleted, problems = self.target.transaction(work)
        self.report.models_renamed += renamed
        self.report.models_deleted += deleted
        self.report.conflicts.extend(problems)

    def _mirror_versions(self, model: OriginModel) -> None:
        """Deletes what was imported, and MLflow does not have any more."""
        there = {version.number for version in model.versions}
        found = self.target.transaction(
            lambda connection: mirroring.imported_versions(
                connection, self._present_name(model), self._reason
            )
        )
        for number, model_id in found:
            if number in there:
                continue
            if not self.report.dry_run:
                try:
                    self.target.transaction(
                        lambda connection, model_id=model_id: connection.execute(  # type: ignore[misc]
                            "SELECT modelreg_delete(model_id => %s, force => true, reason => %s)",
                            (model_id, self._reason),
                        )
                    )
                except MlflowException as error:
                    if reason_of_refusal(error) is None:
                        raise
                    self._conflict(model.name, number, f"deleted in MLflow: {error.message}")
                    continue
            self.report.versions_deleted += 1

    # ---- Problems ----

    def _conflict(self, name: str, number: int | None, reason: str) -> None:
        self.report.conflicts.append(Problem(name, number, sources.scrubbed(reason)))

    def _unavailable(self, name: str, number: int, reason: str) -> None:
        self.report.unavailable.append(Problem(name, number, reason))


class _Unreachable(Exception):
    """The files of a version could not be asked for."""


@dataclass(frozen=True)
class _Missing:
    """A version whose files are gone, before it is decided what becomes of it."""

    version: OriginVersion
    registration: Registration
    reason: str


def _present(connection: Connection, name: str, number: int) -> _Present | None:
    row = connection.execute(
        "SELECT v.model_id, v.checksum, v.file_count, v.notes, v.properties,"
        " v.deployment_stage::text, v.training_metadata ->> 'storage_location'"
        " FROM modelreg.model AS m JOIN modelreg.model_version AS v USING (model_key)"
        " WHERE m.model_name = %s AND v.version_number = %s",
        (name, number),
    ).fetchone()
    return None if row is None else _Present(*row)


def _changes(
    present: dict[str, Any], wanted: dict[str, str], description: str | None
) -> dict[str, Any]:
    """What to merge into the present properties for the tags among them to be as wanted, and for
    the description to be empty or absent."""
    tags = tags_of(present)
    changes: dict[str, Any] = dict.fromkeys(tags.keys() - wanted.keys())
    changes.update({key: value for key, value in wanted.items() if tags.get(key) != value})
    if (present.get(EMPTY_PROPERTY) is True) != (description == ""):
        changes[EMPTY_PROPERTY] = True if description == "" else None
    return changes


def _use_up(connection: Connection, name: str, number: int) -> None:
    """Has the registry give a number, and nothing keep it."""
    registered = Registration(name=name, source=None).placeholder(connection)
    _require_number(registered, number)
    connection.execute(
        "SELECT modelreg_delete(model_id => %s, reason => %s)",
        (registered.model_id, _PLACEHOLDER),
    )


def _require_number(registered: Registered, number: int) -> None:
    given = registered.columns[2]
    if given != number:
        raise MlflowException(
            f"the registry would give this version the number {given}: somebody else registers "
            "versions of this model",
            INVALID_STATE,
        )
