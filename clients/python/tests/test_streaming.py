"""Large artifacts: in parts, with resume, progress, and a digest at both ends."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from conftest import METRICS, superuser
from modelreg import (
    ChecksumError,
    ConnectionFailedError,
    InvalidArgumentError,
    ModelRegistry,
    NotFoundError,
    RegistryConfig,
)
from modelreg.payload import Payload
from modelreg.tree import Tree

MB = 1024 * 1024
SIZE = 35 * MB + 123_456  # more than is sent between two commits
_SEED = os.urandom(MB)
LARGE = b"".join(hashlib.sha256(_SEED[:8] + bytes([n])).digest() + _SEED for n in range(35))[:SIZE]
LARGE += os.urandom(SIZE - len(LARGE))
CHECKSUM = hashlib.sha256(LARGE).hexdigest()


@pytest.fixture(scope="module")
def large_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "weights.bin"
    path.write_bytes(LARGE)
    return path


@pytest.fixture(scope="module")
def large_id(database, large_file):
    with ModelRegistry(make_conninfo(dbname=database)) as registry:
        return registry.register_file(large_file, "large", performance_metrics=METRICS).model_id


def terminate_others(database):
    """End all other sessions in this database, and wait for it."""
    with superuser(database) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


class Proxy:
    """A server's socket with somebody in between, who can drop what the server says."""

    def __init__(self, directory):
        with superuser() as connection:
            host, port = connection.info.host, connection.info.port
        self.target = f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)
        self.directory = directory
        self.drop_answer_to: bytes | None = None
        self.dropped = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{directory}/.s.PGSQL.5432")
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                family = socket.AF_UNIX if isinstance(self.target, str) else socket.AF_INET
                server = socket.socket(family)
                server.connect(self.target)
                state = {"drop": False}
                for target, source, towards_client in (
                    (server, client, False),
                    (client, server, True),
                ):
                    threading.Thread(
                        target=self._copy, args=(source, target, state, towards_client), daemon=True
                    ).start()

    def _copy(self, source, target, state, towards_client):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if towards_client and state["drop"]:
                    self.dropped += 1
                    break
                if not towards_client and self.drop_answer_to and self.drop_answer_to in data:
                    state["drop"] = True
                    self.drop_answer_to = None
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy():
    with tempfile.TemporaryDirectory(prefix="mr") as directory:
        proxy = Proxy(directory)
        yield proxy
        proxy.close()


# ---- Up ----


