"""Registering, finding and changing versions."""

from __future__ import annotations

import asyncio
import enum
import hashlib
import pickle
import subprocess
import sys
import threading
import time
import warnings
from datetime import datetime, timedelta, timezone

import psycopg
import pytest

import modelreg
from conftest import METRICS
from modelreg import (
    AlreadyExistsError,
    AsyncModelRegistry,
    DeploymentStage,
    IllegalMoveError,
    InvalidArgumentError,
    ModelRegistry,
    ModelType,
    ModelVersion,
    NotAllowedError,
    NotFoundError,
    ProtectedError,
    UnsupportedError,
)
from modelreg.preparing import registration


class Detector:
    """A model as somebody has it who does not know scikit-learn."""

    def __init__(self, threshold=0.5):
        self.threshold = threshold

    def predict(self, values):
        return [value > self.threshold for value in values]

    def __eq__(self, other):
        return isinstance(other, Detector) and self.threshold == other.threshold

    __hash__ = None


def register(registry, model, obj=b"a model", **more):
    arguments = {"performance_metrics": METRICS, "model_name": model, **more}
    return registry.register_model(obj, "detector", **arguments)


def test_all_arguments(registry, model):
    parent = register(registry, model)
    trained = datetime(2024, 12, 5, 14, 30, tzinfo=timezone(timedelta(hours=2)))
    version = registry.register_model(
        Detector(0.7),
        "detector",
        "1.2.3",
        {"f1_score": 0.9, "auc": 1},
        DeploymentStage.STAGING,
        ["b", "a", "b"],
        "Better.",
        "2024-11-01",
        model_name=model,
        model_config={"threshold": 0.7, "layers": [1, 2]},
        training_metadata={"epochs": 3},
        parent_ids=[parent.model_id],
        created_at=trained,
        properties={"owner": "me", "nested": {"a": [1]}},
    )
    assert isinstance(version, ModelVersion)
    assert version.model_id.startswith(model)
    assert version == registry.get_model_info(version.model_id)
    assert (version.model_name, version.model_type, version.version) == (model, "detector", "1.2.3")
    assert version.version_number == 2
    assert version.created_at == trained
    assert version.created_at.tzinfo == version.registered_at.tzinfo == timezone.utc
    assert version.performance_metrics == {"f1_score": 0.9, "auc": 1.0}
    assert version.deployment_stage is DeploymentStage.STAGING
    assert sorted(version.tags) == ["a", "b"]
    assert (version.notes, version.dataset_version) == ("Better.", "2024-11-01")
    assert version.model_config == {"threshold": 0.7, "layers": [1, 2]}
    assert version.training_metadata == {"epochs": 3}
    assert version.parent_ids == [parent.model_id]
    assert version.properties["owner"] == "me"
    assert version.properties["nested"] == {"a": [1]}
    assert version.serializer == "pickle"
    data = registry.load_bytes(version.model_id)
    assert version.checksum == hashlib.sha256(data).hexdigest()
    assert version.artifact_size == len(data)
    assert pickle.loads(data) == Detector(0.7) == registry.load_model(version.model_id)
    assert {parent, version} == {version, parent}


def test_defaults(registry, model):
    version = registry.register_model(Detector(), model, performance_metrics=METRICS)
    assert (version.model_name, version.version) == (model, "0.1.0")
    assert version.deployment_stage == "development" == str(version.deployment_stage)
    assert version.tags == [] == version.parent_ids
    assert version.notes == ""
    assert version.dataset_version is None
    assert version.deployed_at is None
    assert version.model_config == {}


def test_types_of_any_kind(registry, model):
    class Theirs(enum.Enum):
        AUTOENCODER = "autoencoder"

    assert ModelType.ISOLATION_FOREST == "isolation_forest"
    assert ModelType.ISOLATION_FOREST.value == "isolation_forest"
    assert ModelType("of my own") == "of my own"
    for given, text in (
        (ModelType.DBSCAN, "dbscan"),
        (Theirs.AUTOENCODER, "autoencoder"),
        ("plain", "plain"),
    ):
        version = registry.register_model(
            b"x", given, performance_metrics=METRICS, model_name=model, tags=[text]
        )
        assert version.model_type == text
        assert registry.find_latest(given, tags=[text], model_name=model) == version


