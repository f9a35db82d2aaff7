"""The files below a directory, by whatever links they are there."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from modelreg.errors import FileChangedError, InvalidArgumentError
from modelreg.values import text

MAX_FILES = 10_000
"""Files that the server takes as one version."""

MAX_PATH = 1024
"""Bytes in a path."""

_UNFIT = re.compile(r"[\x00-\x1f\x7f\\]")

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True)
class TreeFile:
    """One file: its path in the version, with slashes, and on this machine."""

    relative: str
    path: Path
    seen: os.stat_result
    """What it was like when it was listed."""

    @property
    def size(self) -> int:
        """Bytes in it when it was listed."""
        return self.seen.st_size

    def is_still(self, now: os.stat_result) -> bool:
        """Whether that is the same file, with the same size and time."""
        return _identity(now) == _identity(self.seen)


def _identity(seen: os.stat_result) -> tuple[int, ...]:
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns


@dataclass(frozen=True)
class Tree:
    """A directory as it was at one time: its files by path, in the order of the bytes of these."""

    root: Path
    files: list[TreeFile]
    empty: list[str]
    """Directories without anything in them, which no version can have."""

    @classmethod
    def of(cls, root: str | os.PathLike[str]) -> Tree:
        """List a directory.

        Links are followed to files and directories, wherever they lead. Raises
        InvalidArgumentError, with its path, for a link that leads nowhere or in a circle, for what
        is neither a file nor a directory, for names that cannot be registered, and if there are no
        files or too many; OSError for what may not be read.
        """
        if not os.path.isdir(root):
            raise NotADirectoryError(errno.ENOTDIR, "not a directory", os.fspath(root))
        # Where it leads now: a link to the newest export may be set anew meanwhile.
        top = Path(os.path.realpath(root))
        files: list[TreeFile] = []
        empty: list[str] = []
        found = os.stat(top)
        waiting = [(top, "", frozenset({(found.st_dev, found.st_ino)}))]
        while waiting:
            directory, prefix, above = waiting.pop()
            names = os.listdir(directory)
            if not names and prefix:
                empty.append(prefix.rstrip("/"))
            for name in names:
                path = directory / name
                relative = _checked(prefix + name, path)
                seen = _stat(path)
                if stat.S_ISDIR(seen.st_mode):
                    identity = (seen.st_dev, seen.st_ino)
                    if identity in above:
                        raise InvalidArgumentError(
                            f"{path} leads in a circle: it is a link to a directory that it is in"
                        )
                    waiting.append((path, relative + "/", above | {identity}))
                    continue
                if not stat.S_ISREG(seen.st_mode):
                    kind = _KINDS.get(stat.S_IFMT(seen.st_mode), "something else")
                    raise InvalidArgumentError(f"{path} is {kind}, not a file")
                if not os.access(path, os.R_OK):
                    raise PermissionError(errno.EACCES, "cannot be read", str(path))
                files.append(TreeFile(relative, path, seen))
                if len(files) > MAX_FILES:
                    raise InvalidArgumentError(
                        f"there are more than {MAX_FILES} files in {root}",
                        hint="Register them as an archive.",
                    )
        if not files:
            raise InvalidArgumentError(f"there are no files in {root}")
        files.sort(key=lambda file: file.relative.encode())
        return cls(top, files, sorted(empty))

    @property
    def executable(self) -> list[str]:
        """The paths of files that their owner may execute."""
        return [file.relative for file in self.files if file.seen.st_mode & stat.S_IXUSR]

    def check_unchanged(self) -> None:
        """Raises FileChangedError if there are other files now than there were."""
        try:
            now = Tree.of(self.root)
        except (InvalidArgumentError, OSError) as error:
            raise changed(self.root, str(error)) from error
        check_same(self.root, self.files, now.files)


def check_same(
    root: str | os.PathLike[str], before: Iterable[TreeFile], now: Iterable[TreeFile]
) -> None:
    """Raises FileChangedError if a directory has other files now than it had before."""
    left = {file.relative: file for file in before}
    for file in now:
        if file.relative not in left:
            raise changed(root, f"{file.relative} is new")
        if not left.pop(file.relative).is_still(file.seen):
            raise changed(root, f"{file.relative} is not what it was")
    if left:
        raise changed(root, f"{next(iter(left))} is gone")


def changed(root: str | os.PathLike[str], how: str) -> FileChangedError:
    """The error for a directory that is not what it was when its sending began."""
    return FileChangedError(
        f"{os.fspath(root)} changed while it was sent, and was not registered: {how}",
        hint="Register what is complete: write a new directory, and rename it into its place.",
    )


def _checked(relative: str, path: Path) -> str:
    """The path if a version can have it: found here, rather than after all was sent."""
    if _UNFIT.search(relative) or len(os.fsencode(relative)) > MAX_PATH:
        raise InvalidArgumentError(
            f"{str(path)!a} is not a path that can be registered",
            hint=f"Paths have up to {MAX_PATH} bytes, no backslashes and no control characters.",
        )
    return text(relative, f"the path {str(path)!a}")


def _stat(path: Path) -> os.stat_result:
    """What a path leads to."""
    try:
        return os.stat(path)
    except FileNotFoundError:
        if not os.path.islink(path):
            raise  # it has just been removed
        raise InvalidArgumentError(
            f"{path} is a link that leads nowhere: to {os.readlink(path)}"
        ) from None
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise InvalidArgumentError(f"{path} is a link that leads in a circle") from None
