"""The figures of artifacts that are streamed: how fast, and in how much memory."""

import hashlib
import os
import random
import statistics
import struct
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass

from measuring import MB, Figure, connect

PIECE = 8096            # bytes of a row that fills a page
TARGETS = {             # what is moved: (by what, at least so many times as fast)
    "stream in": ("COPY BINARY", 0.75),
    "stream in again": ("COPY BINARY", 1.5),
    "stream out, verified": ("COPY BINARY out", 0.8),
}


@dataclass
class Streams:
    """How much is streamed."""
    size: int           # bytes of an artifact
    rounds: int
    memory_size: int    # bytes of the one during which memory is watched
    part: int = MB      # bytes of an append


# Ways to get bytes in


def upload(connection, parts):
    """Stream parts into a new version; while one is being stored, the next is sent."""
    cursors = [connection.cursor(binary=True) for _ in range(2)]
    with connection.transaction():
        upload_id = cursors[0].execute("SELECT modelreg_upload_begin()").fetchone()[0]
        with connection.pipeline():
            sent = None
            for i, part in enumerate(parts):
                cursor = cursors[i % 2]
                cursor.execute("SELECT modelreg_upload_append(%s, %b)",
                               [upload_id, part], prepare=True)
                if sent:
                    sent.fetchone()
                sent = cursor
        return cursors[0].execute(
            "SELECT model_id FROM modelreg_register_upload(%s, 'bench',"
            """ performance_metrics => '{"f1_score": 0.5}')""", [upload_id]).fetchone()[0]


def upload_one_by_one(connection, parts):
    """The same by somebody who waits for each part to be stored."""
    with connection.transaction():
        cursor = connection.cursor(binary=True)
        upload_id = cursor.execute("SELECT modelreg_upload_begin()").fetchone()[0]
        for part in parts:
            cursor.execute("SELECT modelreg_upload_append(%s, %b)", [upload_id, part],
                           prepare=True)
        return cursor.execute(
            "SELECT model_id FROM modelreg_register_upload(%s, 'bench',"
            """ performance_metrics => '{"f1_score": 0.5}')""", [upload_id]).fetchone()[0]


def copy_data(data):
    """The same bytes as COPY BINARY takes them, in rows of a page."""
    key = os.urandom(16)
    rows = [b"PGCOPY\n\xff\r\n\0" + bytes(8)]
    for number, begin in enumerate(range(0, len(data), PIECE)):
        piece = data[begin:begin + PIECE]
        rows += struct.pack("!hi16siii", 3, 16, key, 4, number, len(piece)), piece
    return b"".join(rows) + b"\xff\xff"


def copy_in(connection, rows):
    with connection.transaction():
        connection.execute("TRUNCATE page")
        with connection.cursor().copy("COPY page FROM STDIN (FORMAT binary)") as copy:
            for part in split(rows, MB):
                copy.write(part)


def insert(connection, data):
    """One bytea, sent by a blocking libpq: otherwise it takes quadratic time."""
    connection.execute("TRUNCATE plain")
    execute(connection, b"INSERT INTO plain (data) VALUES ($1)", [data])


def write_large_object(connection, parts):
    with connection.transaction():
        cursor = connection.cursor(binary=True)
        oid = cursor.execute("SELECT lo_create(0)").fetchone()[0]
        fd = cursor.execute("SELECT lo_open(%s, 131072)", [oid]).fetchone()[0]
        for part in parts:
            cursor.execute("SELECT lowrite(%s, %b)", [fd, part], prepare=True)
    return oid


def write_file(path, parts):
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for part in parts:
            digest.update(part)
            file.write(part)
        file.flush()
        os.fsync(file.fileno())


# Ways to get them out; what comes is dropped, as the client's work is not measured


def download(connection, model_id):
    # Pieces that stay in the processor's cache on their way.
    return drain(connection, f"COPY (SELECT modelreg_download('{model_id}',"
                 " piece_size => 262144)) TO STDOUT (FORMAT binary)")


def copy_out(connection):
    return drain(connection, "COPY page TO STDOUT (FORMAT binary)")


def copy_out_in_order(connection):
    """As of a table that holds other artifacts as well."""
    return drain(connection, "COPY (SELECT data FROM page WHERE chunk = (SELECT chunk FROM page"
                 " LIMIT 1) ORDER BY piece_no) TO STDOUT (FORMAT binary)")


def drain(connection, statement):
    with connection.cursor().copy(statement) as copy:
        return sum(len(data) for data in copy)


def select(connection):
    execute(connection, b"SELECT data FROM plain", [])


def read_large_object(connection, oid):
    with connection.transaction():
        cursor = connection.cursor(binary=True)
        fd = cursor.execute("SELECT lo_open(%s, 262144)", [oid]).fetchone()[0]
        while cursor.execute("SELECT loread(%s, %s)", [fd, MB], prepare=True).fetchone()[0]:
            pass


