"""With which libraries an object was written, and which of its classes nobody else has."""

from __future__ import annotations

import io
import pickle
import platform
import sys
import types
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from modelreg.errors import warn_caller
from modelreg.serializers.base import Serializer
from modelreg.types import SERIALIZER_PROPERTY
from modelreg.values import short_text

LIBRARY_PREFIX = "modelreg.library."
PYTHON_PROPERTY = "modelreg.python"

# Import names whose distribution is called otherwise.
_DISTRIBUTIONS = {
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "cv2": "opencv-python",
    "imblearn": "imbalanced-learn",
    "PIL": "Pillow",
}

MAIN = "__main__"


class VersionMismatchWarning(UserWarning):
    """A model was written with another major or minor version of a library than is here."""


class OnlyHereWarning(UserWarning):
    """A model has a class or function of the main module: no other program can load it."""


@dataclass(frozen=True)
class Origin:
    """What is recorded of how an object was written."""

    properties: dict[str, str]
    """Serializer, Python, libraries."""

    only_here: tuple[str, ...]
    """Names of classes and functions that the main module defines."""

    @classmethod
    def of(cls, serializer: Serializer, obj: Any) -> Origin:
        """Look at an object, and at all that belongs to it."""
        modules = dict.fromkeys(serializer.libraries)
        only_here: tuple[str, ...] = ()
        if serializer.needs_classes:
            observer = _Observer(obj)
            modules.update(observer.modules)
            only_here = tuple(observer.only_here)
        properties = {
            SERIALIZER_PROPERTY: serializer.name,
            PYTHON_PROPERTY: platform.python_version(),
        }
        for module in modules:
            if (found := _module_version(module)) is not None:
                properties[LIBRARY_PREFIX + _DISTRIBUTIONS.get(module, module)] = found
        return cls(properties, only_here)

    def warn(self) -> None:
        """Warn if only this program can load the object."""
        if self.only_here:
            names = ", ".join(self.only_here[:3]) + (", …" if len(self.only_here) > 3 else "")
            warn_caller(
                f"{names} of {MAIN} is in the model: no other program can load it."
                " Define it in a module that others can import.",
                OnlyHereWarning,
            )


class _Observer(pickle.Pickler):
    """Pickles an object into nothing, and notes the modules of all classes that it meets.

    What cannot be pickled ends it: then what was noted before counts.
    """

    def __init__(self, obj: Any) -> None:
        # Out of band, the memory of arrays is neither copied nor read.
        super().__init__(_Nowhere(), protocol=5, buffer_callback=lambda buffer: None)
        self.modules: dict[str, None] = {}
        """Packages, without those of Python itself."""
        self.only_here: dict[str, None] = {}
        self._seen: set[Any] = set()
        with suppress(Exception):  # the serializer will say it
            self._note(type(obj))
            self.dump(obj)

    def reducer_override(self, obj: Any) -> Any:
        is_named = isinstance(obj, (type, types.FunctionType, types.BuiltinFunctionType))
        self._note(obj if is_named else type(obj))
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(obj, torch.Tensor):
            return (int, ())  # torch would copy it
        return NotImplemented

    def _note(self, named: Any) -> None:
        if named in self._seen:
            return
        self._seen.add(named)
        for each in named.__mro__ if isinstance(named, type) else (named,):
            module = getattr(each, "__module__", None)
            if not isinstance(module, str):
                continue
            package = module.partition(".")[0]
            if package == MAIN:
                self.only_here[short_text(getattr(each, "__qualname__", "?")).strip("'")] = None
            elif package not in sys.stdlib_module_names:
                self.modules[package] = None


class _Nowhere(io.RawIOBase):
    def write(self, data: Any) -> int:
        return len(data)


def _module_version(module: str) -> str | None:
    try:
        found = getattr(sys.modules.get(module), "__version__", None)
    except Exception:  # a module may answer by any code
        found = None
    if not isinstance(found, str):
        found = _installed_version(_DISTRIBUTIONS.get(module, module))
    return None if found is None else short_text(found).strip("'")


# ---- Where it is read ----


def warn_of_other_versions(properties: Mapping[str, Any]) -> None:
    """Warn for each library that is here in another major or minor version than wrote this."""
    for name, written in _libraries(properties).items():
        here = _installed_version(name)
        if here is not None and here.split(".")[:2] != written.split(".")[:2]:
            warn_caller(
                f"the model was written with {name} {written}, and {name} {here} reads it",
                VersionMismatchWarning,
            )


def versions_text(properties: Mapping[str, Any]) -> str | None:
    """What wrote it, and what is here, in a sentence; None if nothing is recorded."""
    libraries = _libraries(properties)
    python = properties.get(PYTHON_PROPERTY)
    if isinstance(python, str):
        libraries = {"Python": python, **libraries}
    if not libraries:
        return None
    written = ", ".join(f"{name} {found}" for name, found in libraries.items())
    here = ", ".join(
        f"{name} {found}" if (found := _here(name)) else f"no {name}" for name in libraries
    )
    return f"It was written with {written}. Here are {here}."


def _libraries(properties: Mapping[str, Any]) -> dict[str, str]:
    return {
        key.removeprefix(LIBRARY_PREFIX): value
        for key, value in properties.items()
        if key.startswith(LIBRARY_PREFIX) and isinstance(value, str)
    }


def _here(name: str) -> str | None:
    return platform.python_version() if name == "Python" else _installed_version(name)


@cache
def _installed_version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except (PackageNotFoundError, ValueError):
        return None
