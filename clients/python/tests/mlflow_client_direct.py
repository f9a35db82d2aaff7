"""Run by test_mlflow_end_to_end as a process of its own: MLflow with its registry on modelreg.

Arguments: the registry URI, a directory to work in.
"""

import os
import pathlib
import sys

import mlflow
import numpy as np
from mlflow import MlflowClient
from sklearn.linear_model import LogisticRegression

registry_uri, directory = sys.argv[1:]
os.chdir(directory)
mlflow.set_tracking_uri(f"sqlite:///{directory}/mlflow.db")
mlflow.set_registry_uri(registry_uri)

features = np.array([[0.0], [1.0], [2.0], [3.0]])
labels = np.array([0, 0, 1, 1])
model = LogisticRegression().fit(features, labels)

with mlflow.start_run() as run:
    logged = mlflow.sklearn.log_model(
        model, name="model", registered_model_name="direct", pip_requirements=["scikit-learn"]
    )
    mlflow.log_metric("accuracy", 1.0, model_id=logged.model_id)
again = mlflow.register_model(logged.model_uri, "direct", tags={"attempt": 2})

client = MlflowClient()
first = client.get_model_version("direct", "1")
assert first.run_id == run.info.run_id, first
assert first.model_id == logged.model_id, first
second = client.get_model_version("direct", "2")
assert second.tags == {"attempt": "2"}, second
assert {m.key: m.value for m in second.metrics} == {"accuracy": 1.0}, second

client.set_registered_model_alias("direct", "champion", "2")
client.transition_model_version_stage("direct", "1", "Production")
for uri in ("models:/direct/1", "models:/direct@champion", "models:/direct/latest",
            "models:/direct/Production"):  # fmt: skip
    loaded = mlflow.sklearn.load_model(uri)
    assert (loaded.predict(features) == model.predict(features)).all()
assert (mlflow.pyfunc.load_model("models:/direct/1").predict(features) == labels).all()

copied = client.copy_model_version("models:/direct@champion", "direct-live")
assert copied.version == 1, copied
assert (mlflow.sklearn.load_model("models:/direct-live/1").predict(features) == labels).all()

place = mlflow.artifacts.download_artifacts("models:/direct/1/MLmodel")
assert "sklearn" in pathlib.Path(place).read_text()
assert "hunter2" not in client.get_model_version_download_uri("direct", "1")

prompt = mlflow.genai.register_prompt("direct-greeting", "Hello {{name}}")
assert mlflow.genai.load_prompt("prompts:/direct-greeting/1").format(name="you") == "Hello you"
assert [m.name for m in client.search_registered_models()] == ["direct", "direct-live"]
print("all is well")
