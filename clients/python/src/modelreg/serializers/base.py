"""What a serializer is, which there are, and which one an object gets."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, BinaryIO, ClassVar

from modelreg.errors import SerializationError

GROUP = "modelreg.serializers"
AUTO = "auto"

# In the order in which "auto" asks them. Packages' own come before pickle, which takes anything.
_BUILT_IN = {
    "bytes": "modelreg.serializers.raw:BytesSerializer",
    "onnx": "modelreg.serializers.onnx:OnnxSerializer",
    "safetensors": "modelreg.serializers.safetensors:SafetensorsSerializer",
    "file": "modelreg.serializers.raw:FileSerializer",
    "skops": "modelreg.serializers.skops:SkopsSerializer",
    "joblib": "modelreg.serializers.joblib:JoblibSerializer",
    "pickle": "modelreg.serializers.pickle:PickleSerializer",
}
_LAST = "pickle"


class Serializer(ABC):
    """Writes objects of some kind as bytes, and reads them back.

    A serializer has no state; one object serves all threads.
    """

    name: ClassVar[str]
    """What versions record."""

    is_safe: ClassVar[bool] = False
    """Whether reading bytes from anybody runs no code of theirs."""

    media_type: ClassVar[str] = "application/octet-stream"
    extension: ClassVar[str] = ".bin"
    """Of a file with such bytes."""

    libraries: ClassVar[tuple[str, ...]] = ()
    """Modules whose version matters for reading it again, beside those of the object's classes."""

    @property
    def needs_classes(self) -> bool:
        """Whether the bytes name classes that must be importable where they are read."""
        return not self.is_safe

    def can_serialize(self, obj: Any) -> bool:
        """Whether "auto" may take this for the object; what load returns must be as good as it."""
        return False

    @abstractmethod
    def dump(self, obj: Any, file: BinaryIO) -> None:
        """Write the object. Raises SerializationError if it is none of this kind."""

    def check(self, file: BinaryIO) -> None:  # noqa: B027
        """Raises SerializationError if a file that something else wrote is only a part."""

    @abstractmethod
    def load(self, file: BinaryIO, *, trusted_types: Collection[str] = ()) -> Any:
        """Read an object from the file's position to its end. The bytes have been verified.

        trusted_types: names of classes that the caller trusts, for serializers that ask.
        """


@cache
def find(name: str) -> Serializer:
    """The serializer of that name. Raises SerializationError if there is none."""
    target = _BUILT_IN.get(name)
    if target is None:
        for entry_point in _entry_points():
            if entry_point.name == name:
                return _instance(entry_point)
        raise SerializationError(
            f'there is no serializer "{name}"',
            hint=f"There are: {', '.join(names())}. Packages add to them by entry points of the"
            f' group "{GROUP}".',
        )
    module, _, attribute = target.partition(":")
    serializer: Serializer = getattr(importlib.import_module(module), attribute)()
    return serializer


def names() -> list[str]:
    """The names of all serializers, whether or not the libraries they need are installed."""
    return [*_BUILT_IN, *(entry_point.name for entry_point in _entry_points())]


@cache
def _entry_points() -> tuple[EntryPoint, ...]:
    """Other packages' serializers. They cannot take a built-in's name."""
    return tuple(e for e in entry_points(group=GROUP) if e.name not in _BUILT_IN)


def _instance(entry_point: EntryPoint) -> Serializer:
    serializer = entry_point.load()()
    if not isinstance(serializer, Serializer):
        raise SerializationError(
            f'entry point "{entry_point.name}" ({entry_point.value}) is no serializer'
        )
    if serializer.name != entry_point.name:
        # Versions record the name, and are read with what has it.
        raise SerializationError(
            f'entry point "{entry_point.name}" ({entry_point.value}) is a serializer with the'
            f' name "{serializer.name}"'
        )
    return serializer


def choose(obj: Any, name: str = AUTO) -> Serializer:
    """The serializer of that name; for "auto", the first that can serialize the object.

    bytes for bytes, onnx for an ONNX ModelProto, safetensors for a dict of tensors or arrays, what
    other packages have for their own, and pickle for all else.
    """
    if name != AUTO:
        return find(name)
    for candidate in _candidates():
        if candidate.can_serialize(obj):
            return candidate
    return find(_LAST)


def _candidates() -> Iterator[Serializer]:
    for name in _BUILT_IN:
        if name == _LAST:
            break
        yield find(name)
    for entry_point in _entry_points():
        yield find(entry_point.name)
