"""What is to be registered: bytes in memory, a file, or the files of a directory, read in parts.

What is registered is what was there at one moment: a file that changes while it is sent is refused.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from modelreg.errors import FileChangedError, InvalidArgumentError
from modelreg.statements import INLINE_SIZE
from modelreg.tree import TreeFile

PART_SIZE = 1024 * 1024
"""Bytes in an append: what psycopg sends fastest."""

# File systems keep times in steps. A change so soon after the last one may have the same time.
_STEP = 100_000_000  # ns


class Payload:
    """Bytes to be registered: an open file of known size, read in parts.

    It is closed at the end if it is `owned`; a caller's own file is not. `seen` is what the file
    was like when its size was taken, None for what nobody else can change.
    """

    def __init__(
        self,
        file: BinaryIO,
        size: int,
        *,
        owned: bool = True,
        seen: os.stat_result | None = None,
        name: str = "the file",
    ) -> None:
        self._file = file
        self._owned = owned
        self._seen = seen
        self._fresh = seen is not None and _is_fresh(seen)
        self._name = name
        self.size = size

    @classmethod
    def of_bytes(cls, data: bytes) -> Payload:
        return cls(io.BytesIO(data), len(data))

    @classmethod
    def of_path(cls, path: str | os.PathLike[str]) -> Payload:
        """A file as large as it is now. Raises OSError."""
        file = Path(path).open("rb")  # noqa: SIM115
        try:
            payload = cls.of_file(file)
        except BaseException:
            file.close()
            raise
        if payload._file is not file:
            file.close()
        payload._owned = True
        payload._name = str(path)
        return payload

    @classmethod
    def of_file(cls, file: BinaryIO, directory: str | os.PathLike[str] | None = None) -> Payload:
        """An open file, from its beginning; what cannot be read twice, a pipe, is copied."""
        if isinstance(file, io.TextIOBase):
            raise InvalidArgumentError("the file is open for text: open it with 'rb'")
        if file.seekable():
            # First: it writes out what a file that is open for writing has not written yet.
            size = file.seek(0, os.SEEK_END)
            return cls(file, size, owned=False, seen=_seen(file))
        copy = temporary_file(directory)
        try:
            while part := file.read(PART_SIZE):
                copy.write(part)
            return cls(copy, copy.tell())
        except BaseException:
            copy.close()
            raise

    @classmethod
    @contextmanager
    def of_tree(cls, files: Iterable[TreeFile]) -> Iterator[list[Payload]]:
        """Files that are opened when they are read, each for as long as it is."""
        payloads = [
            cls(
                cast(BinaryIO, _LazyFile(file)),
                file.seen.st_size,
                seen=file.seen,
                name=str(file.path),
            )
            for file in files
        ]
        try:
            yield payloads
        finally:
            for payload in payloads:
                payload.close()

    @property
    def is_executable(self) -> bool:
        """Whether it is a file that its owner may execute."""
        return self._seen is not None and bool(self._seen.st_mode & stat.S_IXUSR)

    @property
    def file(self) -> BinaryIO:
        """The file, to be looked at before anything is read."""
        self._file.seek(0)
        return self._file

    def read(self, byte_offset: int, length: int) -> bytes:
        """So many bytes from the offset on. Raises FileChangedError if the file has shrunk."""
        self._file.seek(byte_offset)
        wanted = min(length, self.size - byte_offset)
        data = self._file.read(wanted)
        while len(data) < wanted:
            more = self._file.read(wanted - len(data))
            if not more:
                raise changed(self._name, "became shorter")
            data += more
        return data

    def read_all(self) -> bytes:
        return self.read(0, self.size)

    def check_unchanged(self, checksum: str) -> None:
        """Raises FileChangedError unless the file is as it was: what was read has this SHA-256.

        A file that was replaced by another is whole. Where only the time of its attributes is
        another, as after a rename, the bytes are read again.
        """
        if self._seen is None:
            return
        now = self._now()
        if _content_of(now) != _content_of(self._seen):
            raise changed(self._name)
        if (self._fresh or now.st_ctime_ns != self._seen.st_ctime_ns) and (
            self._checksum() != checksum
        ):
            raise changed(self._name)

    def _now(self) -> os.stat_result:
        if isinstance(self._file, _LazyFile):
            return self._file.stat()
        return os.fstat(self._file.fileno())

    def _checksum(self) -> str:
        sha256 = hashlib.sha256()
        for byte_offset in range(0, self.size, PART_SIZE):
            sha256.update(self.read(byte_offset, PART_SIZE))
        return sha256.hexdigest()

    def close(self) -> None:
        if self._owned:
            self._file.close()

    def __enter__(self) -> Payload:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def changed(name: str, how: str = "changed") -> FileChangedError:
    """The error for something that is not what it was when its sending began."""
    return FileChangedError(
        f"{name} {how} while it was sent, and was not registered",
        hint="Register what is complete: write a new file, and rename it into its place.",
    )


def _content_of(seen: os.stat_result) -> tuple[int, int]:
    return seen.st_size, seen.st_mtime_ns


def _is_fresh(seen: os.stat_result) -> bool:
    return time.time_ns() - max(seen.st_mtime_ns, seen.st_ctime_ns) < _STEP


def _seen(file: BinaryIO) -> os.stat_result | None:
    """What the file is like; None if it is in memory."""
    try:
        seen = os.fstat(file.fileno())
    except (OSError, AttributeError):
        return None
    return seen if stat.S_ISREG(seen.st_mode) else None


class _LazyFile(io.RawIOBase):
    """A file that is opened at its first reading, and closed when it was read to its end.

    A directory may have more files than a process may have open. Raises FileChangedError if it is
    not the one that was listed.
    """

    def __init__(self, file: TreeFile) -> None:
        super().__init__()
        self._listed = file
        self._position = 0
        self._file: BinaryIO | None = None

    def stat(self) -> os.stat_result:
        """What is there now."""
        try:
            return self._same(os.stat(self._listed.path))
        except FileNotFoundError:
            raise changed(str(self._listed.path), "vanished") from None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        assert whence == os.SEEK_SET
        self._position = offset
        return offset

    def read(self, size: int = -1) -> bytes:
        if self._file is None:
            self.stat()  # before it is opened: to open a pipe may take for ever
            self._file = Path(self._listed.path).open("rb")  # noqa: SIM115
            self._same(os.fstat(self._file.fileno()))
        self._file.seek(self._position)
        data = self._file.read(size)
        self._position += len(data)
        if self._position >= self._listed.seen.st_size or len(data) < size:
            self._file.close()
            self._file = None
        return data

    def _same(self, now: os.stat_result) -> os.stat_result:
        if not self._listed.is_still(now):
            raise changed(str(self._listed.path))
        return now

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()


def temporary_file(directory: str | os.PathLike[str] | None = None) -> BinaryIO:
    """A file without a name, gone when it is closed."""
    return cast(BinaryIO, tempfile.TemporaryFile(dir=directory))


def spool(directory: str | os.PathLike[str] | None = None) -> BinaryIO:
    """A file in memory that moves to disk when it grows."""
    return cast(
        BinaryIO,
        tempfile.SpooledTemporaryFile(
            max_size=8 * INLINE_SIZE, dir=None if directory is None else os.fspath(directory)
        ),
    )
