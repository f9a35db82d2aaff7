"""pickle: any Python object whose class can be imported where it is read."""

from __future__ import annotations

import pickle
from collections.abc import Collection
from typing import Any, BinaryIO, ClassVar

from modelreg.serializers.base import Serializer


class PickleSerializer(Serializer):
    """Python's pickle, protocol 5. Reading it runs what code the bytes ask for."""

    name: ClassVar[str] = "pickle"
    media_type: ClassVar[str] = "application/x-python-pickle"
    extension: ClassVar[str] = ".pkl"

    def can_serialize(self, obj: Any) -> bool:
        return True

    def dump(self, obj: Any, file: BinaryIO) -> None:
        pickle.dump(obj, file, protocol=5)

    def load(self, file: BinaryIO, *, trusted_types: Collection[str] = ()) -> Any:
        return pickle.load(file)