def test_file_path_says_what_to_use(registry, model):
    version = register(registry, model)
    with pytest.raises(UnsupportedError, match="download"):
        _ = version.file_path
    with pytest.raises(NotImplementedError, match="to_dict"):
        _ = version.metadata_path


def test_filters(registry, model):
    first = register(registry, model, performance_metrics={"f1": 0.5, "loss": 0.1}, tags=["a"])
    second = register(
        registry, model, performance_metrics={"f1": 0.9, "loss": 0.6}, tags=["a", "b"]
    )
    registry.update_deployment_stage(first.model_id, "production")

    def latest(**filters):
        found = registry.find_latest(model_name=model, **filters)
        loaded = registry.load_latest_model(model_name=model, with_version=True, **filters)
        assert (loaded and loaded.version) == found
        return found and found.version_number

    assert latest() == 2
    assert latest(tags=["a"]) == 2
    assert latest(tags=("a", "b")) == 2
    assert latest(tags=["c"]) is None
    assert latest(deployment_stage=DeploymentStage.PRODUCTION) == 1
    assert latest(deployment_stage="canary") is None
    assert latest(min_performance={"f1": 0.5}) == 2
    assert latest(min_performance={"f1": 0.91}) is None
    assert latest(max_performance={"loss": 0.2}) == 1
    assert latest(version=second.version) == 2
    assert latest(model_type="another") is None
    assert registry.load_latest_model("detector", "production", model_name=model) == b"a model"
    assert registry.load_latest_model(model_name="no such model") is None
    listed = registry.list_versions(model_name=model)
    assert [v.version_number for v in listed] == [2, 1]
    assert [v.version_number for v in registry.list_versions(model_name=model, max_rows=1)] == [2]
    assert registry.list_versions(model_name=model, max_rows=1, before_id=second.model_id) == [
        registry.get_model_info(first.model_id)
    ]


def test_list_models(registry, model):
    pd = pytest.importorskip("pandas")
    empty = registry.list_models(model_name=model)
    assert len(empty) == 0
    assert "model_id" in empty.columns
    versions = [register(registry, model) for _ in range(3)]
    registry.update_deployment_stage(versions[1].model_id, DeploymentStage.PRODUCTION)
    frame = registry.list_models(model_name=model)
    assert list(frame["model_id"]) == [v.model_id for v in reversed(versions)]
    assert list(frame[frame["deployment_stage"] == DeploymentStage.PRODUCTION]["version"]) == [
        versions[1].version
    ]
    assert frame["registered_at"].is_monotonic_decreasing
    assert str(frame["registered_at"].dt.tz) == "UTC"
    assert frame.loc[0, "deployed_at"] is None
    assert isinstance(frame.loc[1, "deployed_at"], datetime)
    assert frame.loc[0, "performance_metrics"] == METRICS
    assert len(registry.list_models(model_name=model, max_rows=2)) == 2
    assert isinstance(frame, pd.DataFrame)


def test_list_models_in_flask(registry, model):
    flask = pytest.importorskip("flask")
    pytest.importorskip("pandas")
    register(registry, model)
    app = flask.Flask(__name__)

    @app.get("/models")
    def models():
        return flask.jsonify(registry.list_models(model_name=model).to_dict("records"))

    (row,) = app.test_client().get("/models").get_json()
    assert row["performance_metrics"] == METRICS
    assert row["deployed_at"] is None


def test_compare_models(registry, model):
    pytest.importorskip("pandas")
    a = register(registry, model, performance_metrics={"f1_score": 0.8, "loss": 0.1})
    b = register(registry, model, performance_metrics={"f1_score": 0.9, "version": 3})
    frame = registry.compare_models([b.model_id, a.model_id])
    assert list(frame.columns) == [
        "model_id", "version", "deployment_stage", "f1_score", "loss", "version (metric)",
    ]  # fmt: skip
    assert list(frame["model_id"]) == [b.model_id, a.model_id]
    assert frame.loc[frame["f1_score"].idxmax(), "model_id"] == b.model_id
    assert frame["loss"].isna().tolist() == [True, False]
    chosen = registry.compare_models(model_ids=[a.model_id], metrics=["recall", "f1_score"])
    assert list(chosen.columns)[3:] == ["recall", "f1_score"]
    assert chosen["recall"].isna().all()
    ids = registry.list_models(model_name=model)["model_id"].tolist()
    assert len(registry.compare_models(ids)) == 2
    nothing = registry.compare_models([], metrics=["f1_score"])
    assert list(nothing.columns) == ["model_id", "version", "deployment_stage", "f1_score"]
    with pytest.raises(NotFoundError, match="nobody"):
        registry.compare_models([a.model_id, "nobody"])
    with pytest.raises(ValueError, match="list of texts"):
        registry.compare_models([a.model_id], metrics="f1_score")


