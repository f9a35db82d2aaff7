"""ModelRegistry: the registry for programs without asyncio."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.pq import TransactionStatus

from modelreg import frames, statements
from modelreg.connection import SourceArgument, execute
from modelreg.core import PathArgument, Stage, Type
from modelreg.dsn import conninfo_of
from modelreg.errors import ConfigurationError, TransactionError, translated
from modelreg.loading import Loading
from modelreg.preparing import in_order, missing_ids
from modelreg.registering import Registering
from modelreg.types import (
    Alias,
    AuditEvent,
    DeploymentStage,
    ModelVersion,
    RegistryConfig,
    StorageBackend,
    Trust,
    Verification,
)
from modelreg.values import text_list

if TYPE_CHECKING:
    import pandas

    from modelreg.live import LiveModel
    from modelreg.watching import Watch


class ModelRegistry(Registering, Loading):
    """A registry of models in a PostgreSQL database with the extension modelreg.

    source is one of:

    - a connection string, or None for libpq's environment: one connection, made when it is first
      needed and made again when it was lost. Threads wait for each other.
    - a psycopg_pool.ConnectionPool: a connection for each operation, so threads work side by side.
    - a psycopg.Connection: operations are part of its transaction, and never commit it or roll it
      back. It is for one thread at a time, as transactions are.

    A RegistryConfig alone does as well; its registry_root is the source then.

    Objects are context managers; close() closes what the registry has opened itself. All methods
    raise ModelregError's subclasses; where a row of the server's documentation names a SQLSTATE, it
    is their sqlstate.

    A reference to a version is its model_id, or "model@alias" where reading is concerned.
    """

    # ---- Finding ----

    def get_model_info(self, model_id: str) -> ModelVersion | None:
        """The metadata of a version; None if there is no such version."""
        return self._look(model_id)

    def find_latest(
        self,
        model_type: Type | None = None,
        deployment_stage: Stage | None = None,
        min_performance: Mapping[str, float] | None = None,
        tags: Iterable[str] | None = None,
        *,
        model_name: str | None = None,
        version: str | None = None,
        max_performance: Mapping[str, float] | None = None,
    ) -> ModelVersion | None:
        """The metadata of what load_latest_model would load; None if nothing passes."""
        return self._source.run(
            statements.find_latest(
                model_type=model_type,
                deployment_stage=deployment_stage,
                min_performance=min_performance,
                tags=tags,
                model_name=model_name,
                version=version,
                max_performance=max_performance,
            )
        )

    def list_versions(
        self,
        model_type: Type | None = None,
        deployment_stage: Stage | None = None,
        min_performance: Mapping[str, float] | None = None,
        tags: Iterable[str] | None = None,
        *,
        model_name: str | None = None,
        version: str | None = None,
        max_performance: Mapping[str, float] | None = None,
        max_rows: int | None = None,
        before_id: str | None = None,
    ) -> list[ModelVersion]:
        """The versions that pass every filter, newest first, all as of one moment.

        max_rows and before_id, the last model_id of the page before, make pages.
        """
        return self._run(
            statements.list_page(
                max_rows,
                before_id,
                model_type=model_type,
                deployment_stage=deployment_stage,
                min_performance=min_performance,
                tags=tags,
                model_name=model_name,
                version=version,
                max_performance=max_performance,
            ),
            *([] if before_id is None else [before_id]),
        )

    def list_models(
        self,
        model_type: Type | None = None,
        deployment_stage: Stage | None = None,
        min_performance: Mapping[str, float] | None = None,
        tags: Iterable[str] | None = None,
        *,
        model_name: str | None = None,
        version: str | None = None,
        max_performance: Mapping[str, float] | None = None,
        max_rows: int | None = None,
    ) -> pandas.DataFrame:
        """list_versions as a DataFrame: a row a version, a column a field of ModelVersion."""
        frames.require()
        return frames.version_frame(
            self.list_versions(
                model_type,
                deployment_stage,
                min_performance,
                tags,
                model_name=model_name,
                version=version,
                max_performance=max_performance,
                max_rows=max_rows,
            )
        )

    def compare_models(
        self, model_ids: Iterable[str], metrics: Iterable[str] | None = None
    ) -> pandas.DataFrame:
        """Metrics side by side: a row a version in the order given, a column a metric.

        The first columns are model_id, version and deployment_stage. metrics None are all that any
        of the versions has. Raises NotFoundError if one of them does not exist.
        """
        frames.require()
        ids = list(dict.fromkeys(text_list(model_ids, "model_ids")))
        found = self._source.run(statements.versions(ids))
        if missing := missing_ids(ids, found):
            raise self._unknown(missing[0])
        return frames.comparison_frame(
            in_order(ids, found), None if metrics is None else text_list(metrics, "metrics")
        )

    def resolve(self, model_name: str, alias: str) -> ModelVersion | None:
        """The version that an alias names; None if there is no such alias."""
        return self._source.run(statements.resolve(model_name, alias))

    def list_aliases(self, model_name: str) -> list[Alias]:
        """The aliases of a model, by name."""
        return self._source.run(statements.aliases(model_name))

    # ---- Changing ----

    def update_deployment_stage(
        self, model_id: str, new_stage: Stage, reason: str | None = None
    ) -> ModelVersion:
        """Move a version to another stage. Into production, the present one is demoted first."""
        return self._run(statements.update_stage(model_id, new_stage, reason), model_id)

    def update_model_version(
        self,
        model_id: str,
        *,
        notes: str | None = None,
        tags: Iterable[str] | None = None,
        performance_metrics: Mapping[str, float] | None = None,
        properties: Mapping[str, Any] | None = None,
        reason: str | None = None,
    ) -> ModelVersion:
        """Replace notes, tags or metrics; None leaves alone.

        properties are merged into those that are there: a value of None removes its key.
        """
        return self._run(
            statements.update(
                model_id,
                notes=notes,
                tags=tags,
                performance_metrics=performance_metrics,
                properties=properties,
                reason=reason,
            ),
            model_id,
        )

    def delete_model(self, model_id: str, force: bool = False, reason: str | None = None) -> None:
        """Delete a version. One in production, or with an alias, only with force, as admin."""
        self._run(statements.delete(model_id, force, reason), model_id)

    def set_alias(self, model_id: str, alias: str, reason: str | None = None) -> Alias:
        """Have an alias of the version's model name this version, whatever it named before."""
        return self._run(statements.set_alias(model_id, alias, reason), model_id)

    def drop_alias(self, model_name: str, alias: str, reason: str | None = None) -> bool:
        """Drop an alias; False if there was none."""
        return self._source.run(statements.drop_alias(model_name, alias, reason))

    def reassign(self, from_role: str, to_role: str, reason: str | None = None) -> int:
        """Give what a role owns, or one that is gone did, to another; returns how many.

        These are versions and unfinished uploads. For admins.
        """
        return self._source.run(statements.reassign(from_role, to_role, reason))

    def cleanup_old_versions(
        self, keep_production: bool = True, model_name: str | None = None
    ) -> int:
        """Delete versions beyond each model's max_versions, and unused bytes; returns how many.

        It commits as it goes, and so is refused in a caller's transaction (TransactionError).
        """
        with translated(), self._source.connection() as connection:
            idle = connection.pgconn.transaction_status == TransactionStatus.IDLE
            if not (connection.autocommit and idle):
                raise TransactionError(
                    "cleanup cannot be part of a transaction: it commits as it goes",
                    sqlstate="25001",
                    hint="Give the registry a connection string, a pool, or a connection in"
                    " autocommit mode.",
                )
            return execute(connection, statements.cleanup(keep_production, model_name))

    # ---- Following ----

    def watch(
        self,
        model_name: str,
        stage: DeploymentStage | str | None = DeploymentStage.PRODUCTION,
        *,
        alias: str | None = None,
        include_current: bool = True,
        poll: float | None = None,
        timeout: float | None = None,
    ) -> Watch:
        """Iterate over the versions of a model as they go live; see modelreg.watch."""
        from modelreg.watching import watch

        return watch(
            model_name,
            stage,
            alias=alias,
            source=self.source,
            listen_dsn=self.config.listen_dsn,
            include_current=include_current,
            poll=poll,
            timeout=timeout,
        )

    def live_model(
        self,
        model_name: str,
        stage: DeploymentStage | str | None = DeploymentStage.PRODUCTION,
        *,
        alias: str | None = None,
        poll: float | None = None,
        trusted: Trust | None = None,
        load: Callable[[ModelRegistry, ModelVersion], Any] | None = None,
        on_reload: Callable[[Any, ModelVersion], object] | None = None,
        on_error: Callable[[ModelVersion | None, Exception], object] | None = None,
    ) -> LiveModel:
        """The model in service, exchanged in the background; see modelreg.LiveModel."""
        from modelreg.live import LiveModel

        return LiveModel(
            self,
            model_name,
            stage,
            alias=alias,
            poll=poll,
            trusted=trusted,
            load=load,
            on_reload=on_reload,
            on_error=on_error,
        )

    def independent(self) -> ModelRegistry:
        """A registry with the same settings that shares no connection with this one.

        Of a caller's connection, its settings are used for another; a pool lends to both.
        """
        source = self.source
        if isinstance(source, psycopg.Connection):
            source = conninfo_of(source)
        return ModelRegistry(source, dataclasses.replace(self.config, registry_root=None))

    # ---- Looking back ----

    def history(
        self,
        model_name: str | None = None,
        model_id: str | None = None,
        since: datetime | None = None,
    ) -> list[AuditEvent]:
        """The audit trail, oldest first: of a model, of a version, since an instant, or all."""
        return self._source.run(statements.history(model_name, model_id, since))

    def verify(self, model_id: str | None = None) -> list[Verification]:
        """Have the server compare what is stored with its SHA-256: one version, or everything."""
        return self._run(statements.verify(model_id), *([] if model_id is None else [model_id]))


def create_default_registry(
    dsn: SourceArgument = None,
    *,
    registry_root: PathArgument | None = None,
    storage_backend: StorageBackend | str = StorageBackend.DATABASE,
    max_versions: int | None = None,
    enable_checksums: bool = True,
    enable_compression: bool | str | None = None,
    auto_cleanup: bool | None = None,
    cleanup_interval_hours: int | None = None,
    require_metadata: bool | None = None,
    enable_locking: bool = True,
    **settings: Any,
) -> ModelRegistry:
    """A registry with these settings, which are RegistryConfig's; further ones may be given too.

    registry_root is another name for dsn, which code for the registry in files has.
    """
    if dsn is not None and registry_root is not None:
        raise ConfigurationError("dsn and registry_root both say where the registry is")
    config = RegistryConfig(
        storage_backend=storage_backend,
        max_versions=max_versions,
        enable_checksums=enable_checksums,
        enable_compression=enable_compression,
        auto_cleanup=auto_cleanup,
        cleanup_interval_hours=cleanup_interval_hours,
        require_metadata=require_metadata,
        enable_locking=enable_locking,
        **settings,
    )
    return ModelRegistry(registry_root if dsn is None else dsn, config)
