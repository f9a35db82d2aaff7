"""The usage guide of the registry in files, run with this package.

Each test is a section of that guide, its code kept as it is there but for what cannot be: imports,
the place of the registry, ids that are obtained instead of written down. Models, data and the web
framework are real.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from meddling import damage

sklearn = pytest.importorskip("sklearn")
pd = pytest.importorskip("pandas")

from sklearn.datasets import load_breast_cancer  # noqa: E402
from sklearn.ensemble import IsolationForest  # noqa: E402
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

from modelreg import (  # noqa: E402
    ConfigurationError,
    DeploymentStage,
    ModelRegistry,
    ModelType,
    ModelVersion,
    RegistryConfig,
    StorageBackend,
    UnsupportedError,
    create_default_registry,
)

WAIT = 60.0  # seconds until a test gives up


# ---- What the guide imports from elsewhere: its detector, its data, its metrics ----


class Detector(IsolationForest):  # type: ignore[misc]
    """A detector as the guide has it: predict gives anomaly scores between 0 and 1."""

    def predict(self, X: Any) -> Any:
        return -self.score_samples(np.asarray(X))

    @property
    def _is_fitted(self) -> bool:
        return hasattr(self, "estimators_")


def create_default_detector(contamination: float = 0.1, n_estimators: int = 100) -> Detector:
    return Detector(contamination=contamination, n_estimators=n_estimators, random_state=0)


@dataclass(frozen=True)
class Data:
    """Benign tumours to learn from; benign and malignant ones, the anomalies, to evaluate on."""

    X_train: Any
    X_val: Any
    y_val: Any


@pytest.fixture(scope="module")
def data() -> Data:
    X, y = load_breast_cancer(return_X_y=True)
    benign, malignant = X[y == 1], X[y == 0]
    X_val = np.vstack([benign[300:], malignant[:60]])
    y_val = np.array([0] * len(benign[300:]) + [1] * 60)
    return Data(benign[:300], X_val, y_val)


@pytest.fixture(scope="module")
def detector(data: Data) -> Detector:
    return create_default_detector().fit(data.X_train)


compute_f1_score = f1_score
compute_precision = precision_score
compute_recall = recall_score


def evaluate_model(y_val: Any, predictions: Any) -> dict[str, float]:
    return {
        "f1_score": f1_score(y_val, predictions > 0.5),
        "precision": precision_score(y_val, predictions > 0.5),
        "recall": recall_score(y_val, predictions > 0.5),
        "auc_roc": roc_auc_score(y_val, predictions),
    }


# ---- The guide ----


@pytest.fixture(autouse=True)
def empty_registry(sql: psycopg.Connection[Any], dsn: str, monkeypatch: Any) -> Iterator[None]:
    """Have libpq's environment name the module's database, and leave it empty."""
    monkeypatch.setenv("PGDATABASE", psycopg.conninfo.conninfo_to_dict(dsn)["dbname"])
    yield
    for (name,) in sql.execute("SELECT model_name FROM modelreg.model").fetchall():
        sql.execute("SELECT modelreg_delete_model(%s, force => true)", [name])


def test_basic_usage(dsn: str, detector: Detector, data: Data) -> None:
    trained_detector = detector

    # Create registry
    registry = create_default_registry(dsn, max_versions=10, enable_checksums=True)

    # Register a trained model
    registry.register_model(
        model=trained_detector,
        model_type=ModelType.ISOLATION_FOREST,
        version="1.0.0",
        performance_metrics={"f1_score": 0.85, "precision": 0.82},
        deployment_stage=DeploymentStage.DEVELOPMENT,
        tags=["experiment_42", "baseline"],
        notes="Initial baseline model for theft detection",
    )

    # Load latest production model
    model = registry.load_latest_model(
        model_type=ModelType.ISOLATION_FOREST, deployment_stage=DeploymentStage.PRODUCTION
    )

    assert model is None  # none was promoted
    model = registry.load_latest_model(
        model_type=ModelType.ISOLATION_FOREST, deployment_stage=DeploymentStage.DEVELOPMENT
    )
    assert np.array_equal(model.predict(data.X_val), detector.predict(data.X_val))
    registry.close()


def test_advanced_registration(data: Data) -> None:
    registry = create_default_registry()

    # Train model
    X_train = data.X_train
    detector = create_default_detector(contamination=0.1, n_estimators=100)
    detector.fit(X_train)

    # Evaluate on validation set
    X_val, y_val = data.X_val, data.y_val
    predictions = detector.predict(X_val)
    f1 = compute_f1_score(y_val, predictions > 0.5)
    precision = compute_precision(y_val, predictions > 0.5)
    recall = compute_recall(y_val, predictions > 0.5)

    # Register with full metadata
    version = registry.register_model(
        model=detector,
        model_type=ModelType.ISOLATION_FOREST,
        version="2.1.0",
        performance_metrics={
            "f1_score": f1,
            "precision": precision,
            "recall": recall,
            "auc_roc": 0.92,
        },
        deployment_stage=DeploymentStage.STAGING,
        tags=["feature_set_v2", "high_recall", "production_candidate"],
        notes="Improved recall for theft detection. Uses enhanced feature set v2.",
        dataset_version="2024-11-01",
    )

    print(f"Registered: {version.model_id}")
    print(f"Checksum: {version.checksum[:16]}...")

    assert version.version == "2.1.0"
    assert version.deployment_stage == DeploymentStage.STAGING
    assert version.tags == ["feature_set_v2", "high_recall", "production_candidate"]
    assert version.dataset_version == "2024-11-01"
    assert version.performance_metrics == {
        "f1_score": float(f1),
        "precision": float(precision),
        "recall": float(recall),
        "auc_roc": 0.92,
    }
    assert version.model_config["n_estimators"] == 100
    registry.close()


@pytest.fixture
def registered(registry: ModelRegistry, detector: Detector) -> list[ModelVersion]:
    """Three versions as the sections before might have left them, the second in production."""
    rows: list[tuple[str, dict[str, float], DeploymentStage, list[str]]] = [
        ("1.0.0", {"f1_score": 0.85, "recall": 0.81}, DeploymentStage.DEVELOPMENT, ["baseline"]),
        (
            "1.1.0",
            {"f1_score": 0.90, "precision": 0.88, "recall": 0.79},
            DeploymentStage.PRODUCTION,
            ["experiment_42", "high_recall"],
        ),
        ("1.2.0", {"f1_score": 0.80, "recall": 0.95}, DeploymentStage.STAGING, ["experiment_42"]),
    ]
    return [
        registry.register_model(detector, ModelType.ISOLATION_FOREST, version, metrics, stage, tags)
        for version, metrics, stage, tags in rows
    ]


def test_loading_with_filters(registry: ModelRegistry, registered: list[ModelVersion]) -> None:
    # Load latest production model
    prod_model = registry.load_latest_model(
        model_type=ModelType.ISOLATION_FOREST, deployment_stage=DeploymentStage.PRODUCTION
    )

    # Load latest model with minimum F1 score
    high_perf_model = registry.load_latest_model(
        model_type=ModelType.ISOLATION_FOREST, min_performance={"f1_score": 0.85, "recall": 0.80}
    )

    # Load latest model with specific tags
    experimental_model = registry.load_latest_model(
        model_type=ModelType.ISOLATION_FOREST, tags=["experiment_42", "high_recall"]
    )

    assert all(model._is_fitted for model in (prod_model, high_perf_model, experimental_model))
    chosen = [
        registry.find_latest(ModelType.ISOLATION_FOREST, **filters)
        for filters in (
            {"deployment_stage": DeploymentStage.PRODUCTION},
            {"min_performance": {"f1_score": 0.85, "recall": 0.80}},
            {"tags": ["experiment_42", "high_recall"]},
        )
    ]
    assert [version and version.version for version in chosen] == ["1.1.0", "1.0.0", "1.1.0"]


def test_listing_and_comparing(registry: ModelRegistry, registered: list[ModelVersion]) -> None:
    # List all registered models
    all_models = registry.list_models()
    print(all_models)

    assert list(all_models["version"]) == ["1.2.0", "1.1.0", "1.0.0"]

    # List only production models
    prod_models = registry.list_models(
        model_type=ModelType.ISOLATION_FOREST, deployment_stage=DeploymentStage.PRODUCTION
    )

    assert list(prod_models["version"]) == ["1.1.0"]

    # Compare model performance. The guide compares those in production, of which there is one.
    model_ids = all_models["model_id"].tolist()
    comparison = registry.compare_models(
        model_ids=model_ids, metrics=["f1_score", "precision", "recall", "auc_roc"]
    )
    print(comparison)

    assert comparison["model_id"].tolist() == model_ids
    assert comparison["f1_score"].tolist() == [0.80, 0.90, 0.85]
    assert comparison["auc_roc"].isna().all()

    # Find best model by F1 score
    best_model_id = comparison.loc[comparison["f1_score"].idxmax(), "model_id"]
    best_model = registry.load_model(best_model_id)

    assert best_model_id == registered[1].model_id
    assert best_model._is_fitted


def test_stage_management(registry: ModelRegistry, registered: list[ModelVersion]) -> None:
    old, production, staging = (version.model_id for version in registered)

    # Promote model from staging to production
    registry.update_deployment_stage(model_id=staging, new_stage=DeploymentStage.PRODUCTION)

    # The one that was there was demoted by that
    assert stage_of(registry, production) == DeploymentStage.DEPRECATED

    # Demote old production model: it is where it shall be, and stays there
    registry.update_deployment_stage(model_id=production, new_stage=DeploymentStage.DEPRECATED)

    # Canary deployment (small traffic slice)
    registry.update_deployment_stage(model_id=old, new_stage=DeploymentStage.CANARY)

    assert stage_of(registry, staging) == DeploymentStage.PRODUCTION
    assert stage_of(registry, production) == DeploymentStage.DEPRECATED
    assert stage_of(registry, old) == DeploymentStage.CANARY


def stage_of(registry: ModelRegistry, model_id: str) -> DeploymentStage | None:
    info = registry.get_model_info(model_id)
    return info and info.deployment_stage


def test_deletion_and_cleanup(
    registry: ModelRegistry, registered: list[ModelVersion], capsys: Any
) -> None:
    model_id = registered[1].model_id

    # Safe deletion (fails if model in production)
    try:
        registry.delete_model(model_id)
    except ValueError as e:
        print(f"Cannot delete: {e}")

    assert "is in production" in capsys.readouterr().out
    assert registry.get_model_info(model_id) is not None

    # Force deletion
    registry.delete_model(model_id=model_id, force=True)

    assert registry.get_model_info(model_id) is None

    # Automatic cleanup of old versions
    deleted_count = registry.cleanup_old_versions(keep_production=True)
    print(f"Cleaned up {deleted_count} old model versions")

    assert deleted_count == 0


def test_training_pipeline(dsn: str, data: Data, capsys: Any) -> None:
    def train_and_register_model(
        X_train: Any, X_val: Any, y_val: Any, config: dict[str, Any], registry_root: str = dsn
    ) -> ModelVersion:
        """Complete training and registration workflow."""

        # Initialize registry
        registry = create_default_registry(registry_root=registry_root)

        # Train model
        print("Training model...")
        detector = create_default_detector(**config)
        detector.fit(X_train)

        # Evaluate
        print("Evaluating on validation set...")
        predictions = detector.predict(X_val)
        metrics = evaluate_model(y_val, predictions)

        # Register
        print("Registering model...")
        version = registry.register_model(
            model=detector,
            model_type=ModelType.ISOLATION_FOREST,
            version="1.0.0",
            performance_metrics=metrics,
            deployment_stage=DeploymentStage.DEVELOPMENT,
            tags=["automated_training"],
            notes=f"Auto-trained model with config: {config}",
        )

        print(f"✅ Registered: {version.model_id}")
        print(f"   F1 Score: {metrics['f1_score']:.3f}")
        # Not print(f"   File: {version.file_path}"): there is no file.

        registry.close()
        return version

    # Usage
    version = train_and_register_model(
        X_train=data.X_train,
        X_val=data.X_val,
        y_val=data.y_val,
        config={"contamination": 0.1, "n_estimators": 100},
    )

    assert version.version == "1.0.0"
    assert version.notes == (
        "Auto-trained model with config: {'contamination': 0.1, 'n_estimators': 100}"
    )
    assert f"✅ Registered: {version.model_id}" in capsys.readouterr().out
    with pytest.raises(UnsupportedError, match="download"):
        print(f"   File: {version.file_path}")


def test_storage_backends(dsn: str) -> None:
    # Local filesystem (default): here, the database
    registry = ModelRegistry(
        config=RegistryConfig(registry_root=dsn, storage_backend=StorageBackend.LOCAL)
    )
    assert registry.list_versions() == []
    registry.close()

    # A directory is no registry, and a path is told from a connection string
    with pytest.raises(ConfigurationError, match="not in a directory"):
        ModelRegistry(config=RegistryConfig(registry_root=Path("./models")))

    # AWS S3, Azure Blob Storage: placeholders there, refused here
    for root, backend in (
        ("s3://my-bucket/models", StorageBackend.S3),
        ("az://container/models", StorageBackend.AZURE_BLOB),
    ):
        with pytest.raises(ConfigurationError, match="not supported"):
            ModelRegistry(config=RegistryConfig(registry_root=root, storage_backend=backend))


def test_versioning_and_retention(dsn: str, detector: Detector) -> None:
    # Keep last 5 versions per model type
    registry = create_default_registry(
        dsn, max_versions=5, enable_checksums=True, auto_cleanup=True
    )

    for _ in range(7):
        registry.register_model(
            detector, ModelType.ISOLATION_FOREST, performance_metrics={"f1_score": 0.85}
        )
    kept = [version.version for version in registry.list_versions(ModelType.ISOLATION_FOREST)]
    assert kept == ["0.7.0", "0.6.0", "0.5.0", "0.4.0", "0.3.0"]
    registry.close()

    # Disable auto-cleanup (manual control)
    registry = create_default_registry(dsn, max_versions=10, auto_cleanup=False)

    for _ in range(7):
        registry.register_model(
            detector, ModelType.ISOLATION_FOREST, performance_metrics={"f1_score": 0.85}
        )
    assert len(registry.list_versions(ModelType.ISOLATION_FOREST)) == 12

    # Manual cleanup trigger
    registry.cleanup_old_versions(keep_production=True)

    assert len(registry.list_versions(ModelType.ISOLATION_FOREST)) == 10
    registry.close()


def test_security_and_integrity(
    dsn: str, registered: list[ModelVersion], detector: Detector
) -> None:
    # Enable all security features
    registry = ModelRegistry(
        dsn,
        config=RegistryConfig(
            enable_checksums=True,  # SHA256 verification
            enable_locking=True,  # row locks
            require_metadata=True,  # Enforce metadata
        ),
    )

    # Load with checksum verification
    model = registry.load_model(
        model_id=registered[0].model_id,
        verify_checksum=True,  # Fails if bytes are damaged
    )

    assert model._is_fitted
    with pytest.raises(ValueError, match="metric"):
        registry.register_model(detector, ModelType.ISOLATION_FOREST)
    registry.close()


def test_pipeline_with_components(data: Data) -> None:
    # Initialize components
    registry = create_default_registry()
    engineer = StandardScaler()

    # Load and prepare data
    df = pd.DataFrame(data.X_train)
    features = engineer.fit_transform(df)

    # Train model
    detector = create_default_detector(contamination=0.1)
    detector.fit(features)

    # Evaluate (placeholder)
    performance = {"f1_score": 0.88, "precision": 0.85, "recall": 0.91}

    # Register
    version = registry.register_model(
        model=detector,
        model_type=ModelType.ISOLATION_FOREST,
        performance_metrics=performance,
        deployment_stage=DeploymentStage.STAGING,
        tags=["automated", "feature_engineering_v1"],
    )

    print(f"Model registered: {version.model_id}")

    assert version.version == "0.1.0"  # the next minor version, if none is given
    registry.close()


def test_inference_api(
    sql: psycopg.Connection[Any], data: Data, detector: Detector, registered: list[ModelVersion]
) -> None:
    flask = pytest.importorskip("flask")
    Flask, request, jsonify = flask.Flask, flask.request, flask.jsonify

    app = Flask(__name__)

    # Initialize registry and load production model at startup
    registry = create_default_registry()
    production_model = registry.live_model(ModelType.ISOLATION_FOREST, DeploymentStage.PRODUCTION)

    @app.route("/predict", methods=["POST"])
    def predict() -> Any:
        """Inference endpoint using production model."""
        data = request.json["features"]
        predictions = production_model.predict(data)
        return jsonify({"anomaly_scores": predictions.tolist()})

    @app.route("/models", methods=["GET"])
    def list_models() -> Any:
        """List all registered models."""
        models_df = registry.list_models()
        return jsonify(models_df.to_dict("records"))

    # In place of /reload, which had to be called: the model reloads by itself. What it answered:
    @app.route("/loaded", methods=["GET"])
    def loaded() -> Any:
        return jsonify({"status": "loaded", "model_id": production_model.metadata.model_id})

    with production_model:
        client = app.test_client()
        features = data.X_val[:5].tolist()
        scores = client.post("/predict", json={"features": features}).json["anomaly_scores"]
        assert scores == detector.predict(data.X_val[:5]).tolist()
        assert client.get("/loaded").json["model_id"] == registered[1].model_id
        models = client.get("/models").json
        assert [model["version"] for model in models] == ["1.2.0", "1.1.0", "1.0.0"]

        # Elsewhere, a better model is trained and promoted
        better = create_default_detector(n_estimators=25).fit(data.X_train)
        with create_default_registry() as elsewhere:
            version = elsewhere.register_model(
                better, ModelType.ISOLATION_FOREST, "2.0.0", {"f1_score": 0.95}
            )
        sql.execute(
            "SELECT FROM modelreg_update_stage(%s, 'production', reason => 'better F1')",
            [version.model_id],
        )

        production_model.wait_for(version, timeout=WAIT)
        scores = client.post("/predict", json={"features": features}).json["anomaly_scores"]
        assert scores == better.predict(data.X_val[:5]).tolist()
        assert scores != detector.predict(data.X_val[:5]).tolist()
        assert client.get("/loaded").json["model_id"] == version.model_id

        # And rolled back
        sql.execute(
            "SELECT FROM modelreg_update_stage(%s, 'production', reason => 'back')",
            [registered[1].model_id],
        )
        production_model.wait_for("1.1.0", timeout=WAIT)
        scores = client.post("/predict", json={"features": features}).json["anomaly_scores"]
        assert scores == detector.predict(data.X_val[:5]).tolist()
    registry.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("modelreg live")]


def test_troubleshooting(
    registry: ModelRegistry,
    registered: list[ModelVersion],
    sql: psycopg.Connection[Any],
    detector: Detector,
    capsys: Any,
) -> None:
    model_id = registered[1].model_id

    # Issue 1: "Model file not found". No index to rebuild.
    # Check if model exists
    info = registry.get_model_info("isolation_forest_20241205_1430")
    if info is None:
        print("Model not in registry")

    assert capsys.readouterr().out == "Model not in registry\n"
    with pytest.raises(LookupError):
        registry.load_model("isolation_forest_20241205_1430")

    # Issue 2: "Checksum verification failed"
    damage(sql)
    with pytest.raises(ValueError, match=r"(?i)checksum|sha-256|match"):
        registry.load_model(model_id)

    # Load without checksum verification (not recommended)
    rescued = registry.load_bytes(model_id, verify_checksum=False)
    assert len(rescued) == registered[1].artifact_size

    # Or re-register model from source
    registry.register_model(
        detector, ModelType.ISOLATION_FOREST, performance_metrics={"f1_score": 0.9}
    )
    assert registry.load_model(model_id)._is_fitted  # the same bytes: healed

    # Issue 3: "Cannot delete production model"
    # Demote first
    registry.update_deployment_stage(model_id, DeploymentStage.DEPRECATED)
    registry.delete_model(model_id)

    # Or force delete
    other = registered[0].model_id
    registry.update_deployment_stage(other, DeploymentStage.PRODUCTION)
    registry.delete_model(other, force=True)

    assert registry.get_model_info(model_id) is None
    assert registry.get_model_info(other) is None


def test_permission_denied(open_registry: Any, roles: Any, detector: Detector) -> None:
    # Issue 4: "Registry directory permission denied"
    registry = open_registry(roles.reader)
    with pytest.raises(PermissionError):
        registry.register_model(
            detector, ModelType.ISOLATION_FOREST, performance_metrics={"f1_score": 0.9}
        )


# ---- The guide's own tests ----


def test_model_registration(detector: Detector, tmp_path: Path) -> None:
    """Test model registration workflow."""
    registry = create_default_registry()

    version = registry.register_model(
        model=detector,
        model_type=ModelType.ISOLATION_FOREST,
        performance_metrics={"f1_score": 0.85},
    )

    assert version.model_id is not None
    assert version.checksum != ""
    # Not Path(version.file_path).exists(): there is no file until one is wanted
    assert registry.download(version.model_id, tmp_path / "model.pkl").exists()
    registry.close()


def test_model_loading(detector: Detector) -> None:
    """Test model loading with verification."""
    registry = create_default_registry()

    # Register model
    version = registry.register_model(
        detector, ModelType.ISOLATION_FOREST, performance_metrics={"f1_score": 0.85}
    )

    # Load and verify
    loaded_model = registry.load_model(version.model_id, verify_checksum=True)

    assert loaded_model is not None
    assert loaded_model._is_fitted
    registry.close()


def test_deployment_promotion(detector: Detector) -> None:
    """Test deployment stage promotion workflow."""
    registry = create_default_registry()

    # Register in development
    model_id = registry.register_model(
        detector, ModelType.ISOLATION_FOREST, performance_metrics={"f1_score": 0.85}
    ).model_id

    # Promote to staging
    registry.update_deployment_stage(model_id, DeploymentStage.STAGING)
    info = registry.get_model_info(model_id)
    assert info is not None
    assert info.deployment_stage == DeploymentStage.STAGING

    # Promote to production
    registry.update_deployment_stage(model_id, DeploymentStage.PRODUCTION)
    info = registry.get_model_info(model_id)
    assert info is not None
    assert info.deployment_stage == DeploymentStage.PRODUCTION
    registry.close()
