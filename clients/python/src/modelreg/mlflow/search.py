"""MLflow's search filters and order_by as SQL.

MLflow's own parsers read the texts; what they leave to its SQL store, and the errors of that, is
here. Values are parameters; every piece of SQL is a constant of this file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.prompt.constants import IS_PROMPT_TAG_KEY
from mlflow.utils.search_utils import SearchModelUtils, SearchModelVersionUtils, SearchUtils

from .entities import INTERNAL
from .times import MODEL_UPDATED_MS, ms

_OPERATORS = {
    "=": "=",
    "!=": "<>",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
    "LIKE": "LIKE",
    "ILIKE": "ILIKE",
}
_TAG_COMPARATORS = ("=", "!=", "LIKE", "ILIKE")

_MODEL_ATTRIBUTES = {"name": "m.model_name"}
_VERSION_ATTRIBUTES = {
    "name": "m.model_name",
    "version_number": "v.version_number",
    "run_id": "(v.training_metadata ->> 'run_id')",
    "source_path": "(v.training_metadata ->> 'source')",
}
_MODEL_ORDER = {"name": "m.model_name", "last_updated_time": MODEL_UPDATED_MS}
UPDATED = "last_updated_timestamp"
_VERSION_ORDER = {
    "name": "v.model_name",
    "version_number": "v.version_number",
    "creation_timestamp": ms("v.created_at"),
    UPDATED: "u.updated_ms",  # found beforehand
}
_DEFAULT_VERSION_ORDER = ("last_updated_timestamp DESC", "name ASC", "version_number DESC")

# A model is a prompt by its own tag; a version, if any of its model's versions is one.
_NO_PROMPT_MODEL = "(m.properties ->> %s) IS DISTINCT FROM 'true'"
_NO_PROMPT_VERSION = """NOT EXISTS (SELECT FROM modelreg.model_version p
    WHERE p.model_key = m.model_key AND (p.properties ->> %s) = 'true')"""


@dataclass
class Query:
    """Conditions of a search over modelreg.model m or modelreg.model_version v."""

    conditions: list[str] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)

    @property
    def where(self) -> str:
        return " AND ".join(self.conditions) or "true"

    def add(self, condition: str, *parameters: Any) -> None:
        self.conditions.append(condition)
        self.parameters.extend(parameters)


@dataclass
class VersionQuery:
    """A search for versions: the conditions for their models, and for themselves.

    They are two because whether a model is a prompt shall be found out once for each model, and
    not, as PostgreSQL may choose to, for each version.
    """

    models: Query
    versions: Query
    one_model: bool
    """whether only one model can match"""
    order: dict[str, bool]
    """by what, in MLflow's names, and whether ascending"""

    @property
    def order_by(self) -> str:
        return _sql(self.order, _VERSION_ORDER)


def registered_models(
    filter_string: str | None, order_by: Iterable[str] | None
) -> tuple[Query, str]:
    """Conditions and ORDER BY of ``search_registered_models``."""
    clauses = SearchModelUtils.parse_search_filter(filter_string)
    query, order = Query(), _order_models(list(order_by or ()))
    wants_prompts = _wants_prompts(clauses)
    for clause in clauses:
        key, comparator = clause["key"], clause["comparator"]
        if clause["type"] == "attribute":
            if key not in _MODEL_ATTRIBUTES:
                raise MlflowException.invalid_parameter_value(f"Invalid attribute name: {key}")
            if comparator not in (*_TAG_COMPARATORS, "IN", "NOT IN"):
                raise MlflowException.invalid_parameter_value(
                    f"Invalid comparator for attribute: {comparator}"
                )
            _compare(query, _MODEL_ATTRIBUTES[key], comparator, clause["value"])
        elif clause["type"] == "tag":
            _tag(query, "m.properties", clause, wants_prompts)
        else:
            raise MlflowException.invalid_parameter_value(f"Invalid token type: {clause['type']}")
    if not wants_prompts:
        query.add(_NO_PROMPT_MODEL, IS_PROMPT_TAG_KEY)
    return query, order


def model_versions(filter_string: str | None, order_by: Iterable[str] | None) -> VersionQuery:
    """The query of ``search_model_versions``."""
    clauses = SearchModelVersionUtils.parse_search_filter(filter_string)
    models, versions = Query(), Query()
    wants_prompts = _wants_prompts(clauses)
    for clause in clauses:
        if clause["type"] == "attribute":
            _version_attribute(models if clause["key"] == "name" else versions, clause)
        elif clause["type"] == "tag":
            _tag(versions, "v.properties", clause, wants_prompts)
        else:
            raise MlflowException.invalid_parameter_value(f"Invalid token type: {clause['type']}")
    if not wants_prompts:
        models.add(_NO_PROMPT_VERSION, IS_PROMPT_TAG_KEY)
    return VersionQuery(
        models,
        versions,
        one_model=any(
            clause["type"] == "attribute" and (clause["key"], clause["comparator"]) == ("name", "=")
            for clause in clauses
        ),
        order=_order_versions(list(order_by or ()) or list(_DEFAULT_VERSION_ORDER)),
    )


