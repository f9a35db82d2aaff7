"""What all parts of an AsyncModelRegistry have: the settings, and the source of connections."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from modelreg.aio.connection import (
    AsyncConnectionSource,
    AsyncSourceArgument,
    make_async_source,
)
from modelreg.errors import ConfigurationError
from modelreg.preparing import ModelSettings
from modelreg.types import RegistryConfig

if TYPE_CHECKING:
    from typing_extensions import Self


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
