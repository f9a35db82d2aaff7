"""modelreg: the model registry in PostgreSQL, from Python.

from modelreg import create_default_registry, DeploymentStage

registry = create_default_registry("postgresql://host/database")
version = registry.register_model(model, "isolation_forest", performance_metrics={"f1": 0.9})
registry.update_deployment_stage(version.model_id, DeploymentStage.PRODUCTION)
model = registry.load_latest_model("isolation_forest", DeploymentStage.PRODUCTION)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

try:
    import psycopg  # noqa: F401
except ImportError as error:
    # psycopg is there, and the library of PostgreSQL's that it stands on is not; or neither is.
    raise ImportError(
        f"modelreg needs psycopg with libpq, PostgreSQL's client library, and it cannot be loaded:"
        f" {error}\n"
        "pip install 'psycopg[binary]' brings libpq along; or install that of the system"
        " (Debian's libpq5)."
    ) from None

from modelreg.errors import (
    AlreadyExistsError,
    CancelledError,
    ChecksumError,
    ConfigurationError,
    ConflictError,
    ConnectionFailedError,
    FileChangedError,
    IllegalMoveError,
    InvalidArgumentError,
    MissingExtraError,
    ModelregError,
    NotAllowedError,
    NotFoundError,
    NotInstalledError,
    ProtectedError,
    SerializationError,
    TooLargeError,
    TransactionError,
    UnsupportedError,
    UntrustedError,
)
from modelreg.opening import Loaded, UnverifiedWarning
from modelreg.pooling import PoolerWarning
from modelreg.registry import ModelRegistry, create_default_registry
from modelreg.serializers import OnlyHereWarning, Serializer, VersionMismatchWarning
from modelreg.types import (
    Alias,
    AuditEvent,
    DeploymentStage,
    FileEntry,
    ModelType,
    ModelVersion,
    RegistryConfig,
    StorageBackend,
    UploadStatus,
    Verification,
)

if TYPE_CHECKING:
    from modelreg.aio import AsyncModelRegistry
    from modelreg.live import LiveModel
    from modelreg.watching import AsyncWatch, Watch, watch

# Imported when they are first asked for: most programs need none of them.
_LATER = {
    "AsyncModelRegistry": "modelreg.aio",
    "AsyncWatch": "modelreg.watching",
    "LiveModel": "modelreg.live",
    "Watch": "modelreg.watching",
    "watch": "modelreg.watching",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LATER[name]), name)


__version__ = "1.0.0"

__all__ = [
    "Alias",
    "AlreadyExistsError",
    "AsyncModelRegistry",
    "AsyncWatch",
    "AuditEvent",
    "CancelledError",
    "ChecksumError",
    "ConfigurationError",
    "ConflictError",
    "ConnectionFailedError",
    "DeploymentStage",
    "FileChangedError",
    "FileEntry",
    "IllegalMoveError",
    "InvalidArgumentError",
    "LiveModel",
    "Loaded",
    "MissingExtraError",
    "ModelRegistry",
    "ModelType",
    "ModelVersion",
    "ModelregError",
    "NotAllowedError",
    "NotFoundError",
    "NotInstalledError",
    "OnlyHereWarning",
    "PoolerWarning",
    "ProtectedError",
    "RegistryConfig",
    "SerializationError",
    "Serializer",
    "StorageBackend",
    "TooLargeError",
    "TransactionError",
    "UnsupportedError",
    "UntrustedError",
    "UnverifiedWarning",
    "UploadStatus",
    "Verification",
    "VersionMismatchWarning",
    "Watch",
    "create_default_registry",
    "watch",
]