def test_stages(registry, model):
    first, second = register(registry, model), register(registry, model)
    moved = registry.update_deployment_stage(first.model_id, DeploymentStage.PRODUCTION, "now")
    assert moved.deployment_stage == DeploymentStage.PRODUCTION
    assert moved.deployed_at is not None
    registry.update_deployment_stage(model_id=second.model_id, new_stage="production")
    assert registry.get_model_info(first.model_id).deployment_stage == "deprecated"
    registry.update_deployment_stage(first.model_id, "archived")
    with pytest.raises(IllegalMoveError) as caught:
        registry.update_deployment_stage(first.model_id, "production")
    assert caught.value.sqlstate == "55000"
    assert "Legal moves" in caught.value.hint
    with pytest.raises(InvalidArgumentError):
        registry.update_deployment_stage(first.model_id, "prod")
    events = registry.history(model_id=first.model_id)
    assert [event.event for event in events] == ["register", "stage", "stage", "stage"]
    assert events[1].reason == "now"
    assert events[1].new_values["deployment_stage"] == "production"
    assert events[1].at.tzinfo == timezone.utc
    assert len(registry.history(model_name=model, since=events[2].at)) == 3


def test_delete(registry, model):
    version = register(registry, model, deployment_stage="production")
    with pytest.raises(ValueError, match="is in production") as caught:
        registry.delete_model(version.model_id)
    assert isinstance(caught.value, ProtectedError)
    assert caught.value.sqlstate == "55006"
    assert "HINT" in str(caught.value)
    assert registry.delete_model(model_id=version.model_id, force=True, reason="gone") is None
    assert registry.get_model_info(version.model_id) is None
    for call in (registry.load_model, registry.delete_model, registry.load_bytes):
        with pytest.raises(LookupError) as caught:
            call(version.model_id)
        assert isinstance(caught.value, NotFoundError)
        assert caught.value.sqlstate == "42704"


def test_update_model_version(registry, model):
    version = register(registry, model, tags=["a"], notes="x", properties={"a": 1, "b": 2})
    changed = registry.update_model_version(
        version.model_id, notes="y", properties={"b": None, "c": "3"}, reason="why"
    )
    assert (changed.notes, changed.tags) == ("y", ["a"])
    assert {k: v for k, v in changed.properties.items() if "." not in k} == {"a": 1, "c": "3"}
    assert changed.serializer == "bytes"
    changed = registry.update_model_version(
        version.model_id, tags=[], performance_metrics={"loss": 1}
    )
    assert (changed.tags, changed.performance_metrics) == ([], {"loss": 1.0})
    assert registry.history(model_id=version.model_id)[1].reason == "why"


def test_aliases(registry, model):
    first, second = register(registry, model, b"1"), register(registry, model, b"2")
    assert registry.resolve(model, "champion") is None
    assert registry.get_model_info(f"{model}@champion") is None
    with pytest.raises(NotFoundError, match="no alias"):
        registry.load_model(f"{model}@champion")
    assert registry.resolve("no such model", "champion") is None
    assert registry.list_aliases("no such model") == []
    registry.set_alias(first.model_id, "champion")
    assert registry.load_model(f"{model}@champion") == b"1"
    alias = registry.set_alias(second.model_id, "champion", reason="better")
    assert (alias.alias, alias.model_id) == ("champion", second.model_id)
    assert registry.load_bytes(f"{model}@champion") == b"2"
    assert registry.resolve(model, "champion") == second
    assert [a.model_id for a in registry.list_aliases(model)] == [second.model_id]
    with pytest.raises(ProtectedError):
        registry.delete_model(second.model_id)
    with pytest.raises(InvalidArgumentError):
        registry.set_alias(first.model_id, "latest")
    assert registry.drop_alias(model, "champion") is True
    assert registry.drop_alias(model, "champion") is False