def test_file(registry, model, large_file, tmp_path):
    calls = []
    version = registry.register_file(
        large_file,
        "large",
        model_name=model,
        performance_metrics=METRICS,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert (version.artifact_size, version.checksum) == (SIZE, CHECKSUM)
    assert version.serializer == "file"
    assert calls == sorted(calls)
    assert calls[-1] == (SIZE, SIZE)
    assert len(calls) > 30
    calls.clear()
    path = registry.download(
        version.model_id, tmp_path, progress=lambda done, total: calls.append((done, total))
    )
    assert path == tmp_path / "weights.bin"
    assert path.read_bytes() == LARGE
    assert calls[-1] == (SIZE, SIZE)
    assert registry.load_model(version.model_id) == LARGE
    assert registry.load_bytes(version.model_id) == LARGE
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("size", [1, MB - 1, MB, MB + 1, 2 * MB, 3 * MB + 1])
def test_sizes(registry, model, size, tmp_path):
    data = LARGE[:size]
    version = registry.register_bytes(data, "x", model_name=model, performance_metrics=METRICS)
    assert registry.load_model(version.model_id) == data
    assert registry.load_latest_model(model_name=model) == data
    assert registry.download(version.model_id, tmp_path / "f").read_bytes() == data


def test_empty(registry, model):
    with pytest.raises(InvalidArgumentError):
        registry.register_bytes(b"", "x", model_name=model, performance_metrics=METRICS)


def test_open_files(registry, model):
    """A file that is open, and a pipe, which cannot be read twice."""
    file = io.BytesIO(LARGE[: 2 * MB])
    file.seek(5)
    version = registry.register_file(file, "x", model_name=model, performance_metrics=METRICS)
    assert not file.closed
    assert registry.load_model(version.model_id) == LARGE[: 2 * MB]
    reading, writing = os.pipe()

    def write():
        with open(writing, "wb") as file:
            file.write(LARGE[: 3 * MB])

    thread = threading.Thread(target=write)
    thread.start()
    with open(reading, "rb") as pipe:
        version = registry.register_file(pipe, "x", model_name=model, performance_metrics=METRICS)
    thread.join()
    assert version.checksum == hashlib.sha256(LARGE[: 3 * MB]).hexdigest()


def test_no_such_file(registry, tmp_path):
    with pytest.raises(FileNotFoundError):
        registry.register_file(tmp_path / "nothing", "x", performance_metrics=METRICS)


@pytest.mark.parametrize("kind", ["dsn", "pool"])
def test_killed_while_sending(database, dsn, model, large_file, kind):
    """It finishes, once, however often it is interrupted; what was committed is not sent again."""
    kills, sent = [5 * MB, 33 * MB, 35 * MB, SIZE], []

    def progress(done, total):
        sent.append(done)
        if kills and done >= kills[0]:
            kills.pop(0)
            terminate_others(database)

    with contextlib.ExitStack() as stack:
        if kind == "dsn":
            registry = stack.enter_context(ModelRegistry(dsn))
        else:
            pool_module = pytest.importorskip("psycopg_pool")
            registry = ModelRegistry(
                stack.enter_context(
                    pool_module.ConnectionPool(dsn, min_size=1, max_size=2, open=True)
                )
            )
        version = registry.register_file(
            large_file, "x", model_name=model, performance_metrics=METRICS, progress=progress
        )
        assert not kills
        assert version.checksum == CHECKSUM
        assert len(registry.list_versions(model_name=model)) == 1
    resent = len(sent) - 36
    assert 5 <= resent <= 5 + 2 + 4 + 5, "parts that were sent twice"
    with superuser(database) as connection:
        assert connection.execute("SELECT count(*) FROM modelreg.upload").fetchone() == (0,)


def test_retries_are_bounded(database, dsn, model, large_file):
    """A server that ends every session is given up, and the error says how to go on."""
    kills = 0

    def progress(done, total):
        nonlocal kills
        kills += 1
        terminate_others(database)

    with ModelRegistry(dsn, RegistryConfig(retries=2)) as registry:
        with pytest.raises(ConnectionFailedError) as caught:
            registry.register_file(
                large_file, "x", model_name=model, performance_metrics=METRICS, progress=progress
            )
        assert kills == 3
        assert registry.list_versions(model_name=model) == []
        upload_id = caught.value.upload_id
        assert upload_id in str(caught.value)
        assert registry.upload_status(upload_id).expected_size == SIZE
        version = registry.register_file(
            large_file, "x", model_name=model, performance_metrics=METRICS, resume=upload_id
        )
        assert version.checksum == CHECKSUM


@pytest.mark.parametrize("explicit", ["1.0.0", None])
def test_answer_is_lost(database, model, large_file, proxy, explicit):
    """The registration was made, and nobody heard: it is found, not made again."""
    with ModelRegistry(make_conninfo(dbname=database, host=proxy.directory)) as registry:
        before = registry.register_file(
            large_file, "x", model_name=model, performance_metrics=METRICS
        )
        proxy.drop_answer_to = b"modelreg_register_upload"
        version = registry.register_file(
            large_file, "x", version=explicit, model_name=model, performance_metrics=METRICS
        )
        assert proxy.dropped == 1
        assert version.version_number == 2
        assert registry.list_versions(model_name=model) == [version, before]


def test_answer_is_lost_of_a_directory(database, model, proxy, tmp_path):
    (tmp_path / "a").write_bytes(LARGE[:100])
    (tmp_path / "b").write_bytes(LARGE[: 2 * MB])
    with ModelRegistry(make_conninfo(dbname=database, host=proxy.directory)) as registry:
        proxy.drop_answer_to = b"modelreg_register_files"
        version = registry.register_directory(
            tmp_path, "x", model_name=model, performance_metrics=METRICS
        )
        assert proxy.dropped == 1
        assert registry.list_versions(model_name=model) == [version]


def test_answer_is_lost_of_a_small_one(database, model, proxy):
    """Whether it was made is not known, and the error says so."""
    with ModelRegistry(make_conninfo(dbname=database, host=proxy.directory)) as registry:
        proxy.drop_answer_to = b"modelreg_register("
        with pytest.raises(ConnectionFailedError, match="not known"):
            registry.register_bytes(b"x", "x", model_name=model, performance_metrics=METRICS)
        # A read whose answer is lost is read again.
        proxy.drop_answer_to = b"modelreg_list("
        assert len(registry.list_versions(model_name=model)) == 1
        assert proxy.dropped == 2


def test_file_name_that_is_no_text(registry, model, tmp_path):
    path = tmp_path / os.fsdecode(b"not \xff utf-8")
    path.write_bytes(b"x")
    version = registry.register_file(path, "x", model_name=model, performance_metrics=METRICS)
    target = tmp_path / "target"
    target.mkdir()
    assert registry.download(version.model_id, target).name == "not ? utf-8"


def test_resume_in_another_process(database, dsn, model, large_file, tmp_path):
    with ModelRegistry(dsn) as registry:
        upload_id = registry.begin_upload(SIZE)
    program = f"""
import os, sys
from modelreg import ModelRegistry
def progress(done, total):
    if done >= {34 * MB}:
        os._exit(7)
ModelRegistry(sys.argv[1]).register_file(
    sys.argv[2], "x", model_name="lost", performance_metrics={METRICS!r}, resume=sys.argv[3],
    progress=progress)
"""
    result = subprocess.run([sys.executable, "-c", program, dsn, large_file, upload_id])
    assert result.returncode == 7
    first = []
    with ModelRegistry(dsn) as registry:
        other = tmp_path / "other"
        other.write_bytes(LARGE[:-1] + b"?")
        held = registry.upload_status(upload_id).bytes_held
        assert held == 32 * MB
        other.write_bytes(b"?" + LARGE[1:])
        with pytest.raises(ChecksumError) as caught:
            registry.register_file(
                other, "x", model_name=model, performance_metrics=METRICS, resume=upload_id
            )
        assert caught.value.sqlstate == "22000"
        assert caught.value.upload_id == upload_id
        other.write_bytes(b"short")
        with pytest.raises(InvalidArgumentError, match="more than the 5"):
            registry.register_file(
                other, "x", model_name=model, performance_metrics=METRICS, resume=upload_id
            )
        version = registry.register_file(
            large_file,
            "x",
            model_name=model,
            performance_metrics=METRICS,
            resume=upload_id,
            progress=lambda done, total: first.append(done),
        )
        assert version.checksum == CHECKSUM
        with pytest.raises(NotFoundError):
            registry.upload_status(upload_id)


def test_resume_takes_up_where_it_was(registry, model, large_file):
    upload_id = registry.begin_upload(SIZE)
    registry._source.run(
        __import__("modelreg.statements").statements.upload_append(upload_id, LARGE[: 3 * MB], 0)
    )
    sent = []
    version = registry.register_file(
        large_file,
        "x",
        model_name=model,
        performance_metrics=METRICS,
        resume=upload_id,
        progress=lambda done, total: sent.append(done),
    )
    assert sent[0] == 4 * MB
    assert version.checksum == CHECKSUM


def test_abort(registry):
    upload_id = registry.begin_upload()
    registry.abort_upload(upload_id)
    with pytest.raises(NotFoundError):
        registry.upload_status(upload_id)
    with pytest.raises(NotFoundError):
        registry.abort_upload(upload_id)
    for bad in ("nonsense", "'; --"):
        with pytest.raises(InvalidArgumentError):
            registry.upload_status(bad)


def test_refused_at_the_end(registry, dsn, model, large_file):
    """What was sent is kept, and can be registered under another version."""

    def progress(done, total):
        # After the arguments were checked, somebody takes the version.
        if done == MB:
            with ModelRegistry(dsn) as other:
                other.register_bytes(
                    b"x", "x", version="1.0.0", model_name=model, performance_metrics=METRICS
                )

    with pytest.raises(ValueError, match="exists") as caught:
        registry.register_file(
            large_file,
            "x",
            version="1.0.0",
            model_name=model,
            performance_metrics=METRICS,
            progress=progress,
        )
    calls = []
    version = registry.register_file(
        large_file,
        "x",
        version="1.0.1",
        model_name=model,
        performance_metrics=METRICS,
        resume=caught.value.upload_id,
        progress=lambda done, total: calls.append(done),
    )
    assert calls == []
    assert version.checksum == CHECKSUM


def test_refused_at_once(registry, model, large_file):
    """What the client itself can tell is told before all is sent."""
    calls = []
    for bad in ({"performance_metrics": {"a": float("nan")}}, {"tags": "one"}):
        with pytest.raises(InvalidArgumentError) as caught:
            registry.register_file(
                large_file,
                "x",
                **{"model_name": model, "performance_metrics": METRICS, **bad},
                progress=lambda done, total: calls.append(done),
            )
        assert caught.value.upload_id is None
    assert calls == []


def test_files_of_whole_parts_are_closed(tmp_path):
    """Or a directory of them would have them all open at once."""
    for name in "abc":
        (tmp_path / name).write_bytes(bytes(2 * MB))
    before = os.listdir("/proc/self/fd")
    with Payload.of_tree(Tree.of(tmp_path).files) as payloads:
        for payload in payloads:
            assert payload.read(0, MB) + payload.read(MB, MB) == bytes(2 * MB)
        assert os.listdir("/proc/self/fd") == before


def test_file_that_is_open_for_text(registry, model):
    with pytest.raises(InvalidArgumentError, match="'rb'"):
        registry.register_file(
            io.StringIO("text"), "x", model_name=model, performance_metrics=METRICS
        )


def test_file_becomes_shorter(registry, model, tmp_path):
    path = tmp_path / "shrinks"
    path.write_bytes(LARGE[: 5 * MB])

    def progress(done, total):
        if done == MB:
            os.truncate(path, 3 * MB)

    with pytest.raises(InvalidArgumentError, match="shorter"):
        registry.register_file(
            path, "x", model_name=model, performance_metrics=METRICS, progress=progress
        )
    assert registry.list_versions(model_name=model) == []
    registry.register_bytes(b"works", "x", model_name=model, performance_metrics=METRICS)


def test_callback_that_fails(registry, model, large_file, large_id, tmp_path):
    def progress(done, total):
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        registry.register_file(
            large_file, "x", model_name=model, performance_metrics=METRICS, progress=progress
        )
    for _ in range(2):
        with pytest.raises(RuntimeError, match="stop"):
            registry.download(large_id, tmp_path / "x", progress=progress)
    assert list(tmp_path.iterdir()) == []
    assert registry.list_versions(model_name=model) == []
    assert registry.get_model_info(large_id)


def test_inside_the_callers_pipeline(database, model, large_file, registry):
    with psycopg.connect(dbname=database) as connection, connection.pipeline():
        joined = ModelRegistry(connection)
        version = joined.register_file(
            large_file, "x", model_name=model, performance_metrics=METRICS
        )
        connection.commit()
    assert registry.get_model_info(version.model_id) == version


def test_callback_that_uses_the_registry(registry, model, large_file, large_id, tmp_path):
    """In the middle of a transfer it gets a connection of its own."""
    seen = []

    def progress(done, total):
        if len(seen) < 3:
            seen.append(len(registry.list_versions(model_name=model)))

    registry.register_file(
        large_file, "x", model_name=model, performance_metrics=METRICS, progress=progress
    )
    assert seen == [0, 0, 0]
    seen.clear()
    registry.download(large_id, tmp_path / "x", progress=progress)
    assert seen == [1, 1, 1]


# ---- Down ----


def test_killed_while_receiving(database, dsn, large_id, tmp_path):
    kills, calls = [MB, 15 * MB, SIZE], []

    def progress(done, total):
        calls.append(done)
        if kills and done >= kills[0]:
            kills.pop(0)
            terminate_others(database)

    with ModelRegistry(dsn) as registry:
        path = registry.download(large_id, tmp_path / "x", progress=progress)
        assert path.read_bytes() == LARGE
        assert not kills
        assert calls == sorted(calls)
        kills = [10 * MB]
        assert registry.load_model(large_id, progress=progress) == LARGE
        assert not kills


def test_resumed_download(registry, large_id, tmp_path):
    path = tmp_path / "x"

    def stop(done, total):
        if done > 20 * MB:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        registry.download(large_id, path, progress=stop, resume=True)
    assert not path.exists()
    (partial,) = tmp_path.iterdir()
    assert 20 * MB < partial.stat().st_size < 22 * MB
    calls = []
    registry.download(large_id, path, progress=lambda done, total: calls.append(done), resume=True)
    assert calls[0] > 20 * MB
    assert path.read_bytes() == LARGE
    assert list(tmp_path.iterdir()) == [path]


def test_resumed_download_of_damaged_bytes(registry, large_id, tmp_path):
    """What was there is hashed as well; what is wrong is not used, and not tried for ever."""
    path = tmp_path / "x"
    partial = tmp_path / f".x.{CHECKSUM[:16]}.part"
    partial.write_bytes(b"?" + LARGE[1:MB])
    with pytest.raises(ChecksumError):
        registry.download(large_id, path, resume=True)
    assert list(tmp_path.iterdir()) == []
    for left in (LARGE, LARGE + b"too long", b""):
        partial.write_bytes(left)
        registry.download(large_id, path, resume=True)
        assert path.read_bytes() == LARGE
        assert list(tmp_path.iterdir()) == [path]


def test_download_that_cannot_be_put_in_its_place(registry, model, tmp_path):
    path = tmp_path / "taken"
    path.write_bytes(b"x")
    version = registry.register_file(path, "x", model_name=model, performance_metrics=METRICS)
    path.unlink()
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        registry.download(version.model_id, tmp_path)
    assert os.listdir(tmp_path) == ["taken"]


def test_long_file_name(registry, model, tmp_path):
    path = tmp_path / ("\N{SNOWMAN}" * 85)
    path.write_bytes(b"x")
    version = registry.register_file(path, "x", model_name=model, performance_metrics=METRICS)
    (tmp_path / "target").mkdir()
    for resume in (False, True):
        found = registry.download(version.model_id, tmp_path / "target", resume=resume)
        assert found.name == path.name
        assert os.listdir(tmp_path / "target") == [path.name]


def test_file_name_made_of_a_long_id(registry, tmp_path):
    """Names are longer than a file's may be; each id has one of its own all the same."""
    for data in (b"first", b"second"):
        version = registry.register_bytes(
            data, "x", model_name="\N{SNOWMAN}" * 256, performance_metrics=METRICS
        )
        found = registry.download(version.model_id, tmp_path)
        assert found.read_bytes() == data
        digits = hashlib.sha256(version.model_id.encode()).hexdigest()[:8]
        assert found.name == "\N{SNOWMAN}" * 66 + digits
    assert len(os.listdir(tmp_path)) == 2


@pytest.mark.parametrize("kind", ["symlink", "dangling", "hard link", "pipe", "another's"])
def test_resume_of_what_others_put_there(registry, model, tmp_path, monkeypatch, kind):
    """The name of the part can be guessed. What has it must not be written through."""
    version = registry.register_bytes(b"wanted", "x", model_name=model, performance_metrics=METRICS)
    victim = tmp_path / "victim"
    victim.write_bytes(b"")
    part = tmp_path / f".target.{version.checksum[:16]}.part"
    held = os.open(victim, os.O_WRONLY)
    if kind == "symlink":
        part.symlink_to(victim)
    elif kind == "dangling":
        part.symlink_to(tmp_path / "nowhere")
    elif kind == "hard link":
        os.link(victim, part)
    elif kind == "another's":
        # Who has it open, and can write to it when it was verified.
        part.write_bytes(b"want")
        os.close(held)
        held = os.open(part, os.O_WRONLY)
        owner = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    else:
        os.mkfifo(part)
    target = registry.download(version.model_id, tmp_path / "target", resume=True)
    assert not target.is_symlink()
    assert victim.read_bytes() == b""
    os.write(held, b"evil")
    os.close(held)
    assert target.read_bytes() == b"wanted"
    assert sorted(os.listdir(tmp_path)) == ["target", "victim"]


def test_download_replaces_in_one_step(registry, large_id, model, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with pytest.raises(NotFoundError):
        registry.download("nobody", path)
    assert path.read_bytes() == b"old"
    registry.download(large_id, path)
    assert path.read_bytes() == LARGE
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()
    with pytest.raises(FileNotFoundError):
        registry.download(large_id, tmp_path / "no" / "such" / "directory")


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "..", "", "a/b", "c:\\evil", "nul\x01", ".bashrc"]
)
def test_names_of_others(registry, model, tmp_path, sql, name):
    """The name that a version was registered under leads nowhere else."""
    version = registry.register_bytes(b"x", "x", model_name=model, performance_metrics=METRICS)
    sql.execute(
        "SELECT FROM modelreg_update(%s, properties => jsonb_build_object(%s::text, %s::text))",
        [version.model_id, "modelreg.filename", name],
    )
    path = registry.download(version.model_id, tmp_path)
    assert path.parent == tmp_path
    assert not path.name.startswith(".")
    assert [p.parent for p in tmp_path.rglob("*")] == [tmp_path]


