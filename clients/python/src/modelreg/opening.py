"""What happens to bytes after they have arrived: verified, trusted, opened, put aside.

Nothing here talks to a server; the registries with and without await share it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterable
from typing import Any, BinaryIO, NamedTuple

from modelreg import serializers
from modelreg.errors import (
    InvalidArgumentError,
    ModelregError,
    NotFoundError,
    SerializationError,
    UnsupportedError,
    UntrustedError,
    warn_caller,
)
from modelreg.preparing import EXECUTABLE_PROPERTY
from modelreg.serializers import Serializer
from modelreg.streaming import compare_checksum, describe
from modelreg.types import FileEntry, ModelVersion, RegistryConfig, Trust
from modelreg.values import said


class UnverifiedWarning(UserWarning):
    """Bytes that nobody compared with their SHA-256 are unpickled, because the caller said so."""


class Loaded(NamedTuple):
    """An object and the version it was loaded from."""

    model: Any
    version: ModelVersion


class Opening:
    """How the caller wants a version opened; checks it before and after its bytes arrive."""

    def __init__(
        self,
        config: RegistryConfig,
        *,
        verify_checksum: bool | None,
        trusted: Trust | None,
        serializer: str | None,
        trusted_types: Collection[str],
        unpickle_unverified: bool,
    ) -> None:
        self.verify = config.enable_checksums if verify_checksum is None else verify_checksum
        self._trusted = _checked_trust(config.trusted if trusted is None else trusted)
        self._serializer = serializer
        self._default_serializer = config.default_serializer
        self._trusted_types = trusted_types
        self._unpickle_unverified = unpickle_unverified

    def check(self, version: ModelVersion) -> Serializer:
        """Raises what can be told before a byte is read; returns the serializer."""
        if version.file_count:
            raise UnsupportedError(
                f"{describe(version)} is a directory of {version.file_count} files",
                hint="registry.download(model_id, directory) fetches them.",
            )
        name = self._serializer or version.serializer or self._default_serializer
        if name is None:
            raise SerializationError(
                f"{describe(version)} does not say how it was written",
                hint="Say it, such as serializer='pickle' or 'bytes'; or set default_serializer in"
                " RegistryConfig.",
            )
        serializer = serializers.find(name)
        if not (self.verify or serializer.is_safe or self._trusted is not None):
            if not self._unpickle_unverified:
                raise UntrustedError(
                    f"{describe(version)} was not loaded: reading {serializer.name} runs code, and"
                    " verify_checksum=False leaves open whose",
                    hint="load_bytes(model_id, verify_checksum=False) rescues the bytes;"
                    " unpickle_unverified=True unpickles them all the same.",
                )
            warn_caller(
                f"{describe(version)} is unpickled without a look at its checksum",
                UnverifiedWarning,
            )
        return serializer

    def open(
        self, version: ModelVersion, serializer: Serializer, file: BinaryIO, checksum: str
    ) -> Any:
        """Make the object of bytes that arrived and have this SHA-256.

        Raises ChecksumError and UntrustedError before any of them is interpreted.
        """
        self.check_bytes(version, checksum)
        if self._serializer is None or self._serializer == version.serializer:
            serializers.warn_of_other_versions(version.properties)
        try:
            return serializer.load(file, trusted_types=self._trusted_types)
        except ModelregError as error:
            error.detail = error.detail or serializers.versions_text(version.properties)
            raise
        except Exception as error:  # of the serializer, or of code that the bytes ask for
            raise unreadable(version, serializer, error) from error

    def check_bytes(self, version: ModelVersion, checksum: str) -> None:
        """Whether bytes with this SHA-256 are the version's, and trusted."""
        if self.verify:
            compare_checksum(describe(version), version.checksum, checksum)
        if self._trusted is None:
            return
        if callable(self._trusted):
            # What it is told must be true of the bytes, whatever verify_checksum is.
            compare_checksum(describe(version), version.checksum, checksum)
            trusted = self._trusted(version)
            if inspect.isawaitable(trusted):
                # An object that is true, whatever would come of it.
                if inspect.iscoroutine(trusted):
                    trusted.close()
                raise InvalidArgumentError("trusted is a plain function, not an asynchronous one")
        else:
            trusted = checksum in self._trusted
        if not trusted:
            raise UntrustedError(
                f"{describe(version)} was not loaded: it is not trusted (SHA-256 {checksum})"
            )


def unreadable(
    version: ModelVersion, serializer: Serializer, error: Exception
) -> SerializationError:
    """The error for bytes that are the right ones, and of which no object could be made."""
    hint = None
    if isinstance(error, (ImportError, AttributeError)):
        hint = "What it is made of must be importable here, in versions that fit."
        if "__main__" in said(error):
            hint = (
                "It has a class or function of the program that registered it: define that in a"
                " module that both can import, and register it again."
            )
    return SerializationError(
        f"{describe(version)} cannot be read by serializer {serializer.name}: {said(error)}",
        detail=serializers.versions_text(version.properties),
        hint=hint,
    )


def _checked_trust(
    trusted: Trust | None,
) -> frozenset[str] | Callable[[ModelVersion], bool] | None:
    if trusted is None or callable(trusted):
        return trusted
    if isinstance(trusted, (str, bytes)):
        raise InvalidArgumentError("trusted is a set of SHA-256 digests, not one text")
    digests = frozenset(trusted)
    for digest in digests:
        if not (isinstance(digest, str) and re.fullmatch(r"[0-9A-Fa-f]{64}", digest)):
            raise InvalidArgumentError(
                f"{digest!r} is no SHA-256 in hexadecimal",
                hint="trusted is a set of checksums, or a function of the version.",
            )
    return frozenset(digest.lower() for digest in digests)


# ---- Files ----


def is_executable(version: ModelVersion, path: str = "") -> bool:
    """Whether a file of a version, or the one that it is, was registered as executable."""
    recorded = version.properties.get(EXECUTABLE_PROPERTY)
    if not path:
        return recorded is True
    return isinstance(recorded, list) and path in recorded


def check_directory(version: ModelVersion) -> None:
    """Raises InvalidArgumentError unless the version is a directory of files."""
    if not version.file_count:
        raise InvalidArgumentError(
            f"{describe(version)} is one artifact, not a directory",
            hint="Leave path out.",
        )


def entry_of(entries: Iterable[FileEntry], path: str, version: ModelVersion) -> FileEntry:
    """The file with that path. Raises NotFoundError."""
    for entry in entries:
        if entry.path == path:
            return entry
    raise NotFoundError(f'{describe(version)} has no file "{path}"', sqlstate="42704")