def test_an_at_in_the_name(registry, model):
    """A model_id is never taken for a reference by alias."""
    name = f"a@b@{model}"
    version = register(registry, name, b"at")
    assert registry.load_model(version.model_id) == b"at"
    registry.set_alias(version.model_id, "live")
    assert registry.load_model(f"{name}@live") == b"at"


def test_alias_that_ends_like_a_model_id(registry, model):
    version = register(registry, model, b"nightly")
    reference = f"{model}@nightly_20261126_020000"
    assert registry.get_model_info(reference) is None
    with pytest.raises(NotFoundError):
        registry.load_model(reference)
    registry.set_alias(version.model_id, "nightly_20261126_020000")
    assert registry.get_model_info(reference) == version
    assert registry.load_model(reference) == b"nightly"


def test_reference_that_is_no_text(registry):
    for call in (registry.get_model_info, registry.load_model, registry.delete_model):
        with pytest.raises(InvalidArgumentError, match="model_id"):
            call(5)


def test_what_pandas_has(registry, model):
    pandas = pytest.importorskip("pandas")
    created = pandas.Timestamp("2026-01-02 03:04:05.678901234")
    version = register(
        registry,
        model,
        performance_metrics=pandas.Series({"a": 0.5}),
        tags=pandas.Series(["x"]),
        created_at=created,
    )
    assert version.created_at == datetime(2026, 1, 2, 3, 4, 5, 678901).astimezone()
    assert (version.performance_metrics, version.tags) == ({"a": 0.5}, ["x"])
    found = registry.find_latest(model_name=model, min_performance=pandas.Series({"a": 0.4}))
    assert found == version
    assert registry.history(model_name=model, since=created)
    assert registry.list_versions(model_name=model, min_performance={}) == [version]


def test_no_model_type(registry):
    with pytest.raises(InvalidArgumentError, match="model_type"):
        registry.register_bytes(b"x", None, performance_metrics=METRICS)


def test_arguments_that_can_be_read_once():
    """A registration that lost its connection is sent again, with all of them."""
    arguments = registration("x", tags=iter(["a"]), parent_ids=iter(["b"]))
    assert (arguments["tags"], arguments["parent_ids"]) == (["a"], ["b"])


def test_numbers_of_others(registry, model, sql):
    """The largest that there can be arrive as they are."""
    sql.execute(
        "SELECT FROM modelreg_register('x', 'x', model_name => %s, model_config =>"
        ' \'{"a": 1e308, "b": 12345678901234567890}\', performance_metrics => \'{"a": 1e300}\')',
        [model],
    )
    (version,) = registry.list_versions(model_name=model)
    assert version.model_config == {"a": 10**308, "b": 12345678901234567890}
    assert version.performance_metrics == {"a": 1e300}
    assert registry.history(model_name=model)


def test_times_without_a_zone_are_local(registry, model, sql, monkeypatch):
    """Wherever the server, and its session, are."""
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        version = register(registry, model)
        assert registry.history(model_name=model, since=datetime.now() - timedelta(minutes=5))
        assert not registry.history(model_name=model, since=datetime.now() + timedelta(minutes=5))
        created = datetime(2026, 1, 2, 3, 4)
        again = register(registry, model, created_at=created)
        assert again.created_at == created.astimezone()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert version.registered_at.tzinfo == timezone.utc


def test_cleanup(open_registry, model):
    registry = open_registry(max_versions=2)
    ids = [register(registry, model, bytes([i + 1])).model_id for i in range(5)]
    registry.update_deployment_stage(ids[0], "production")
    registry.update_deployment_stage(ids[1], "canary")
    assert registry.cleanup_old_versions(keep_production=True, model_name=model) == 1
    assert [v.model_id for v in registry.list_versions(model_name=model)] == [
        ids[4], ids[3], ids[1], ids[0],
    ]  # fmt: skip
    assert registry.cleanup_old_versions(False, model) == 2
    with pytest.raises(NotFoundError):
        registry.cleanup_old_versions(model_name="no such model")


