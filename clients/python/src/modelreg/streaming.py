"""Bytes on their way: parts to send, pieces that arrive, digests, progress.

Upload and Download know nothing of connections: they say what comes next and keep the SHA-256,
and so serve with and without await. What drives them over a psycopg connection is in transfer.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from modelreg.errors import ChecksumError, InvalidArgumentError, missing_extra
from modelreg.payload import PART_SIZE as PART_SIZE
from modelreg.payload import Payload
from modelreg.statements import Statement, upload_append
from modelreg.types import FileEntry, ModelVersion, Progress

COMMIT_SIZE = 32 * PART_SIZE
"""Bytes after which an upload is committed, where that is ours to do."""


class _Digest:
    """The SHA-256 of a payload that is read in order, parts again and again if need be."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._position = 0

    def update(self, byte_offset: int, data: bytes) -> None:
        new = self._position - byte_offset
        if 0 <= new < len(data):
            self._sha256.update(memoryview(data)[new:])
            self._position = byte_offset + len(data)

    def skip_to(self, payload: Payload, byte_offset: int) -> None:
        """Read what another process has sent."""
        while self._position < byte_offset:
            length = min(PART_SIZE, byte_offset - self._position)
            self.update(self._position, payload.read(self._position, length))

    def hexdigest(self) -> str:
        return self._sha256.hexdigest()


@dataclass
class UploadItem:
    """One payload on its way into one upload."""

    payload: Payload
    upload_id: str | None = None
    sent: int = 0
    """Bytes that were handed out to be sent; after a lost connection, as far as the server says."""
    confirmed: int = 0
    digest: _Digest = field(default_factory=_Digest, repr=False)

    def resume(self, bytes_held: int) -> None:
        """Go on from where the server is. Raises InvalidArgumentError if that is beyond the end."""
        if bytes_held > self.payload.size:
            raise InvalidArgumentError(
                f"the upload holds {bytes_held} bytes, more than the {self.payload.size} to send",
                hint="It was begun with something else: leave resume out.",
            )
        self.digest.skip_to(self.payload, bytes_held)
        self.sent = self.confirmed = bytes_held

    def finish(self) -> str:
        """The SHA-256, once all has been handed out. Raises FileChangedError if it is of a mix."""
        assert self.sent == self.payload.size
        checksum = self.digest.hexdigest()
        self.payload.check_unchanged(checksum)
        return checksum


class Upload:
    """Payloads on their way to the server, one after the other.

    next_part() is the statement for the next part, confirm() takes its result.
    """

    def __init__(self, items: Sequence[UploadItem], meter: Meter) -> None:
        self.items = list(items)
        self._meter = meter
        self._in_flight: list[UploadItem] = []

    @property
    def bytes_confirmed(self) -> int:
        return sum(item.confirmed for item in self.items)

    @property
    def done(self) -> bool:
        """Whether the server has all bytes."""
        return all(item.confirmed == item.payload.size for item in self.items)

    def next_part(self) -> Statement[int] | None:
        """The statement that sends the next part; None: all were handed out."""
        for item in self.items:
            if item.sent < item.payload.size:
                assert item.upload_id is not None
                data = item.payload.read(item.sent, PART_SIZE)
                item.digest.update(item.sent, data)
                statement = upload_append(item.upload_id, data, item.sent)
                item.sent += len(data)
                self._in_flight.append(item)
                return statement
        return None

    def confirm(self, bytes_held: int) -> None:
        """The server has stored the oldest part that was not confirmed yet."""
        item = self._in_flight.pop(0)
        item.confirmed = bytes_held
        self._meter.done(self.bytes_confirmed)

    def interrupted(self) -> list[UploadItem]:
        """The connection was lost: the items of which the server must be asked how far they are."""
        self._in_flight.clear()
        return [item for item in self.items if item.upload_id is not None]


