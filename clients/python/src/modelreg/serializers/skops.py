"""skops: scikit-learn's estimators, without the code that a pickle can run."""

from __future__ import annotations

import zipfile
from collections.abc import Collection
from typing import Any, BinaryIO, ClassVar

from modelreg.errors import SerializationError, UntrustedError, missing_extra
from modelreg.serializers.base import Serializer


class SkopsSerializer(Serializer):
    """skops.io. Classes that skops does not know must be named in trusted_types to be read."""

    name: ClassVar[str] = "skops"
    is_safe: ClassVar[bool] = True
    media_type: ClassVar[str] = "application/zip"
    extension: ClassVar[str] = ".skops"
    libraries: ClassVar[tuple[str, ...]] = ("skops", "sklearn", "numpy")

    @property
    def needs_classes(self) -> bool:
        return True

    def dump(self, obj: Any, file: BinaryIO) -> None:
        _skops().dump(obj, file)

    def load(self, file: BinaryIO, *, trusted_types: Collection[str] = ()) -> Any:
        io = _skops()
        data = file.read()
        try:
            asked_for = set(io.get_untrusted_types(data=data)) - set(trusted_types)
        except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
            raise SerializationError(f"the bytes are not skops's: {error}") from error
        if asked_for:
            raise UntrustedError(
                f"the model has types that are not trusted: {', '.join(sorted(asked_for))}",
                hint="Look at what they do; if that is harmless, name them in trusted_types=.",
            )
        return io.loads(data, trusted=list(trusted_types))


def _skops() -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise missing_extra("skops", "sklearn", "the skops serializer") from error
    return skops.io
