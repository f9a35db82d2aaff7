"""A directory of files on its way into the registry: listing, hashing, uploading.

Files stream: whatever their size, a few parts of a megabyte are in memory. Each is read once, and
its SHA-256 is computed as it is sent; of them follows the checksum that the version must have. What
changes while it is sent is refused.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from ..payload import Payload
from ..streaming import PART_SIZE, manifest
from ..tree import TreeFile, changed, check_same
from ..types import FileEntry
from .database import Connection, translated

_SMALL = 64 * 1024  # files up to so many bytes are sent several at a time

MLMODEL = "MLmodel"
# Written by MLflow's loader next to the files of a model, with the name that it was loaded by.
_LOADERS_NOTE = "registered_model_meta"

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Listing:
    """The files below a directory, or the one file, in the order of a manifest, at one time."""

    root: Path
    files: list[TreeFile]
    _source: str
    _links_out: bool

    @classmethod
    def of(
        cls, root: str | os.PathLike[str], *, source: str = "", links_out: bool = True
    ) -> Listing:
        """Lists a directory, or a file.

        Links to files are followed, without ``links_out`` only inside the directory.
        INVALID_PARAMETER_VALUE if there is no file, or one that the registry does not take; the
        message calls the directory ``source``.
        """
        source = source or str(root)
        top = Path(root)
        try:
            if top.is_file():
                files = [TreeFile(_checked(top.name), top, top.stat())]
            elif top.is_dir():
                # Where it leads now: a link to the newest model may be set anew meanwhile.
                top = top.resolve()
                files = _files_below(top, source, links_out)
            else:
                raise MlflowException.invalid_parameter_value(
                    f"No such file or directory: '{source}'"
                )
        except OSError as error:
            raise _unreadable(source, error) from error
        return cls(top, files, source, links_out)

    @contextmanager
    def payloads(self) -> Iterator[list[Payload]]:
        """What is to be sent of each file. A single file is open at once: another that takes its
        place changes nothing."""
        if self._is_directory:
            with Payload.of_tree(self.files) as payloads:
                yield payloads
            return
        try:
            payload = Payload.of_path(self.root)
        except OSError as error:
            raise _unreadable(self._source, error) from error
        with payload:
            yield [payload]

    def check_unchanged(self) -> None:
        """Raises FileChangedError if the directory has other files now."""
        if not self._is_directory:
            return
        try:
            now = Listing.of(self.root, source=self._source, links_out=self._links_out)
        except MlflowException as error:
            raise changed(self._source, error.message) from error
        check_same(self._source, self.files, now.files)

    @property
    def _is_directory(self) -> bool:
        return self.files[0].path != self.root


def _files_below(top: Path, source: str, links_out: bool) -> list[TreeFile]:
    found = []
    for directory, subdirectories, names in os.walk(top, onerror=_raise):
        for name in (*names, *(d for d in subdirectories if os.path.islink(f"{directory}/{d}"))):
            place = Path(directory, name)
            path = place.relative_to(top).as_posix()
            if path == _LOADERS_NOTE:
                continue
            if not place.is_file():
                raise MlflowException.invalid_parameter_value(
                    f"'{path}' in '{source}' is no regular file, nor a link to one"
                )
            if not links_out and not place.resolve().is_relative_to(top):
                raise MlflowException.invalid_parameter_value(
                    f"'{path}' in '{source}' is a link out of the directory"
                )
            found.append(TreeFile(_checked(path), place, place.stat()))
    if not found:
        raise MlflowException.invalid_parameter_value(f"There are no files in '{source}'")
    return sorted(found, key=lambda file: file.relative.encode())


def checksum(files: Iterable[FileEntry]) -> str:
    """The checksum that a version of these files has, in hexadecimal."""
    return hashlib.sha256(manifest(files)).hexdigest()


def digests(listing: Listing) -> list[FileEntry]:
    """Reads local files for their sizes and SHA-256."""
    with translated(), listing.payloads() as payloads:
        entries = []
        for file, payload in zip(listing.files, payloads, strict=True):
            state = hashlib.sha256()
            for _, part in _parts(file, payload):
                state.update(part)
            entries.append(FileEntry(file.relative, payload.size, state.hexdigest()))
        _check_unchanged(listing, payloads, entries)
        return entries


def upload(
    connection: Connection, listing: Listing, progress: Progress | None = None
) -> tuple[list[str], list[FileEntry]]:
    """Uploads the files in the connection's transaction; returns the uploads' ids and what was
    sent, both in the order of the listing. Takes no model's lock. Raises FileChangedError if what
    was sent was not there at one moment."""
    with listing.payloads() as payloads:
        uploads = [
            row[0]
            for row in connection.execute(
                "SELECT modelreg_upload_begin(expected_size => NULLIF(u.size, 0))::text"
                " FROM unnest(%s::bigint[]) WITH ORDINALITY AS u(size, n) ORDER BY u.n",
                ([payload.size for payload in payloads],),
            )
        ]
        sent: list[FileEntry] = []
        batch: list[tuple[str, bytes]] = []
        for upload_id, file, payload in zip(uploads, listing.files, payloads, strict=True):
            if payload.size > _SMALL:
                sent.append(_stream(connection, upload_id, file, payload, progress))
                continue
            content = b"".join(part for _, part in _parts(file, payload))
            sent.append(FileEntry(file.relative, len(content), hashlib.sha256(content).hexdigest()))
            if content:
                batch.append((upload_id, content))
            if progress is not None:
                progress(len(content))
            if sum(len(part) for _, part in batch) >= PART_SIZE:
                _send(connection, batch)
        _send(connection, batch)
        _check_unchanged(listing, payloads, sent)
    return uploads, sent


def _check_unchanged(listing: Listing, payloads: list[Payload], read: list[FileEntry]) -> None:
    listing.check_unchanged()
    for file, payload, entry in zip(listing.files, payloads, read, strict=True):
        try:
            payload.check_unchanged(entry.sha256)
        except OSError as error:
            raise _unreadable(file.relative, error) from error


def copy(connection: Connection, model_id: str, path: str | None, size: int) -> str:
    """Uploads a file of a version of the same database (None: its artifact), from the server to
    itself; returns the upload's id."""
    row = connection.execute(
        "SELECT modelreg_upload_begin(expected_size => NULLIF(%s::bigint, 0))::text", (size,)
    ).fetchone()
    assert row is not None
    # OFFSET 0 keeps the pieces in a subquery of their own, which streams.
    connection.execute(
        "SELECT max(modelreg_upload_append(upload_id => %s::uuid, data => d.piece))"
        " FROM (SELECT modelreg_download(model_id => %s, path => %s::text) AS piece OFFSET 0) AS d",
        (row[0], model_id, path),
    )
    return str(row[0])