def test_same_version_twice(registry, model):
    register(registry, model, version="1.0.0")
    with pytest.raises(AlreadyExistsError) as caught:
        register(registry, model, version="1.0.0")
    assert caught.value.sqlstate == "23505"
    assert isinstance(caught.value, ValueError)
    assert caught.value.__cause__.sqlstate == "23505"


def test_parameters_of_the_model(registry, model):
    sklearn = pytest.importorskip("sklearn.ensemble")
    pipeline = pytest.importorskip("sklearn.pipeline")
    forest = sklearn.IsolationForest(n_estimators=7, max_samples=16)
    version = register(registry, model, forest)
    assert version.model_config["n_estimators"] == 7
    assert version.model_config["random_state"] is None
    assert register(registry, model, forest, model_config={"a": 1}).model_config == {"a": 1}
    assert register(registry, model, forest, model_config={}).model_config == {}
    nested = register(registry, model, pipeline.make_pipeline(forest)).model_config
    assert nested["isolationforest__n_estimators"] == 7
    assert nested["isolationforest"].startswith("IsolationForest(")

    class Odd:
        def get_params(self):
            raise RuntimeError("not yet")

        def __reduce__(self):
            return (dict, ())

    with pytest.warns(UserWarning, match="not yet"):
        assert register(registry, model, Odd()).model_config == {}


def test_numbers_of_numpy(registry, model):
    numpy = pytest.importorskip("numpy")
    version = register(
        registry,
        model,
        performance_metrics={
            "f1": numpy.float32(0.5),
            "n": numpy.int64(3),
            "auc": numpy.float64(1),
        },
        model_config={"weights": numpy.arange(3), "rate": numpy.float32(0.25)},
        training_metadata={"at": datetime(2024, 1, 2, tzinfo=timezone.utc)},
    )
    assert version.performance_metrics == {"f1": 0.5, "n": 3.0, "auc": 1.0}
    assert version.model_config == {"weights": [0, 1, 2], "rate": 0.25}
    assert version.training_metadata == {"at": "2024-01-02T00:00:00+00:00"}


@pytest.mark.parametrize(
    "bad",
    [
        {"performance_metrics": {"f1": float("nan")}},
        {"performance_metrics": {"f1": float("inf")}},
        {"performance_metrics": {"f1": "high"}},
        {"performance_metrics": {"f1": None}},
        {"performance_metrics": {"": 1}},
        {"performance_metrics": {"a\x00b": 1}},
        {"performance_metrics": {}},
        {"performance_metrics": None},
        {"version": "1.0"},
        {"version": "1.0.0'; DROP TABLE x; --"},
        {"deployment_stage": "prod"},
        {"tags": "one"},
        {"tags": ["x" * 257]},
        {"tags": ["a\x00b"]},
        {"tags": [""]},
        {"notes": "a\x00b"},
        {"notes": "\ud800"},
        {"notes": "x" * (1024 * 1024 + 1)},
        {"dataset_version": " padded "},
        {"model_name": ""},
        {"model_name": "line\nbreak"},
        {"model_config": {"x": object()}},
        {"model_config": {"x": float("nan")}},
        {"model_config": {"x": "\ud800"}},
        {"model_config": [1]},
        {"parent_ids": ["nobody"]},
        {"created_at": datetime(1, 1, 1)},
        {"created_at": "2026-01-02"},
        {"performance_metrics": {"a": 10**400}},
        {"performance_metrics": [("a", 1)]},
        {"notes": 5},
        {"tags": [5]},
        {"properties": {"modelreg.serializer": "pickle"}},
    ],
    ids=lambda bad: str(bad)[:40],
)
def test_bad_arguments(registry, model, bad):
    before = len(registry.list_versions())
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        register(registry, model, **bad)
    if "created_at" not in bad:
        assert isinstance(caught.value, modelreg.ModelregError), repr(caught.value)
    assert len(registry.list_versions()) == before


