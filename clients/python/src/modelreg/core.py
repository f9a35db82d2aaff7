"""What all parts of a ModelRegistry have: the settings, and the source of connections."""

from __future__ import annotations

import enum
import os
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias

from modelreg.connection import ConnectionSource, SourceArgument, make_source
from modelreg.errors import ConfigurationError
from modelreg.preparing import ModelSettings
from modelreg.types import RegistryConfig

if TYPE_CHECKING:
    from typing_extensions import Self

Stage: TypeAlias = str | enum.Enum
Type: TypeAlias = str | enum.Enum
PathArgument: TypeAlias = str | os.PathLike[str]


class Core:
    """The part of ModelRegistry that the others stand on."""

    def __init__(
        self,
        source: SourceArgument | RegistryConfig = None,
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
        self.source: SourceArgument = root if source is None else source
        """Where the registry is, as it was given."""
        self._source = make_source(self.source, self.config.retries, self.config.prepared)
        self._settings = self.config.settings
        # In a caller's transaction, what was set may be rolled back.
        self._model_settings = ModelSettings(
            self.config, remember=not isinstance(self._source, ConnectionSource)
        )

    @property
    def prepared(self) -> bool:
        """Whether statements may be prepared under a name."""
        return self._source.prepared

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the registry's own connection. The next operation makes another."""
        self._source.close()
