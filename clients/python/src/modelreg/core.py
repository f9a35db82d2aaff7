"""What all parts of a ModelRegistry have: the settings, and the source of connections."""

from __future__ import annotations

import enum
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from modelreg.connection import NO_SETTINGS, ConnectionSource, SourceArgument, make_source
from modelreg.errors import ConfigurationError, ModelregError, NotFoundError
from modelreg.preparing import ModelSettings, hint_of, named
from modelreg.statements import Statement
from modelreg.types import RegistryConfig

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")
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

    def _run(
        self,
        statement: Statement[T],
        *references: str,
        settings: Mapping[str, str] = NO_SETTINGS,
    ) -> T:
        """Run a statement about versions; if one of them is a model, the error's hint says so."""
        try:
            return self._source.run(statement, settings)
        except NotFoundError as error:
            self._explain(error, references)
            raise

    def _explain(self, error: NotFoundError, references: Iterable[str]) -> None:
        # In a transaction that has failed, nothing can be asked.
        with suppress(ModelregError):
            for reference in references:
                newest = self._source.run(named(reference))
                if newest is not None:
                    error.hint = hint_of(reference, newest)
                    return