def test_hostile_text_is_only_text(registry, model):
    text = "'; DROP TABLE modelreg.model; -- %s %(a)s {x} \\ \" \N{SNOWMAN} \U0001f600 $1"
    version = register(
        registry,
        model + text,
        tags=[text, "{a,b}", "NULL", '"'],
        notes=text + "\t\n",
        properties={text: text},
        model_config={text: [text]},
        performance_metrics={text: 1},
    )
    assert version == registry.get_model_info(version.model_id)
    assert version.model_name == model + text
    assert set(version.tags) == {text, "{a,b}", "NULL", '"'}
    assert version.properties[text] == text
    assert version.performance_metrics == {text: 1.0}
    assert registry.find_latest(model_name=model + text, tags=[text]) == version
    assert registry.get_model_info(text) is None


def test_far_away_times(registry, model, sql):
    version = register(registry, model, created_at=datetime(9999, 12, 31, tzinfo=timezone.utc))
    assert version.created_at.year == 9999
    model_id = sql.execute(
        "SELECT model_id FROM modelreg_register('x', 'x', model_name => %s,"
        " performance_metrics => '{\"a\": 1}', created_at => '20000-01-01')",
        [model],
    ).fetchone()[0]
    assert registry.get_model_info(model_id).created_at.year == 9999


def test_roles(open_registry, roles, model):
    reader, writer = open_registry(roles.reader), open_registry(roles.writer)
    admin, stranger = open_registry(roles.admin), open_registry(roles.stranger)
    with pytest.raises(NotAllowedError) as caught:
        register(reader, model)
    assert isinstance(caught.value, PermissionError)
    assert caught.value.sqlstate == "42501"
    with pytest.raises(NotAllowedError):
        stranger.list_versions()
    version = register(writer, model)
    assert (version.registered_by, version.owner) == (roles.writer, roles.writer)
    assert reader.load_model(version.model_id) == b"a model"
    with pytest.raises(NotAllowedError):
        writer.update_deployment_stage(version.model_id, "production")
    with pytest.raises(NotAllowedError):
        writer.set_alias(version.model_id, "champion")
    with pytest.raises(NotAllowedError):
        reader.update_model_version(version.model_id, notes="mine")
    with pytest.raises(NotAllowedError):
        writer.cleanup_old_versions()
    with pytest.raises(NotAllowedError):
        writer.reassign(roles.writer, roles.admin)
    assert admin.reassign(roles.writer, roles.admin, reason="moved on") >= 1
    given = admin.get_model_info(version.model_id)
    assert (given.registered_by, given.owner) == (roles.writer, roles.admin)
    with pytest.raises(NotAllowedError):
        writer.update_model_version(version.model_id, notes="no longer mine")
    with pytest.raises(NotFoundError):
        admin.reassign("no such role", roles.admin)
    admin.update_deployment_stage(version.model_id, "production")
    with pytest.raises(NotAllowedError):
        reader.begin_upload()


def test_two_register_at_once(open_registry, model):
    registry = open_registry()
    failures, versions = [], []

    def work():
        try:
            versions.extend(register(registry, model) for _ in range(10))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert sorted(v.version_number for v in versions) == list(range(1, 41))


def test_to_dict_is_json(registry, model):
    import json

    version = register(registry, model, deployment_stage="staging")
    document = json.loads(json.dumps(version.to_dict()))
    assert document["deployment_stage"] == "staging"
    assert datetime.fromisoformat(document["created_at"]) == version.created_at
    assert json.loads(json.dumps(registry.history(model_id=version.model_id)[0].to_dict()))


def test_verify(registry, model):
    version = register(registry, model)
    (result,) = registry.verify(version.model_id)
    assert result.ok
    assert result.expected == result.actual == version.checksum
    with pytest.raises(NotFoundError):
        registry.verify("nobody")


def test_text_that_names_a_file(registry, dsn, model, tmp_path):
    """What is registered is the text; who meant the file is told how."""
    (tmp_path / "model.pkl").write_bytes(b"x")

    async def asynchronously(path):
        async with AsyncModelRegistry(dsn) as other:
            return await other.register_model(
                path, "x", model_name=model, performance_metrics=METRICS
            )

    for path in (tmp_path / "model.pkl", tmp_path):
        method = "register_directory" if path.is_dir() else "register_file"
        for given in (str(path), path):
            with pytest.warns(UserWarning, match=rf"{method}\(path") as caught:
                version = register(registry, model, given)
            assert caught[0].filename == __file__
            assert registry.load_model(version.model_id) == given
            with pytest.warns(UserWarning, match=rf"{method}\(path"):
                asyncio.run(asynchronously(given))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for given in ("no such file", "", "x" * 100_000, "a\0b", tmp_path / "nothing", b"bytes"):
            register(registry, model, given)


