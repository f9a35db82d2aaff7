"""Files that change while MLflow registers them: what is registered is whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException

from mlflow_case import model_name, refused, store, superuser
from modelreg.mlflow import files
from modelreg.mlflow.store import ModelregStore

MB = 1024 * 1024
A, B = os.urandom(5 * MB), os.urandom(5 * MB)
AT = 3 * MB

Change = Callable[[Path], object]
Register = Callable[..., Any]


@pytest.fixture
def register(store: ModelregStore, model_name: str, monkeypatch: pytest.MonkeyPatch) -> Register:
    """Registers a file or directory, and changes something when 3 MB of it were sent."""
    upload = files.upload
    store.create_registered_model(model_name)

    def register(path: Path, change: Change, of: Path | None = None) -> Any:
        left, done = [change], 0

        def progress(size: int) -> None:
            nonlocal done
            done += size
            if left and done >= AT:
                left.pop()(of or path)

        monkeypatch.setattr(files, "upload", lambda *args: upload(*args[:2], progress))
        local = str(path) if path.is_file() else None
        try:
            return store.create_model_version(model_name, str(path), local_model_path=local)
        finally:
            assert not left

    return register


def state(database: str) -> Any:
    """All that a registration could leave behind."""
    with superuser(database) as connection:
        return connection.execute(
            "SELECT (SELECT count(*) FROM modelreg.upload), (SELECT count(*) FROM modelreg.chunk),"
            " (SELECT count(*) FROM modelreg.model_version)"
        ).fetchone()


def write(path: Path, content: bytes) -> None:
    """A file that is not of today."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (1_600_000_000, 1_600_000_000))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.bin"
    write(path, A)
    return path


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The first file is sent before anything changes, the last two are not begun then."""
    root = tmp_path / "model"
    for name, size in (("first", MB), ("second", 5 * MB), ("small", 9), ("sub/third", MB)):
        write(root / name, A[:size])
    return root


def overwrite(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.write(B[:size])


def overwrite_and_put_back_the_time(path: Path) -> None:
    seen = path.stat()
    overwrite(path)
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def shrink(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def replace(path: Path) -> None:
    write(path.parent.parent / "other", B[: path.stat().st_size])
    (path.parent.parent / "other").replace(path)


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


CHANGES: dict[str, Change] = {
    **{
        f"{change.__name__} {name}": lambda root, change=change, name=name: change(root / name)
        for change in (overwrite, shrink, grow, replace)
        for name in ("first", "second", "small", "sub/third")
    },
    "put back first": lambda root: overwrite_and_put_back_the_time(root / "first"),
    "put back second": lambda root: overwrite_and_put_back_the_time(root / "second"),
    "add": lambda root: (root / "sub" / "fourth").write_bytes(b"x"),
    "remove one that was sent": lambda root: (root / "first").unlink(),
    "remove one that was not begun": lambda root: (root / "sub" / "third").unlink(),
    "a pipe in the place of one": lambda root: make_pipe(root / "sub" / "third"),
    "another directory in its place": lambda root: root.rename(root.with_name("old")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_directory_that_changes(
    register: Register, database: str, directory: Path, change: str
) -> None:
    before = state(database)
    with refused("INVALID_PARAMETER_VALUE", "while it was sent", "Register what is complete"):
        register(directory, CHANGES[change])
    assert state(database) == before


@pytest.mark.parametrize(
    "change", [overwrite, overwrite_and_put_back_the_time, shrink, grow], ids=lambda c: c.__name__
)
def test_file_that_changes_in_place(
    register: Register, database: str, file: Path, change: Change
) -> None:
    before = state(database)
    with refused("INVALID_PARAMETER_VALUE", "model.bin", "while it was sent"):
        register(file, change)
    assert state(database) == before


@pytest.mark.parametrize("change", [replace, Path.unlink], ids=["replace", "remove"])
def test_file_that_another_takes_the_place_of(
    register: Register, database: str, model_name: str, tmp_path: Path, change: Change
) -> None:
    path = tmp_path / "model" / "model.bin"
    write(path, A)
    register(path, change)
    with superuser(database) as connection:
        found = connection.execute(
            "SELECT f.path, f.sha256 FROM modelreg.version_file AS f"
            " JOIN modelreg.model_version AS v USING (model_id) WHERE v.model_name = %s",
            (model_name,),
        ).fetchall()
    assert found == [("model.bin", hashlib.sha256(A).digest())]


def test_directory_that_is_the_same(
    register: Register, database: str, directory: Path, tmp_path: Path
) -> None:
    """Modes, further names and the note of MLflow's loader change nothing; nor does a link to it
    that is set anew."""
    latest = tmp_path / "latest"
    latest.symlink_to(directory)
    (tmp_path / "v2").mkdir()

    def change(root: Path) -> None:
        (root / "first").chmod(0o600)
        os.link(root / "second", tmp_path / "backup")
        (root / "registered_model_meta").write_text("model_name: x")
        (tmp_path / "new").symlink_to(tmp_path / "v2")
        (tmp_path / "new").replace(latest)

    version = register(latest, change, directory)
    with superuser(database) as connection:
        found = connection.execute(
            "SELECT f.path FROM modelreg.version_file AS f JOIN modelreg.model_version AS v"
            ' USING (model_id) WHERE v.model_name = %s ORDER BY f.path COLLATE "C"',
            (version.name,),
        ).fetchall()
    assert [path for (path,) in found] == ["first", "second", "small", "sub/third"]


@pytest.mark.parametrize("name", ["small", "sub/third"])
def test_what_is_there_in_the_end(
    register: Register, database: str, directory: Path, name: str
) -> None:
    """Of a file that was not begun, the bytes that are read are those that stay."""
    version = register(directory, lambda root: overwrite_and_put_back_the_time(root / name))
    with superuser(database) as connection:
        found = connection.execute(
            "SELECT v.checksum FROM modelreg.model_version AS v WHERE v.model_name = %s",
            (version.name,),
        ).fetchone()
    assert found == (files.checksum(files.digests(files.Listing.of(directory))),)


def test_digests_of_what_changes(directory: Path) -> None:
    listing = files.Listing.of(directory)
    assert files.digests(listing)[0].sha256 == hashlib.sha256(A[:MB]).hexdigest()
    overwrite(directory / "sub" / "third")
    with pytest.raises(MlflowException, match="while it was sent"):
        files.digests(listing)