def offset(page_token: str | bytes | None) -> int:
    return int(SearchUtils.parse_start_offset_from_page_token(page_token))


def next_token(more: bool, start: int, max_results: int) -> Any:
    """The token of the next page, if there is more; else None."""
    return SearchUtils.create_page_token(start + max_results) if more else None


def _version_attribute(query: Query, clause: Mapping[str, Any]) -> None:
    key, comparator, value = clause["key"], clause["comparator"], clause["value"]
    if key not in SearchModelVersionUtils.VALID_SEARCH_ATTRIBUTE_KEYS:
        raise MlflowException.invalid_parameter_value(f"Invalid attribute name: {key}")
    if key in SearchModelVersionUtils.NUMERIC_ATTRIBUTES:
        if comparator not in SearchModelVersionUtils.VALID_NUMERIC_ATTRIBUTE_COMPARATORS:
            raise MlflowException.invalid_parameter_value(
                f"Invalid comparator for attribute {key}: {comparator}"
            )
        value = _integer(key, value)
    elif comparator not in SearchModelVersionUtils.VALID_STRING_ATTRIBUTE_COMPARATORS or (
        comparator in ("IN", "NOT IN") and key not in ("run_id", "name")
    ):
        raise MlflowException.invalid_parameter_value(
            f"Invalid comparator for attribute: {comparator}"
        )
    _compare(query, _VERSION_ATTRIBUTES[key], comparator, value)


def _integer(key: str, value: Any) -> int:
    try:
        if isinstance(value, float):
            raise ValueError
        return int(value)
    except (TypeError, ValueError):
        raise MlflowException.invalid_parameter_value(
            f"Invalid value for numeric attribute '{key}': {value!r}"
        ) from None


def _compare(query: Query, expression: str, comparator: str, value: Any) -> None:
    if comparator == "IN":
        query.add(f"{expression} = ANY (%s)", _texts(value))
    elif comparator == "NOT IN":
        query.add(f"{expression} <> ALL (%s)", _texts(value))
    else:
        query.add(f"{expression} {_OPERATORS[comparator]} %s", value)


def _texts(value: Any) -> list[str]:
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else [str(value)]


def _tag(query: Query, column: str, clause: Mapping[str, Any], wants_prompts: bool) -> None:
    key, comparator = clause["key"], clause["comparator"]
    if comparator not in _TAG_COMPARATORS:
        raise MlflowException.invalid_parameter_value(f"Invalid comparator for tag: {comparator}")
    if key == IS_PROMPT_TAG_KEY and not wants_prompts:
        return  # what it asks for is what is left when prompts are taken out
    if key.startswith(INTERNAL):
        query.add("false")
        return
    query.add(f"({column} ->> %s) {_OPERATORS[comparator]} %s", key, clause["value"])


def _wants_prompts(clauses: Sequence[Mapping[str, Any]]) -> bool:
    for clause in clauses:
        if clause["type"] == "tag" and clause["key"] == IS_PROMPT_TAG_KEY:
            value = str(clause["value"]).lower()
            return (clause["comparator"], value) in (("=", "true"), ("!=", "false"))
    return False


def _order_models(order_by: list[str]) -> str:
    terms: dict[str, bool] = {}
    for text in order_by:
        key, ascending = SearchUtils.parse_order_by_for_search_registered_models(text)
        if key in SearchUtils.VALID_TIMESTAMP_ORDER_BY_KEYS:
            key = "last_updated_time"
        elif key != "name":
            raise MlflowException.invalid_parameter_value(
                f"Invalid order by key '{key}' specified."
                f"Valid keys are '{SearchUtils.RECOMMENDED_ORDER_BY_KEYS_REGISTERED_MODELS}'"
            )
        _add_term(terms, key, ascending, order_by)
    terms.setdefault("name", True)
    return _sql(terms, _MODEL_ORDER)


def _order_versions(order_by: list[str]) -> dict[str, bool]:
    terms: dict[str, bool] = {}
    for text in order_by:
        _, key, ascending = SearchModelVersionUtils.parse_order_by_for_search_model_versions(text)
        if key not in SearchModelVersionUtils.VALID_ORDER_BY_ATTRIBUTE_KEYS:
            raise MlflowException.invalid_parameter_value(
                f"Invalid order by key '{key}' specified. "
                f"Valid keys are {SearchModelVersionUtils.VALID_ORDER_BY_ATTRIBUTE_KEYS}"
            )
        _add_term(terms, key, ascending, order_by)
    terms.setdefault("name", True)
    terms.setdefault("version_number", False)
    return terms


def _add_term(terms: dict[str, bool], key: str, ascending: bool, order_by: list[str]) -> None:
    if key in terms:
        raise MlflowException(f"`order_by` contains duplicate fields: {order_by}")
    terms[key] = ascending


def _sql(terms: Mapping[str, bool], expressions: Mapping[str, str]) -> str:
    return ", ".join(
        f"{expressions[key]} {'ASC' if ascending else 'DESC'}" for key, ascending in terms.items()
    )