@pytest.mark.parametrize("data", ["text", 5, None, [1], {"a": 1}])
def test_bytes_that_are_none(registry, dsn, model, data):
    """bytes(5) would be five zeros, and a text may be a path."""

    async def asynchronously():
        async with AsyncModelRegistry(dsn) as other:
            await other.register_bytes(data, "x", performance_metrics=METRICS)

    with pytest.raises(InvalidArgumentError, match="bytes are wanted") as caught:
        registry.register_bytes(data, "x", performance_metrics=METRICS)
    assert "register_file" in caught.value.hint
    with pytest.raises(InvalidArgumentError, match="bytes are wanted"):
        asyncio.run(asynchronously())


def test_name_of_a_model_where_an_id_is_wanted(registry, dsn, model, database, tmp_path):
    """The hint has the id of the newest version."""
    first = register(registry, model)
    newest = register(registry, model)
    (tmp_path / "large").write_bytes(bytes(3_000_000))
    metadata = {"performance_metrics": METRICS, "model_name": model}

    def calls(registry):
        return [
            registry.load_model(model),
            registry.load_bytes(model),
            registry.download(model, tmp_path / "x"),
            registry.list_files(model),
            registry.compare_models([first.model_id, model]),
            registry.list_versions(before_id=model),
            registry.update_deployment_stage(model, "staging"),
            registry.set_alias(model, "a"),
            registry.register_bytes(b"x", "x", parent_ids=[first.model_id, model], **metadata),
            registry.register_file(tmp_path / "large", "x", parent_ids=[model], **metadata),
        ]

    def refused(call, *args, **kwargs):
        with pytest.raises(NotFoundError) as caught:
            call(*args, **kwargs)
        assert caught.value.sqlstate == "42704"
        assert (
            caught.value.hint == f'"{model}" is a model; its newest version is {newest.model_id}.'
        )

    class Registry:
        """Each call is one to be refused."""

        def __init__(self, run):
            self.run = run

        def __getattr__(self, name):
            return lambda *args, **kwargs: refused(self.run(name), *args, **kwargs)

    calls(Registry(lambda name: getattr(registry, name)))
    refused(registry.update_model_version, model, notes="x")
    refused(registry.delete_model, model)
    refused(registry.verify, model)

    def asynchronously(name):
        async def work(*args, **kwargs):
            async with AsyncModelRegistry(dsn) as other:
                return await getattr(other, name)(*args, **kwargs)

        return lambda *args, **kwargs: asyncio.run(work(*args, **kwargs))

    calls(Registry(asynchronously))
    # In a transaction that the error has ended, nobody can be asked; before that, they can.
    with psycopg.connect(dbname=database) as connection:
        joined = ModelRegistry(connection)
        refused(joined.load_model, model)
        with pytest.raises(NotFoundError) as caught:
            joined.delete_model(model)
        assert caught.value.hint is None
    with pytest.raises(NotFoundError) as caught:
        registry.delete_model("nobody")
    assert caught.value.hint is None


@pytest.mark.parametrize("missing", ["libpq", "psycopg"])
def test_without_libpq(missing, tmp_path):
    """The error says what to install, from the package and from the command."""
    program = f"""
import ctypes.util, sys
MISSING = {{"psycopg_binary", "psycopg_c", {missing!r}}}

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {{name!r}}")

sys.meta_path.insert(0, Finder())
found = ctypes.util.find_library
ctypes.util.find_library = lambda name: None if name in ("pq", "libpq.dll") else found(name)
from modelreg.cli import main
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert "ImportError: modelreg needs psycopg with libpq" in done.stderr
    assert "pip install 'psycopg[binary]'" in done.stderr
    assert done.stderr.count("Traceback") == 1
