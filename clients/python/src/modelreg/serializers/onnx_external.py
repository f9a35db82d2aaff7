"""Whether an ONNX model has tensors in other files.

Reads protobuf's encoding itself: who registers a file need not have the library, and the file may
be larger than memory. Only messages that can have tensors in them are entered.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

MESSAGES: dict[str, dict[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto",
        6: "GraphProto",
        10: "TensorProto",
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
}
"""The fields of onnx.proto that lead to tensors, by message and number."""

_TENSOR_NAME = 8
_DATA_LOCATION = 14
_EXTERNAL = 1

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


_BLOCK = 64 * 1024


class _Bytes:
    """The bytes of a file by their offset, a block in memory at a time.

    Not mapped: of a file that somebody cuts meanwhile, that would end the process.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start = 0
        self._block = b""
        self.size = file.seek(0, io.SEEK_END)

    def __getitem__(self, offset: int) -> int:
        if not self._start <= offset < self._start + len(self._block):
            self._start, self._block = offset, self.read(offset, _BLOCK)
        return self._block[offset - self._start]

    def read(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(length)


def external_tensor(file: BinaryIO) -> str | None:
    """The name of a tensor that is in another file; None if there is none.

    Also None for bytes that are no model, of which whoever reads them will complain.
    """
    data = _Bytes(file)
    waiting = [("ModelProto", 0, data.size)]
    try:
        while waiting:
            message, start, end = waiting.pop()
            if message == "TensorProto":
                name = _name_if_external(data, start, end)
                if name is not None:
                    return name
                continue
            inner = MESSAGES[message]
            for field, wire, value, stop in _fields(data, start, end):
                if wire == _BYTES and field in inner:
                    waiting.append((inner[field], value, stop))
    except (ValueError, IndexError):
        return None
    return None


def _name_if_external(data: _Bytes, start: int, end: int) -> str | None:
    name, external = "", False
    for field, wire, value, stop in _fields(data, start, end):
        if field == _TENSOR_NAME and wire == _BYTES:
            name = data.read(value, min(stop - value, 200)).decode(errors="replace")
        elif field == _DATA_LOCATION and wire == _VARINT:
            external = value == _EXTERNAL  # the last one counts
    return name if external else None


def _fields(data: _Bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Number, wire type, and the value, or where the bytes begin and end."""
    position = start
    while position < end:
        key, position = _varint(data, position, end)
        field, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, position = _varint(data, position, end)
            yield field, wire, value, position
            continue
        if wire == _BYTES:
            size, position = _varint(data, position, end)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if position + size > end:
            raise ValueError("cut short")
        yield field, wire, position, position + size
        position += size


def _varint(data: _Bytes, position: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while position < end and shift < 70:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7
    raise ValueError("no number")
