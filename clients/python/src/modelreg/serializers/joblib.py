"""joblib: pickle, with large numpy arrays apart."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, BinaryIO, ClassVar

from modelreg.errors import missing_extra
from modelreg.serializers.base import Serializer


class JoblibSerializer(Serializer):
    """joblib.dump without compression: the server compresses, and shares what is alike.

    Reading it runs what code the bytes ask for, as pickle does.
    """

    name: ClassVar[str] = "joblib"
    media_type: ClassVar[str] = "application/x-joblib"
    extension: ClassVar[str] = ".joblib"
    libraries: ClassVar[tuple[str, ...]] = ("joblib",)

    def dump(self, obj: Any, file: BinaryIO) -> None:
        _joblib().dump(obj, file)

    def load(self, file: BinaryIO, *, trusted_types: Collection[str] = ()) -> Any:
        return _joblib().load(file)


def _joblib() -> Any:
    try:
        import joblib
    except ImportError as error:
        raise missing_extra("joblib", "sklearn", "the joblib serializer") from error
    return joblib
