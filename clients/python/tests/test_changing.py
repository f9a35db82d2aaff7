"""Files and directories that change while they are sent: what is registered is whole."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from conftest import METRICS
from modelreg import (
    AsyncModelRegistry,
    ChecksumError,
    FileChangedError,
    ModelRegistry,
    ModelVersion,
)
from modelreg.payload import Payload
from modelreg.tree import Tree

MB = 1024 * 1024
A, B = os.urandom(40 * MB), os.urandom(40 * MB)
AT = 10 * MB

Change = Callable[[Path], None]
Register = Callable[..., ModelVersion]


@pytest.fixture(params=["sync", "async"])
def register(request: pytest.FixtureRequest, dsn: str, model: str) -> Register:
    """Registers a file or directory, and changes something when 10 MB of it were sent."""

    def register(path: Path, change: Callable[[], None], **more: Any) -> ModelVersion:
        left = [change]

        def progress(done: int, total: int) -> None:
            if left and done >= AT:
                left.pop()()

        options = {
            "model_name": model,
            "performance_metrics": METRICS,
            "progress": progress,
            **more,
        }
        kind = "register_directory" if path.is_dir() else "register_file"
        if request.param == "sync":
            with ModelRegistry(dsn) as registry:
                version = getattr(registry, kind)(path, "x", **options)
        else:

            async def work() -> Any:
                async with AsyncModelRegistry(dsn) as registry:
                    return await getattr(registry, kind)(path, "x", **options)

            version = asyncio.run(work())
        assert not left
        return version

    return register


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(B)


def overwrite_and_put_back_the_time(path: Path) -> None:
    """As rsync --inplace does, for instance."""
    seen = path.stat()
    overwrite(path)
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def overwrite_and_remove(path: Path) -> None:
    overwrite_and_put_back_the_time(path)
    path.unlink()


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def shrink(path: Path) -> None:
    os.truncate(path, 20 * MB)


def cut_and_write_again(path: Path) -> None:
    path.write_bytes(B)


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(B)
    other.replace(path)


def change_mode(path: Path) -> None:
    path.chmod(0o600)


def link(path: Path) -> None:
    os.link(path, path.with_name("backup"))


IN_PLACE = [
    overwrite,
    overwrite_and_put_back_the_time,
    overwrite_and_remove,
    grow,
    shrink,
    cut_and_write_again,
]
HARMLESS = [replace, Path.unlink, change_mode, link]


@pytest.fixture
def uploads(sql: psycopg.Connection[Any]) -> Callable[[], int]:
    def uploads() -> int:
        row = sql.execute("SELECT count(*) FROM modelreg.upload").fetchone()
        assert row is not None
        return int(row[0])

    return uploads


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.bin"
    path.write_bytes(A)
    old(path)
    return path


def old(path: Path) -> None:
    os.utime(path, (1_600_000_000, 1_600_000_000))


# ---- Files ----


@pytest.mark.parametrize("change", IN_PLACE)
def test_changed_in_place(
    register: Register,
    registry: ModelRegistry,
    model: str,
    file: Path,
    change: Change,
    uploads: Callable[[], int],
) -> None:
    with pytest.raises(FileChangedError, match=r"model\.bin .*while it was sent") as caught:
        register(file, lambda: change(file))
    assert isinstance(caught.value, ValueError)
    assert caught.value.upload_id is None
    assert registry.list_versions(model_name=model) == []
    assert uploads() == 0


@pytest.mark.parametrize("change", HARMLESS)
def test_whole_all_the_same(register: Register, file: Path, change: Change) -> None:
    """Replaced by a rename, removed, its mode or its number of names changed."""
    version = register(file, lambda: change(file))
    assert version.checksum == hashlib.sha256(A).hexdigest()


def test_open_file(registry: ModelRegistry, model: str, file: Path) -> None:
    changes = [overwrite]

    def progress(done: int, total: int) -> None:
        if changes and done >= AT:
            changes.pop()(file)

    options = {"model_name": model, "performance_metrics": METRICS}
    with file.open("rb") as reading:
        with pytest.raises(FileChangedError, match="the file changed"):
            registry.register_file(reading, "x", progress=progress, **options)
        version = registry.register_file(reading, "x", **options)
    assert version.checksum == hashlib.sha256(B).hexdigest()


def test_file_that_is_open_for_writing(registry: ModelRegistry, model: str) -> None:
    """What its buffer has is written out before it is looked at, and no change then."""
    options = {"model_name": model, "performance_metrics": METRICS}
    for data in (b"small", A[: 3 * MB + 5]):
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            version = registry.register_file(file, "x", **options)
            assert registry.load_bytes(version.model_id) == data


def test_other_bytes_than_were_meant(
    dsn: str, registry: ModelRegistry, model: str, file: Path, tmp_path: Path
) -> None:
    """The digest that was looked at before is compared with what was sent."""
    small = tmp_path / "small"
    small.write_bytes(b"small")

    async def asynchronously(path: Path, **options: Any) -> ModelVersion:
        async with AsyncModelRegistry(dsn) as other:
            return await other.register_file(path, "x", **options)

    for path in (small, file):
        checksum = hashlib.sha256(path.read_bytes()).hexdigest()
        options = {"model_name": model, "performance_metrics": METRICS}
        for wrong in ("0" * 64, "nonsense"):
            for call in (
                lambda **more: registry.register_file(path, "x", **options, **more),  # noqa: B023
                lambda **more: asyncio.run(asynchronously(path, **options, **more)),  # noqa: B023
            ):
                with pytest.raises(ChecksumError, match=checksum) as caught:
                    call(expected_checksum=wrong)
                if path is file:  # what was sent can be gone on with, when that is corrected
                    assert caught.value.upload_id is not None
                    registry.abort_upload(caught.value.upload_id)
        assert [v for v in registry.list_versions(model_name=model) if v.checksum == checksum] == []
        registry.register_file(path, "x", expected_checksum=checksum.upper(), **options)
        asyncio.run(asynchronously(path, expected_checksum=checksum, **options))


def test_in_the_callers_transaction(
    dsn: str, registry: ModelRegistry, model: str, file: Path, uploads: Callable[[], int]
) -> None:
    with psycopg.connect(dsn) as connection:
        joined = ModelRegistry(connection)
        for change, works in ((overwrite, False), (replace, True)):
            left = [change]

            def progress(done: int, total: int, left: list[Change] = left) -> None:
                if left and done >= AT:
                    left.pop()(file)

            options = {"model_name": model, "performance_metrics": METRICS, "progress": progress}
            if works:
                joined.register_file(file, "x", **options)
            else:
                with pytest.raises(FileChangedError):
                    joined.register_file(file, "x", **options)
    assert [v.checksum for v in registry.list_versions(model_name=model)] == [
        hashlib.sha256(B).hexdigest()
    ]
    assert uploads() == 0


def test_changed_within_a_step_of_the_clock(tmp_path: Path) -> None:
    """The times say nothing then: the bytes are compared."""
    path = tmp_path / "small"
    for _ in range(50):
        path.write_bytes(b"A" * 1000)
        with Payload.of_path(path) as payload:
            checksum = hashlib.sha256(payload.read_all()).hexdigest()
            with path.open("r+b") as file:
                file.write(b"B" * 1000)
            with pytest.raises(FileChangedError):
                payload.check_unchanged(checksum)


# ---- Directories ----


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Of three files, the first is sent before anything changes, the last is not begun then."""
    root = tmp_path / "export"
    (root / "sub").mkdir(parents=True)
    for name, data in (("first", A[:MB]), ("second", A[: 20 * MB]), ("sub/third", A[:MB])):
        (root / name).write_bytes(data)
        old(root / name)
    return root


