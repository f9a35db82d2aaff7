"""safetensors: named tensors, of torch or numpy, and nothing that could run."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any, BinaryIO, ClassVar

from modelreg.errors import SerializationError, missing_extra
from modelreg.serializers.base import Serializer

# Kinds of numpy's that the format has: bool, integers, floats.
_KINDS = "biuf"
_TORCH, _NUMPY = "pt", "np"


class SafetensorsSerializer(Serializer):
    """A torch state_dict, or a dict of numpy arrays; read back as a dict of the same kind.

    A torch module may be given as well: its state_dict is what is stored and what is read back.
    "auto" takes it for dicts only.
    """

    name: ClassVar[str] = "safetensors"
    is_safe: ClassVar[bool] = True
    media_type: ClassVar[str] = "application/x-safetensors"
    extension: ClassVar[str] = ".safetensors"
    libraries: ClassVar[tuple[str, ...]] = ("safetensors", "torch")

    def can_serialize(self, obj: Any) -> bool:
        return _kind(obj) is not None and _installed("safetensors")

    def dump(self, obj: Any, file: BinaryIO) -> None:
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(obj, torch.nn.Module):
            obj = obj.state_dict()
        kind = _kind(obj)
        if kind is None:
            raise SerializationError(
                f"safetensors stores dicts of text to tensors or arrays of numbers,"
                f" not a {type(obj).__name__}"
            )
        metadata = {"format": kind}
        if kind == _TORCH:
            file.write(_module("safetensors.torch").save(_torch_tensors(obj), metadata))
        else:
            file.write(_module("safetensors.numpy").save(_numpy_arrays(obj), metadata))

    def load(self, file: BinaryIO, *, trusted_types: Collection[str] = ()) -> dict[str, Any]:
        data = file.read()
        module = "safetensors.torch" if _format(data) == _TORCH else "safetensors.numpy"
        loaded: dict[str, Any] = _module(module).load(data)
        return loaded


def _kind(obj: Any) -> str | None:
    """Whether all of a dict are torch's tensors, or numpy's arrays of numbers, or neither."""
    if type(obj) not in (dict, OrderedDict) or not obj or not all(isinstance(k, str) for k in obj):
        return None
    if "__metadata__" in obj:
        return None  # the format's own, which no tensor can be called
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    if torch is not None and all(isinstance(value, torch.Tensor) for value in obj.values()):
        return _TORCH
    if numpy is not None and all(
        type(value) is numpy.ndarray and value.dtype.kind in _KINDS and value.dtype.itemsize <= 8
        for value in obj.values()
    ):
        return _NUMPY
    return None


def _numpy_arrays(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays in C order, without which the format would store them scrambled."""
    import numpy

    return {name: numpy.asarray(array, order="C") for name, array in arrays.items()}


def _torch_tensors(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors on the CPU, contiguous, and each with memory of its own, as the format wants."""
    result: dict[str, Any] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        if plain.untyped_storage().data_ptr() in seen:
            plain = plain.clone()
        seen.add(plain.untyped_storage().data_ptr())
        result[name] = plain
    return result


def _format(data: bytes) -> str | None:
    """What the header says of which library wrote it."""
    try:
        length = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + length]).get("__metadata__") or {}
        found = metadata.get("format")
    except (ValueError, AttributeError) as error:
        raise SerializationError("the bytes are no safetensors") from error
    return found if isinstance(found, str) else None


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        library = "torch" if _installed("safetensors") else "safetensors"
        raise missing_extra(library, "torch", "the safetensors serializer") from error
