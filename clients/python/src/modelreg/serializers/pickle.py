"""pickle: any Python object whose class can be imported where it is read."""

from __future__ import annotations

import pickle
from collections.abc import Collection
from typing import Any, BinaryIO, ClassVar

from modelreg.errors import SerializationError
from modelreg.serializers.base import Serializer


class PickleSerializer(Serializer):
    """Python's pickle, protocol 5. Reading it runs what code the bytes ask for."""

    name: ClassVar[str] = "pickle"
    media_type: ClassVar[str] = "application/x-python-pickle"
    extension: ClassVar[str] = ".pkl"

    def can_serialize(self, obj: Any) -> bool:
        return True

    def dump(self, obj: Any, file: BinaryIO) -> None:
        try:
            pickle.dump(obj, file, protocol=5)
        except (pickle.PicklingError, AttributeError, TypeError, RecursionError) as error:
            raise SerializationError(
                f"a {type(obj).__name__} cannot be pickled: {error}",
                hint="Classes and functions must be importable by name; files, locks and"
                " connections cannot be stored.",
            ) from error

    def load(self, file: BinaryIO, *, trusted_types: Collection[str] = ()) -> Any:
        return pickle.load(file)
