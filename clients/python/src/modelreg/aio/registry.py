"""AsyncModelRegistry: the registry for programs with asyncio."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from modelreg import frames, statements
from modelreg.aio.loading import AsyncLoading
from modelreg.aio.registering import AsyncRegistering
from modelreg.core import Stage, Type
from modelreg.follower import Follower, Target
from modelreg.preparing import in_order, missing_ids
from modelreg.types import Alias, DeploymentStage, FileEntry, ModelVersion
from modelreg.values import text_list
from modelreg.watching import AsyncWatch

if TYPE_CHECKING:
    import pandas


class AsyncModelRegistry(AsyncRegistering, AsyncLoading):
    """The asyncio variant of ModelRegistry: the read path, registration, and moves between stages.

    source is a connection string (None: libpq's environment), a psycopg AsyncConnection, or a
    psycopg_pool AsyncConnectionPool; what each means is as in ModelRegistry. So are all methods,
    their arguments and errors. With a connection string, tasks wait for each other; with a pool,
    they work side by side.

    A method that is cancelled leaves the connection usable. Where it is in autocommit mode, an
    upload that was begun is removed again, and a registration is made or not: cancelled while its
    commit was under way, it may be there.
    """

    # ---- Finding ----

    async def get_model_info(self, model_id: str) -> ModelVersion | None:
        """One version, or None."""
        return await self._look(model_id)

    async def find_latest(
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
        """The newest version that passes every filter, without its bytes; None if none does."""
        return await self._source.run(
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

    async def list_versions(
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
        """The versions that pass every filter, newest first, all as of one moment."""
        return await self._run(
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

    async def list_models(
        self,
        model_type: Type | None = None,
        deployment_stage: Stage | None = None,
        min_performance: Mapping[str, float] | None = None,
        tags: Iterable[str] | None = None,
        **filters: Any,
    ) -> pandas.DataFrame:
        """list_versions as a DataFrame."""
        frames.require()
        return frames.version_frame(
            await self.list_versions(model_type, deployment_stage, min_performance, tags, **filters)
        )

    async def compare_models(
        self, model_ids: Iterable[str], metrics: Iterable[str] | None = None
    ) -> pandas.DataFrame:
        """Metrics side by side: a row a version in the order given, a column a metric."""
        frames.require()
        ids = list(dict.fromkeys(text_list(model_ids, "model_ids")))
        found = await self._source.run(statements.versions(ids))
        if missing := missing_ids(ids, found):
            raise await self._unknown(missing[0])
        return frames.comparison_frame(
            in_order(ids, found), None if metrics is None else text_list(metrics, "metrics")
        )

    async def resolve(self, model_name: str, alias: str) -> ModelVersion | None:
        """The version that an alias names; None if there is no such alias."""
        return await self._source.run(statements.resolve(model_name, alias))

    async def list_aliases(self, model_name: str) -> list[Alias]:
        """The aliases of a model, by name."""
        return await self._source.run(statements.aliases(model_name))

    async def list_files(self, model_id: str) -> list[FileEntry]:
        """The files of a version that is a directory; none for any other."""
        version = await self._version(model_id)
        if not version.file_count:
            return []
        return await self._source.run(statements.files(version.model_id))

    # ---- Releasing and following ----

    async def update_deployment_stage(
        self, model_id: str, new_stage: Stage, reason: str | None = None
    ) -> ModelVersion:
        """Move a version to another stage. Into production, the present one is demoted first."""
        return await self._run(statements.update_stage(model_id, new_stage, reason), model_id)

    async def set_alias(self, model_id: str, alias: str, reason: str | None = None) -> Alias:
        """Have an alias of the version's model name this version, whatever it named before."""
        return await self._run(statements.set_alias(model_id, alias, reason), model_id)

    def watch(
        self,
        model_name: str,
        stage: DeploymentStage | str | None = DeploymentStage.PRODUCTION,
        *,
        alias: str | None = None,
        include_current: bool = True,
        poll: float | None = None,
        timeout: float | None = None,
    ) -> AsyncWatch:
        """Iterate, by `async for`, over the versions of a model as they go live.

        The arguments are those of modelreg.watch. It has a connection of its own. To end it, cancel
        the task that waits for the next version, or leave its `async with`.
        """
        follower = Follower(Target.of(model_name, stage, alias), include_current, poll, timeout)
        return AsyncWatch(follower, self.source, self.config.listen_dsn)
