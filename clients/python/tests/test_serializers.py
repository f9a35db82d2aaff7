"""From objects to bytes and back."""

from __future__ import annotations

import io
import os
import pickle
import platform
import subprocess
import sys
import warnings

import pytest

from conftest import METRICS
from modelreg import (
    MissingExtraError,
    SerializationError,
    Serializer,
    UntrustedError,
    VersionMismatchWarning,
    serializers,
)
from modelreg.preparing import serialize

CLASSIC = ["bytes", "onnx", "safetensors", "file", "skops", "joblib", "pickle"]


def register(registry, model, obj, **more):
    return registry.register_model(
        obj, "x", **{"performance_metrics": METRICS, "model_name": model, **more}
    )


@pytest.fixture(scope="module")
def forest():
    ensemble = pytest.importorskip("sklearn.ensemble")
    numpy = pytest.importorskip("numpy")
    data = numpy.random.default_rng(0).normal(size=(100, 3))
    return ensemble.IsolationForest(n_estimators=5, random_state=0).fit(data), data


def test_names():
    assert serializers.names()[: len(CLASSIC)] == CLASSIC
    with pytest.raises(SerializationError, match='no serializer "nothing"'):
        serializers.find("nothing")
    for name in CLASSIC:
        found = serializers.find(name)
        assert found.name == name
        assert found.is_safe == (name not in ("pickle", "joblib"))


@pytest.mark.parametrize(
    "obj",
    [None, {"a": [1, 2.5, "x"]}, [], 0, {"bytes": b"x"}, {}, range(3), "text", ("t",)],
    ids=repr,
)
def test_any_object(registry, model, obj):
    version = register(registry, model, obj)
    assert version.serializer == "pickle"
    assert version.properties["modelreg.python"] == platform.python_version()
    loaded = registry.load_model(version.model_id)
    assert (type(loaded), loaded) == (type(obj), obj)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes(registry, model, kind):
    version = register(registry, model, kind(b"abc"))
    assert version.serializer == "bytes"
    assert registry.load_model(version.model_id) == b"abc"
    assert registry.load_bytes(version.model_id) == b"abc"


def test_what_cannot_be_pickled(registry, model):
    for obj in (lambda: 0, open(os.devnull), (i for i in ())):  # noqa: SIM115
        with pytest.raises(SerializationError) as caught:
            register(registry, model, obj)
        assert isinstance(caught.value, TypeError)
    assert registry.list_versions(model_name=model) == []


def test_what_the_named_one_cannot(registry, model):
    for name, obj in (
        ("bytes", "text"),
        ("file", b"x"),
        ("onnx", b"x"),
        ("safetensors", b"x"),
        ("safetensors", {"a": 1}),
        ("safetensors", {}),
    ):
        # Without the library, that is what is said.
        with pytest.raises((SerializationError, MissingExtraError)):
            register(registry, model, obj, serializer=name)


@pytest.mark.parametrize("name", ["auto", "pickle", "joblib", "skops"])
def test_scikit_learn(registry, model, forest, name):
    pytest.importorskip({"auto": "pickle"}.get(name, name))
    trained, data = forest
    version = register(registry, model, trained, serializer=name)
    assert version.serializer == {"auto": "pickle"}.get(name, name)
    sklearn = pytest.importorskip("sklearn")
    assert version.properties["modelreg.library.scikit-learn"] == sklearn.__version__
    assert "modelreg.library.numpy" in version.properties
    # skops knows scikit-learn's estimators, but not what is inside of its trees.
    trusted_types = ["sklearn.tree._tree.Tree"] if name == "skops" else []
    loaded = registry.load_model(version.model_id, trusted_types=trusted_types)
    assert type(loaded) is type(trained)
    assert (loaded.predict(data) == trained.predict(data)).all()
    assert version.model_config["n_estimators"] == 5


