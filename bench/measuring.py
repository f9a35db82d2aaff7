"""What the benchmarks have in common: measuring in turn, figures, and their table."""

import os
import statistics
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psycopg

DATABASE = "modelreg_bench"
KB, MB = 1024, 1024 * 1024
WARM_UP = 10        # runs that do not count; the sixth may get a generic plan


@dataclass
class Statement:
    """What is run and timed: a query, and its arguments in the i-th run."""
    query: str
    arguments: object


@dataclass
class Figure:
    """A line of the table: times in milliseconds, rates, sizes, shares."""
    what: str
    value: float
    p95: float | None
    baseline: str
    baseline_value: float
    target: str
    reached: bool | None
    unit: str = "ms"


def connect():
    return psycopg.connect(dbname=DATABASE, autocommit=True)


def interleave(count, *statements):
    """Run the statements in turn, count times; the sorted times in ms of each."""
    times = [[] for _ in statements]
    with ExitStack() as stack:
        # Each has a session of its own: what one leaves in the server's memory
        # allocator changes the times of the others.
        cursors = [stack.enter_context(connect()).cursor(binary=True)
                   for _ in statements]
        turn = list(zip(statements, cursors, times))
        for i in range(-WARM_UP, count):
            for statement, cursor, elapsed in reversed(turn) if i % 2 else turn:
                arguments = statement.arguments(i)
                start = time.perf_counter()
                cursor.execute(statement.query, arguments,
                               prepare=True).fetchall()
                if i >= 0:
                    elapsed.append((time.perf_counter() - start) * 1000)
    return [sorted(t) for t in times]


def p95(times):
    return times[int(0.95 * len(times))]


def compare(what, times, baseline, baseline_times, limit=None):
    """The figure of these times, with a limit in ms for the median."""
    median = statistics.median(times)
    return Figure(what, median, p95(times), baseline,
                  statistics.median(baseline_times),
                  "" if limit is None else f"≤ {limit} ms",
                  None if limit is None else median <= limit)


def tables(connection):
    # What somebody would do without an extension: the bytes in a column.
    connection.execute("""
        CREATE TABLE plain (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, data bytea);
        ALTER TABLE plain ALTER COLUMN data SET STORAGE EXTERNAL;
        CREATE TABLE tick (i bigint);
        """)


@contextmanager
def database():
    """A new database with the extension, and a connection to it."""
    with psycopg.connect(dbname="postgres", autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        server.execute(f"CREATE DATABASE {DATABASE}")
        try:
            with connect() as connection:
                connection.execute("SET client_min_messages = warning")
                connection.execute("CREATE EXTENSION modelreg")
                tables(connection)
                yield connection
        finally:
            server.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


def environment(connection):
    """The server and those of its settings that matter here, in a few lines."""
    settings = connection.execute("""
        SELECT string_agg(name || ' = ' || current_setting(name), ', ' ORDER BY name)
        FROM pg_settings
        WHERE name IN ('checkpoint_timeout', 'fsync', 'full_page_writes',
            'max_wal_size', 'shared_buffers', 'synchronous_commit',
            'wal_level', 'modelreg.compression', 'modelreg.hash_in_thread',
            'modelreg.notify', 'modelreg.verify_checksums')
        """).fetchone()[0]
    version = connection.info.parameter_status("server_version")
    return (f"PostgreSQL {version}, {os.cpu_count()} cores,"
            f" psycopg {psycopg.__version__}, Unix socket\n{settings}")


def print_table(figures):
    lines = [("what", "p50", "p95", "baseline", "its p50", "ratio", "target",
              "reached")]
    for f in figures:
        digits = 0 if f.unit in ("/s", "MB/s") else 2
        lines.append((
            f.what, f"{f.value:.{digits}f} {f.unit}",
            "" if f.p95 is None else f"{f.p95:.{digits}f} {f.unit}",
            f.baseline, f"{f.baseline_value:.{digits}f} {f.unit}",
            f"{f.value / f.baseline_value:.2f}", f.target,
            {None: "", True: "yes", False: "NO"}[f.reached]))
    widths = [max(map(len, column)) for column in zip(*lines)]
    print()
    for line in lines:
        print("  ".join(c.ljust(w) for c, w in zip(line, widths)).rstrip())
