"""Those that are measured against each other in against_mlflow.py, and the servers they need.

All are used as their users use them: MLflow by its client, the registry by its Python client.
Each keeps its connections open. Whatever has to be there before a call is made by prepare().
"""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager

import psycopg
from mlflow import MlflowClient
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from measuring import KB, MB
from modelreg import ModelRegistry

PAGE = 100              # versions that a search returns at most
ALIAS = "champion"
SMALL = KB              # bytes of the artifact of a created version
TYPE = "mlflow"         # the model type that MLflow's models have in the registry
START = 180             # seconds that a server may take to start, with two cores at work


def uri(scheme, database):
    """The address of a database of this server, for who does not read libpq's environment."""
    with psycopg.connect(dbname=database) as connection:
        info = connection.info
        user = urllib.parse.quote(info.user, safe="")
        if info.password:
            user += ":" + urllib.parse.quote(info.password, safe="")
        where = urllib.parse.urlencode({"host": info.host, "port": info.port})
    return f"{scheme}://{user}@/{database}?{where}"


def split_of(number):
    """The tag by which one in ten is found."""
    return str(number % 10)


def new_file(directory, size, name="model.bin"):
    """A file of new random bytes in a directory of its own; its path."""
    path = os.path.join(tempfile.mkdtemp(dir=directory), name)
    with open(path, "wb") as file:
        file.write(os.urandom(size))
    return path


class Mlflow:
    """MLflow's client on some registry: that of an MLflow server, or a database.

    What upload() returns is for make_durable() and download(). What is in the database is on disk
    when the call returns; other files are when the system thinks fit.
    """

    def __init__(self, name, registry_uri, server, directory):
        self.name = name
        self.client = MlflowClient(tracking_uri=server, registry_uri=registry_uri)
        self._registry_uri = registry_uri
        self._server = server
        self._directory = directory

    def close(self):
        """Connections are closed when the process ends."""

    def make_durable(self, uploaded):
        pass

    def _create(self, model, source, number, run_id=None):
        return self.client.create_model_version(
            model, source, run_id, tags={"split": split_of(number)})

    def resolve(self, model):
        return int(self.client.get_model_version_by_alias(model, ALIAS).version)

    def latest(self, model):
        return max(int(version.version) for version in self.client.get_latest_versions(model))

    def search(self, model):
        return [int(version.version) for version in self.client.search_model_versions(
            f"name = '{model}'", max_results=PAGE)]

    def search_all(self, model, number):
        """As MLflow's page of a model asks, for as many as there may be: of a server, for JSON."""
        text = f"name = '{model}'"
        if self._registry_uri == self._server:
            query = urllib.parse.urlencode({"filter": text, "max_results": number})
            address = f"{self._server}/ajax-api/2.0/mlflow/model-versions/search?{query}"
            with urllib.request.urlopen(address) as response:
                found = response.read().count(b'"creation_timestamp"')
        else:
            found = len(self.client.search_model_versions(text, max_results=number))
        if found != number:
            raise RuntimeError(f"{self.name} finds {found} versions")

    def search_by_tag(self, model):
        return [int(version.version) for version in self.client.search_model_versions(
            f"name = '{model}' AND tag.split = '{split_of(3)}'", max_results=PAGE)]

    def _repository(self, source):
        return get_artifact_repository(source, tracking_uri=self._server,
                                       registry_uri=self._registry_uri)


class Run:
    """A run of MLflow's, with artifacts that its server keeps: the server registers no others."""

    def __init__(self, server, kept_in):
        client = MlflowClient(tracking_uri=server)
        # The default one has the artifacts' place that it was made with, on some disk.
        experiment = client.create_experiment(f"of {server}")
        info = client.create_run(experiment).info
        self.run_id = info.run_id
        self._place = info.artifact_uri
        self._kept_in = kept_in
        self._server = server

    def source(self, path):
        """The address that a file's directory has when the file was logged."""
        return f"{self._place}/{os.path.basename(os.path.dirname(path))}"

    def log(self, path):
        """Send the file through the server's proxy; the address of its directory."""
        source = self.source(path)
        get_artifact_repository(source, tracking_uri=self._server).log_artifact(path)
        return source

    def make_durable(self, source):
        """Have the server's system write to disk what was logged there."""
        directory = os.path.join(self._kept_in, source.removeprefix("mlflow-artifacts:/"))
        for name in os.listdir(directory):
            with open(os.path.join(directory, name), "rb") as file:
                os.fsync(file.fileno())


class MlflowOwn(Mlflow):
    """MLflow's SQL store: a version is a row that says where its files are."""

    def __init__(self, name, registry_uri, server, directory, run):
        super().__init__(name, registry_uri, server, directory)
        self._run = run

    def prepare(self, number):
        return self._run.source("somewhere/model.bin")

    def create(self, model, source, number):
        self._create(model, source, number, self._run.run_id)


class MlflowOwnServer(MlflowOwn):
    """The same behind MLflow's server, which also proxies the files."""

    def prepare_file(self, number):
        return new_file(self._directory, SMALL)

    def create_with_file(self, model, path, number):
        self.create(model, self._run.log(path), number)

    def upload(self, model, path):
        return self._run.log(path)

    def make_durable(self, source):
        self._run.make_durable(source)

    def download(self, source, directory):
        return self._repository(source).download_artifacts("model.bin", directory)


