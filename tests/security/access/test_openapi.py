"""What the OpenAPI says is what is served: requests that Schemathesis makes of it, by every role."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import servers
from access_matrix import OPERATIONS, Operation
from access_service import OFFICE, Access
from access_sites import Site, site
from otokura.shared.events import Role

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
SERVED = [operation for operation in OPERATIONS if operation.method != "HEAD"]
EXAMPLES = 10
"""Of each operation, each by every role."""


@dataclass(frozen=True)
class Seeded:
    """A tenant with one of everything, and the schema of what is served."""

    access: Access
    ours: Site
    operator: str
    schema: BaseSchema

    def headers(self, role: Role) -> dict[str, str]:
        """Who asks, from the office."""
        token = self.operator if role is Role.OPERATOR else self.ours.people[role].token
        return {"Authorization": f"Bearer {token}", "X-Forwarded-For": OFFICE}

    def ask(self, case: Case[Any], role: Role) -> int:
        """Sends a request and holds the answer against the schema."""
        response = case.call(base_url=self.access.url, headers=self.headers(role))
        case.validate_response(response, checks=CHECKS)
        return response.status_code


@pytest.fixture(scope=servers.broker_scope)
def seeded(access: Access) -> Seeded:
    """Made once."""
    document: dict[str, Any] = json.loads(httpx.get(f"{access.url}/openapi.json").text)
    return Seeded(access, site(access), access.operator(), openapi.from_dict(document))


@pytest.mark.guarantee("R15")
@pytest.mark.parametrize("operation", [pytest.param(one, id=f"{n}-{one}") for n, one in enumerate(SERVED)])
def test_every_answer_is_one_that_the_openapi_says(seeded: Seeded, operation: Operation) -> None:
    """No 5xx, and no status, media type or form that is not documented, whoever asks for whatever."""
    described = seeded.schema[operation.path][operation.method]
    good, bad = (described.as_strategy(generation_mode=mode) for mode in GenerationMode)
    statuses: set[int] = set()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=good | bad, known=st.booleans())
    def ask(case: Case[Any], known: bool) -> None:
        if known:
            about(case, operation, seeded.ours)
        for role in Role:
            statuses.add(seeded.ask(case, role))

    ask()
    assert max(statuses) < 500


def about(case: Case[Any], operation: Operation, ours: Site) -> None:
    """Makes it a request about what is there."""
    ids = {name: str(value) for name, value in ours.ids.items() if f"{{{name}}}" in operation.path}
    case.path_parameters = (case.path_parameters or {}) | ids