def stored(connection: Connection, model_id: str) -> list[FileEntry]:
    """The files of a version, in the order of its manifest; none if it is not a directory."""
    rows = connection.execute(
        "SELECT path, artifact_size, sha256 FROM modelreg.version_file"
        ' WHERE model_id = %s ORDER BY path COLLATE "C"',
        (model_id,),
    )
    return [FileEntry(path, size, bytes(sha256).hex()) for path, size, sha256 in rows]


def _stream(
    connection: Connection,
    upload_id: str,
    file: TreeFile,
    payload: Payload,
    progress: Progress | None,
) -> FileEntry:
    """Sends a file in parts, the next one while the server works on the one before."""
    state = hashlib.sha256()
    with connection.pipeline(), connection.cursor() as one, connection.cursor() as other:
        before, now = one, other
        for byte_offset, part in _parts(file, payload):
            now.execute(
                "SELECT modelreg_upload_append("
                "upload_id => %s::uuid, data => %b, byte_offset => %s::bigint)",
                (upload_id, part, byte_offset),
                prepare=True,
            )
            state.update(part)
            if byte_offset:
                before.fetchone()
            before, now = now, before
            if progress is not None:
                progress(len(part))
        before.fetchone()
    return FileEntry(file.relative, payload.size, state.hexdigest())


def _send(connection: Connection, batch: list[tuple[str, bytes]]) -> None:
    if batch:
        connection.execute(
            "SELECT modelreg_upload_append(upload_id => u.id, data => u.content, byte_offset => 0)"
            " FROM unnest(%s::uuid[], %b::bytea[]) AS u(id, content)",
            ([upload_id for upload_id, _ in batch], [content for _, content in batch]),
        )
        batch.clear()


def _parts(file: TreeFile, payload: Payload) -> Iterator[tuple[int, bytes]]:
    for byte_offset in range(0, payload.size, PART_SIZE):
        try:
            part = payload.read(byte_offset, PART_SIZE)
        except OSError as error:
            raise _unreadable(file.relative, error) from error
        yield byte_offset, part


def _raise(error: OSError) -> None:
    raise error


def _unreadable(name: str, error: OSError) -> MlflowException:
    message = f"'{name}' cannot be read: {error.strerror or error}"
    return MlflowException(message, INVALID_PARAMETER_VALUE)


def _checked(path: str) -> str:
    """The registry's rule for paths, with its words for what a model's directory cannot have."""
    try:
        length = len(path.encode())
    except UnicodeEncodeError:
        raise MlflowException.invalid_parameter_value(
            f"A file's name is not UTF-8: {path!r}"
        ) from None
    if length > 1024 or "\\" in path or any(ord(c) < 32 or ord(c) == 127 for c in path):
        raise MlflowException.invalid_parameter_value(
            f"The registry does not take a file of this name: {path!r}. Paths have up to 1024 "
            "bytes, and neither backslashes nor control characters."
        )
    return path
