"""Run by test_mlflow_end_to_end as a process of its own: an MLflow client that knows an MLflow
server, and neither modelreg nor a database.

Arguments: the server's address, a directory to work in.
"""

import os
import sys
import urllib.parse
import urllib.request

sys.modules["modelreg"] = None  # type: ignore[assignment]

import mlflow  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
from mlflow import MlflowClient  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402

server, directory = sys.argv[1:]
os.chdir(directory)
mlflow.set_tracking_uri(server)

features = np.array([[0.0], [1.0], [2.0], [3.0]])
labels = np.array([0, 0, 1, 1])
model = LogisticRegression().fit(features, labels)
client = MlflowClient()

for attempt in (1, 2):
    with mlflow.start_run() as run:
        logged = mlflow.sklearn.log_model(
            model, name="model", registered_model_name="churn", pip_requirements=["scikit-learn"]
        )
    assert client.get_model_version("churn", str(attempt)).run_id == run.info.run_id

client.set_registered_model_alias("churn", "champion", "1")
client.transition_model_version_stage("churn", "1", "Production")
client.transition_model_version_stage("churn", "2", "Production", archive_existing_versions=True)
assert client.get_model_version("churn", "1").current_stage == "Archived"
assert client.get_model_version_by_alias("churn", "champion").version == "1"

client.set_registered_model_tag("churn", "team", "red")
client.set_model_version_tag("churn", "2", "checked", "yes")
client.update_model_version("churn", "2", "the second")
client.rename_registered_model("churn", "renamed churn")
(found,) = client.search_model_versions("tags.checked = 'yes'")
assert (found.name, found.description) == ("renamed churn", "the second")

address = client.get_model_version_download_uri("renamed churn", "1")
assert address.startswith("mlflow-artifacts:/versions/"), address
for uri in ("models:/renamed churn/2", "models:/renamed churn@champion"):
    loaded = mlflow.pyfunc.load_model(uri)
    assert (loaded.predict(features) == labels).all()
assert mlflow.artifacts.list_artifacts(address)
query = urllib.parse.urlencode({"name": "renamed churn", "version": "2", "path": "MLmodel"})
with urllib.request.urlopen(f"{server}/model-versions/get-artifact?{query}") as response:
    assert b"sklearn" in response.read()

copied = client.copy_model_version("models:/renamed churn/2", "copied")
assert (mlflow.pyfunc.load_model("models:/copied/1").predict(features) == labels).all()
assert copied.version == "1"
client.log_artifact(run.info.run_id, __file__)
client.delete_model_version("copied", "1")
with pytest.raises(MlflowException) as caught:
    client.get_model_version("copied", "1")
assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"
client.delete_registered_model("copied")

mlflow.genai.register_prompt("greeting", "Hello {{name}}")
mlflow.genai.set_prompt_alias("greeting", "live", 1)
assert mlflow.genai.load_prompt("prompts:/greeting@live").format(name="you") == "Hello you"
print("all is well")