CHANGES: dict[str, Change] = {
    "one that was sent, in place": lambda root: overwrite(root / "first"),
    "one that was sent, by rename": lambda root: replace(root / "first"),
    "the one that is sent, in place": lambda root: overwrite(root / "second"),
    "the one that is sent, by rename": lambda root: replace(root / "second"),
    "one that was not begun, in place": lambda root: overwrite(root / "sub/third"),
    "one that was not begun, by one of the same size": lambda root: (
        (root.parent / "new").write_bytes(B[:MB]),  # type: ignore[func-returns-value]
        os.utime(root.parent / "new", (1_600_000_000, 1_600_000_000)),
        (root.parent / "new").replace(root / "sub/third"),
    )[0],
    "one is new": lambda root: (root / "sub/fourth").write_bytes(b"x") and None,
    "one is gone": lambda root: (root / "first").unlink(),
    "one that was not begun is gone": lambda root: (root / "sub/third").unlink(),
    "one is a pipe now": lambda root: (
        (root / "sub/third").unlink(),
        os.mkfifo(root / "sub/third"),
    )[1],
    "another directory in its place": lambda root: (
        shutil.copytree(root, root.parent / "v2"),
        root.rename(root.parent / "v1"),
        (root.parent / "v2").rename(root),
        None,
    )[3],
}


@pytest.mark.parametrize("change", CHANGES)
def test_directory_that_changes(
    register: Register,
    registry: ModelRegistry,
    model: str,
    directory: Path,
    change: str,
    uploads: Callable[[], int],
) -> None:
    with pytest.raises(FileChangedError, match="while it was sent"):
        register(directory, lambda: CHANGES[change](directory))
    assert registry.list_versions(model_name=model) == []
    assert uploads() == 0


def test_directory_that_is_the_same(register: Register, directory: Path, tmp_path: Path) -> None:
    """Modes and further names change nothing; nor does a link to it that is set anew."""
    before = register(directory, lambda: None)
    latest = tmp_path / "latest"
    latest.symlink_to(directory)
    (tmp_path / "v2").mkdir()

    def change() -> None:
        change_mode(directory / "first")
        os.link(directory / "second", tmp_path / "backup")
        (tmp_path / "new").symlink_to(tmp_path / "v2")
        (tmp_path / "new").replace(latest)

    assert register(latest, change).checksum == before.checksum


def test_directory_changed_with_its_time_put_back(
    register: Register, directory: Path, uploads: Callable[[], int]
) -> None:
    with pytest.raises(FileChangedError):
        register(
            directory,
            lambda: overwrite_and_keep_the_size(directory / "first"),
        )
    assert uploads() == 0


def overwrite_and_keep_the_size(path: Path) -> None:
    seen = path.stat()
    with path.open("r+b") as file:
        file.write(B[: seen.st_size])
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def test_listing_again(directory: Path) -> None:
    tree = Tree.of(directory)
    tree.check_unchanged()
    (directory / "empty").mkdir()
    tree.check_unchanged()
    shutil.rmtree(directory)
    with pytest.raises(FileChangedError, match="export"):
        tree.check_unchanged()