@pytest.mark.parametrize("size", [1000, 5 * MB])
def test_damaged_in_the_database(registry, model, sql, tmp_path, size):
    """Both ends find it; verify_checksum=False rescues what is there."""
    data = os.urandom(size)
    version = registry.register_bytes(data, "x", model_name=model, performance_metrics=METRICS)
    damage(sql, version)
    path = tmp_path / "x"
    for call in (
        registry.load_model,
        registry.load_bytes,
        lambda model_id: registry.download(model_id, path),
    ):
        with pytest.raises(ChecksumError) as caught:
            call(version.model_id)
        assert caught.value.sqlstate in ("XX001", None)
    assert not path.exists()
    rescued = registry.load_bytes(version.model_id, verify_checksum=False)
    assert len(rescued) == len(data)
    assert rescued != data
    assert registry.load_model(version.model_id, verify_checksum=False) == rescued
    registry.download(version.model_id, path, verify_checksum=False)
    assert path.read_bytes() == rescued
    # The session's setting is as it was.
    with pytest.raises(ChecksumError):
        registry.download(version.model_id, path)


def damage(sql, version):
    """Change stored bytes, as only a superuser could, past all guards."""
    triggers = sql.execute(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = 'modelreg.chunk_piece'::regclass"
    ).fetchall()
    with sql.transaction():
        for (trigger,) in triggers:
            sql.execute(f"ALTER TABLE modelreg.chunk_piece DISABLE TRIGGER {trigger}")
        sql.execute(
            "UPDATE modelreg.chunk_piece SET data = set_byte(data, 0, 255 - get_byte(data, 0))"
            " WHERE piece_no = 0 AND chunk = (SELECT chunk FROM modelreg.artifact_chunk"
            " JOIN modelreg.artifact USING (content) WHERE sha256 = decode(%s, 'hex')"
            " ORDER BY chunk_no LIMIT 1)",
            [version.checksum],
        )
        for (trigger,) in triggers:
            sql.execute(f"ALTER TABLE modelreg.chunk_piece ENABLE ALWAYS TRIGGER {trigger}")


