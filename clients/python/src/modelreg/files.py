"""Downloads to files and directories: nothing is under its name before it is complete and verified.

Context managers that know nothing of connections, for registries with and without await.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from modelreg.errors import ChecksumError, UnsupportedError
from modelreg.payload import PART_SIZE
from modelreg.preparing import FILENAME_PROPERTY
from modelreg.streaming import Download, Meter
from modelreg.types import FileEntry, ModelVersion

NAME_SIZE = 200
"""Bytes of a name that leave room before and behind it; file systems allow 255."""


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
    plain = "".join("_" if char in "/\\:\0" else char for char in version.model_id)
    return path / name_of_id(plain)


def name_of_id(model_id: str) -> str:
    """A name for a file that is no longer than names may be, and another for each id.

    A long one is cut to NAME_SIZE bytes, and 8 digits of its SHA-256 follow.
    """
    encoded = model_id.encode()
    if len(encoded) <= NAME_SIZE:
        return model_id
    digits = hashlib.sha256(encoded).hexdigest()[:8]
    return encoded[:NAME_SIZE].decode(errors="ignore") + digits


def _is_plain(name: str) -> bool:
    # Hidden files are settings, of a shell for instance.
    return name[:1] not in ("", ".") and not any(char in name for char in "/\\:\0")


@contextmanager
def incoming_file(
    path: Path, size: int, meter: Meter, resume_as: str | None, executable: bool
) -> Iterator[Download]:
    """A Download into a file beside `path`, which replaces `path` in one step at the end.

    resume_as names the bytes: then what an earlier download with that name left is used, and what
    arrived is left if this one fails. Otherwise a failure leaves nothing.
    """
    partial = _beside(path, resume_as)
    if resume_as and os.path.lexists(partial) and not _can_go_on(partial, size):
        partial.unlink()
    mode = "r+b" if resume_as and partial.exists() else "x+b"
    try:
        with open(partial, mode, opener=_open_itself) as sink:
            download = Download(cast(BinaryIO, sink), size, meter)
            download.feed_what_is_there()
            yield download
            if executable:
                make_executable(partial)
            written = os.fstat(sink.fileno())
        _replace(partial, path, written)
    except BaseException as error:
        # What was found to be wrong would be wrong the next time as well.
        if not resume_as or isinstance(error, ChecksumError):
            partial.unlink(missing_ok=True)
        raise


def make_executable(path: Path) -> None:
    """Have a file executable for those who may read it."""
    mode = stat.S_IMODE(path.stat().st_mode)
    path.chmod(mode | (mode & 0o444) >> 2)


def _replace(partial: Path, path: Path, written: os.stat_result) -> None:
    try:
        os.replace(partial, path)
    except FileNotFoundError:
        # Another process has resumed the same download, and was faster.
        if not (path.exists() and os.path.samestat(path.stat(), written)):
            raise


def _beside(path: Path, resume_as: str | None) -> Path:
    """A hidden name in the same directory, not longer than names may be."""
    name = path.name.encode(errors="surrogateescape")[:NAME_SIZE].decode(errors="ignore")
    return path.with_name(f".{name}.{resume_as or secrets.token_hex(8)}.part")


def _can_go_on(partial: Path, size: int) -> bool:
    """Whether this may be the beginning of so many bytes.

    The name can be guessed: somebody else's link or pipe would have the bytes go elsewhere, or
    change after they were verified.
    """
    found = partial.lstat()
    return (
        stat.S_ISREG(found.st_mode)
        and found.st_nlink == 1
        and found.st_size <= size
        and _is_ours(found)
    )


def _is_ours(found: os.stat_result) -> bool:
    return not hasattr(os, "geteuid") or found.st_uid == os.geteuid()


def _open_itself(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


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
    partial = _beside(path, resume_as)
    if resume_as and partial.is_symlink():
        partial.unlink()
    # Of another's directory, the files could be exchanged after they were verified.
    ours = resume_as is not None and partial.exists() and _is_ours(partial.lstat())
    partial.mkdir(exist_ok=ours)
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


def check_distinct(directory: Path, entries: Iterable[FileEntry]) -> None:
    """Raises UnsupportedError if the file system has taken two files of a version for one.

    Some do so with names that differ in case, or in how accents are encoded.
    """
    alike: dict[str, list[FileEntry]] = {}
    for entry in entries:
        key = unicodedata.normalize("NFKC", entry.path).casefold()
        alike.setdefault(key, []).append(entry)
    for group in alike.values():
        if len(group) == 1:
            continue
        places = {os.stat(directory / entry.path).st_ino for entry in group}
        if len(places) < len(group):
            raise UnsupportedError(
                f"{' and '.join(repr(entry.path) for entry in group)} are one file here",
                hint="Download to a file system that tells such names apart.",
            )


def has(path: Path, entry: FileEntry) -> bool:
    """Whether a file is there already, as it should be."""
    if not path.is_file() or path.stat().st_size != entry.size:
        return False
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(PART_SIZE):
            sha256.update(part)
    return sha256.hexdigest() == entry.sha256
