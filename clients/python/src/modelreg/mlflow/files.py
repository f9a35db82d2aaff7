"""A directory of files on its way into the registry: listing, hashing, uploading.

Files stream: whatever their size, a few parts of a megabyte are in memory. Each is read once, and
its SHA-256 is computed as it is sent; of them follows the checksum that the version must have.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from ..streaming import PART_SIZE, manifest
from ..types import FileEntry
from .database import Connection

_SMALL = 64 * 1024  # files up to so many bytes are sent several at a time

MLMODEL = "MLmodel"
# Written by MLflow's loader next to the files of a model, with the name that it was loaded by.
_LOADERS_NOTE = "registered_model_meta"

Progress = Callable[[int], None]


@dataclass(frozen=True)
class LocalFile:
    """A file to be registered: its path in the version, its place on disk, bytes."""

    path: str
    place: Path
    size: int


def list_files(
    root: str | os.PathLike[str], *, source: str = "", links_out: bool = True
) -> list[LocalFile]:
    """The files below a directory, or the one file, in the order of a manifest.

    Links to files are followed, without ``links_out`` only inside the directory.
    INVALID_PARAMETER_VALUE if there is no file, or one that the registry does not take; the
    message calls the directory ``source``.
    """
    source = source or str(root)
    try:
        return _list_files(Path(root), source, links_out)
    except OSError as error:
        raise _unreadable(source, error) from error


def _list_files(top: Path, source: str, links_out: bool) -> list[LocalFile]:
    if top.is_file():
        return [LocalFile(_checked(top.name), top, top.stat().st_size)]
    if not top.is_dir():
        raise MlflowException.invalid_parameter_value(f"No such file or directory: '{source}'")
    inside = top.resolve()
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
            if not links_out and not place.resolve().is_relative_to(inside):
                raise MlflowException.invalid_parameter_value(
                    f"'{path}' in '{source}' is a link out of the directory"
                )
            found.append(LocalFile(_checked(path), place, place.stat().st_size))
    if not found:
        raise MlflowException.invalid_parameter_value(f"There are no files in '{source}'")
    return sorted(found, key=lambda file: file.path.encode())


def checksum(files: Iterable[FileEntry]) -> str:
    """The checksum that a version of these files has, in hexadecimal."""
    return hashlib.sha256(manifest(files)).hexdigest()


def digest(file: LocalFile, progress: Progress | None = None) -> FileEntry:
    """Reads a local file for its size and SHA-256."""
    size, state = 0, hashlib.sha256()
    for part in _parts(file.place):
        state.update(part)
        size += len(part)
        if progress is not None:
            progress(len(part))
    return FileEntry(file.path, size, state.hexdigest())


def upload(
    connection: Connection, files: Sequence[LocalFile], progress: Progress | None = None
) -> tuple[list[str], list[FileEntry]]:
    """Uploads the files in the connection's transaction; returns the uploads' ids and what was
    sent, both in the order of ``files``. Takes no model's lock."""
    uploads = [
        row[0]
        for row in connection.execute(
            "SELECT modelreg_upload_begin(expected_size => NULLIF(u.size, 0))::text"
            " FROM unnest(%s::bigint[]) WITH ORDINALITY AS u(size, n) ORDER BY u.n",
            ([file.size for file in files],),
        )
    ]
    stored: dict[str, FileEntry] = {}
    batch: list[tuple[str, bytes]] = []
    for upload_id, file in zip(uploads, files, strict=True):
        if file.size > _SMALL:
            stored[file.path] = _stream(connection, upload_id, file, progress)
            continue
        content = b"".join(_parts(file.place))
        stored[file.path] = FileEntry(file.path, len(content), hashlib.sha256(content).hexdigest())
        if content:
            batch.append((upload_id, content))
        if progress is not None:
            progress(len(content))
        if sum(len(part) for _, part in batch) >= PART_SIZE:
            _send(connection, batch)
    _send(connection, batch)
    return uploads, [stored[file.path] for file in files]


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
    connection: Connection, upload_id: str, file: LocalFile, progress: Progress | None
) -> FileEntry:
    """Sends a file in parts, the next one while the server works on the one before."""
    sent, state = 0, hashlib.sha256()
    with connection.pipeline(), connection.cursor() as one, connection.cursor() as other:
        before, now = one, other
        for part in _parts(file.place):
            now.execute(
                "SELECT modelreg_upload_append("
                "upload_id => %s::uuid, data => %b, byte_offset => %s::bigint)",
                (upload_id, part, sent),
                prepare=True,
            )
            state.update(part)
            if sent:
                before.fetchone()
            sent += len(part)
            before, now = now, before
            if progress is not None:
                progress(len(part))
        if sent:
            before.fetchone()
    return FileEntry(file.path, sent, state.hexdigest())


def _send(connection: Connection, batch: list[tuple[str, bytes]]) -> None:
    if batch:
        connection.execute(
            "SELECT modelreg_upload_append(upload_id => u.id, data => u.content, byte_offset => 0)"
            " FROM unnest(%s::uuid[], %b::bytea[]) AS u(id, content)",
            ([upload_id for upload_id, _ in batch], [content for _, content in batch]),
        )
        batch.clear()


def _parts(place: Path) -> Iterator[bytes]:
    try:
        stream = place.open("rb", buffering=0)
    except OSError as error:
        raise _unreadable(place.name, error) from error
    with stream:
        while True:
            try:
                part = stream.read(PART_SIZE)
            except OSError as error:
                raise _unreadable(place.name, error) from error
            if not part:
                return
            yield part


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
