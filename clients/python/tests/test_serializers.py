"""From objects to bytes and back."""

from __future__ import annotations

import asyncio
import decimal
import io
import json
import os
import pickle
import platform
import subprocess
import sys
import tracemalloc
import warnings

import pytest

from conftest import METRICS
from modelreg import (
    AsyncModelRegistry,
    MissingExtraError,
    SerializationError,
    Serializer,
    UntrustedError,
    VersionMismatchWarning,
    serializers,
)
from modelreg.preparing import serialize
from modelreg.serializers import onnx_external

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
        (".".join([*numpy.__version__.split(".")[:2], "999"]), False),
        (f"{major}.999.0", True),
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


def test_all_libraries_of_a_pipeline(registry, model):
    """Also those of what is deep inside, whichever serializer wrote it."""
    for name in ("sklearn", "pandas", "joblib", "skops"):
        pytest.importorskip(name)
    import joblib
    import numpy
    import pandas
    import sklearn
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    pipeline = make_pipeline(
        StandardScaler(), FunctionTransformer(pandas.DataFrame), FunctionTransformer(joblib.hash)
    )
    wanted = {
        "modelreg.library.scikit-learn": sklearn.__version__,
        "modelreg.library.pandas": pandas.__version__,
        "modelreg.library.joblib": joblib.__version__,
    }
    for serializer in ("pickle", "joblib", "skops"):
        version = register(registry, model, pipeline, serializer=serializer)
        assert wanted.items() <= version.properties.items(), serializer
    deep = register(registry, model, [{"x": (pandas.Timestamp(0), numpy.float64(1))}])
    assert deep.properties["modelreg.library.pandas"] == pandas.__version__
    assert deep.properties["modelreg.library.numpy"] == numpy.__version__
    # Python's own, and what only happens to be imported, is not recorded.
    plain = register(registry, model, {"a": decimal.Decimal(1), "b": json.JSONEncoder()})
    assert [name for name in plain.properties if name.startswith("modelreg.library.")] == []


def test_looking_for_libraries_copies_nothing():
    numpy = pytest.importorskip("numpy")
    array = numpy.zeros(50_000_000 // 8)
    serializer = serializers.find("pickle")
    tracemalloc.start()
    try:
        origin = serializers.Origin.of(serializer, {"a": array, "b": [array, array[:1000]]})
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert origin.properties["modelreg.library.numpy"] == numpy.__version__


PROGRAM_WITH_CLASSES = """
import sys, warnings, asyncio
from modelreg import AsyncModelRegistry, ModelRegistry, OnlyHereWarning

class Model:
    pass

def score(x):
    return x

registry = ModelRegistry(sys.argv[1])
options = {"performance_metrics": {"a": 1}, "model_name": sys.argv[2]}

def warned(obj):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        registry.register_model(obj, "x", **options)
    return [str(w.message) for w in caught if w.category is OnlyHereWarning and
            w.filename == __file__]

assert warned({"a": 1}) == []
assert len(warned(Model())) == 1 and "Model" in warned(Model())[0]
assert "score" in warned([{"deep": (score, Model)}])[0]
assert warned(b"x") == []

async def work():
    async with AsyncModelRegistry(sys.argv[1]) as other:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            await other.register_model(Model(), "x", **options)
    assert [w.category for w in caught] == [OnlyHereWarning], caught
    assert caught[0].filename == __file__, caught[0].filename

asyncio.run(work())
"""


def test_class_of_the_main_module(registry, dsn, model, tmp_path):
    """It warns who registers, and the error of who loads says why."""
    program = tmp_path / "train.py"
    program.write_text(PROGRAM_WITH_CLASSES)
    subprocess.run([sys.executable, program, dsn, model], check=True)
    with pytest.raises(SerializationError) as caught:
        registry.load_latest_model(model_name=model)
    assert "Can't get attribute 'Model'" in caught.value.message
    assert f"Python {platform.python_version()}" in caught.value.detail
    assert "define that in a module" in caught.value.hint


class Fails:
    """Its bytes run code that fails."""

    def __init__(self, error):
        self.error = error

    def __reduce__(self):
        return (fail, (self.error,))


def fail(error):
    raise error


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no")


def test_every_error_of_a_deserializer(registry, dsn, model, sql):
    """Is ours, from the one that it was, with the versions that were recorded."""
    numpy = pytest.importorskip("numpy")
    pytest.importorskip("joblib")
    pytest.importorskip("skops")
    for error in (
        ModuleNotFoundError("No module named 'xgboost'"),
        AttributeError("no such class"),
        ValueError("bad"),
        KeyError("key"),
        OSError("no such file"),
        MemoryError(),
        RecursionError(),
        Mute(),
    ):
        obj = {"a": numpy.zeros(1), "b": Fails(error)}
        for serializer in ("pickle", "joblib"):
            version = register(registry, model, obj, serializer=serializer)
            with pytest.raises(SerializationError) as caught:
                registry.load_model(version.model_id)
            assert type(caught.value.__cause__) is type(error)
            assert type(error).__name__ in caught.value.message
            assert version.model_id in caught.value.message
            assert f"numpy {numpy.__version__}" in caught.value.detail
    sql.execute(
        "SELECT FROM modelreg_update(%s, properties => %s)",
        [version.model_id, '{"modelreg.library.gone": "1.2", "modelreg.python": "2.7"}'],
    )
    with pytest.raises(SerializationError, match=r"Python 2\.7, .*gone 1\.2.*no gone"):
        registry.load_model(version.model_id)

    async def work():
        async with AsyncModelRegistry(dsn) as other:
            await other.load_model(version.model_id)

    with pytest.raises(SerializationError, match="Mute"):
        asyncio.run(work())
    for serializer in CLASSIC:
        if serializer in ("bytes", "file"):
            continue
        # Nonsense, the beginning of what it wrote, and what another wrote.
        for data in (b"nonsense", b"\x80\x05", b"PK\x03\x04", b"\x00" * 100):
            version = registry.register_bytes(
                data, "x", serializer=serializer, model_name=model, performance_metrics=METRICS
            )
            with pytest.raises(SerializationError):
                registry.load_model(version.model_id)


def test_every_error_of_a_serializer(registry, model):
    class Stubborn:
        def __reduce__(self):
            raise KeyError("no")

    for serializer in ("auto", "pickle", "joblib"):
        for obj in (Stubborn(), [Stubborn()], lambda: 0):
            with pytest.raises(SerializationError, match="cannot be written"):
                register(registry, model, obj, serializer=serializer)
    assert registry.list_versions(model_name=model) == []


def external(onnx, place):
    """A model with one tensor in another file, at a place where models have tensors."""
    helper = onnx.helper
    tensor = onnx.TensorProto(name="outside", data_type=1, dims=[1])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    sparse = onnx.SparseTensorProto(values=tensor, dims=[1])
    value = helper.make_tensor_value_info("x", 1, [1])
    inner = helper.make_graph([], "inner", [], [value], initializer=[tensor])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [value])
    model = helper.make_model(graph)
    node = graph.node.add(op_type="If")
    if place == "initializer":
        model.graph.initializer.append(tensor)
    elif place == "sparse initializer":
        model.graph.sparse_initializer.append(sparse)
    elif place == "training":
        model.training_info.add().initialization.CopyFrom(inner)
    elif place == "function":
        model.functions.add(name="f").node.add(op_type="Constant").attribute.add(
            name="value", t=tensor
        )
    elif place == "default of a function":
        model.functions.add(name="f").attribute_proto.add(name="a", g=inner)
    else:
        attributes = {
            "attribute": {"t": tensor},
            "attributes": {"tensors": [tensor]},
            "sparse attribute": {"sparse_tensor": sparse},
            "branch": {"g": inner},
            "branches": {"graphs": [inner]},
        }
        node.attribute.add(name="a", **attributes[place])
        model.graph.node.append(node)
    return model


