"""Versions that are directories of files."""

from __future__ import annotations

import hashlib
import os
import socket

import psycopg
import pytest

from conftest import METRICS, superuser
from modelreg import (
    AlreadyExistsError,
    ChecksumError,
    FileEntry,
    InvalidArgumentError,
    ModelRegistry,
    NotFoundError,
    UnsupportedError,
)
from modelreg.streaming import manifest, parse_manifest

MB = 1024 * 1024
LARGE = os.urandom(3 * MB + 5)
FILES = {
    "MLmodel": b"flavors: {}\n",
    "data/weights.bin": LARGE,
    "data/exactly.bin": os.urandom(2 * MB),
    'data/deep/er/ümläut "quoted" {a}.txt': b"x",
    "empty": b"",
    "same": b"flavors: {}\n",
    "Z": b"upper case comes first",
    "\U0001f600": b"after all that is in the plane below",
    "\uffff": b"before it, by bytes",
}


@pytest.fixture
def directory(tmp_path):
    root = tmp_path / "source"
    for path, data in FILES.items():
        file = root.joinpath(*path.split("/"))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return root


def contents(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def register(registry, directory, model, **more):
    return registry.register_directory(
        directory, "mlflow", **{"model_name": model, "performance_metrics": METRICS, **more}
    )


def test_round_trip(registry, directory, model, tmp_path):
    calls = []
    total = sum(map(len, FILES.values()))
    version = register(
        registry,
        directory,
        model,
        tags=["a"],
        properties={"flavour": "x"},
        progress=lambda done, of: calls.append((done, of)),
    )
    assert calls == sorted(calls)
    assert calls[-1] == (total, total)
    assert version.file_count == len(FILES)
    assert version.properties == {"flavour": "x"}
    entries = registry.list_files(version.model_id)
    assert {entry.path: entry.sha256 for entry in entries} == {
        path: hashlib.sha256(data).hexdigest() for path, data in FILES.items()
    }
    assert [entry.path for entry in entries] == sorted(FILES, key=str.encode)
    # The server's list of files is byte for byte what the client makes.
    listed = registry.load_bytes(version.model_id)
    assert listed == manifest(entries)
    assert parse_manifest(listed) == entries
    assert hashlib.sha256(listed).hexdigest() == version.checksum

    calls.clear()
    target = registry.download(
        version.model_id, tmp_path / "copy", progress=lambda done, of: calls.append((done, of))
    )
    assert target == tmp_path / "copy"
    assert contents(target) == FILES
    assert calls == sorted(calls)
    assert calls[-1] == (total, total)
    for path, data in FILES.items():
        assert registry.load_bytes(version.model_id, path) == data
    one = registry.download(version.model_id, tmp_path / "one", path="data/weights.bin")
    assert one.read_bytes() == FILES["data/weights.bin"]
    into = registry.download(version.model_id, target, path="data/weights.bin")
    assert into == target / "weights.bin"
    assert all(result.ok for result in registry.verify(version.model_id))
    assert {p.name for p in tmp_path.iterdir()} == {"source", "copy", "one"}


def test_into_a_directory_that_exists(registry, directory, model, tmp_path):
    version = register(registry, directory, model)
    target = tmp_path / "target"
    (target / "data").mkdir(parents=True)
    (target / "MLmodel").write_bytes(b"old")
    (target / "other").write_bytes(b"mine")
    registry.download(version.model_id, target)
    assert contents(target) == {**FILES, "other": b"mine"}


def test_same_again(registry, directory, model):
    """The checksum says that the files are the same."""
    first, second = register(registry, directory, model), register(registry, directory, model)
    assert first.checksum == second.checksum
    (directory / "MLmodel").write_bytes(b"changed")
    assert register(registry, directory, model).checksum != first.checksum


def test_callers_transaction(database, directory, model, registry, sql):
    with psycopg.connect(dbname=database) as connection:
        joined = ModelRegistry(connection)
        version = register(joined, directory, model)
        assert joined.load_bytes(version.model_id, "MLmodel") == FILES["MLmodel"]
        connection.rollback()
        assert joined.list_files.__self__.get_model_info(version.model_id) is None
        assert sql.execute("SELECT count(*) FROM modelreg.upload").fetchone() == (0,)
        version = register(joined, directory, model)
    assert registry.get_model_info(version.model_id) == version


def test_killed_while_sending(database, registry, directory, model):
    kills = [1, 2 * MB, 5 * MB]

    def progress(done, total):
        if kills and done >= kills[0]:
            kills.pop(0)
            with superuser(database) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

    version = register(registry, directory, model, progress=progress)
    assert not kills
    assert registry.list_versions(model_name=model) == [version]
    assert registry.load_bytes(version.model_id, "data/weights.bin") == FILES["data/weights.bin"]


def test_resumed_download(registry, directory, model, tmp_path):
    version = register(registry, directory, model)

    def stop(done, total):
        if done > 3 * MB:
            raise KeyboardInterrupt

    target = tmp_path / "target"
    with pytest.raises(KeyboardInterrupt):
        registry.download(version.model_id, target, progress=stop)
    assert [p.name for p in tmp_path.iterdir()] == ["source"]
    with pytest.raises(KeyboardInterrupt):
        registry.download(version.model_id, target, progress=stop, resume=True)
    assert not target.exists()
    calls = []
    registry.download(
        version.model_id, target, progress=lambda done, of: calls.append(done), resume=True
    )
    assert calls[0] > 3 * MB
    assert contents(target) == FILES
    assert {p.name for p in tmp_path.iterdir()} == {"source", "target"}


def test_not_an_object(registry, directory, model):
    version = register(registry, directory, model)
    with pytest.raises(UnsupportedError, match="download"):
        registry.load_model(version.model_id)
    with pytest.raises(UnsupportedError):
        registry.load_latest_model(model_name=model)


def test_no_such_file(registry, directory, model, tmp_path):
    version = register(registry, directory, model)
    for path in ("nothing", "", "data", "../MLmodel", "MLmodel/"):
        with pytest.raises(NotFoundError):
            registry.load_bytes(version.model_id, path)
        with pytest.raises(NotFoundError):
            registry.download(version.model_id, tmp_path / "x", path=path)
    plain = registry.register_bytes(b"x", "x", performance_metrics=METRICS)
    with pytest.raises(InvalidArgumentError):
        registry.load_bytes(plain.model_id, "MLmodel")
    assert registry.list_files(plain.model_id) == []


def test_what_cannot_be_registered(registry, tmp_path, model):
    with pytest.raises(InvalidArgumentError, match="no files"):
        register(registry, tmp_path, model)
    with pytest.raises(NotADirectoryError):
        register(registry, tmp_path / "nothing", model)
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(InvalidArgumentError, match="dangling"):
        register(registry, tmp_path, model)
    (tmp_path / "dangling").unlink()
    (tmp_path / "back\\slash").write_bytes(b"x")
    with pytest.raises(InvalidArgumentError):
        register(registry, tmp_path, model)
    (tmp_path / "back\\slash").unlink()
    (tmp_path / "line\nbreak").write_bytes(b"x")
    with pytest.raises(InvalidArgumentError, match="not a path that can"):
        register(registry, tmp_path, model)
    (tmp_path / "line\nbreak").unlink()
    (tmp_path / os.fsdecode(b"not \xff utf-8")).write_bytes(b"x")
    with pytest.raises(InvalidArgumentError):
        register(registry, tmp_path, model)
    assert registry.list_versions(model_name=model) == []


def test_links(registry, tmp_path, model):
    """They are followed to files and directories, wherever these are."""
    source = tmp_path / "source"
    (source / "real").mkdir(parents=True)
    (source / "real" / "inside").write_bytes(b"inside")
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere" / "deep" / "file").write_bytes(b"linked directory")
    (tmp_path / "outside").write_bytes(b"linked")
    (source / "link").symlink_to(tmp_path / "outside")
    (source / "twice").symlink_to("link")
    (source / "directory").symlink_to(tmp_path / "elsewhere")
    (source / "same").symlink_to("real")  # no circle: it is not inside of it
    version = register(registry, source, model)
    assert {entry.path for entry in registry.list_files(version.model_id)} == {
        "directory/deep/file",
        "link",
        "real/inside",
        "same/inside",
        "twice",
    }
    assert registry.load_bytes(version.model_id, "twice") == b"linked"
    assert registry.load_bytes(version.model_id, "directory/deep/file") == b"linked directory"
    # The directory itself may be a link.
    (tmp_path / "latest").symlink_to(source)
    assert register(registry, tmp_path / "latest", model).checksum == version.checksum


def test_cache_of_hugging_face(registry, tmp_path, model):
    """Its snapshots are links out of themselves, to blobs that are shared."""
    cache = tmp_path / "models--x"
    (cache / "blobs").mkdir(parents=True)
    snapshot = cache / "snapshots" / "0123abc"
    (snapshot / "onnx").mkdir(parents=True)
    contents_of = {"config.json": b"{}", "model.safetensors": LARGE, "onnx/model.onnx": b"o"}
    for path, data in contents_of.items():
        blob = cache / "blobs" / hashlib.sha256(data).hexdigest()
        blob.write_bytes(data)
        link = snapshot / path
        link.symlink_to(os.path.relpath(blob, link.parent))
    version = register(registry, snapshot, model)
    target = registry.download(version.model_id, tmp_path / "copy")
    assert contents(target) == contents_of
    assert not any(path.is_symlink() for path in target.rglob("*"))


def test_links_that_lead_nowhere(registry, tmp_path, model):
    """Each is named; nothing is left out, and nothing is registered."""
    source = tmp_path / "source"
    (source / "a" / "b").mkdir(parents=True)
    (source / "a" / "file").write_bytes(b"x")
    wrong = source / "a" / "b" / "wrong"
    for make, said in (
        (lambda: wrong.symlink_to("nowhere"), "leads nowhere: to nowhere"),
        (lambda: wrong.symlink_to("wrong"), "in a circle"),
        (lambda: wrong.symlink_to(source), "in a circle"),
        (lambda: wrong.symlink_to(".."), "in a circle"),
        (lambda: os.mkfifo(wrong), "a pipe"),
        (lambda: socket.socket(socket.AF_UNIX).bind(os.path.relpath(wrong)), "a socket"),
        (lambda: wrong.symlink_to("/dev/null"), "a device"),
    ):
        make()
        with pytest.raises(InvalidArgumentError, match=f"wrong.*{said}"):
            register(registry, source, model)
        wrong.unlink()
    assert registry.list_versions(model_name=model) == []
    wrong.write_bytes(b"right")
    assert register(registry, source, model).file_count == 2


def test_empty_directories_are_told(registry, directory, model):
    (directory / "logs" / "old").mkdir(parents=True)
    (directory / "cache").mkdir()
    with pytest.warns(UserWarning, match="not registered: cache, logs/old") as caught:
        register(registry, directory, model)
    assert caught[0].filename == __file__


def test_what_may_not_be_read(registry, directory, model):
    secret = directory / "data" / "weights.bin"
    secret.chmod(0)
    if os.access(secret, os.R_OK):
        pytest.skip("root may read everything")
    with pytest.raises(PermissionError, match=r"weights\.bin"):
        register(registry, directory, model)
    secret.chmod(0o644)
    (directory / "data").chmod(0)
    with pytest.raises(PermissionError, match="data"):
        register(registry, directory, model)
    (directory / "data").chmod(0o755)
    register(registry, directory, model)


def test_too_many_files(registry, tmp_path, model):
    """Also those of which links to directories make too many."""
    below = tmp_path / "source"
    for _ in range(15):
        below.mkdir(exist_ok=True)
        (below / "next").mkdir()
        (below / "again").symlink_to("next")
        below = below / "next"
    (below / "file").write_bytes(b"x")
    with pytest.raises(InvalidArgumentError, match="more than 10000 files"):
        register(registry, tmp_path / "source", model)


def test_executable_bit(registry, directory, model, tmp_path):
    """It alone is kept, beside the checksum."""
    plain = register(registry, directory, model)
    assert "modelreg.executable" not in plain.properties
    (directory / "Z").chmod(0o4711)
    (directory / "data" / "exactly.bin").chmod(0o700)
    (directory / "same").chmod(0o655)  # others, not the owner
    version = register(registry, directory, model)
    assert version.checksum == plain.checksum
    assert version.properties["modelreg.executable"] == ["Z", "data/exactly.bin"]
    mask = os.umask(0o027)
    try:
        for resume in (False, True):
            target = registry.download(version.model_id, tmp_path / "target", resume=resume)
            modes = {name: (target / name).stat().st_mode & 0o7777 for name in ("Z", "same")}
            assert modes == {"Z": 0o750, "same": 0o640}
            (target / "Z").chmod(0o640)
        one = registry.download(version.model_id, tmp_path / "one", path="data/exactly.bin")
        assert one.stat().st_mode & 0o7777 == 0o750
        single = registry.register_file(
            directory / "Z", "x", model_name=model, performance_metrics=METRICS
        )
        assert single.properties["modelreg.executable"] is True
        assert registry.download(single.model_id, tmp_path / "f").stat().st_mode & 0o777 == 0o750
    finally:
        os.umask(mask)


@pytest.mark.parametrize("value", ["true", '"Z"', "[1, null]", "{}", "7"])
def test_executable_bit_that_somebody_wrote(registry, directory, model, tmp_path, sql, value):
    version = register(registry, directory, model)
    sql.execute(
        "SELECT FROM modelreg_update(%s, properties => jsonb_build_object(%s::text, %s::jsonb))",
        [version.model_id, "modelreg.executable", value],
    )
    target = registry.download(version.model_id, tmp_path / "target")
    assert not any(path.stat().st_mode & 0o111 for path in target.rglob("*") if path.is_file())


def test_many_small_files(registry, tmp_path, model):
    """More than a process may have open."""
    source = tmp_path / "source"
    source.mkdir()
    for number in range(1500):
        (source / str(number)).write_bytes(b"%d" % number)
    version = register(registry, source, model)
    assert version.file_count == 1500
    assert registry.load_bytes(version.model_id, "1234") == b"1234"


@pytest.mark.parametrize(
    "path", ["../evil", "/etc/evil", "a/../../evil", "a//b", ".", "a/.", "", "a\\b", "a\0b"]
)
def test_lists_that_lead_out(path):
    """Nobody but a superuser could store such a list; the client checks all the same."""
    with pytest.raises(ChecksumError, match="not valid"):
        parse_manifest(manifest([FileEntry(path, 1, "0" * 64)]))


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"format":"x","files":[]}', b"\xff"])
def test_lists_that_are_none(data):
    with pytest.raises(ChecksumError):
        parse_manifest(data)