@pytest.mark.parametrize("name", ["pickle", "joblib"])
def test_large_arrays(registry, model, name):
    numpy = pytest.importorskip("numpy")
    pytest.importorskip(name)
    array = numpy.random.default_rng(0).normal(size=(3, 500_000))
    version = register(registry, model, {"w": array, "name": "x"}, serializer=name)
    loaded = registry.load_model(version.model_id)
    assert (loaded["w"] == array).all()


def test_serializer_of_the_settings(open_registry, model, forest):
    pytest.importorskip("skops")
    registry = open_registry(serializer="skops")
    assert register(registry, model, forest[0]).serializer == "skops"
    assert register(registry, model, b"x", serializer="bytes").serializer == "bytes"


def test_skops_and_foreign_types(registry, model):
    pytest.importorskip("skops")
    pytest.importorskip("sklearn")
    from sklearn.preprocessing import FunctionTransformer

    transformer = FunctionTransformer(func=os.path.basename)
    version = register(registry, model, transformer, serializer="skops")
    with pytest.raises(UntrustedError, match="basename"):
        registry.load_model(version.model_id)
    loaded = registry.load_model(version.model_id, trusted_types=["posixpath.basename"])
    assert loaded.func is os.path.basename


def test_skops_of_hostile_bytes(registry, model):
    pytest.importorskip("skops")
    for data in (b"nonsense", pickle.dumps({"a": 1})):
        version = registry.register_bytes(
            data, "x", serializer="skops", model_name=model, performance_metrics=METRICS
        )
        with pytest.raises(SerializationError):
            registry.load_model(version.model_id)


def test_onnx(registry, model):
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    value = helper.make_tensor_value_info
    proto = helper.make_model(
        helper.make_graph(
            [helper.make_node("Relu", ["x"], ["y"])],
            "graph",
            [value("x", onnx.TensorProto.FLOAT, [1])],
            [value("y", onnx.TensorProto.FLOAT, [1])],
        )
    )
    version = register(registry, model, proto)
    assert version.serializer == "onnx"
    assert version.properties["modelreg.library.onnx"] == onnx.__version__
    assert registry.load_model(version.model_id) == proto
    broken = registry.register_bytes(
        b"\xff" * 20, "x", serializer="onnx", performance_metrics=METRICS
    )
    with pytest.raises(SerializationError):
        registry.load_model(broken.model_id)
    tensor = proto.graph.initializer.add()
    tensor.name, tensor.data_location = "w", onnx.TensorProto.EXTERNAL
    with pytest.raises(SerializationError, match="beside the model"):
        register(registry, model, proto)


def test_safetensors_of_numpy(registry, model):
    numpy = pytest.importorskip("numpy")
    pytest.importorskip("safetensors")
    arrays = {
        "float": numpy.arange(12, dtype="f4").reshape(3, 4),
        "fortran": numpy.asfortranarray(numpy.arange(12.0).reshape(3, 4)),
        "view": numpy.arange(100)[::7],
        "scalar": numpy.array(3, dtype="i2"),
        "none": numpy.zeros((0, 3)),
        "bool": numpy.array([True, False]),
        "big endian": numpy.arange(5, dtype=">i4"),
        "half": numpy.arange(3, dtype="f2"),
    }
    version = register(registry, model, arrays)
    assert version.serializer == "safetensors"
    loaded = registry.load_model(version.model_id)
    assert set(loaded) == set(arrays)
    for name, array in arrays.items():
        assert loaded[name].shape == array.shape, name
        assert loaded[name].dtype == array.dtype.newbyteorder("="), name
        assert (loaded[name] == array).all(), name
    # What the format has no place for stays with pickle.
    for other in (
        {"a": numpy.array(["x"], dtype=object)},
        {"a": numpy.array([1j])},
        {1: numpy.zeros(1)},
        {"a": numpy.zeros(1), "b": 2},
        {"a": numpy.ma.zeros(1)},
        {"a": numpy.zeros(1, dtype="f16")},
    ):
        assert register(registry, model, other).serializer == "pickle"
    for data in (b"", b"\x00" * 8, b"\xff" * 100):
        with pytest.raises(SerializationError):
            serializers.find("safetensors").load(io.BytesIO(data))


