"""Downloads to files and directories: nothing is under its name before it is complete and verified.

Context managers that know nothing of connections, for registries with and without await.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from modelreg.errors import ChecksumError
from modelreg.preparing import FILENAME_PROPERTY
from modelreg.streaming import PART_SIZE, Download, Meter
from modelreg.types import FileEntry, ModelVersion


def target_file(version: ModelVersion, destination: str | os.PathLike[str]) -> Path:
    """Where the bytes go: to the destination, or into it if it is a directory.

    The name is then that of the file that was registered, or else the model_id.
    """
    path = Path(destination)
    if not path.is_dir():
        return path
    recorded = version.properties.get(FILENAME_PROPERTY)
    # Whoever registered it chose the name: no other directory may come of it.
    if isinstance(recorded, str) and _is_plain(recorded):
        return path / recorded
    return path / "".join("_" if char in "/\\:\0" else char for char in version.model_id)


def _is_plain(name: str) -> bool:
    return name not in ("", ".", "..") and not any(char in name for char in "/\\:\0")


@contextmanager
def incoming_file(path: Path, size: int, meter: Meter, resume_as: str | None) -> Iterator[Download]:
    """A Download into a file beside `path`, which replaces `path` in one step at the end.

    resume_as names the bytes: then what an earlier download with that name left is used, and what
    arrived is left if this one fails. Otherwise a failure leaves nothing.
    """
    partial = path.with_name(f".{path.name}.{resume_as or secrets.token_hex(8)}.part")
    if resume_as and partial.exists() and partial.stat().st_size > size:
        partial.unlink()
    mode = "r+b" if resume_as and partial.exists() else "x+b"
    try:
        with partial.open(mode) as sink:
            download = Download(cast(BinaryIO, sink), size, meter)
            download.feed_what_is_there()
            yield download
    except BaseException as error:
        # What was found to be wrong would be wrong the next time as well.
        if not resume_as or isinstance(error, ChecksumError):
            partial.unlink(missing_ok=True)
        raise
    os.replace(partial, path)


@contextmanager
def incoming_directory(
    destination: str | os.PathLike[str], resume_as: str | None
) -> Iterator[Path]:
    """A directory for the files of a version; resume_as is as in incoming_file.

    If there is none yet, it appears complete or not at all; one that exists is filled file by file.
    """
    path = Path(destination)
    if path.is_dir():
        yield path
        return
    partial = path.with_name(f".{path.name}.{resume_as or secrets.token_hex(8)}.part")
    partial.mkdir(exist_ok=resume_as is not None)
    try:
        yield partial
        os.rename(partial, path)
    except BaseException:
        if not resume_as:
            shutil.rmtree(partial)
        raise


def file_below(directory: Path, entry: FileEntry) -> Path:
    """Where a file of a version goes, in a directory that is made for it if need be."""
    path = directory.joinpath(*entry.path.split("/"))
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def has(path: Path, entry: FileEntry) -> bool:
    """Whether a file is there already, as it should be."""
    if not path.is_file() or path.stat().st_size != entry.size:
        return False
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(PART_SIZE):
            sha256.update(part)
    return sha256.hexdigest() == entry.sha256
