"""The same calls on MLflow's own SQL store and on ours must have the same answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities.model_registry import (
    ModelVersion,
    ModelVersionTag,
    RegisteredModel,
    RegisteredModelTag,
)
from mlflow.exceptions import MlflowException
from mlflow.prompt.constants import IS_PROMPT_TAG_KEY
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

from mlflow_case import reference_store, tags, version_tags


@pytest.fixture(scope="module")
def sql_store(tmp_path_factory: pytest.TempPathFactory) -> SqlAlchemyStore:
    return SqlAlchemyStore(f"sqlite:///{tmp_path_factory.mktemp('sql')}/mlflow.db")


class Pair:
    """Both stores; a call on it is a call on each, and asserts that they agree."""

    def __init__(self, theirs: Any, ours: Any) -> None:
        self.theirs, self.ours = theirs, ours

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            expected = outcome(getattr(self.theirs, method), *args, **kwargs)
            actual = outcome(getattr(self.ours, method), *args, **kwargs)
            assert actual == expected, f"{method}{args}{kwargs}"
            # Timestamps have milliseconds there: none shall have two events in it.
            time.sleep(0.002)
            return expected

        return call


@pytest.fixture
def both(sql_store: Any, reference_store: Any) -> Any:
    pair = Pair(sql_store, reference_store)
    yield pair
    for model in [*sql_store.search_registered_models(), *sql_store.search_prompts()]:
        pair.delete_registered_model(model.name)


def outcome(method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return plain(method(*args, **kwargs))
    except MlflowException as error:
        return "error", error.error_code, error.message.split(". Error: ")[0].rstrip(".")


def plain(value: Any) -> Any:
    if isinstance(value, PagedList):
        return {"page": [plain(each) for each in value], "token": value.token}
    if isinstance(value, list):
        return sorted((plain(each) for each in value), key=str)
    if isinstance(value, RegisteredModel):
        assert value.creation_timestamp <= value.last_updated_timestamp
        return {
            "name": value.name,
            "description": value.description,
            "tags": value.tags,
            "all_tags": value._tags,
            "aliases": value.aliases,
            "latest_versions": plain(value.latest_versions),
            "workspace": value.workspace,
        }
    if isinstance(value, ModelVersion):
        assert value.creation_timestamp <= value.last_updated_timestamp
        return {
            "name": value.name,
            "version": value.version,
            "description": value.description,
            "stage": value.current_stage,
            "source": value.source,
            "run_id": value.run_id,
            "run_link": value.run_link,
            "status": value.status,
            "status_message": value.status_message,
            "tags": value.tags,
            "aliases": sorted(value.aliases),
            "workspace": value.workspace,
        }
    if hasattr(value, "__dict__"):
        return {
            key: plain(each)
            for key, each in vars(value).items()
            if "timestamp" not in key and "time" not in key and key != "_user_id"
        }
    return value


NAMES = ["", " ", None, "a/b", "a:b", ".", "missing"]


@pytest.mark.parametrize("bad", NAMES)
def test_bad_and_missing_names(both: Pair, bad: Any) -> None:
    if bad != "missing":
        both.create_registered_model(bad)
        both.rename_registered_model("missing", bad)
    both.update_registered_model(bad, "x")
    both.rename_registered_model(bad, "new")
    both.delete_registered_model(bad)
    both.get_registered_model(bad)
    both.get_latest_versions(bad)
    both.get_latest_versions(bad, ["Production"])
    both.set_registered_model_tag(bad, RegisteredModelTag("k", "v"))
    both.delete_registered_model_tag(bad, "k")
    both.create_model_version(bad, "s3://bucket/x")
    both.update_model_version(bad, 1, "d")
    both.transition_model_version_stage(bad, 1, "Staging", False)
    both.delete_model_version(bad, 1)
    both.get_model_version(bad, 1)
    both.get_model_version_download_uri(bad, 1)
    both.set_model_version_tag(bad, 1, ModelVersionTag("k", "v"))
    both.delete_model_version_tag(bad, 1, "k")
    both.set_registered_model_alias(bad, "a", 1)
    both.delete_registered_model_alias(bad, "a")
    both.get_model_version_by_alias(bad, "a")
    both.get_model_version_by_alias(bad, "latest")


def test_bad_and_missing_versions(both: Pair) -> None:
    both.create_registered_model("m")
    both.create_model_version("m", "s3://bucket/x")
    for bad in ("x", "1.5", "", 0, -1, 99, "99", 2**31, 2**40):
        refuse_version(both, bad)
    both.get_registered_model("m")


def refuse_version(both: Pair, bad: Any) -> None:
    both.update_model_version("m", bad, "d")
    both.transition_model_version_stage("m", bad, "Staging", False)
    both.delete_model_version("m", bad)
    both.get_model_version("m", bad)
    both.get_model_version_download_uri("m", bad)
    both.set_model_version_tag("m", bad, ModelVersionTag("k", "v"))
    both.delete_model_version_tag("m", bad, "k")
    both.set_registered_model_alias("m", "a", bad)


TAGS = [
    ("", "v"),
    (None, "v"),
    ("a b/c.d-e_f:", "v"),
    ("bad!", "v"),
    ("..", "v"),
    ("k", ""),
    ("k" * 250, "v"),
    ("k" * 251, "v"),
    ("k", "v" * 100_000),
    ("k", "v" * 100_001),
    ("k", "ünïcode ✓"),
]


@pytest.mark.parametrize(("key", "value"), TAGS)
def test_tags(both: Pair, key: Any, value: Any) -> None:
    both.create_registered_model("t", tags=[RegisteredModelTag(key, value)])
    both.create_registered_model("m", tags=tags(a="1", b="2"))
    both.create_model_version("m", "s3://x", tags=[ModelVersionTag(key, value)])
    both.create_model_version("m", "s3://x", tags=version_tags(a="1"))
    both.set_registered_model_tag("m", RegisteredModelTag(key, value))
    both.set_registered_model_tag("m", RegisteredModelTag("a", "changed"))
    both.set_model_version_tag("m", 1, ModelVersionTag(key, value))
    both.set_model_version_tag("m", 1, ModelVersionTag("a", "changed"))
    both.get_registered_model("m")
    both.get_model_version("m", 1)
    both.delete_registered_model_tag("m", key)
    both.delete_registered_model_tag("m", "absent")
    both.delete_model_version_tag("m", 1, key)
    both.delete_model_version_tag("m", 1, "absent")
    both.get_registered_model("m")
    both.get_model_version("m", 1)


def test_model_life(both: Pair) -> None:
    both.create_registered_model("m", description="first")
    both.create_registered_model("m")
    both.create_registered_model("other", tags=tags(k="v"))
    both.get_registered_model("m")
    both.update_registered_model("m", "second")
    both.update_registered_model("m", None)
    both.create_model_version("m", "s3://b/1", "run1", version_tags(t="1"), "http://link", "text")
    both.create_model_version("m", "s3://b/2")
    both.create_model_version("m", "s3://b/3", run_id="", run_link="", description=None)
    for number in (1, 2, 3):
        both.get_model_version("m", number)
        both.get_model_version("m", str(number))
        both.get_model_version_download_uri("m", number)
    both.update_model_version("m", 2, "described")
    both.update_model_version("m", 2, None)
    both.update_model_version("m", 1)
    both.rename_registered_model("m", "other")
    both.rename_registered_model("m", "renamed")
    both.rename_registered_model("renamed", "renamed")
    both.get_registered_model("m")
    both.get_model_version("m", 1)
    both.get_registered_model("renamed")
    both.get_model_version("renamed", 1)
    both.delete_model_version("renamed", 3)
    both.get_model_version("renamed", 3)
    both.delete_model_version("renamed", 3)
    both.create_model_version("renamed", "s3://b/4")
    both.delete_registered_model("renamed")
    both.create_registered_model("renamed")
    both.create_model_version("renamed", "s3://again")
    both.create_model_version("other", "s3://b", tags=[*version_tags(k="1"), *version_tags(k="2")])


def test_stages(both: Pair) -> None:
    both.create_registered_model("m")
    for number in range(1, 6):
        both.create_model_version("m", f"s3://b/{number}")
    both.get_latest_versions("m")
    both.transition_model_version_stage("m", 1, "production", False)
    both.transition_model_version_stage("m", 2, "Production", False)
    both.get_latest_versions("m")
    both.get_latest_versions("m", [])
    both.get_latest_versions("m", ["None", "PRODUCTION"])
    both.get_latest_versions("m", ["Archived"])
    both.get_latest_versions("m", ["nonsense"])
    both.transition_model_version_stage("m", 3, "Production", True)
    both.get_registered_model("m")
    for number in range(1, 6):
        both.get_model_version("m", number)
    both.transition_model_version_stage("m", 1, "Production", True)  # from archived
    both.transition_model_version_stage("m", 1, "Production", True)  # is there already
    both.transition_model_version_stage("m", 4, "Staging", True)
    both.transition_model_version_stage("m", 5, "Staging", False)
    both.transition_model_version_stage("m", 2, "staging", True)
    both.transition_model_version_stage("m", 1, "None", False)
    both.transition_model_version_stage("m", 1, "Archived", True)
    both.transition_model_version_stage("m", 1, "None", True)
    both.transition_model_version_stage("m", 1, "nonsense", False)
    both.transition_model_version_stage("m", 1, "nonsense", True)
    for number in range(1, 6):
        both.get_model_version("m", number)
    both.delete_model_version("m", 2)
    both.transition_model_version_stage("m", 3, "Production", False)
    both.delete_model_version("m", 3)  # MLflow deletes what is in production, too
    both.get_latest_versions("m")
    both.delete_registered_model("m")


ALIASES = ["", None, "a b", "a/b", "latest", "LATEST", "v1", "V22", "v1x", "x" * 200, "ok-_1"]


def test_alias_names(both: Pair) -> None:
    both.create_registered_model("m")
    both.create_model_version("m", "s3://b/1")
    for alias in ALIASES:
        both.set_registered_model_alias("m", alias, 1)
        both.get_model_version_by_alias("m", alias)
        both.delete_registered_model_alias("m", alias)
    both.get_registered_model("m")


def test_alias_life(both: Pair) -> None:
    both.create_registered_model("m")
    both.get_model_version_by_alias("m", "latest")
    for number in (1, 2, 3):
        both.create_model_version("m", f"s3://b/{number}")
    both.set_registered_model_alias("m", "champion", 1)
    both.set_registered_model_alias("m", "challenger", "2")
    both.set_registered_model_alias("m", "another", 2)
    both.get_registered_model("m")
    both.get_model_version("m", 2)
    both.get_latest_versions("m")
    both.set_registered_model_alias("m", "champion", 2)
    both.set_registered_model_alias("m", "champion", 2)
    both.get_model_version_by_alias("m", "champion")
    both.get_model_version_by_alias("m", "Champion")
    both.get_model_version_by_alias("m", "Latest")
    both.rename_registered_model("m", "n")
    both.get_model_version_by_alias("n", "champion")
    both.delete_registered_model_alias("n", "another")
    both.delete_registered_model_alias("n", "another")
    both.delete_model_version("n", 2)
    both.get_model_version_by_alias("n", "champion")
    both.get_registered_model("n")
    both.transition_model_version_stage("n", 3, "Archived", False)
    both.get_model_version_by_alias("n", "latest")


@pytest.fixture
def filled(both: Pair) -> Pair:
    both.create_registered_model("alpha", tags=tags(team="red", tier="1"))
    both.create_registered_model("Beta", tags=tags(team="blue"))
    both.create_registered_model("gamma_x")
    both.create_registered_model("100%", tags=tags(team="Red"))
    both.create_registered_model("prompt", tags=[RegisteredModelTag(IS_PROMPT_TAG_KEY, "true")])
    both.create_registered_model("no prompt", tags=[RegisteredModelTag(IS_PROMPT_TAG_KEY, "false")])
    for number in range(5):
        both.create_model_version(
            "alpha",
            f"s3://bucket/alpha/{number}",
            run_id=f"run{number}" if number else None,
            tags=version_tags(n=str(number), even="yes" if number % 2 == 0 else "no"),
        )
    both.create_model_version("Beta", "s3://bucket/Beta", run_id="run1", tags=version_tags(n="x"))
    both.create_model_version("100%", "file:///a_b", run_id="RUN1")
    both.create_model_version(
        "prompt", "dummy-source", tags=[ModelVersionTag(IS_PROMPT_TAG_KEY, "true")]
    )
    both.transition_model_version_stage("alpha", 2, "Production", False)
    both.set_registered_model_alias("alpha", "champion", 2)
    both.delete_model_version("alpha", 3)
    return both


MODEL_FILTERS = [
    None,
    "",
    "name = 'alpha'",
    "name != 'alpha'",
    "name = 'ALPHA'",
    "name LIKE 'al%'",
    "name LIKE 'AL%'",
    "name LIKE '%a%'",
    "name LIKE 'gamma_x'",
    "name LIKE '%\\%'",
    "name ILIKE 'AL%'",
    "name ILIKE '%BETA'",
    "name IN ('alpha', 'Beta')",
    "name IN ('absent')",
    "name NOT IN ('alpha', 'Beta')",
    "name IN ()",
    "name IN ('a', 1)",
    "name > 'a'",
    "name RLIKE 'a'",
    "name = alpha",
    "name = 5",
    "name LIKE '%a%' AND name != 'alpha'",
    "name = 'alpha' OR name = 'Beta'",
    "name 'alpha'",
    "= 'alpha'",
    "attribute.name = 'alpha'",
    "attributes.name = 'alpha'",
    "nonsense = 'x'",
    "version_number = 1",
    "creation_timestamp > 0",
    "tags.team = 'red'",
    "tag.team = 'red'",
    "tags.`team` = 'red'",
    "tags.\"team\" = 'red'",
    "tags.team != 'red'",
    "tags.team LIKE 'r%'",
    "tags.team ILIKE 'r%'",
    "tags.team IN ('red')",
    "tags.team > 'a'",
    "tags.team = 5",
    "tags.team = 'red' AND tags.tier = '1'",
    "tags.team = 'red' AND tags.tier = '2'",
    "tags.team != 'blue' AND tags.team ILIKE 'r%' AND name LIKE '%a%'",
    "tags.absent = 'x'",
    f"tags.`{IS_PROMPT_TAG_KEY}` = 'true'",
    f"tags.`{IS_PROMPT_TAG_KEY}` = 'false'",
    f"tags.`{IS_PROMPT_TAG_KEY}` != 'true'",
    f"tags.`{IS_PROMPT_TAG_KEY}` != 'false'",
    f"tags.`{IS_PROMPT_TAG_KEY}` = 'True'",
    f"name LIKE '%' AND tags.`{IS_PROMPT_TAG_KEY}` = 'true'",
    "metrics.x > 1",
    "params.x = 'y'",
    "name = 'alpha'; DROP TABLE x",
    "name = 'al''pha'",
]


def test_search_models(filled: Pair) -> None:
    for text in MODEL_FILTERS:
        if text is not None and "\\" in text:
            continue  # a backslash escapes in PostgreSQL, MLflow's included, and not in SQLite
        filled.search_registered_models(filter_string=text)


ORDERS: list[Any] = [
    None,
    [],
    ["name"],
    ["name ASC"],
    ["name DESC"],
    ["name desc"],
    ["timestamp"],
    ["timestamp DESC"],
    ["last_updated_timestamp ASC"],
    ["last_updated_timestamp DESC", "name ASC"],
    ["name DESC", "timestamp ASC"],
    ["name", "name"],
    ["timestamp", "last_updated_timestamp"],
    ["version_number DESC"],
    ["version_number ASC", "name DESC"],
    ["creation_timestamp DESC"],
    ["creation_timestamp ASC", "version_number ASC"],
    ["nonsense"],
    ["name sideways"],
    ["name DESC, timestamp"],
    [""],
]


def test_order(filled: Pair) -> None:
    for order_by in ORDERS:
        filled.search_registered_models(order_by=order_by)
        filled.search_model_versions(order_by=order_by)
        filled.search_model_versions("name = 'alpha'", order_by=order_by)


VERSION_FILTERS = [
    None,
    "",
    "name = 'alpha'",
    "name = 'absent'",
    "name != 'alpha'",
    "name LIKE '%a%'",
    "name ILIKE 'BETA'",
    "name IN ('alpha', 'Beta')",
    "name NOT IN ('alpha')",
    "run_id = 'run1'",
    "run_id != 'run1'",
    "run_id LIKE 'run%'",
    "run_id ILIKE 'RUN%'",
    "run_id IN ('run1', 'run4')",
    "run_id NOT IN ('run1')",
    "run_id IN ()",
    "run_id IN ('run1', 2)",
    "source_path = 's3://bucket/Beta'",
    "source_path LIKE 's3://bucket/alpha/%'",
    "source_path IN ('s3://bucket/Beta')",
    "source = 'x'",
    "version_number = 2",
    "version_number != 2",
    "version_number > 2",
    "version_number >= 2",
    "version_number < 2",
    "version_number <= 2",
    "version_number = '2'",
    "version_number = 'x'",
    "version_number = 2.5",
    "version_number LIKE '2'",
    "version_number IN (1, 2)",
    "creation_timestamp > 0",
    "user_id = 'x'",
    "status = 'READY'",
    "name = 'alpha' AND run_id = 'run1'",
    "name = 'alpha' AND tags.even = 'yes'",
    "tags.n = '1'",
    "tags.n != '1'",
    "tags.n LIKE '_'",
    "tags.n ILIKE 'X'",
    "tags.n = '2' AND tags.even = 'yes'",
    "tags.n = '2' AND tags.even = 'no'",
    "tags.n IN ('1')",
    "tags.n = 1",
    f"tags.`{IS_PROMPT_TAG_KEY}` = 'true'",
    f"tags.`{IS_PROMPT_TAG_KEY}` != 'true'",
    f"tags.`{IS_PROMPT_TAG_KEY}` = 'true' AND name = 'prompt'",
    "name = 'alpha' OR name = 'Beta'",
    "name",
    "name = 'alpha' AND",
    "current_stage = 'Production'",
]


def test_search_versions(filled: Pair) -> None:
    for text in VERSION_FILTERS:
        filled.search_model_versions(filter_string=text)


def test_pages(filled: Pair) -> None:
    for method in ("search_registered_models", "search_model_versions"):
        call = getattr(filled, method)
        for size in (1, 2, 3, 100):
            token = None
            for _ in range(10):
                page = call(max_results=size, page_token=token)
                token = page["token"]
                if token is None:
                    break
            assert token is None
        call(max_results=300_000)
        call(page_token="nonsense")
        call(page_token="bm9uc2Vuc2U=")
    filled.search_registered_models(max_results=0)
    filled.search_registered_models(max_results=1001)
    filled.search_model_versions(max_results=0)
    filled.search_model_versions(max_results=-1)
    filled.search_model_versions(max_results="5")


def test_prompts(both: Pair) -> None:
    both.create_registered_model("model")
    both.create_prompt("greeting", description="hello", tags={"team": "red"})
    both.create_prompt("greeting")
    both.create_prompt("model")
    both.create_registered_model("greeting")
    both.create_prompt_version("greeting", "Hello {{name}}", "first", {"k": "v"})
    both.create_prompt_version("greeting", [{"role": "user", "content": "Hi {{name}}"}])
    both.get_prompt("greeting")
    both.get_prompt("model")
    both.get_prompt_version("greeting", 1)
    both.get_prompt_version("greeting", "2")
    both.get_prompt_version("model", 1)
    both.set_prompt_alias("greeting", "production", 1)
    both.get_prompt_version_by_alias("greeting", "production")
    both.get_model_version_download_uri("greeting", 1)
    both.set_prompt_tag("greeting", "team", "blue")
    both.delete_prompt_tag("greeting", "absent")
    both.set_prompt_version_tag("greeting", 1, "k", "w")
    both.delete_prompt_version_tag("greeting", 1, "k")
    both.search_prompts()
    both.search_prompts("name LIKE 'greet%'")
    both.search_prompts("name = 'model'")
    both.search_prompt_versions("greeting")
    both.search_prompt_versions("model")
    both.search_registered_models()
    both.search_model_versions()
    both.delete_prompt_version("greeting", 1)
    both.get_prompt_version_by_alias("greeting", "production")
    both.delete_prompt_alias("greeting", "production")
    both.delete_prompt("greeting")
    both.get_prompt("greeting")


def test_copy(both: Pair, tmp_path: Path) -> None:
    both.create_registered_model("m")
    both.create_model_version("m", "s3://b/1", "run1", version_tags(k="v"), "link", "text")
    source = both.theirs.get_model_version("m", 1)
    both.copy_model_version(source, "copy")
    both.copy_model_version(source, "copy")
    both.get_model_version("copy", 2)
    both.get_model_version_download_uri("copy", 2)
    both.create_model_version("m", "models:/copy/1")
    both.get_model_version_download_uri("m", 2)
