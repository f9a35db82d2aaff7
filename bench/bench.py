#!/usr/bin/env python3
"""Measure the registry, each figure beside a baseline in the same run.

    make bench              all of it, about six minutes
    bench/bench.py --quick  a few seconds, only to see that it works

Needs a server found by PGHOST and so on, and a superuser there; works in
databases of its own, which it makes and removes.  psycopg 3 is the client, with
prepared statements and binary parameters.  What is measured and what it is
compared with take turns, so that the noise of the machine hits both.
"""

import argparse
import os
import random
import re
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass

from psycopg.types.json import Jsonb

from measuring import (DATABASE, KB, MB, WARM_UP, Figure, Statement, compare,
                       database, environment, interleave, print_table)
from streaming import Streams, streaming

METRICS = Jsonb({"f1_score": 0.875, "precision": 0.9, "recall": 0.85})
STAGES = ("development", "staging", "canary", "production")


@dataclass
class Size:
    """How much is measured."""
    versions: int       # of a registry called large
    batch: int          # how many of them a transaction registers
    models: int         # over which they are spread, where they are
    types: int
    small: int          # runs of what takes about a millisecond
    large: int          # runs of what moves a megabyte
    rounds: int         # of pgbench
    seconds: int        # that a round takes
    streams: Streams


FULL = Size(versions=100_000, batch=500, models=1000, types=10, small=500,
            large=200, rounds=3, seconds=10,
            streams=Streams(size=256 * MB, rounds=5, memory_size=4096 * MB))
QUICK = Size(versions=400, batch=100, models=20, types=4, small=5, large=3,
             rounds=1, seconds=1,
             streams=Streams(size=8 * MB, rounds=1, memory_size=16 * MB))


# What is measured, and what it is compared with


def register(size, name, model_type="bench"):
    """Register size new random bytes under the name that name(i) gives."""
    return Statement(
        "SELECT model_id FROM modelreg_register(%b, %s, model_name => %s,"
        " performance_metrics => %s)",
        lambda i: [os.urandom(size), model_type, name(i), METRICS])


def insert(size):
    return Statement("INSERT INTO plain (data) VALUES (%b) RETURNING id",
                     lambda i: [os.urandom(size)])


COMMIT = Statement("INSERT INTO tick VALUES (%s) RETURNING i", lambda i: [i])


def one_megabyte(connection, size):
    registered, inserted, committed = interleave(
        size.large, register(MB, lambda i: "one_megabyte"),
        insert(MB), COMMIT)

    # Few enough to be in the server's cache with their counterparts.
    ids = [row[0] for row in connection.execute(
        "SELECT model_id FROM modelreg_list(max_rows => 20)")]
    rows = [row[0] for row in connection.execute(
        "SELECT id FROM plain ORDER BY id DESC LIMIT 20")]
    loaded, unverified, selected, computed = interleave(
        size.large,
        Statement("SELECT modelreg_load(%s)", lambda i: [ids[i % len(ids)]]),
        Statement("SELECT modelreg_load(%s, verify_checksum => false)",
                  lambda i: [ids[i % len(ids)]]),
        Statement("SELECT data FROM plain WHERE id = %s",
                  lambda i: [rows[i % len(rows)]]),
        # A bytea that a function made takes more memory to send than a column.
        Statement("SELECT byteacat(data, '') FROM plain WHERE id = %s",
                  lambda i: [rows[i % len(rows)]]))
    return [
        compare("register 1 MB", registered, "INSERT of it", inserted, 10),
        compare("register 1 MB", registered, "one commit", committed),
        compare("load 1 MB, verified", loaded, "SELECT of it", selected, 4),
        compare("load 1 MB, verified", loaded, "SELECT byteacat()", computed),
        compare("load 1 MB, unverified", unverified, "SELECT byteacat()", computed),
    ]


def one_kilobyte(size, what, name):
    registered, inserted, committed = interleave(
        size.small, register(KB, name), insert(KB), COMMIT)
    commit = statistics.median(committed)
    cost = compare(f"register 1 KB, {what}", registered, "one commit", committed)
    cost.target = "≤ 1 ms + one commit"
    cost.reached = cost.value <= 1 + commit
    return [
        cost,
        compare(f"register 1 KB, {what}", registered, "INSERT of it", inserted),
    ]


def fill(connection, size, number, model_name, model_type, stage):
    """Register number versions in the server; the last three are SQL over n."""
    start = time.perf_counter()
    for first in range(0, number, size.batch):
        connection.execute(f"""
            SELECT count(*)
            FROM generate_series({first}, {min(first + size.batch, number) - 1}) AS n,
                LATERAL modelreg_register(int8send(n) || 'a model'::bytea,
                    {model_type}, model_name => {model_name},
                    deployment_stage => {stage},
                    performance_metrics => jsonb_build_object(
                        'f1_score', 0.8 + n % 100 / 1000.0, 'loss', n % 7))
            """)
    seconds = time.perf_counter() - start
    connection.execute("VACUUM ANALYZE")
    print(f"registered {number} versions in the server, {size.batch} a"
          f" transaction: {seconds:.1f} s, {seconds / number * 1e6:.0f} µs each",
          flush=True)


def small_models(connection, size):
    """Registrations into models of ten versions, each measured once."""
    number = size.small + WARM_UP
    fill(connection, size, 10 * number,
         f"'small_' || n % {number}", "'bench'", "'development'")
    return one_kilobyte(size, "10 versions",
                        lambda i: f"small_{i % number}")