def test_damaged_file(registry, directory, model, sql, tmp_path):
    from test_streaming import damage

    (directory / "data/weights.bin").write_bytes(os.urandom(3 * MB))
    version = register(registry, directory, model)
    (entry,) = (e for e in registry.list_files(version.model_id) if e.path == "data/weights.bin")

    class OfFile:
        checksum = entry.sha256

    damage(sql, OfFile)
    with pytest.raises(ChecksumError):
        registry.download(version.model_id, tmp_path / "target")
    with pytest.raises(ChecksumError):
        registry.load_bytes(version.model_id, entry.path)
    assert registry.load_bytes(version.model_id, "MLmodel") == FILES["MLmodel"]
    assert not (tmp_path / "target").exists()
    assert parse_manifest(registry.load_bytes(version.model_id))


def test_refused_at_the_end(registry, directory, model, sql):
    """Nobody can go on with the uploads of a directory: they do not stay."""

    def uploads():
        return sql.execute("SELECT count(*) FROM modelreg.upload").fetchone()

    before = uploads()
    register(registry, directory, model, version="1.0.0")
    with pytest.raises(AlreadyExistsError):
        register(registry, directory, model, version="1.0.0")
    with (
        psycopg.connect(sql.info.dsn, autocommit=True) as connection,
        pytest.raises(AlreadyExistsError),
    ):
        register(ModelRegistry(connection), directory, model, version="1.0.0")
    assert uploads() == before