class Download:
    """Bytes that arrive: written to a file, hashed, and compared in the end."""

    def __init__(self, sink: BinaryIO, size: int, meter: Meter) -> None:
        self._sink = sink
        self._sha256 = hashlib.sha256()
        self._meter = meter
        self.size = size
        self.received = 0

    def feed(self, piece: bytes) -> None:
        """The next bytes have arrived."""
        self._sink.write(piece)
        self._sha256.update(piece)
        self.received += len(piece)
        self._meter.done(self.received)

    def feed_what_is_there(self) -> None:
        """Take what the sink has of an earlier download for the bytes that came first."""
        while piece := self._sink.read(PART_SIZE):
            self._sha256.update(piece)
            self.received += len(piece)
        if self.received:
            self._meter.done(self.received)

    @property
    def checksum(self) -> str:
        """The SHA-256 of what arrived so far."""
        return self._sha256.hexdigest()


def compare_checksum(what: str, expected: str, actual: str) -> None:
    """Raises ChecksumError if bytes that arrived are not those that were registered."""
    if expected != actual:
        raise ChecksumError(
            f"checksum verification failed: {what} has SHA-256 {actual}, registered was {expected}",
            hint="The bytes were not used. modelreg_verify says whether what is stored is damaged;"
            " registering the right bytes again heals it.",
        )


# ---- Directories ----

MANIFEST_FORMAT = "modelreg-files-1"


def manifest(entries: Iterable[FileEntry]) -> bytes:
    """The canonical list of files, as the server writes it: such a version's own artifact."""
    ordered = sorted(entries, key=lambda entry: entry.path.encode())
    files = ",".join(
        f'{{"path":{_escape(entry.path)},"size":{entry.size},"sha256":"{entry.sha256}"}}'
        for entry in ordered
    )
    return f'{{"format":"{MANIFEST_FORMAT}","files":[{files}]}}'.encode()


def _escape(text: str) -> str:
    # Paths have no control characters and no backslashes: what is left to escape is the quote.
    return json.dumps(text, ensure_ascii=False)


def parse_manifest(data: bytes) -> list[FileEntry]:
    """The files in a manifest whose checksum was compared. Raises ChecksumError if it is none.

    A path that would lead out of the directory that it is unpacked to is refused, whoever wrote it.
    """
    try:
        document = json.loads(data)
        if document["format"] != MANIFEST_FORMAT:
            raise ValueError(f"format {document['format']!r}")
        entries = [FileEntry(f["path"], f["size"], f["sha256"]) for f in document["files"]]
        for entry in entries:
            parts = entry.path.split("/")
            if any(part in ("", ".", "..") for part in parts) or any(
                char in entry.path for char in "\\\0"
            ):
                raise ValueError(f"path {entry.path!r}")
            if os.name == "nt" and ":" in entry.path:
                raise ValueError(f"path {entry.path!r}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ChecksumError(f"the list of files is not valid: {error}") from error
    return entries


# ---- Progress ----


class Meter:
    """Tells somebody how many bytes are done."""

    def done(self, bytes_done: int) -> None:
        """So many in all are done now."""

    def after(self, bytes_before: int) -> Meter:
        """A meter for one of several files, when the ones before had so many bytes."""
        return _PartMeter(self, bytes_before)


class _PartMeter(Meter):
    def __init__(self, whole: Meter, bytes_before: int) -> None:
        self._whole = whole
        self._bytes_before = bytes_before

    def done(self, bytes_done: int) -> None:
        self._whole.done(self._bytes_before + bytes_done)


class _CallbackMeter(Meter):
    def __init__(self, callback: Any, total: int) -> None:
        self._callback = callback
        self._total = total

    def done(self, bytes_done: int) -> None:
        self._callback(bytes_done, self._total)


class _BarMeter(Meter):
    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def done(self, bytes_done: int) -> None:
        self._bar.update(bytes_done - self._bar.n)


@contextmanager
def meter(progress: Progress, total: int, description: str) -> Iterator[Meter]:
    """A meter for a transfer of so many bytes, as the caller's progress argument says.

    True is a bar of tqdm's on stderr, if that is a terminal.
    """
    if callable(progress):
        yield _CallbackMeter(progress, total)
    elif progress and sys.stderr.isatty():
        try:
            from tqdm import tqdm
        except ImportError as error:
            raise missing_extra("tqdm", "progress", "a progress bar") from error
        with tqdm(
            total=total, desc=description, unit="B", unit_scale=True, unit_divisor=1024
        ) as bar:
            yield _BarMeter(bar)
    else:
        yield Meter()


def describe(version: ModelVersion) -> str:
    """How a version is called in messages."""
    return f'version "{version.model_id}"'