def large_model(connection, size):
    fill(connection, size, size.versions, "'large'", "'bench'", "'development'")
    return one_kilobyte(size, f"{size.versions} versions",
                        lambda i: "large")


COLUMNS = "SELECT * FROM modelreg.model_version"
NEWEST = "ORDER BY registered_at DESC, model_id DESC"


def reading(connection, size):
    # The last version of each model is in production, one in ten in staging.
    fill(connection, size, size.versions, f"'model_' || n % {size.models}",
         f"'type_' || n % {size.types}",
         f"CASE WHEN n >= {size.versions - size.models} THEN 'production'"
         f" WHEN n / {size.models} % 10 = 3 THEN 'staging'"
         " ELSE 'development' END")

    found, selected = interleave(
        size.small,
        *(Statement(query, lambda i: [f"type_{i % size.types}", "production"])
          for query in (
              "SELECT * FROM modelreg_find_latest(model_type => %s,"
              " deployment_stage => %s)",
              f"{COLUMNS} WHERE model_type = %s AND deployment_stage ="
              f" %s::text::modelreg.deployment_stage {NEWEST} LIMIT 1")))
    figures = [compare("find latest by type and stage", found,
                       "the query", selected, 1)]

    # Pages in the middle, each run another.
    middle = connection.execute(
        "SELECT model_id, registered_at, model_type FROM modelreg_list()"
        " OFFSET %s LIMIT %s",
        [size.versions // 2, size.small + WARM_UP]).fetchall()
    for what, argument, condition, values in (
            ("list page of 100", "", "", lambda row: []),
            ("list page of 100 of a type", "model_type => %s,",
             "model_type = %s AND", lambda row: [row[2]])):
        listed, selected = interleave(
            size.small,
            Statement(f"SELECT * FROM modelreg_list({argument}"
                      " before_id => %s, max_rows => 100)",
                      lambda i: [*values(middle[i]), middle[i][0]]),
            Statement(f"{COLUMNS} WHERE {condition} (registered_at, model_id)"
                      f" < (%s, %s) {NEWEST} LIMIT 100",
                      lambda i: [*values(middle[i]), middle[i][1], middle[i][0]]))
        figures.append(compare(what, listed, "the query", selected, 5))

    ids = [row[0] for row in middle]
    compared, selected = interleave(
        size.small,
        *(Statement(query, lambda i: [random.Random(i).sample(ids, 10)])
          for query in (
              "SELECT * FROM modelreg_compare(%s)",
              f"{COLUMNS} WHERE model_id = ANY (%s)")))
    figures.append(compare("compare 10 versions", compared,
                           "SELECT of them", selected, 5))
    return figures


# Many clients


PGBENCH_REGISTER = r"""
\set r random(1, 4611686018427387904)
SELECT model_id FROM modelreg_register(:blob::bytea || int8send(:r::bigint), 'bench',
    model_name => 'client_' || :client_id::text,
    performance_metrics => '{"f1_score": 0.875, "precision": 0.9, "recall": 0.85}');
"""
PGBENCH_INSERT = r"""
\set r random(1, 4611686018427387904)
INSERT INTO plain (data) VALUES (:blob::bytea || int8send(:r::bigint));
"""


def pgbench(script, size, *options):
    """Run the script with 16 clients; transactions a second."""
    program = os.path.join(os.environ.get("MODELREG_PG_BINDIR", ""), "pgbench")
    # The same bytes but for the last eight, so that making them costs nothing.
    blob = "\\x" + random.Random(1).randbytes(10 * KB - 8).hex()
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        output = subprocess.run(
            [program, "-n", "-M", "prepared", "-c", "16", "-j", "2",
             "-T", str(size.seconds), "-D", f"blob={blob}", "-f", file.name,
             DATABASE],
            check=True, text=True, stdout=subprocess.PIPE,
            env={**os.environ, "PGOPTIONS": "-c modelreg.notify=none"}).stdout
    if "failed transactions: 0 " not in output:
        raise RuntimeError(f"pgbench had errors:\n{output}")
    return float(re.search(r"^tps = ([0-9.]+)", output, re.M)[1])


def many_clients(connection, size):
    registered, inserted = [], []
    for _ in range(size.rounds):
        for rates, script in ((registered, PGBENCH_REGISTER),
                              (inserted, PGBENCH_INSERT)):
            connection.execute("CHECKPOINT")
            rates.append(pgbench(script, size))
    print("16 clients, 10 KB: registrations/s "
          + ", ".join(f"{rate:.0f}" for rate in registered)
          + "; inserts/s " + ", ".join(f"{rate:.0f}" for rate in inserted))
    rate, baseline = map(statistics.median, (registered, inserted))
    return [Figure("register 10 KB, 16 clients", rate, None, "INSERT of it",
                   baseline, "≥ 0.5 × the baseline", rate >= 0.5 * baseline,
                   unit="/s")]


# The run


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true",
                        help="small sizes, to see that it works")
    size = QUICK if parser.parse_args().quick else FULL

    figures = []
    with database() as connection:
        print(environment(connection), flush=True)
        figures += streaming(connection, size.streams)
    with database() as connection:
        figures += one_megabyte(connection, size)
        figures += small_models(connection, size)
        figures += many_clients(connection, size)
    with database() as connection:
        figures += large_model(connection, size)
    with database() as connection:
        figures += reading(connection, size)
    print_table(figures)


if __name__ == "__main__":
    main()
