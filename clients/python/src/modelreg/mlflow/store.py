"""MLflow's model registry store on modelreg's tables.

A registered model is a model, a model version is a version; see ``entities`` for what becomes of
their parts. Behaviour, errors and pages are those of MLflow's own SQL store, except where that
loses a race: each call here is one transaction, and the model's row is locked by the registry's
functions before anything that others must not see half done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.entities.model_registry.model_version_stages import (
    ALL_STAGES,
    DEFAULT_STAGES_FOR_GET_LATEST_VERSIONS,
    get_canonical_stage,
)
from mlflow.exceptions import MlflowException
from mlflow.prompt.registry_utils import handle_resource_already_exist_error, has_prompt_tag
from mlflow.protos.databricks_pb2 import (
    INVALID_PARAMETER_VALUE,
    RESOURCE_ALREADY_EXISTS,
    RESOURCE_DOES_NOT_EXIST,
)
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.model_registry import (
    SEARCH_MODEL_VERSION_MAX_RESULTS_DEFAULT,
    SEARCH_MODEL_VERSION_MAX_RESULTS_THRESHOLD,
    SEARCH_REGISTERED_MODEL_MAX_RESULTS_DEFAULT,
    SEARCH_REGISTERED_MODEL_MAX_RESULTS_THRESHOLD,
)
from mlflow.store.model_registry.abstract_store import AbstractStore
from mlflow.utils.validation import (
    _validate_model_alias_name,
    _validate_model_alias_name_reserved,
    _validate_model_name,
    _validate_model_renaming,
    _validate_model_version,
    _validate_model_version_tag,
    _validate_registered_model_tag,
    _validate_tag_name,
)
from psycopg import errors as pg
from psycopg.types.json import Jsonb

from . import pages, reading, search, uri
from .database import Connection, Database
from .entities import (
    ALIASES,
    MODEL_COLUMNS,
    VERSION_COLUMNS,
    check_tag_key,
    empty_property,
    model_version,
    properties_of,
    registered_model,
)
from .locating import complete_from_logged_model, locate
from .registering import Registration, is_pointer
from .stages import transition
from .times import RENAMED_PROPERTY
from .webhooks import WithoutWebhooks

_LATEST = "latest"  # what MLflow's clients ask for as if it were an alias


class ModelregStore(WithoutWebhooks, AbstractStore):
    """The store for ``modelreg+postgresql://user@host:port/database``.

    With ``?artifacts=reference`` versions keep the address of their files only; otherwise the
    files themselves are registered. Safe for threads; can be pickled and forked.
    """

    def __init__(self, store_uri: str, tracking_uri: str | None = None) -> None:
        super().__init__(store_uri, tracking_uri)  # type: ignore[no-untyped-call]
        self.database_uri = uri.parse(store_uri).of_database()
        self._registry_uri = store_uri
        self._database = Database(self.database_uri)
        self.tracking_uri = tracking_uri

    @property
    def supports_workspaces(self) -> bool:
        return False

    # ---- Registered models ----

    def create_registered_model(
        self,
        name: str,
        tags: Sequence[Any] | None = None,
        description: str | None = None,
        deployment_job_id: str | None = None,
    ) -> RegisteredModel:
        _validate_model_name(name)
        for tag in tags or ():
            _validate_registered_model_tag(tag.key, tag.value)
        properties = {**properties_of(tags), **empty_property(description)}

        def create(connection: Connection) -> RegisteredModel | None:
            try:
                with connection.transaction():
                    connection.execute(
                        "SELECT FROM modelreg_create_model("
                        "model_name => %s, model_type => 'mlflow', description => %s,"
                        " properties => %s, exclusive_production => false, max_versions => -1,"
                        " require_metadata => false)",
                        (name, description or "", Jsonb(properties)),
                    )
            except pg.DuplicateObject:
                return None
            return reading.model(connection, name)

        created = self._database.transaction(create)
        if created is not None:
            return created
        existing = self.get_registered_model(name)
        handle_resource_already_exist_error(
            name, has_prompt_tag(existing._tags), has_prompt_tag(list(tags or ()))
        )
        raise AssertionError("unreachable")

    def update_registered_model(
        self, name: str, description: str | None, deployment_job_id: str | None = None
    ) -> RegisteredModel:
        _validate_model_name(name)

        def update(connection: Connection) -> RegisteredModel:
            reading.describe_model(connection, name, description)
            return reading.model(connection, name)

        return self._database.transaction(update)

    def rename_registered_model(self, name: str, new_name: str) -> RegisteredModel:
        _validate_model_renaming(new_name)
        _validate_model_name(name)

        def rename(connection: Connection) -> RegisteredModel:
            try:
                if new_name != name:
                    connection.execute(
                        "SELECT FROM modelreg_rename_model(model_name => %s, new_name => %s)",
                        (name, new_name),
                    )
                # The versions have been renamed too, and all at one time.
                properties = {RENAMED_PROPERTY: reading.now_ms(connection)}
                reading.change_model(connection, new_name, properties=Jsonb(properties))
            except pg.UndefinedObject:
                raise reading.no_model(name) from None
            except pg.DuplicateObject:
                raise MlflowException(
                    f"Registered Model (name={new_name}) already exists.", RESOURCE_ALREADY_EXISTS
                ) from None
            return reading.model(connection, new_name)

        return self._database.transaction(rename)

    def delete_registered_model(self, name: str) -> None:
        _validate_model_name(name)

        def delete(connection: Connection) -> None:
            try:
                connection.execute(
                    "SELECT modelreg_delete_model(model_name => %s, force => true)", (name,)
                )
            except pg.UndefinedObject:
                raise reading.no_model(name) from None

        self._database.transaction(delete)

    def search_registered_models(
        self,
        filter_string: str | None = None,
        max_results: int = SEARCH_REGISTERED_MODEL_MAX_RESULTS_DEFAULT,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[RegisteredModel]:
        _check_max_results(max_results, SEARCH_REGISTERED_MODEL_MAX_RESULTS_THRESHOLD)
        query, order = search.registered_models(filter_string, order_by)
        start = search.offset(page_token)
        with self._database.connection() as connection:
            rows = connection.execute(
                f"SELECT {MODEL_COLUMNS} FROM modelreg.model AS m WHERE {query.where}"
                f" ORDER BY {order} LIMIT %s OFFSET %s",
                (*query.parameters, max_results + 1, start),
            ).fetchall()
            page = rows[:max_results]
            latest = reading.latest_versions(connection, [row[0] for row in page])
        models = [registered_model(row, latest.get(row[0], ())) for row in page]
        more = len(rows) > max_results
        return PagedList(models, search.next_token(more, start, max_results))

    def get_registered_model(self, name: str) -> RegisteredModel:
        _validate_model_name(name)
        with self._database.connection() as connection:
            return reading.model(connection, name)

    def last_number(self, name: str) -> int:
        """The last number given to a version of the model, to a deleted one too."""
        with self._database.connection() as connection:
            row = connection.execute(
                "SELECT last_version_number FROM modelreg.model WHERE model_name = %s", (name,)
            ).fetchone()
        if row is None:
            raise reading.no_model(name)
        return int(row[0])

    def get_latest_versions(
        self, name: str, stages: Sequence[str] | None = None
    ) -> list[ModelVersion]:
        _validate_model_name(name)
        wanted = {get_canonical_stage(stage) for stage in (stages or ALL_STAGES)}
        with self._database.connection() as connection:
            key = reading.model_key(connection, name)
            versions = reading.latest_versions(connection, [key], with_aliases=True).get(key, [])
        return [version for version in versions if version.current_stage in wanted]

    def set_registered_model_tag(self, name: str, tag: Any) -> None:
        _validate_model_name(name)
        _validate_registered_model_tag(tag.key, tag.value)
        properties = properties_of([tag])
        self._database.transaction(
            lambda connection: reading.change_model(connection, name, properties=Jsonb(properties))
        )

    def delete_registered_model_tag(self, name: str, key: str) -> None:
        _validate_model_name(name)
        _validate_tag_name(key)
        check_tag_key(key)
        self._database.transaction(
            lambda connection: reading.change_model(connection, name, properties=Jsonb({key: None}))
        )

    # ---- Model versions ----

    def create_model_version(
        self,
        name: str,
        source: str,
        run_id: str | None = None,
        tags: Sequence[Any] | None = None,
        run_link: str | None = None,
        description: str | None = None,
        local_model_path: str | None = None,
        model_id: str | None = None,
    ) -> ModelVersion:
        """Registers a version, with its files unless the store keeps references only.

        The files are uploaded before the model is locked. If one of them cannot be read, or the
        model has been deleted meanwhile, there is no version.
        """
        _validate_model_name(name)
        for tag in tags or ():
            _validate_model_version_tag(tag.key, tag.value)
        if uri.is_registry_uri(source):
            source = uri.parse(source).public()  # it is handed out
        registration = Registration(
            name=name,
            source=source,
            run_id=run_id,
            properties={**properties_of(tags), **empty_property(description)},
            run_link=run_link,
            description=description or "",
            mlflow_model_id=model_id,
        )
        with self._database.connection() as connection:
            key = reading.model_key(connection, name)

        if has_prompt_tag(list(tags or ())):
            register = registration.prompt()
        else:
            location, version_id = locate(self, source, registration)
            complete_from_logged_model(model_id, registration, self.tracking_uri)
            if self.database_uri.reference_only:
                register = registration.reference(location)
            elif local_model_path is not None:
                register = registration.local(local_model_path)
            elif version_id is not None:
                register = registration.copy(version_id)
            else:
                register = registration.fetched(location, self.tracking_uri, self._registry_uri)

        def create(connection: Connection) -> ModelVersion:
            row = register(connection)
            if row.model_key != key:
                # Deleted while the files came in: registering has made another of that name.
                raise reading.no_model(name)
            return model_version(row.columns)

        try:
            with register:
                return self._database.transaction(create)
        except MlflowException:
            # Whatever was said, of a model that has been deleted meanwhile it is beside the point.
            with self._database.connection() as connection:
                reading.model_key(connection, name)
            raise

    def update_model_version(
        self, name: str, version: int | str, description: str | None = None
    ) -> ModelVersion:
        number = _checked(name, version)

        def update(connection: Connection) -> ModelVersion:
            reading.describe_version(connection, name, number, description)
            return reading.version(connection, name, number)

        return self._database.transaction(update)

    def transition_model_version_stage(
        self, name: str, version: int | str, stage: str, archive_existing_versions: bool
    ) -> ModelVersion:
        target = get_canonical_stage(stage)
        if archive_existing_versions and target not in DEFAULT_STAGES_FOR_GET_LATEST_VERSIONS:
            raise MlflowException(
                "Model version transition cannot archive existing model versions "
                f"because '{stage}' is not an Active stage. "
                f"Valid stages are {DEFAULT_STAGES_FOR_GET_LATEST_VERSIONS}"
            )
        number = _checked(name, version)

        def move(connection: Connection) -> ModelVersion:
            model_id = reading.model_id(connection, name, number)
            try:
                transition(connection, model_id, target, archive_existing_versions)
            except pg.UndefinedObject:
                raise reading.no_version(name, number) from None
            return reading.version(connection, name, number)

        return self._database.transaction(move)

    def delete_model_version(self, name: str, version: int | str) -> None:
        number = _checked(name, version)

        def delete(connection: Connection) -> None:
            model_id = reading.model_id(connection, name, number)
            statement = "SELECT modelreg_delete(model_id => %s, force => %s)"
            try:
                try:
                    with connection.transaction():
                        connection.execute(statement, (model_id, False))
                except pg.ObjectInUse:  # in production, or has aliases: only admins may
                    connection.execute(statement, (model_id, True))
            except pg.UndefinedObject:
                raise reading.no_version(name, number) from None

        self._database.transaction(delete)

    def get_model_version(self, name: str, version: int | str) -> ModelVersion:
        number = _checked(name, version)
        with self._database.connection() as connection:
            return reading.version(connection, name, number)

    def get_model_version_download_uri(self, name: str, version: int | str) -> str:
        """The address of the version's files, without secrets.

        In an MLflow server that serves artifacts from the same database, an address that any of
        its clients can read through it; else one for clients that reach the database.
        """
        number = _checked(name, version)
        if not reading.possible(number):
            raise reading.no_version(name, number)
        with self._database.connection() as connection:
            row = connection.execute(
                "SELECT v.model_id, v.file_count, v.training_metadata ->> 'storage_location',"
                " v.training_metadata ->> 'source', v.checksum"
                " FROM modelreg.model AS m JOIN modelreg.model_version AS v USING (model_key)"
                " WHERE m.model_name = %s AND v.version_number = %s",
                (name, number),
            ).fetchone()
        if row is None:
            raise reading.no_version(name, number)
        model_id, file_count, storage_location, source, checksum = row
        if file_count == 0 and is_pointer(storage_location, checksum):
            return str(storage_location or source)
        destination = uri.served_artifacts_destination()
        if (
            destination is not None
            and uri.is_registry_uri(destination)
            and uri.parse(destination).identity == self.database_uri.identity
        ):
            return f"mlflow-artifacts:/{uri.version_path(model_id)}"
        return self.database_uri.of_version(model_id).public()

    def search_model_versions(
        self,
        filter_string: str | None = None,
        max_results: int = SEARCH_MODEL_VERSION_MAX_RESULTS_DEFAULT,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[ModelVersion]:
        if not isinstance(max_results, int) or max_results < 1:
            raise MlflowException.invalid_parameter_value(
                "Invalid value for max_results. It must be a positive integer,"
                f" but got {max_results}"
            )
        _check_max_results(max_results, SEARCH_MODEL_VERSION_MAX_RESULTS_THRESHOLD)
        query = search.model_versions(filter_string, order_by)
        start = search.offset(page_token)
        with self._database.connection() as connection:
            versions, more = pages.versions(connection, query, start, max_results)
        return PagedList(versions, search.next_token(more, start, max_results))

    def set_model_version_tag(self, name: str, version: int | str, tag: Any) -> None:
        number = _checked(name, version)
        _validate_model_version_tag(tag.key, tag.value)
        properties = properties_of([tag])
        self._database.transaction(
            lambda connection: reading.change_version(
                connection, name, number, properties=Jsonb(properties)
            )
        )

    def delete_model_version_tag(self, name: str, version: int | str, key: str) -> None:
        number = _checked(name, version)
        _validate_tag_name(key)
        check_tag_key(key)
        self._database.transaction(
            lambda connection: reading.change_version(
                connection, name, number, properties=Jsonb({key: None})
            )
        )

    # ---- Aliases ----

    def set_registered_model_alias(self, name: str, alias: str, version: int | str) -> None:
        _validate_model_name(name)
        _validate_model_alias_name(alias)
        _validate_model_alias_name_reserved(alias)
        number = _checked(name, version)

        def set_alias(connection: Connection) -> None:
            model_id = reading.model_id(connection, name, number)
            try:
                connection.execute(
                    "SELECT FROM modelreg_set_alias(model_id => %s, alias => %s)",
                    (model_id, alias),
                )
            except pg.UndefinedObject:
                raise reading.no_version(name, number) from None

        self._database.transaction(set_alias)

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        _validate_model_name(name)
        _validate_model_alias_name(alias)

        def drop_alias(connection: Connection) -> None:
            try:
                connection.execute(
                    "SELECT modelreg_drop_alias(model_name => %s, alias => %s)", (name, alias)
                )
            except pg.UndefinedObject:
                raise reading.no_model(name) from None

        self._database.transaction(drop_alias)

    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        _validate_model_name(name)
        _validate_model_alias_name(alias)
        if alias.lower() == _LATEST:
            if versions := self.get_latest_versions(name):
                return max(versions, key=lambda version: int(version.version))
            raise MlflowException(
                f"Latest version not found for model {name}.", RESOURCE_DOES_NOT_EXIST
            )
        with self._database.connection() as connection:
            row = connection.execute(
                f"SELECT {VERSION_COLUMNS}, {ALIASES}"
                " FROM modelreg.model AS m"
                " LEFT JOIN modelreg.model_alias AS n"
                " ON n.model_key = m.model_key AND n.alias = %s"
                " LEFT JOIN modelreg.model_version AS v ON v.model_id = n.model_id"
                " WHERE m.model_name = %s",
                (alias, name),
            ).fetchone()
        if row is None:
            raise reading.no_model(name)
        if row[0] is None:
            raise MlflowException(
                f"Registered model alias {alias} not found.", INVALID_PARAMETER_VALUE
            )
        return model_version(row, row[-1])

    def _await_model_version_creation(self, mv: ModelVersion, await_creation_for: int) -> None:
        """Nothing to wait for: a version is there as a whole, or not at all."""


def _checked(name: str, version: int | str) -> int:
    _validate_model_name(name)
    _validate_model_version(version)
    return int(version)


def _check_max_results(max_results: int, threshold: int) -> None:
    if max_results > threshold:
        raise MlflowException.invalid_parameter_value(
            "Invalid value for request parameter max_results. It must be at most "
            f"{threshold}, but got value {max_results}"
        )
