"""Requests that Schemathesis makes of an OpenAPI document, and what every answer is held against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 10
"""Of each operation, each by every role."""
MADE_UP = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
BODIES = {"json": "application/json", "data": "application/x-www-form-urlencoded"}
"""How `httpx` is told of a body, and what it is then."""


def made_up(described: APIOperation[Any, Any, Any, Any]) -> st.SearchStrategy[Case[Any]]:
    """Requests that keep to the schema, and some that do not."""
    good, bad = (described.as_strategy(generation_mode=mode) for mode in GenerationMode)
    return good | bad


def case_of(
    described: APIOperation[Any, Any, Any, Any],
    ids: Mapping[str, object],
    request: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
) -> Case[Any]:
    """What `httpx` is told of a request, as Schemathesis has it."""
    named = {name: str(value) for name, value in ids.items() if f"{{{name}}}" in described.path}
    about: dict[str, Any] = {
        "path_parameters": named,
        "query": request.get("params", {}),
        "headers": {**(headers or {})},
    }
    for told, media_type in BODIES.items():
        if told in request:
            about |= {"body": request[told], "media_type": media_type}
    return described.Case(**about)


def seed(case: Case[Any], good: Mapping[str, Any], members: int) -> None:
    """Puts what is there, and known, in the place of what was made up.

    Args:
        case: the request.
        good: what `httpx` is told of one that is good.
        members: which members of its body and query, one bit for each.
    """
    for told in ("params", *BODIES):
        known = {
            name: value for bit, (name, value) in enumerate(good.get(told, {}).items()) if members >> bit & 1
        }
        if told == "params":
            case.query = {**(case.query or {}), **known}
        elif known and isinstance(case.body, dict):
            case.body = {**case.body, **known}
