"""ONNX models."""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import Any, BinaryIO, ClassVar

from modelreg.errors import SerializationError, missing_extra
from modelreg.serializers.base import Serializer


class OnnxSerializer(Serializer):
    """An ONNX ModelProto, with all of its tensors inside (ONNX's own limit is 2 GB)."""

    name: ClassVar[str] = "onnx"
    is_safe: ClassVar[bool] = True
    media_type: ClassVar[str] = "application/onnx"
    extension: ClassVar[str] = ".onnx"
    libraries: ClassVar[tuple[str, ...]] = ("onnx",)

    def can_serialize(self, obj: Any) -> bool:
        # Who has such an object has imported the library.
        model_proto = getattr(sys.modules.get("onnx"), "ModelProto", None)
        return model_proto is not None and isinstance(obj, model_proto)

    def dump(self, obj: Any, file: BinaryIO) -> None:
        onnx = _onnx()
        if not isinstance(obj, onnx.ModelProto):
            raise SerializationError(f"expected an ONNX ModelProto, got {type(obj).__name__}")
        for tensor in obj.graph.initializer:
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                raise SerializationError(
                    f'tensor "{tensor.name}" is in a file beside the model',
                    hint="onnx.load(path) reads such files, load_external_data=False leaves them"
                    " out; or register the directory.",
                )
        file.write(obj.SerializeToString())

    def load(self, file: BinaryIO, *, trusted_types: Collection[str] = ()) -> Any:
        onnx = _onnx()
        data = file.read()
        try:
            return onnx.load_model_from_string(data)
        except Exception as error:
            # protobuf's DecodeError; which module it is of depends on protobuf's version.
            raise SerializationError(f"the bytes are no ONNX model: {error}") from error


def _onnx() -> Any:
    try:
        import onnx
    except ImportError as error:
        raise missing_extra("onnx", "onnx", "the onnx serializer") from error
    return onnx
