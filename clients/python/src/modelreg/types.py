"""What the registry is told and tells: stages, types, settings, versions."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from os import PathLike
from typing import Any, ClassVar, TypeAlias

from modelreg.errors import ConfigurationError, UnsupportedError


class DeploymentStage(str, enum.Enum):
    """The stages of a version. Equal to, and printed as, their text."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    CANARY = "canary"
    PRODUCTION = "production"
    DEPRECATED = "deprecated"
    ARCHIVED = "archived"

    def __str__(self) -> str:
        return self.value


class ModelType(str):
    """A kind of model: any text. Those named here save typing, and are no list to keep to.

    Wherever a type is asked for, a str or a member of any Enum with text as its value does as well.
    """

    ISOLATION_FOREST: ClassVar[ModelType]
    DBSCAN: ClassVar[ModelType]
    ENSEMBLE: ClassVar[ModelType]
    CUSTOM: ClassVar[ModelType]

    __slots__ = ()

    @property
    def value(self) -> str:
        """The text, as of an Enum's member."""
        return str(self)

    @property
    def name(self) -> str:
        """The text in capitals, as of an Enum's member."""
        return self.upper()


for _type in ("isolation_forest", "dbscan", "ensemble", "custom"):
    setattr(ModelType, _type.upper(), ModelType(_type))


class StorageBackend(str, enum.Enum):
    """Where the bytes are: in the database. The others are known by name, and refused."""

    DATABASE = "database"
    LOCAL = "database"
    S3 = "s3"
    AZURE_BLOB = "azure_blob"
    GCS = "gcs"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class ModelVersion:
    """A registered version: a row of modelreg.model_version.

    Times are aware datetimes in UTC. registered_by is what the role was called then; owner is
    the present name of the role whose version it is. What the registry in files kept in file_path
    and metadata_path is in the database; these two raise an error that says what to use.
    """

    model_id: str
    model_name: str
    model_type: str
    version: str
    version_number: int
    created_at: datetime
    registered_at: datetime
    registered_by: str
    checksum: str
    artifact_size: int
    model_config: dict[str, Any]
    training_metadata: dict[str, Any]
    dataset_version: str | None
    parent_ids: list[str]
    deployment_stage: DeploymentStage
    deployed_at: datetime | None
    performance_metrics: dict[str, float]
    tags: list[str]
    notes: str
    properties: dict[str, Any]
    file_count: int = 0
    owner: str = ""

    def __hash__(self) -> int:
        # Dicts and lists among the fields have none; an id is never issued twice.
        return hash(self.model_id)

    @property
    def serializer(self) -> str | None:
        """Which serializer wrote the artifact; None if whoever registered it did not say."""
        name = self.properties.get(SERIALIZER_PROPERTY)
        return name if isinstance(name, str) else None

    @property
    def file_path(self) -> str:
        """There is no file: raises UnsupportedError."""
        raise UnsupportedError(
            f'version "{self.model_id}" is in the database, not in a file',
            hint="registry.download(model_id, path) writes its bytes to a file.",
        )

    @property
    def metadata_path(self) -> str:
        """There is no file: raises UnsupportedError."""
        raise UnsupportedError(
            f'the metadata of version "{self.model_id}" are in the database, not in a file',
            hint="version.to_dict() has all of them, ready for json.dump.",
        )

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON knows them: times in ISO 8601, the stage as text."""
        result = dataclasses.asdict(self)
        for name in ("created_at", "registered_at", "deployed_at"):
            if result[name] is not None:
                result[name] = result[name].isoformat()
        result["deployment_stage"] = str(self.deployment_stage)
        return result


SERIALIZER_PROPERTY = "modelreg.serializer"
"""The property of a version that names its serializer. All of the client's begin like this."""

Trust: TypeAlias = Collection[str] | Callable[[ModelVersion], bool]
"""Whom to believe before bytes are unpickled: SHA-256 digests in hexadecimal, or a function that is
told the version, whose checksum has been compared with the bytes, and returns whether it may be."""

Progress: TypeAlias = bool | Callable[[int, int], object] | None
"""True: a bar on the terminal. A function: called with bytes done and bytes in all."""

StagedPath: TypeAlias = str | PathLike[str]


@dataclass(frozen=True)
class FileEntry:
    """One file of a version that is a directory: a row of modelreg.version_file."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class AuditEvent:
    """An event of the audit trail: a row of modelreg.audit_event, its hash in hexadecimal."""

    seq: int
    at: datetime
    event: str
    model_name: str | None
    model_id: str | None
    session_user: str
    actor: str
    client: dict[str, Any]
    old_values: dict[str, Any] | None
    new_values: dict[str, Any] | None
    reason: str
    hash: str

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON knows them."""
        return dataclasses.asdict(self) | {"at": self.at.isoformat()}


@dataclass(frozen=True)
class Verification:
    """What modelreg_verify says of a version, or (model_id None) of bytes that belong to none."""

    model_id: str | None
    ok: bool
    expected: str | None
    actual: str | None
    problem: str | None


