"""What is given, and what is collected, as text and JSON of the server's."""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import math
import pathlib
import sys
import types
import uuid
from typing import Any

import pytest

from conftest import METRICS
from modelreg import InvalidArgumentError, ModelRegistry, ModelVersion
from modelreg.values import SHORT, collected, json_text


class Colour(enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


class Text(str, enum.Enum):
    A = "a"


UTC = datetime.timezone.utc
UID = uuid.UUID("12345678-1234-5678-1234-567812345678")
Decimal = decimal.Decimal


def register(registry: ModelRegistry, model: str, **more: Any) -> ModelVersion:
    arguments: dict[str, Any] = {"performance_metrics": METRICS, "model_name": model, **more}
    return registry.register_model(b"x", "x", **arguments)


# ---- Given ----

GIVEN = [
    (datetime.date(2026, 1, 2), "2026-01-02"),
    (datetime.datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02T03:04:00+00:00"),
    (datetime.time(3, 4), "03:04:00"),
    (datetime.timedelta(minutes=1.5), 90.0),
    (pathlib.PurePosixPath("/data/x"), "/data/x"),
    (Colour.RED, "red"),
    (Number.ONE, 1),
    (Text.A, "a"),
    ({3, 1, 2}, [1, 2, 3]),
    (frozenset({"b", "a"}), ["a", "b"]),
    ({1, "a"}, ["a", 1]),
    (Decimal("0.10"), 0.1),
    (Decimal("3"), 3),
    (Decimal("0.1234567890123456789012345"), "0.1234567890123456789012345"),
    (Decimal("1e400"), "1E+400"),
    (UID, str(UID)),
    (types.MappingProxyType({"a": 1}), {"a": 1}),
    ({Colour.RED: {UID: (Decimal("0.5"), {Number.ONE})}}, {"red": {str(UID): [0.5, [1]]}}),
    ({1: 2, None: 3, False: 4}, {"1": 2, "null": 3, "false": 4}),
    ("ümläut \U0001f600", "ümläut \U0001f600"),
    (10**300, 10**300),
]


@pytest.mark.parametrize(("value", "read"), GIVEN, ids=lambda value: repr(value)[:40])
def test_what_is_given(value: Any, read: Any) -> None:
    assert json.loads(json_text(value, "x")) == read


def test_what_is_given_to_a_registration(registry: ModelRegistry, model: str) -> None:
    given = {str(number): value for number, (value, _) in enumerate(GIVEN)}
    wanted = {str(number): read for number, (_, read) in enumerate(GIVEN)}
    version = register(
        registry,
        model,
        model_config=given,
        training_metadata=given,
        properties={"x": given},
        dataset_version=datetime.date(2026, 1, 2),
        notes=UID,
        tags=[pathlib.PurePosixPath("a/b"), Colour.RED],
        performance_metrics={"a": Decimal("0.5")},
    )
    assert version.model_config == version.training_metadata == wanted
    assert version.properties["x"] == wanted
    assert (version.dataset_version, version.notes) == ("2026-01-02", str(UID))
    assert sorted(version.tags) == ["a/b", "red"]
    changed = registry.update_model_version(version.model_id, properties={"y": {3, 1}})
    assert changed.properties["y"] == [1, 3]


def test_arrays_of_numpy() -> None:
    numpy = pytest.importorskip("numpy")
    value = {
        "numbers": numpy.arange(4).reshape(2, 2),
        "objects": numpy.array([Colour.RED, None], dtype=object),
        "day": numpy.datetime64("2026-01-02"),
        numpy.str_("key"): numpy.float32(0.5),
    }
    assert json.loads(json_text(value, "x")) == {
        "numbers": [[0, 1], [2, 3]],
        "objects": ["red", None],
        "day": "2026-01-02",
        "key": 0.5,
    }


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)


@pytest.mark.parametrize(
    "value",
    [
        "a\0b",
        {"a\0": 1},
        "\ud800",
        {"\udfff": 1},
        math.nan,
        Decimal("NaN"),
        Decimal("Infinity"),
        b"bytes",
        object(),
        CIRCLE,
        {(1, 2): 3},
        {pathlib.PurePosixPath("a"): 1, "a": 2},
        10**5000,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_said(registry: ModelRegistry, model: str, value: Any) -> None:
    """An error, and at once: not after all bytes were sent."""
    seen: list[int] = []
    with pytest.raises(InvalidArgumentError) as caught:
        registry.register_bytes(
            bytes(3_000_000),
            "x",
            model_name=model,
            performance_metrics=METRICS,
            model_config={"x": value},
            progress=lambda done, total: seen.append(done),
        )
    assert "model_config" in str(caught.value)
    assert seen == []


@pytest.mark.parametrize("name", ["notes", "version", "dataset_version", "model_name"])
def test_texts_that_cannot_be_said(registry: ModelRegistry, model: str, name: str) -> None:
    for value in ("a\0b", "\ud800", pathlib.PurePosixPath("a\0b"), 7, b"x"):
        with pytest.raises(InvalidArgumentError, match=name):
            register(registry, model, **{name: value})


# ---- Collected ----


class Raises:
    """Whatever is asked of it, it raises."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("no")

    def __len__(self) -> int:
        raise RuntimeError("no")


class Liar:
    """Says of itself what cannot be said."""

    def __repr__(self) -> str:
        return "a\0b\ud800" * 1000

    def tolist(self) -> Any:
        raise MemoryError


def odd_values() -> dict[Any, Any]:
    values: dict[Any, Any] = {
        "nul": "a\0b",
        "surrogate": "\ud800",
        "inside": [{"x": "\0"}],
        "digits": 10**5000,
        "raises": Raises(),
        "in a list": [Raises()],
        "liar": Liar(),
        "nan": math.nan,
        "circle": CIRCLE,
        "long text": "x" * 1_000_000,
        "long list": list(range(1_000_000)),
        "many keys": {str(number): number for number in range(100_000)},
        "type": Raises,
        "bytes": bytes(20_000),
        "plain": {"a": [1, 2.5, None, True, "x"]},
        "key\0\ud800": 1,
        7: 8,
        Raises(): 9,
    }
    if "numpy" in sys.modules or pytest.importorskip("numpy"):
        import numpy

        values["array"] = numpy.ones((900, 1024))
        values["objects"] = numpy.array([Liar()], dtype=object)
        values["few"] = numpy.arange(3)
    return values


class Odd:
    def get_params(self) -> dict[Any, Any]:
        return odd_values()

    def __reduce__(self) -> Any:
        return (dict, ())


def test_what_is_collected(registry: ModelRegistry, model: str) -> None:
    """Nothing of it stops a registration: it becomes a short text."""
    version = registry.register_model(Odd(), "x", model_name=model, performance_metrics=METRICS)
    config = version.model_config
    assert len(config) == len(odd_values())
    assert config["plain"] == {"a": [1, 2.5, None, True, "x"]}
    assert config["few"] == [0, 1, 2]
    assert (config["7"], config["key\\0\\ud800"], config["<Raises>"]) == (8, 1, 9)
    assert config["nul"] == repr("a\0b")
    assert config["raises"] == "<Raises>"
    assert config["array"].startswith("array([[1.")
    for name in config.keys() - {"plain", "few", "7", "key\\0\\ud800", "<Raises>"}:
        assert isinstance(config[name], str), name
        assert len(config[name]) <= SHORT, name


def test_collected_never_raises() -> None:
    collected(odd_values())
    many = collected({f"{number} {'x' * 1000}": "y" * 9_000 for number in range(10_000)})
    assert len(json.dumps(many)) < 1_100_000
    assert many["…"] == f"{10_000 - len(many) + 1} more"


class Proxy:
    """Raises something other than AttributeError for what it has not."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise RuntimeError("not connected")


def test_parameters_that_cannot_be_asked_for(registry: ModelRegistry, model: str) -> None:
    with pytest.warns(UserWarning, match=r"get_params\(\) of Proxy failed: RuntimeError"):
        version = registry.register_model(
            Proxy(), "x", model_name=model, performance_metrics=METRICS
        )
    assert version.model_config == {}


def test_modules_that_are_odd(
    registry: ModelRegistry, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions of libraries are collected, too."""

    class Lazy(types.ModuleType):
        def __getattr__(self, name: str) -> Any:
            raise ImportError("not now")

    for name, module in (("lazy_module", Lazy("lazy_module")), ("nul", types.ModuleType("nul"))):
        monkeypatch.setitem(sys.modules, name, module)
    sys.modules["nul"].__version__ = "1\0\ud800" * 1000  # type: ignore[attr-defined]
    for name in ("lazy_module", "nul", None, 7):
        cls = type("Made", (), {"__module__": name, "__reduce__": lambda self: (dict, ())})
        version = registry.register_model(cls(), "x", model_name=model, performance_metrics=METRICS)
        assert version.serializer == "pickle"