def test_client_verifies_by_itself(database, model, sql, tmp_path):
    """A server that says its bytes are right is not believed."""
    where = make_conninfo(dbname=database, options="-c modelreg.verify_checksums=off")
    data = os.urandom(3 * MB)
    with ModelRegistry(where) as registry:
        version = registry.register_bytes(data, "x", model_name=model, performance_metrics=METRICS)
        damage(sql, version)
        for call in (
            registry.load_model,
            registry.load_bytes,
            lambda model_id: registry.download(model_id, tmp_path / "x"),
        ):
            with pytest.raises(ChecksumError) as caught:
                call(version.model_id)
            assert caught.value.sqlstate is None
        assert not (tmp_path / "x").exists()


def test_memory(registry, model, large_file, large_id):
    """Files are not read into memory as a whole, in either direction."""
    program = f"""
import resource, sys
from modelreg import ModelRegistry
registry = ModelRegistry(sys.argv[1])
registry.register_bytes(b"x" * 2000000, "x", performance_metrics={METRICS!r})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
registry.register_file(sys.argv[2], "x", performance_metrics={METRICS!r})
registry.download(sys.argv[3], sys.argv[2] + ".copy")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    result = subprocess.run(
        [sys.executable, "-c", program, registry.source, str(large_file), large_id],
        capture_output=True,
        text=True,
        check=True,
    )
    Path(str(large_file) + ".copy").unlink()
    assert int(result.stdout) < 20


def test_bar_on_a_terminal(registry, large_id, tmp_path):
    pytest.importorskip("tqdm")
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    if not hasattr(termios, "tcsetwinsize"):
        pytest.skip("needs Python 3.11")
    program = """