class MlflowOnModelreg(Mlflow):
    """MLflow's client in one process with the store on modelreg: files become part of the version."""

    def prepare(self, number):
        return new_file(self._directory, SMALL)

    prepare_file = prepare

    def create(self, model, path, number):
        return self._create(model, os.path.dirname(path), number)

    create_with_file = create

    def upload(self, model, path):
        return self.create(model, path, 0)

    def download(self, version, directory):
        source = self.client.get_model_version_download_uri(version.name, version.version)
        return self._repository(source).download_artifacts("model.bin", directory)


class MlflowOnModelregServer(MlflowOnModelreg):
    """The same behind MLflow's server, which fetches the files from its own artifacts."""

    def __init__(self, name, registry_uri, server, directory, run):
        super().__init__(name, registry_uri, server, directory)
        self._run = run

    def prepare(self, number):
        return self._run.log(new_file(self._directory, SMALL))

    def prepare_file(self, number):
        return new_file(self._directory, SMALL)

    def create(self, model, source, number):
        return self._create(model, source, number, self._run.run_id)

    def create_with_file(self, model, path, number):
        return self.create(model, self._run.log(path), number)

    def upload(self, model, path):
        return self.create_with_file(model, path, 0)


class Direct:
    """modelreg's own Python client: every version has its bytes, checked on both sides."""

    def __init__(self, name, database):
        self.name = name
        self.registry = ModelRegistry(psycopg.conninfo.make_conninfo(dbname=database))

    def close(self):
        self.registry.close()

    def prepare(self, number):
        return os.urandom(SMALL)

    prepare_file = prepare

    def create(self, model, data, number):
        self.registry.register_bytes(
            data, TYPE, model_name=model, tags=[f"split_{split_of(number)}"],
            performance_metrics={"f1_score": 0.875, "precision": 0.9, "recall": 0.85})

    create_with_file = create

    def resolve(self, model):
        return self.registry.resolve(model, ALIAS).version_number

    def latest(self, model):
        return self.registry.find_latest(model_name=model).version_number

    def search(self, model):
        return [version.version_number
                for version in self.registry.list_versions(model_name=model, max_rows=PAGE)]

    def search_by_tag(self, model):
        return [version.version_number for version in self.registry.list_versions(
            model_name=model, tags=[f"split_{split_of(3)}"], max_rows=PAGE)]

    def upload(self, model, path):
        return self.registry.register_file(
            path, TYPE, model_name=model, performance_metrics={"f1_score": 0.875})

    def make_durable(self, version):
        pass

    def download(self, version, directory):
        return self.registry.download(version.model_id, os.path.join(directory, "model.bin"))


def sha256(path):
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while part := file.read(MB):
            digest.update(part)
        return digest.hexdigest()


# MLflow's server


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment():
    """What MLflow reads of the environment, its clients' and servers' alike."""
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "_MLFLOW_")):
            del os.environ[name]
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true",
                      MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
                      MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false")


class Server:
    """A running `mlflow server` on a loopback port, with one worker."""

    def __init__(self, directory, *options):
        os.makedirs(directory)
        self._log = os.path.join(directory, "log")
        port = _free_port()
        self.address = f"http://127.0.0.1:{port}"
        with open(self._log, "w") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1",
                 "--port", str(port), "--workers", "1", *options],
                stdout=output, stderr=subprocess.STDOUT, cwd=directory,
                start_new_session=True)

    def wait(self):
        """Until it answers."""
        deadline = time.monotonic() + START
        while True:
            try:
                with urllib.request.urlopen(f"{self.address}/health", timeout=5):
                    return
            except (urllib.error.URLError, OSError) as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    with open(self._log) as log:
                        raise RuntimeError(f"mlflow server does not answer: {error}\n"
                                           + log.read()) from error
                time.sleep(0.1)

    def stop(self):
        """End it with all its processes."""
        for number, seconds in ((signal.SIGTERM, 20), (signal.SIGKILL, None)):
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                break
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
        self._process.wait()


@contextmanager
def contenders(mlflow_database, modelreg_database, directory):
    """All of them, by name, in the order of the table."""
    own = uri("postgresql+psycopg", mlflow_database)
    ours = uri("modelreg+postgresql", modelreg_database)
    # Makes the tables, which two servers would do at the same time.
    MlflowClient(tracking_uri=own, registry_uri=own).search_registered_models()
    kept, ours_kept = (os.path.join(directory, name) for name in ("artifacts", "ours"))
    destinations = {
        "mlflow": ["--artifacts-destination", kept],
        "modelreg": ["--registry-store-uri", ours, "--artifacts-destination",
                     f"{ours}&runs={urllib.parse.quote(f'file://{ours_kept}', safe='')}"],
    }
    servers, all_of_them = [], []
    try:
        for name, options in destinations.items():
            servers.append(Server(os.path.join(directory, name),
                                  "--backend-store-uri", own, *options))
        for server in servers:
            server.wait()
        first, second = (server.address for server in servers)
        run = Run(first, kept)
        all_of_them = [
            MlflowOwnServer("MLflow, server", first, first, directory, run),
            MlflowOwn("MLflow, in process", own, first, directory, run),
            MlflowOnModelregServer("on modelreg, server", second, second, directory,
                                   Run(second, ours_kept)),
            MlflowOnModelreg("on modelreg, in process", ours, first, directory),
            Direct("direct", modelreg_database),
        ]
        yield {contender.name: contender for contender in all_of_them}
    finally:
        for contender in all_of_them:
            contender.close()
        for server in servers:
            server.stop()