@pytest.mark.parametrize(
    "place",
    [
        "initializer",
        "sparse initializer",
        "attribute",
        "attributes",
        "sparse attribute",
        "branch",
        "branches",
        "function",
        "default of a function",
        "training",
    ],
)
def test_onnx_with_data_elsewhere(registry, model, tmp_path, place):
    """Refused, whether it is an object, bytes, a file, or was registered past the check."""
    onnx = pytest.importorskip("onnx")
    proto = external(onnx, place)
    data = proto.SerializeToString()
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    metadata = {"model_name": model, "performance_metrics": METRICS, "serializer": "onnx"}
    for call in (
        lambda: registry.register_model(proto, "x", **metadata),
        lambda: registry.register_bytes(data, "x", **metadata),
        lambda: registry.register_file(path, "x", **metadata),
        lambda: registry.register_file(io.BytesIO(data), "x", **metadata),
    ):
        with pytest.raises(SerializationError, match='"outside" is in a file beside') as caught:
            call()
        assert "directory" in caught.value.hint
    assert registry.list_versions(model_name=model) == []
    metadata["serializer"] = "file"
    version = registry.register_file(path, "x", **metadata)
    with pytest.raises(SerializationError, match='"outside" is in a file beside'):
        registry.load_model(version.model_id, serializer="onnx")
    (tmp_path / "weights.bin").write_bytes(bytes(4))
    del metadata["serializer"]
    assert registry.register_directory(tmp_path, "x", **metadata).file_count == 2


def test_onnx_places_are_all_known():
    """The messages of the library that lead to tensors are those that are entered."""
    onnx = pytest.importorskip("onnx")
    messages = onnx.ModelProto.DESCRIPTOR.file.message_types_by_name
    leading = {"TensorProto"}
    while True:
        more = {
            name
            for name, message in messages.items()
            if any(f.message_type and f.message_type.name in leading for f in message.fields)
        }
        if more <= leading:
            break
        leading |= more
    found = {
        name: {
            field.number: field.message_type.name
            for field in messages[name].fields
            if field.message_type and field.message_type.name in leading
        }
        for name in leading - {"TensorProto"}
    }
    assert found == onnx_external.MESSAGES
    tensor = messages["TensorProto"].fields_by_name
    assert (tensor["name"].number, tensor["data_location"].number) == (8, 14)
    assert onnx.TensorProto.EXTERNAL == 1


def test_onnx_of_hostile_bytes():
    for data in (b"", b"\xff" * 50, b"\x3a\xff\xff\xff\xff\x0f", b"\x3a\x02\x2a", b"\x08"):
        assert onnx_external.external_tensor(io.BytesIO(data)) is None


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