def test_safetensors_of_torch(registry, model):
    torch = pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    module = torch.nn.Linear(3, 2)
    version = register(registry, model, module.state_dict())
    assert version.serializer == "safetensors"
    loaded = registry.load_model(version.model_id)
    assert all(torch.equal(loaded[name], value) for name, value in module.state_dict().items())
    assert register(registry, model, module).serializer == "pickle"
    stored = register(registry, model, module, serializer="safetensors")
    assert set(registry.load_model(stored.model_id)) == {"weight", "bias"}
    shared = torch.zeros(4)
    version = register(registry, model, {"a": shared, "b": shared, "c": shared[1:3].t()})
    assert len(registry.load_model(version.model_id)) == 3


def test_bytes_that_say_what_they_are(registry, model, tmp_path):
    """Bytes and files that something else pickled."""
    data = pickle.dumps({"a": 1})
    metadata = {"model_name": model, "performance_metrics": METRICS}
    version = registry.register_bytes(data, "x", serializer="pickle", **metadata)
    assert registry.load_model(version.model_id) == {"a": 1}
    (tmp_path / "model.pkl").write_bytes(data)
    version = registry.register_file(tmp_path / "model.pkl", "x", serializer="pickle", **metadata)
    assert registry.load_model(version.model_id) == {"a": 1}
    assert registry.load_model(version.model_id, serializer="bytes") == data
    with pytest.raises(SerializationError):
        registry.register_bytes(data, "x", serializer="nothing", **metadata)


def test_bytes_that_do_not(registry, open_registry, model, sql):
    """A version that was registered in SQL is not guessed at."""
    model_id = sql.execute(
        "SELECT model_id FROM modelreg_register(%b, 'x', model_name => %s,"
        " performance_metrics => '{\"a\": 1}')",
        [pickle.dumps([1]), model],
    ).fetchone()[0]
    with pytest.raises(SerializationError, match="does not say how it was written"):
        registry.load_model(model_id)
    assert registry.load_model(model_id, serializer="pickle") == [1]
    assert open_registry(default_serializer="pickle").load_model(model_id) == [1]
    assert registry.load_bytes(model_id) == pickle.dumps([1])


def test_other_versions_of_libraries(registry, model, sql):
    numpy = pytest.importorskip("numpy")
    version = register(registry, model, {"a": numpy.zeros(1), "b": 1}, serializer="pickle")
    major = int(numpy.__version__.split(".")[0])
    for recorded, warns in (
        (f"{major}.999.0", False),
        (f"{major + 1}.0", True),
        ("nonsense", True),
    ):
        sql.execute(
            "SELECT FROM modelreg_update(%s, properties => jsonb_build_object("
            " 'modelreg.library.numpy', %s::text, 'modelreg.library.not-installed', '1.0'))",
            [version.model_id, recorded],
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            registry.load_model(version.model_id)
        found = [w for w in caught if issubclass(w.category, VersionMismatchWarning)]
        assert len(found) == warns
        if warns:
            assert f"numpy {recorded}" in str(found[0].message)
            assert found[0].filename == __file__


def test_serializer_of_another_package(database, dsn, tmp_path):
    (tmp_path / "upper.py").write_text(
        """
from modelreg.serializers import Serializer

class Upper(Serializer):
    name = "upper"
    is_safe = True

    def can_serialize(self, obj):
        return isinstance(obj, str) and obj.isupper()

    def dump(self, obj, file):
        file.write(obj.encode())

    def load(self, file, *, trusted_types=()):
        return file.read().decode()
"""
    )
    info = tmp_path / "upper-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: upper\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[modelreg.serializers]\nupper = upper:Upper\npickle = upper:Upper\nbad = upper:__name__\n"
    )
    program = f"""
import sys
from modelreg import ModelRegistry, SerializationError, serializers
registry = ModelRegistry(sys.argv[1])
for obj, name in (("ABC", "upper"), ("abc", "pickle")):
    version = registry.register_model(obj, "x", performance_metrics={METRICS!r})
    assert version.serializer == name, version
    assert registry.load_model(version.model_id) == obj
assert serializers.names().count("pickle") == 1
"""
    (info / "entry_points.txt").write_text(
        "[modelreg.serializers]\nupper = upper:Upper\npickle = upper:Upper\n"
    )
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    subprocess.run([sys.executable, "-c", program, dsn], env=environment, check=True)
    (info / "entry_points.txt").write_text("[modelreg.serializers]\nupper = builtins:dict\n")
    result = subprocess.run(
        [sys.executable, "-c", program, dsn], env=environment, capture_output=True, text=True
    )
    assert "is no serializer" in result.stderr
    (info / "entry_points.txt").write_text("[modelreg.serializers]\nlower = upper:Upper\n")
    result = subprocess.run(
        [sys.executable, "-c", program, dsn], env=environment, capture_output=True, text=True
    )
    assert "a serializer with the name" in result.stderr


