"""Bytes as they are: from memory, or a file that some other program wrote."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, BinaryIO, ClassVar

from modelreg.errors import SerializationError
from modelreg.serializers.base import Serializer


class BytesSerializer(Serializer):
    """bytes, bytearray and memoryview. Read back as bytes."""

    name: ClassVar[str] = "bytes"
    is_safe: ClassVar[bool] = True

    def can_serialize(self, obj: Any) -> bool:
        return isinstance(obj, (bytes, bytearray, memoryview))

    def dump(self, obj: Any, file: BinaryIO) -> None:
        if not self.can_serialize(obj):
            raise SerializationError(f"expected bytes, got {type(obj).__name__}")
        if isinstance(obj, memoryview) and not obj.c_contiguous:
            obj = obj.tobytes()
        file.write(obj)

    def load(self, file: BinaryIO, *, trusted_types: Collection[str] = ()) -> bytes:
        return file.read()


class FileSerializer(BytesSerializer):
    """A file of any format. Read back as bytes; registry.download writes it to a file again."""

    name: ClassVar[str] = "file"

    def can_serialize(self, obj: Any) -> bool:
        return False

    def dump(self, obj: Any, file: BinaryIO) -> None:
        raise SerializationError(
            "files are not made from objects", hint="registry.register_file(path, …) registers one."
        )