@dataclass(frozen=True)
class ChainVerification:
    """What modelreg_audit_verify says of a model's trail, or (model_name None) the registry's."""

    model_name: str | None
    events: int
    ok: bool
    first_bad_seq: int | None
    problem: str | None


@dataclass(frozen=True)
class Alias:
    """An alias of a version: a row of modelreg.model_alias."""

    alias: str
    model_id: str
    set_at: datetime
    set_by: str


@dataclass(frozen=True)
class UploadStatus:
    """How far an upload is; expires_at is when cleanup may remove it."""

    bytes_held: int
    expected_size: int | None
    created_by: str
    created_at: datetime
    last_append_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True)
class RegistryConfig:
    """Settings of a ModelRegistry.

    None means: as the server, or the model, has it. max_versions, auto_cleanup and require_metadata
    are settings of models: a registration gives them to its model if they differ, which needs
    modelreg_admin, and fails if the role may not. What cannot be honoured raises ConfigurationError
    at once.

    registry_root           where the registry is: a connection string; "" is libpq's environment
    storage_backend         the database, which is the only one
    max_versions            versions of a model that cleanup keeps; -1: all
    enable_checksums        loads verify the SHA-256, in the server and here
    enable_compression      how new bytes are stored: True lz4, False none, or "zstd"
    auto_cleanup            registrations clean up after themselves
    cleanup_interval_hours  refused: the server's scheduler does that, see modelreg_schedule_cleanup
    require_metadata        a registration needs at least one metric
    enable_locking          True: the database always locks what it has to
    trusted                 what load_model may unpickle, if it is not told
    serializer              what register_model uses, if it is not told
    default_serializer      how to read versions that do not say how they were written
    temporary_directory     where artifacts above a megabyte are put aside; None: as tempfile says
    retries                 how often to connect again in one upload, download or search
    prepared                whether statements are prepared under a name, which saves time but does
                            not work behind a pooler that lends sessions by the transaction; None:
                            as the connection string (modelreg_prepared) or MODELREG_PREPARED says,
                            which at first is not
    listen_dsn              where watches connect, if notifications do not come through the source;
                            None: as MODELREG_LISTEN_DSN says, or to the source
    """

    registry_root: str | PathLike[str] | None = field(default=None, repr=False)  # passwords
    storage_backend: StorageBackend | str = StorageBackend.DATABASE
    max_versions: int | None = None
    enable_checksums: bool = True
    enable_compression: bool | str | None = None
    auto_cleanup: bool | None = None
    cleanup_interval_hours: int | None = None
    require_metadata: bool | None = None
    enable_locking: bool = True
    trusted: Trust | None = field(default=None, repr=False)
    serializer: str = "auto"
    default_serializer: str | None = None
    temporary_directory: StagedPath | None = None
    retries: int = 5
    prepared: bool | None = None
    listen_dsn: str | PathLike[str] | None = field(default=None, repr=False)  # passwords

    def __post_init__(self) -> None:
        if as_text(self.storage_backend) not in ("database", "local"):
            raise ConfigurationError(
                f'storage backend "{as_text(self.storage_backend)}" is not supported',
                hint="The bytes are in the database: leave storage_backend out.",
            )
        if not self.enable_locking:
            raise ConfigurationError(
                "locking cannot be switched off",
                hint="The database locks rows for as long as it has to: leave enable_locking out.",
            )
        if self.cleanup_interval_hours is not None:
            raise ConfigurationError(
                "cleanup_interval_hours is not a setting of the client",
                hint="Have the server do it: SELECT modelreg_schedule_cleanup('0 3 * * *'), or call"
                " cleanup_old_versions() from any scheduler.",
            )
        if self.compression not in (None, "none", "lz4", "zstd"):
            raise ConfigurationError(
                f'compression "{self.compression}" is not supported',
                hint="enable_compression is True, False, 'none', 'lz4' or 'zstd'.",
            )
        if self.max_versions is not None and not (self.max_versions == -1 or self.max_versions > 0):
            raise ConfigurationError("max_versions must be -1 (keep all) or at least 1")
        if self.retries < 0:
            raise ConfigurationError("retries must not be negative")

    @property
    def compression(self) -> str | None:
        """The value for modelreg.compression; None leaves it alone."""
        if isinstance(self.enable_compression, bool):
            return "lz4" if self.enable_compression else "none"
        return self.enable_compression

    @property
    def settings(self) -> Mapping[str, str]:
        """Settings of the server that registrations have."""
        return {} if self.compression is None else {"modelreg.compression": self.compression}

    @property
    def model_settings(self) -> Mapping[str, int | bool]:
        """Those settings that are of models, and given."""
        settings = {
            "max_versions": self.max_versions,
            "auto_cleanup": self.auto_cleanup,
            "require_metadata": self.require_metadata,
        }
        return {name: value for name, value in settings.items() if value is not None}


def as_text(value: str | enum.Enum) -> str:
    """The text of a stage, a type or the like, be it a str or an Enum's member."""
    if isinstance(value, enum.Enum):
        value = value.value
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {type(value).__name__}")
    return str.__str__(value)