import sys
from modelreg import ModelRegistry
ModelRegistry(sys.argv[1]).download(sys.argv[2], sys.argv[3], progress=True)
"""
    command = [sys.executable, "-c", program, registry.source, large_id, str(tmp_path / "x")]
    result = subprocess.run(command, capture_output=True, check=True)
    assert result.stderr == b""
    terminal, side = pty.openpty()
    termios.tcsetwinsize(side, (24, 80))
    process = subprocess.Popen(command, stderr=side)
    os.close(side)
    shown = b""
    with contextlib.suppress(OSError):
        while data := os.read(terminal, 65536):
            shown += data
    os.close(terminal)
    assert process.wait() == 0
    assert b"100%" in shown


def test_pool_that_has_none_to_lend(dsn, model):
    """The pool has waited as long as it was told to: no use to wait again and again."""
    pool_module = pytest.importorskip("psycopg_pool")
    with pool_module.ConnectionPool(dsn, min_size=1, max_size=1, timeout=0.2, open=True) as pool:
        with pool.connection():
            started = time.monotonic()
            with pytest.raises(ConnectionFailedError, match="couldn't get a connection"):
                ModelRegistry(pool).register_bytes(
                    LARGE[: 2 * MB], "x", model_name=model, performance_metrics=METRICS
                )
            assert time.monotonic() - started < 1
        ModelRegistry(pool).register_bytes(
            LARGE[: 2 * MB], "x", model_name=model, performance_metrics=METRICS
        )


def test_two_resume_the_same_download(dsn, large_id, tmp_path):
    def download(_):
        with ModelRegistry(dsn) as registry:
            return registry.download(large_id, tmp_path / "x", progress=together, resume=True)

    barrier = threading.Barrier(2)

    def together(done, total):
        # Both are in the same file before one of them is done.
        if done == total and not barrier.broken:
            with contextlib.suppress(threading.BrokenBarrierError):
                barrier.wait(5)

    (tmp_path / f".x.{CHECKSUM[:16]}.part").write_bytes(LARGE[:MB])
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(download, range(2))) == [tmp_path / "x"] * 2
    assert os.listdir(tmp_path) == ["x"]
    assert (tmp_path / "x").read_bytes() == LARGE
