"""What all parts of an AsyncModelRegistry have: the settings, and the source of connections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from modelreg.aio.connection import (
    AsyncConnectionSource,
    AsyncSourceArgument,
    make_async_source,
)
from modelreg.connection import NO_SETTINGS
from modelreg.errors import ConfigurationError, ModelregError, NotFoundError
from modelreg.preparing import ModelSettings, hint_of, named
from modelreg.statements import Statement
from modelreg.types import RegistryConfig

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")


class AsyncCore:
    """The part of AsyncModelRegistry that the others stand on."""

    def __init__(
        self,
        source: AsyncSourceArgument | RegistryConfig = None,
        config: RegistryConfig | None = None,
    ) -> None:
        if isinstance(source, RegistryConfig):
            if config is not None:
                raise ConfigurationError("there are two RegistryConfigs")
            source, config = None, source
        self.config = config or RegistryConfig()
        root = self.config.registry_root
        if source is not None and root is not None:
            raise ConfigurationError("source and registry_root both say where the registry is")
        self.source: AsyncSourceArgument = root if source is None else source
        """Where the registry is, as it was given."""
        self._source = make_async_source(self.source, self.config.retries, self.config.prepared)
        self._settings = self.config.settings
        self._model_settings = ModelSettings(
            self.config, remember=not isinstance(self._source, AsyncConnectionSource)
        )

    @property
    def prepared(self) -> bool:
        """Whether statements may be prepared under a name."""
        return self._source.prepared

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the registry's own connection. The next operation makes another."""
        await self._source.close()

    async def _run(
        self,
        statement: Statement[T],
        *references: str,
        settings: Mapping[str, str] = NO_SETTINGS,
    ) -> T:
        """Run a statement about versions; if one of them is a model, the error's hint says so."""
        try:
            return await self._source.run(statement, settings)
        except NotFoundError as error:
            await self._explain(error, references)
            raise

    async def _explain(self, error: NotFoundError, references: Iterable[str]) -> None:
        # In a transaction that has failed, nothing can be asked.
        with suppress(ModelregError):
            for reference in references:
                newest = await self._source.run(named(reference))
                if newest is not None:
                    error.hint = hint_of(reference, newest)
                    return