def test_resume_into_somebody_elses_directory(registry, directory, model, tmp_path):
    version = register(registry, directory, model)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / f".target.{version.checksum[:16]}.part").symlink_to(elsewhere)
    target = registry.download(version.model_id, tmp_path / "target", resume=True)
    assert not target.is_symlink()
    assert (target / "MLmodel").read_bytes() == FILES["MLmodel"]
    assert list(elsewhere.iterdir()) == []


def test_path_in_what_is_no_directory(registry, model, tmp_path):
    """Said before all of its bytes are fetched."""
    version = registry.register_bytes(
        bytes(3 * MB), "x", model_name=model, performance_metrics=METRICS
    )
    calls = []
    for fetch in (
        lambda: registry.load_bytes(version.model_id, "a", progress=lambda *_: calls.append(1)),
        lambda: registry.download(version.model_id, tmp_path / "x", path="a"),
    ):
        with pytest.raises(InvalidArgumentError, match="one artifact"):
            fetch()
    assert not calls
    assert not (tmp_path / "x").exists()


def test_names_that_the_file_system_takes_for_one(registry, model, tmp_path):
    """As those do that do not know upper case; here by a link."""
    source, target = tmp_path / "source", tmp_path / "target"
    for name in ("Data", "data"):
        (source / name).mkdir(parents=True)
        (source / name / "x").write_text(name)
    version = register(registry, source, model)
    (target / "Data").mkdir(parents=True)
    (target / "data").symlink_to("Data")
    with pytest.raises(UnsupportedError, match="'Data/x' and 'data/x' are one file here"):
        registry.download(version.model_id, target)
    (target / "data").unlink()
    registry.download(version.model_id, target)
    assert [(target / name / "x").read_text() for name in ("Data", "data")] == ["Data", "data"]