def test_without_optional_libraries(dsn, tmp_path):
    """Whatever is not installed is missed only where it is used, and by its extra's name."""
    program = f"""
import pickle, sys, tempfile

MISSING = {{"pandas", "numpy", "joblib", "skops", "sklearn", "onnx", "safetensors", "torch",
           "tqdm", "psycopg_pool", "mlflow"}}

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Finder())

import modelreg
from modelreg import MissingExtraError, ModelRegistry

registry = ModelRegistry(sys.argv[1])
version = registry.register_model({{"a": 1}}, "none", performance_metrics={METRICS!r})
assert registry.load_model(version.model_id) == {{"a": 1}}
assert registry.list_versions("none") == [version]
large = registry.register_bytes(
    b"x" * 3000000, "none", performance_metrics={METRICS!r}, progress=True)
registry.download(large.model_id, sys.argv[2], progress=True)

def missed(extra, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except MissingExtraError as error:
        assert isinstance(error, ImportError)
        assert f"pip install 'modelreg[{{extra}}]'" in str(error), error
    else:
        raise AssertionError(call)

missed("pandas", registry.list_models)
missed("pandas", registry.compare_models, [version.model_id])
for name, extra in (("joblib", "sklearn"), ("skops", "sklearn"), ("onnx", "onnx")):
    missed(extra, registry.register_model, 1, "x", serializer=name)
    other = registry.register_bytes(b"x", "none", serializer=name, performance_metrics={METRICS!r})
    missed(extra, registry.load_model, other.model_id)
other = registry.register_bytes(
    (2).to_bytes(8, "little") + b"{{}}", "none", serializer="safetensors",
    performance_metrics={METRICS!r})
missed("torch", registry.load_model, other.model_id)
assert not MISSING & set(sys.modules), MISSING & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program, dsn, str(tmp_path / "x")], check=True)


def test_a_serializer_is_abstract():
    with pytest.raises(TypeError):
        Serializer()
    assert issubclass(MissingExtraError, ImportError)


def test_tensor_that_is_called_as_the_formats_own(registry, model):
    """safetensors would write what cannot be read."""
    numpy = pytest.importorskip("numpy")
    arrays = {"__metadata__": numpy.arange(3)}
    version = register(registry, model, arrays)
    assert version.serializer == "pickle"
    assert list(registry.load_model(version.model_id)) == ["__metadata__"]
    with pytest.raises(SerializationError):
        register(registry, model, arrays, serializer="safetensors")


def test_memory_in_steps(registry, model):
    version = register(registry, model, memoryview(b"abcdef")[::2])
    assert registry.load_model(version.model_id) == b"ace"


def test_serializer_that_goes_back():
    """All is registered, wherever in the file it ended."""

    class WithHeader(Serializer):
        name = "with header"

        def dump(self, obj, file):
            file.write(b"?" + obj)
            file.seek(0)
            file.write(b"!")

        def load(self, file, *, trusted_types=()):
            return file.read()

    with serialize(b"body", WithHeader(), None) as payload:
        assert payload.read_all() == b"!body"
