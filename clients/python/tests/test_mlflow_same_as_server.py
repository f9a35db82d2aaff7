"""The same requests to an MLflow server on MLflow's own store and to one on ours must have the
same answers: the JSON, field by field, and what everything looks like afterwards."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from mlflow.prompt.constants import IS_PROMPT_TAG_KEY

from mlflow_case import Server, registry_uri

API = "/api/2.0/mlflow"
TIMES = ("creation_timestamp", "last_updated_timestamp")
# Lists in an order that MLflow leaves open.
UNORDERED = ("tags", "aliases", "latest_versions")
PROMPTS = f"tags.`{IS_PROMPT_TAG_KEY}` = 'true'"


class Pair:
    """Both servers; a call on it is a request to each, and asserts that they agree."""

    def __init__(self, theirs: str, ours: str) -> None:
        self._servers = (theirs, ours)

    def get(self, path: str, **query: Any) -> Any:
        return self._agreed(f"{path}?{urllib.parse.urlencode(query, doseq=True)}", None, "GET")

    def post(self, path: str, **body: Any) -> Any:
        return self._change(path, body, "POST")

    def patch(self, path: str, **body: Any) -> Any:
        return self._change(path, body, "PATCH")

    def delete(self, path: str, **body: Any) -> Any:
        return self._change(path, body, "DELETE")

    def _change(self, path: str, body: Any, method: str) -> Any:
        answer = self._agreed(path, body, method)
        # Timestamps have milliseconds: none shall have two requests in it.
        time.sleep(0.003)
        theirs, ours = (state(server) for server in self._servers)
        assert ours == theirs, f"after {method} {path} {body}"
        return answer

    def _agreed(self, path: str, body: Any, method: str) -> Any:
        theirs, ours = (request(server, path, body, method) for server in self._servers)
        assert plain(ours, ranks(ours)) == plain(theirs, ranks(theirs)), f"{method} {path} {body}"
        return theirs


def request(server: str, path: str, body: Any = None, method: str = "GET") -> Any:
    """The status and the JSON of the answer."""
    call = urllib.request.Request(
        f"{server}{API}/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method=method,
    )
    try:
        with urllib.request.urlopen(call, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        answer = json.load(error)
        return error.code, {"code": answer["error_code"], "message": words(answer["message"])}


def words(message: str) -> str:
    """Without what MLflow's database adds."""
    return message.split(". Error: ")[0].rstrip(".")


def state(server: str) -> Any:
    """Everything that there is, and in which order the times of it are."""
    found: dict[str, Any] = {}
    for text in ("", PROMPTS):
        query = urllib.parse.urlencode({"filter": text, "max_results": 1000})
        found[f"models {text}"] = request(server, f"registered-models/search?{query}")
        query = urllib.parse.urlencode({"filter": text})
        found[f"versions {text}"] = request(server, f"model-versions/search?{query}")
    for _, answer in list(found.values()):
        for model in answer.get("registered_models", ()):
            query = urllib.parse.urlencode({"name": model["name"]})
            found[f"get {query}"] = request(server, f"registered-models/get?{query}")
            _, latest = request(server, f"registered-models/get-latest-versions?{query}")
            found[f"latest {query}"] = {"latest_versions": latest.get("model_versions", [])}
    return plain(found, ranks(found))


def ranks(value: Any) -> dict[int, int]:
    """Of each time in an answer, how many others are before it."""
    times: set[int] = set()

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            times.update(value[key] for key in TIMES if key in value)
            value = value.values()
        if not isinstance(value, (str, int, float, type(None))):
            for each in value:
                collect(each)

    collect(value)
    return {time: rank for rank, time in enumerate(sorted(times))}


def plain(value: Any, order: dict[int, int], key: str = "") -> Any:
    """Without times, of which the order counts, and without the user, whom MLflow does not know."""
    if isinstance(value, dict):
        return {k: plain(each, order, k) for k, each in value.items() if k != "user_id"}
    if isinstance(value, (list, tuple)):
        items = [plain(each, order) for each in value]
        return sorted(items, key=json.dumps) if key in UNORDERED else items
    return order[value] if key in TIMES else value


@pytest.fixture(scope="module")
def servers(
    database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Server]]:
    theirs, ours = (tmp_path_factory.mktemp(name) for name in ("theirs", "ours"))
    with (
        Server(theirs, "--backend-store-uri", f"sqlite:///{theirs}/mlflow.db") as first,
        Server(
            ours,
            *("--backend-store-uri", f"sqlite:///{ours}/mlflow.db"),
            *("--registry-store-uri", registry_uri(database, artifacts="reference")),
        ) as second,
    ):
        first.wait()
        second.wait()
        yield first, second


@pytest.fixture
def both(servers: tuple[Server, Server]) -> Iterator[Pair]:
    pair = Pair(*(server.address for server in servers))
    yield pair
    for text in ("", PROMPTS):
        _, found = pair.get("registered-models/search", filter=text)
        for model in found.get("registered_models", ()):
            pair.delete("registered-models/delete", name=model["name"])


def create(both: Pair, name: str = "m", **more: Any) -> None:
    both.post("model-versions/create", name=name, source="s3://bucket/model", **more)


def test_descriptions(both: Pair) -> None:
    """None, empty and others are three things."""
    for number, given in enumerate(({}, {"description": ""}, {"description": "text"})):
        both.post("registered-models/create", name=f"m{number}", **given)
        create(both, f"m{number}", **given)
        for change in ({}, {"description": ""}, {"description": "new"}, {"description": "new"}, {}):
            both.patch("registered-models/update", name=f"m{number}", **change)
            both.patch("model-versions/update", name=f"m{number}", version="1", **change)
    _, answer = both.get("model-versions/get", name="m0", version="1")
    assert "description" not in answer["model_version"]
    create(both, "m0")
    _, answer = both.get("model-versions/get", name="m0", version="2")
    assert answer["model_version"]["description"] == ""


