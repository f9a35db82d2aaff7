"""ONNX models."""

from __future__ import annotations

import io
import sys
from collections.abc import Collection
from typing import Any, BinaryIO, ClassVar

from modelreg.errors import SerializationError, missing_extra
from modelreg.serializers.base import Serializer
from modelreg.serializers.onnx_external import external_tensor


class OnnxSerializer(Serializer):
    """An ONNX ModelProto, with all of its tensors inside (ONNX's own limit is 2 GB).

    A model that has tensors in other files is refused, wherever in it they are.
    """

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
        data = obj.SerializeToString()
        self.check(io.BytesIO(data))
        file.write(data)

    def check(self, file: BinaryIO) -> None:
        tensor = external_tensor(file)
        if tensor is not None:
            raise SerializationError(
                f'tensor "{tensor}" is in a file beside the model',
                hint="Register the directory; or the object that onnx.load(path) reads with all of"
                " its files.",
            )

    def load(self, file: BinaryIO, *, trusted_types: Collection[str] = ()) -> Any:
        onnx = _onnx()
        data = file.read()
        try:
            model = onnx.load_model_from_string(data)
        except Exception as error:
            # protobuf's DecodeError; which module it is of depends on protobuf's version.
            raise SerializationError(f"the bytes are no ONNX model: {error}") from error
        self.check(io.BytesIO(data))
        return model


def _onnx() -> Any:
    try:
        import onnx
    except ImportError as error:
        raise missing_extra("onnx", "onnx", "the onnx serializer") from error
    return onnx
