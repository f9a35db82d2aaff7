#!/usr/bin/env python3
"""Measure the registry's Python client against MLflow's registry, on the same PostgreSQL.

    make bench-mlflow               all of it, about twelve minutes
    bench/against_mlflow.py --quick under a minute, only to see that it works
    bench/against_mlflow.py --many  the model of very many versions alone

Needs a server found by PGHOST and so on, and a superuser there, MLflow, and the client; works in
databases of its own, which it makes and removes, as it does with the MLflow servers that it
starts. All contenders take turns, call by call, so that the noise of the machine hits all.
"""

import argparse
import gc
import logging
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import mlflow
import psycopg
from mlflow.protos.model_registry_pb2 import SearchModelVersions
from mlflow.utils.proto_json_utils import message_to_json

from contenders import ALIAS, PAGE, TYPE, contenders, environment, new_file, sha256
from measuring import DATABASE, MB, database
from measuring import environment as postgres

MLFLOW_DATABASE = f"{DATABASE}_mlflow"
OWN, IN_PROCESS, DIRECT = "MLflow, server", "MLflow, in process", "direct"

CREATE, WITH_FILE = "create version", "create version, with its file"
READING = {         # what the table calls it: the contenders' method
    "resolve alias": "resolve",
    "get latest": "latest",
    "search, page of 100": "search",
    "search by tag": "search_by_tag",
}
UPLOAD, DURABLE, AGAIN, DOWNLOAD = TRANSFERS = (
    "upload", "upload, on disk then", "upload, the same again", "download")
# A model of very many versions, by MLflow's client in process and behind its server.
MANY, MANY_PAGE = "many: get latest", "many: search, page of 100"
MANY_ALL, CONVERTING = "many: all versions", "many: MLflow's own conversion of all"
LATEST_AT_MOST, PAGE_AT_MOST = 300, 300     # ms
ALL_AT_MOST = 1.5   # times MLflow's own conversion, at most
TARGETS = {CREATE: 10, UPLOAD: 2, DOWNLOAD: 4}  # times MLflow's rate, at least
FLAT = 1.25         # times as long as with the fewest versions, at most


@dataclass
class Size:
    """How much is measured."""
    versions: tuple     # of the models in question
    few: int            # models of the first size; each call takes another
    rounds: int
    calls: int          # of each contender in a round
    seconds: float      # after which a round of a slow call ends early,
    least: int          # but not before so many calls, or ten times as long
    megabytes: tuple
    transfers: int      # rounds of them
    many: int           # versions of the model that has very many


FULL = Size(versions=(10, 1000, 10_000), few=100, rounds=5, calls=20, seconds=2, least=3,
            megabytes=(10, 100), transfers=5, many=40_000)
QUICK = Size(versions=(5, 20), few=3, rounds=1, calls=2, seconds=1, least=1,
             megabytes=(2,), transfers=1, many=200)


# Databases with the same models in them


def names(purpose, versions, size):
    """The models of so many versions: many if they are few, so that creating hardly adds any."""
    return [f"{purpose}_{versions}_{i}"
            for i in range(size.few if size.versions[:1] == (versions,) else 1)]


@contextmanager
def mlflow_database():
    with psycopg.connect(dbname="postgres", autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS {MLFLOW_DATABASE} WITH (FORCE)")
        server.execute(f"CREATE DATABASE {MLFLOW_DATABASE}")
        # psycopg prepares what is run often. With a plan for any value, a search by MLflow takes
        # seconds; planned for the values each time, as by psycopg2, it does not.
        server.execute(f"ALTER DATABASE {MLFLOW_DATABASE}"
                       " SET plan_cache_mode = force_custom_plan")
        try:
            yield
        finally:
            server.execute(f"DROP DATABASE {MLFLOW_DATABASE} WITH (FORCE)")


def fill_mlflow(connection, models, number):
    """Repeat the first version of each model, which MLflow's own store has written, in SQL."""
    columns = {table: [row[0] for row in connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
        " ORDER BY ordinal_position", [table])] for table in ("model_versions", "model_version_tags")}
    changed = {
        "model_versions": {"version": "n",
                           # A second between one and the next, the last one now.
                           "creation_time": f"creation_time - ({number} - n) * 1000",
                           "last_updated_time": f"last_updated_time - ({number} - n) * 1000"},
        "model_version_tags": {"version": "n", "value": "n %% 10"},
    }
    for table, expressions in changed.items():
        values = ", ".join(str(expressions.get(column, column)) for column in columns[table])
        connection.execute(
            f"INSERT INTO {table} ({', '.join(columns[table])}) SELECT {values}"
            f" FROM {table}, generate_series(2, {number}) AS n"
            " WHERE version = 1 AND name = ANY (%s)", [models])
    connection.execute(
        f"UPDATE model_versions SET creation_time = creation_time - {number - 1} * 1000,"
        f" last_updated_time = last_updated_time - {number - 1} * 1000"
        " WHERE version = 1 AND name = ANY (%s)", [models])