def test_fields_left_out_and_empty(both: Pair) -> None:
    both.post("registered-models/create", name="m", tags=[])
    create(both)
    create(both, run_id="", run_link="", tags=[], description="")
    create(both, run_id="r", run_link="http://run", tags=[{"key": "k", "value": ""}])
    create(both, tags=[{"key": "k"}])
    both.post("registered-models/set-tag", name="m", key="empty", value="")
    both.post("registered-models/set-tag", name="m", key="without")
    both.post("model-versions/set-tag", name="m", version="1", key="empty", value="")
    both.post("model-versions/set-tag", name="m", version="1", key="without")
    both.get("model-versions/search", filter="run_id = ''")
    both.get("model-versions/search", filter="tags.k = ''")
    both.get("model-versions/get-download-uri", name="m", version="1")
    for missing in ({}, {"name": "m"}, {"name": ""}, {"name": "m", "version": ""}):
        both.get("model-versions/get", **missing)
        both.get("registered-models/get", **missing)
        both.get("registered-models/alias", **missing)
        both.post("model-versions/create", **missing)
        both.post("model-versions/transition-stage", **missing)
        both.delete("model-versions/delete", **missing)


def test_times_of_transitions(both: Pair) -> None:
    """All that one transition touches has one time, what is in the stage already included."""
    both.post("registered-models/create", name="m")
    for _ in range(4):
        create(both)

    def move(version: int, stage: str, archive: bool = False) -> None:
        both.post(
            "model-versions/transition-stage",
            name="m",
            version=str(version),
            stage=stage,
            archive_existing_versions=archive,
        )

    move(1, "Production")
    move(2, "Production")
    move(3, "Production", archive=True)
    _, found = both.get("model-versions/search", filter="name = 'm'")
    times = {v["version"]: v["last_updated_timestamp"] for v in found["model_versions"]}
    assert times["1"] == times["2"] == times["3"] > times["4"]
    move(1, "Production")
    move(3, "Production", archive=True)
    move(3, "Production", archive=True)
    move(4, "None")
    move(2, "Archived")
    move(2, "Staging", archive=True)
    for order in ("ASC", "DESC"):
        for key in ("last_updated_timestamp", "creation_timestamp", "version_number", "name"):
            both.get("model-versions/search", order_by=f"{key} {order}")
            both.get("model-versions/search", filter="name = 'm'", order_by=f"{key} {order}")


def test_times_of_all_else(both: Pair) -> None:
    both.post("registered-models/create", name="m", description="text")
    both.post("registered-models/create", name="other")
    for _ in range(3):
        create(both)
    create(both, "other")
    both.patch("registered-models/update", name="m", description="text")
    both.patch("model-versions/update", name="m", version="1", description="new")
    both.patch("model-versions/update", name="m", version="1", description="new")
    both.post("registered-models/set-tag", name="m", key="k", value="v")
    both.post("model-versions/set-tag", name="m", version="2", key="k", value="v")
    both.delete("registered-models/delete-tag", name="m", key="k")
    both.delete("model-versions/delete-tag", name="m", version="2", key="k")
    both.post("registered-models/alias", name="m", alias="a", version="2")
    both.post("registered-models/alias", name="m", alias="a", version="1")
    both.get("registered-models/alias", name="m", alias="a")
    both.delete("registered-models/alias", name="m", alias="a")
    both.post("registered-models/rename", name="m", new_name="n")
    both.post("registered-models/rename", name="n", new_name="n")
    both.post("registered-models/rename", name="n", new_name="other")
    create(both, "n")
    both.patch("model-versions/update", name="n", version="2", description="new")
    both.delete("model-versions/delete", name="n", version="4")
    both.delete("model-versions/delete", name="n", version="1")
    create(both, "n")
    for order in ("ASC", "DESC"):
        both.get("registered-models/search", order_by=f"last_updated_timestamp {order}")
        for text in ("", "name = 'n'", "name != 'n'"):
            both.get(
                "model-versions/search", filter=text, order_by=f"last_updated_timestamp {order}"
            )


def test_pages(both: Pair) -> None:
    both.post("registered-models/create", name="m")
    for number in range(7):
        create(both, tags=[{"key": "odd", "value": str(number % 2)}])
    both.patch("model-versions/update", name="m", version="2", description="new")
    both.post("model-versions/transition-stage", name="m", version="4", stage="Staging")
    for text in ("name = 'm'", "", "name = 'm' AND tags.odd = '0'", "name = 'absent'"):
        for size in (1, 2, 3, 7, 100):
            token, pages = "", 0
            while token or not pages:
                _, page = both.get(
                    "model-versions/search", filter=text, max_results=size, page_token=token
                )
                token, pages = page.get("next_page_token", ""), pages + 1
            assert pages <= 7


def test_prompts(both: Pair) -> None:
    tag = [{"key": IS_PROMPT_TAG_KEY, "value": "true"}]
    both.post("registered-models/create", name="p", tags=tag)
    text = {"key": "mlflow.prompt.text", "value": "Hello {{name}}"}
    both.post("model-versions/create", name="p", source="dummy-source", tags=[*tag, text])
    both.post("model-versions/set-tag", name="p", version="1", key="k", value="v")
    both.post("registered-models/alias", name="p", alias="live", version="1")
    both.get("model-versions/get-download-uri", name="p", version="1")
    both.get("registered-models/alias", name="p", alias="live")
