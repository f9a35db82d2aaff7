"""What a serializer is, which there are, and which one an object gets."""

from __future__ import annotations

import importlib
import platform
import sys
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from typing import Any, BinaryIO, ClassVar

from modelreg.errors import SerializationError, warn_caller
from modelreg.types import SERIALIZER_PROPERTY

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

LIBRARY_PREFIX = "modelreg.library."
PYTHON_PROPERTY = "modelreg.python"

# Import names whose distribution is called otherwise.
_DISTRIBUTIONS = {"sklearn": "scikit-learn", "skimage": "scikit-image", "cv2": "opencv-python"}


class VersionMismatchWarning(UserWarning):
    """A model was written with another major version of a library than is here."""


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
    """Modules whose version matters for reading it again, beside those of the object's class."""

    def can_serialize(self, obj: Any) -> bool:
        """Whether "auto" may take this for the object; what load returns must be as good as it."""
        return False

    @abstractmethod
    def dump(self, obj: Any, file: BinaryIO) -> None:
        """Write the object. Raises SerializationError if it is none of this kind."""

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


# ---- Versions of libraries ----


def library_properties(serializer: Serializer, obj: Any) -> dict[str, str]:
    """The properties that tell how an object was written: serializer, Python, libraries."""
    modules = dict.fromkeys(serializer.libraries)
    if not serializer.is_safe:
        for cls in type(obj).__mro__:
            modules.setdefault(cls.__module__.partition(".")[0])
        if "numpy" in sys.modules:
            modules.setdefault("numpy")
    properties = {
        SERIALIZER_PROPERTY: serializer.name,
        PYTHON_PROPERTY: platform.python_version(),
    }
    for module in modules:
        if (found := _module_version(module)) is not None:
            properties[LIBRARY_PREFIX + _DISTRIBUTIONS.get(module, module)] = found
    return properties


def _module_version(module: str) -> str | None:
    found = getattr(sys.modules.get(module), "__version__", None)
    return found if isinstance(found, str) else None


def warn_of_other_versions(properties: Mapping[str, Any]) -> None:
    """Warn for each library that is here in another major version than wrote these properties."""
    for key, value in properties.items():
        if not key.startswith(LIBRARY_PREFIX) or not isinstance(value, str):
            continue
        name = key.removeprefix(LIBRARY_PREFIX)
        here = _installed_version(name)
        if here is not None and here.split(".")[0] != value.split(".")[0]:
            warn_caller(
                f"the model was written with {name} {value}, and {name} {here} reads it",
                VersionMismatchWarning,
            )


@cache
def _installed_version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