def read_file(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(MB):
            digest.update(part)


# Measuring


def split(data, size):
    view = memoryview(data)
    return [view[begin:begin + size] for begin in range(0, len(data), size)]


def execute(connection, query, parameters):
    result = connection.pgconn.exec_params(
        query, parameters, param_formats=[1] * len(parameters), result_format=1)
    if result.error_message:
        raise RuntimeError(result.error_message.decode())


class Speeds:
    """Bytes a second of each way, over the rounds."""

    def __init__(self, size):
        self.size = size
        self.rates = {}

    def time(self, what, run, *arguments):
        start = time.perf_counter()
        result = run(*arguments)
        seconds = time.perf_counter() - start
        self.rates.setdefault(what, []).append(self.size / MB / seconds)
        return result

    def figure(self, what, baseline, least=None):
        value, baseline_value = (statistics.median(self.rates[w]) for w in (what, baseline))
        return Figure(what, value, None, baseline, baseline_value,
                      "" if least is None else f"≥ {least} × the baseline",
                      None if least is None else value >= least * baseline_value,
                      unit="MB/s")


def tables(connection):
    connection.execute("""
        CREATE TABLE page (chunk uuid, piece_no integer, data bytea, PRIMARY KEY (chunk, piece_no));
        ALTER TABLE page ALTER COLUMN data SET STORAGE PLAIN;
        """)


def round_trip(connection, speeds, streams, directory):
    """Move the same new bytes in all ways; what the second upload logged, in bytes."""
    data = os.urandom(streams.size)
    parts, rows = split(data, streams.part), copy_data(data)
    path = os.path.join(directory, "artifact")
    wal = "SELECT pg_current_wal_insert_lsn()"

    connection.execute("CHECKPOINT")
    speeds.time("COPY BINARY", copy_in, connection, rows)
    connection.execute("CHECKPOINT")
    model_id = speeds.time("stream in", upload, connection, parts)
    before = connection.execute(wal).fetchone()[0]
    speeds.time("stream in again", upload, connection, parts)
    logged = connection.execute(f"SELECT pg_wal_lsn_diff(({wal}), %s)", [before]).fetchone()[0]
    speeds.time("stream out, verified", download, connection, model_id)
    speeds.time("COPY BINARY out", copy_out, connection)
    speeds.time("COPY BINARY out, in order", copy_out_in_order, connection)

    connection.execute("CHECKPOINT")
    one_by_one = split(os.urandom(streams.size), streams.part)
    speeds.time("stream in, part by part", upload_one_by_one, connection, one_by_one)
    connection.execute("CHECKPOINT")
    speeds.time("one bytea", insert, connection, data)
    speeds.time("one bytea out", select, connection)
    connection.execute("CHECKPOINT")
    oid = speeds.time("large object", write_large_object, connection, parts)
    speeds.time("large object out", read_large_object, connection, oid)
    connection.execute("SELECT lo_unlink(%s)", [oid])
    speeds.time("file, SHA-256 and fsync", write_file, path, parts)
    speeds.time("file and SHA-256 out", read_file, path)
    os.remove(path)
    return float(logged)


def variant(connection, streams):
    """What a variant adds to the store, in % of its size."""
    stored = "SELECT sum(stored_size) FROM modelreg.chunk"
    data = os.urandom(streams.size)
    upload(connection, split(data, streams.part))
    before = connection.execute(stored).fetchone()[0]
    begin, tenth = streams.size // 3, streams.size // 10
    changed = b"".join([data[:begin], os.urandom(tenth), data[begin + tenth:-MB],
                        os.urandom(1000), data[-MB:]])
    upload(connection, split(changed, streams.part))
    after = connection.execute(stored).fetchone()[0]
    return float(after - before) / len(changed) * 100


@contextmanager
def watched_memory(connection):
    """Yields a function that looks at the backend's memory, and one that tells by how
    many MB it has grown at most."""
    status = f"/proc/{connection.info.backend_pid}/status"

    def anonymous():
        with open(status) as file:
            return next(int(line.split()[1]) for line in file
                        if line.startswith("RssAnon")) / 1024

    idle, seen = anonymous(), []
    yield lambda: seen.append(anonymous()), lambda: max(seen, default=idle) - idle


def memory(streams):
    """By how many MB a backend grows while it takes in, and hands out, a large artifact."""
    with connect() as connection:
        upload(connection, [os.urandom(MB)])        # load the library, fill the caches
        with watched_memory(connection) as (look, growth):
            def parts():
                for _ in range(streams.memory_size // streams.part):
                    look()
                    yield random.randbytes(streams.part)

            model_id = upload(connection, parts())
            grown_in = growth()
            with connection.cursor().copy(
                    f"COPY (SELECT modelreg_download('{model_id}')) TO STDOUT"
                    " (FORMAT binary)") as copy:
                for i, _ in enumerate(copy):
                    if i % 100 == 0:
                        look()
            return grown_in, growth()


def streaming(connection, streams):
    tables(connection)
    speeds = Speeds(streams.size)
    logged = []
    with tempfile.TemporaryDirectory() as directory:
        for _ in range(streams.rounds):
            logged.append(round_trip(connection, speeds, streams, directory))
    for what, rates in speeds.rates.items():
        print(f"{what}: " + ", ".join(f"{rate:.0f}" for rate in rates) + " MB/s")

    figures = [speeds.figure(what, *target) for what, target in TARGETS.items()]
    figures += [speeds.figure("stream in", baseline) for baseline in (
        "stream in, part by part", "one bytea", "large object", "file, SHA-256 and fsync")]
    figures += [speeds.figure("stream out, verified", baseline) for baseline in (
        "COPY BINARY out, in order", "one bytea out", "large object out",
        "file and SHA-256 out")]

    share = statistics.median(logged) / streams.size * 100
    grown = variant(connection, streams)
    figures += [
        Figure("WAL of streaming again", share, None, "its bytes", 100, "< 1 %", share < 1, unit="%"),
        Figure("growth by a variant", grown, None, "its bytes", 100, "≤ 15 %", grown <= 15, unit="%"),
    ]
    size = f"{streams.memory_size / MB / 1024:.3g} GB"
    for what, used in zip(("in", "out"), memory(streams)):
        figures.append(Figure(f"memory, {size} {what}", used, None, "a part",
                              streams.part / MB, "≤ 64 MB", used <= 64, unit="MB"))
    return figures