def fill_modelreg(connection, models, number, batch=500):
    """Register small artifacts in the server, with what MLflow's versions have and metrics."""
    for model in models:
        for first in range(1, number + 1, batch):
            connection.execute(f"""
                SELECT count(*)
                FROM generate_series({first}, {min(first + batch - 1, number)}) AS n,
                    LATERAL modelreg_register(int8send(n) || 'a model'::bytea, '{TYPE}',
                        model_name => '{model}',
                        performance_metrics => jsonb_build_object(
                            'f1_score', 0.8 + n % 100 / 1000.0),
                        tags => ARRAY['split_' || n % 10],
                        training_metadata => '{{"source": "mlflow-artifacts:/somewhere"}}',
                        properties => jsonb_build_object('split', (n % 10)::text))
                """)


def fill(by_name, size):
    """Models for reading, which stay as they are, and models for creating."""
    own, ours = by_name[IN_PROCESS], by_name["on modelreg, in process"]
    for versions in (*size.versions, size.many):
        purposes = ("many",) if versions == size.many else ("read", "create")
        models = [name for purpose in purposes for name in names(purpose, versions, size)]
        for contender in (own, ours):
            for model in models:
                contender.client.create_registered_model(model)
        for model in models:
            own.create(model, own.prepare(0), 1)
        with psycopg.connect(dbname=MLFLOW_DATABASE, autocommit=True) as connection:
            fill_mlflow(connection, models, versions)
        with psycopg.connect(dbname=DATABASE, autocommit=True) as connection:
            fill_modelreg(connection, models, versions)
        for contender in (own, ours):
            for model in models:
                contender.client.set_registered_model_alias(model, ALIAS, versions // 2)
    ours.client.create_registered_model("transfer")
    for name in (MLFLOW_DATABASE, DATABASE):
        with psycopg.connect(dbname=name, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")


# Measuring


@dataclass
class Times:
    """The times in ms of each contender for one line of the table, by round."""
    rounds: dict = field(default_factory=dict)

    def add(self, name, times):
        if times:
            self.rounds.setdefault(name, []).append(times)

    def median(self, name):
        return statistics.median(time for times in self.rounds[name] for time in times)

    def medians(self, name):
        """Of the rounds, which tells how noisy it was."""
        return [statistics.median(times) for times in self.rounds[name]]


def elapsed(call, *arguments):
    """What the call returns, and how long it took, in ms."""
    start = time.perf_counter()
    result = call(*arguments)
    return result, (time.perf_counter() - start) * 1000


def take_turns(takers, size, call):
    """Times in ms of call(*taker, i), called in turn, until there are enough of them."""
    times = {taker: [] for taker in takers}
    spent = 0
    for i in range(size.calls):
        for taker in takers[::-1] if i % 2 else takers:
            times[taker].append(call(*taker, i))
        spent += sum(each[-1] for each in times.values())
        if spent > size.seconds * 1000 * (1 if i + 1 >= size.least else 10):
            break
    return times


class Bench:
    """The contenders, and what was measured: by line of the table, a name and a size."""

    def __init__(self, by_name, size, directory):
        self.contenders = list(by_name.values())
        self.size = size
        self.directory = directory
        self.table = {}
        self._calls = 0

    def _add(self, what, amount, contender, times):
        self.table.setdefault((what, amount), Times()).add(contender.name, times)

    # Metadata

    def create(self, what, method, prepare, sizes):
        """Into models of all sizes in turn, as they are compared with each other."""
        models = {versions: names("create", versions, self.size) for versions in sizes}
        takers = [(contender, versions) for contender in self.contenders
                  if hasattr(contender, method) for versions in sizes]

        def call(contender, versions, i):
            self._calls += 1
            model = models[versions][self._calls % len(models[versions])]
            argument = getattr(contender, prepare)(self._calls)
            return elapsed(getattr(contender, method), model, argument, self._calls)[1]

        for (contender, versions), times in take_turns(takers, self.size, call).items():
            self._add(what, versions, contender, times)

    def read(self, what, method, versions):
        models = names("read", versions, self.size)

        def call(contender, i):
            return elapsed(getattr(contender, method), models[i % len(models)])[1]

        takers = [(contender,) for contender in self.contenders]
        for (contender,), times in take_turns(takers, self.size, call).items():
            self._add(what, versions, contender, times)

    def agree(self):
        """All find the same."""
        for versions in self.size.versions:
            for model in names("read", versions, self.size):
                for contender in self.contenders:
                    tagged = len(range(3, versions + 1, 10))
                    found = (contender.resolve(model), contender.latest(model),
                             len(contender.search(model)), len(contender.search_by_tag(model)))
                    expected = (versions // 2, versions, min(versions, PAGE), min(tagged, PAGE))
                    if found != expected:
                        raise RuntimeError(f"{contender.name} finds {found} in {model},"
                                           f" not {expected}")

    def round_of_metadata(self):
        for versions in self.size.versions:
            for what, method in READING.items():
                self.read(what, method, versions)
        self.create(CREATE, "create", "prepare", self.size.versions)
        self.create(WITH_FILE, "create_with_file", "prepare_file", self.size.versions[-1:])

    # Very many versions

    def many(self, what, call):
        """Of MLflow's contenders, in turn: it takes seconds, and memory."""
        for contender in self.contenders:
            if hasattr(contender, "client"):
                gc.collect()
                self._add(what, self.size.many, contender, [elapsed(call, contender)[1]])

    def convert(self, model):
        """MLflow's objects of all versions as the JSON that its server answers with, by its own
        functions: what each answer has in it, whatever the store."""
        own = next(each for each in self.contenders if each.name == IN_PROCESS)
        versions = own.client.search_model_versions(f"name = '{model}'",
                                                    max_results=self.size.many)
        if len(versions) != self.size.many:
            raise RuntimeError(f"{len(versions)} versions")

        def convert():
            response = SearchModelVersions.Response()
            response.model_versions.extend(version.to_proto() for version in versions)
            return message_to_json(response)

        self._add(CONVERTING, self.size.many, own, [elapsed(convert)[1]])

    def round_of_many(self):
        (model,) = names("many", self.size.many, self.size)
        for _ in range(3):
            self.many(MANY, lambda contender: contender.latest(model))
            self.many(MANY_PAGE, lambda contender: contender.search(model))
            self.many(MANY_ALL, lambda contender: contender.search_all(model, self.size.many))
            self.convert(model)

    # Artifacts

    def quiet(self):
        """Nobody pays for what the one before has left to be written, by whichever way."""
        with psycopg.connect(dbname=DATABASE, autocommit=True) as connection:
            connection.execute("CHECKPOINT")
        for directory, _, files in os.walk(self.directory):
            for path in (os.path.join(directory, file) for file in files):
                if os.path.getsize(path) >= MB:
                    with open(path, "rb") as file:
                        os.fsync(file.fileno())
        gc.collect()

    def round_of_transfers(self, megabytes, number):
        """Each moves new bytes in and out; what comes out is looked at afterwards."""
        able = [contender for contender in self.contenders if hasattr(contender, "upload")]
        moved = {}
        for contender in able[::-1] if number % 2 else able:
            path = new_file(self.directory, megabytes * MB)
            self.quiet()
            handle, took = elapsed(contender.upload, "transfer", path)
            self._add(UPLOAD, megabytes, contender, [took])
            took += elapsed(contender.make_durable, handle)[1]
            self._add(DURABLE, megabytes, contender, [took])
            if contender.name == DIRECT:
                self.quiet()
                took = elapsed(contender.upload, "transfer", path)[1]
                self._add(AGAIN, megabytes, contender, [took])
            moved[contender] = path, handle
        for contender, (path, handle) in moved.items():
            self.quiet()
            out = tempfile.mkdtemp(dir=self.directory)
            result, took = elapsed(contender.download, handle, out)
            self._add(DOWNLOAD, megabytes, contender, [took])
            if sha256(result) != sha256(path):
                raise RuntimeError(f"{contender.name} brought back other bytes")
            shutil.rmtree(out)
            shutil.rmtree(os.path.dirname(path))

    def warm_up(self):
        """A round that does not count: plans are made, modules loaded, caches filled."""
        self.round_of_metadata()
        self.round_of_transfers(min(self.size.megabytes), 0)
        self.table.clear()


# The table


def cell(what, amount, median):
    if median is None:
        return ""
    rate = f"{amount * 1000 / median:.0f} MB/s" if what in TRANSFERS \
        else f"{1000 / median:.0f}/s"
    return f"{median:.2f} ms, {rate}" if median < 100 else f"{median:.0f} ms, {rate}"


def print_table(table, names_, size):
    head = ["what", "size", *names_, f"× {OWN}", f"× {IN_PROCESS}", "target", "reached"]
    lines = [head]
    order = [CREATE, WITH_FILE, *READING, *TRANSFERS]
    for what, amount in sorted(table, key=lambda key: (order.index(key[0]), key[1])):
        times = table[what, amount]
        medians = {name: times.median(name) for name in times.rounds}
        ratios = [medians[name] / medians[DIRECT] if name in medians else None
                  for name in (OWN, IN_PROCESS)]
        least = TARGETS.get(what)
        lines.append([
            what, f"{amount} MB" if what in TRANSFERS else f"{amount} versions",
            *(cell(what, amount, medians.get(name)) for name in names_),
            *("" if ratio is None else f"{ratio:.1f}" for ratio in ratios),
            "" if least is None else f"≥ {least}",
            "" if least is None else " / ".join(
                "yes" if ratio >= least else "NO" for ratio in ratios if ratio is not None)])
    few, many = (table[CREATE, versions] for versions in (size.versions[0], size.versions[-1]))
    growth = {name: many.median(name) / few.median(name) for name in few.rounds}
    lines.append([
        "create, many versions / few", f"{size.versions[-1]} / {size.versions[0]}",
        *(f"{growth[name]:.2f}" if name in growth else "" for name in names_), "", "",
        f"≤ {FLAT}", "yes" if growth[DIRECT] <= FLAT else "NO"])
    widths = [max(map(len, column)) for column in zip(*lines)]
    print()
    for line in lines:
        print(" | ".join(c.ljust(w) for c, w in zip(line, widths)).rstrip())


def print_many(table, size):
    """The model of very many versions: what each took, and whether it reaches its target."""
    best = {(what, name): min(min(times) for times in rounds)
            for (what, _), each in table.items() for name, rounds in each.rounds.items()}
    conversion = best[CONVERTING, IN_PROCESS]
    targets = {MANY: LATEST_AT_MOST, MANY_PAGE: PAGE_AT_MOST, MANY_ALL: ALL_AT_MOST * conversion}
    print(f"\n{size.many} versions of one model, best of three; MLflow's own conversion of all"
          f" {conversion:.0f} ms")
    for (what, name), took in best.items():
        if what in targets:
            reached = "yes" if took <= targets[what] else "NO"
            aim = f", at most {targets[what]:.0f} ms: {reached}" if "modelreg" in name else ""
            ratio = f", {took / conversion:.2f} x the conversion" if what == MANY_ALL else ""
            print(f"{what}, {name}: {took:.0f} ms{ratio}{aim}")


def print_rounds(table):
    """The median of each round, in ms."""
    for (what, amount), times in table.items():
        for name in times.rounds:
            print(f"{what}, {amount}, {name}: "
                  + ", ".join(f"{median:.2f}" for median in times.medians(name)))


# The run


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--many", action="store_true",
                        help="the model of very many versions alone")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    if options.many:
        size = replace(size, versions=())

    # So that servers and databases are removed when somebody stops us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    warnings.simplefilter("ignore", FutureWarning)      # get_latest_versions is deprecated
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    environment()
    start = time.monotonic()
    with (database() as connection, mlflow_database(),
          tempfile.TemporaryDirectory() as directory):
        print(postgres(connection))
        print(f"MLflow {mlflow.__version__}, {sys.version.split()[0]}", flush=True)
        with contenders(MLFLOW_DATABASE, DATABASE, directory) as by_name:
            fill(by_name, size)
            print(f"ready after {time.monotonic() - start:.0f} s", flush=True)
            many = Bench(by_name, size, directory)
            many.round_of_many()
            print_many(many.table, size)
            print(f"many versions measured after {time.monotonic() - start:.0f} s", flush=True)
            if options.many:
                return
            bench = Bench(by_name, size, directory)
            bench.agree()
            bench.warm_up()
            for _ in range(size.rounds):
                bench.round_of_metadata()
            print(f"metadata measured after {time.monotonic() - start:.0f} s", flush=True)
            for number in range(size.transfers):
                for megabytes in size.megabytes:
                    bench.round_of_transfers(megabytes, number)
            print_rounds(bench.table)
            print_table(bench.table, list(by_name), size)
    print(f"\n{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
