"""What the OpenAPI says is what is served: requests that Schemathesis makes of it, by each role and nobody.

Of each operation one request is good, and served: so what it gives is held against the OpenAPI, too, and not
only how it refuses. The others are made up, some of them with ids and members that are good.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import Case, openapi
from schemathesis.schemas import APIOperation, BaseSchema

import servers
from access_matrix import OPERATIONS, Operation
from access_public import PUBLIC, PublicOperation, bearer
from access_service import OFFICE, Access, once
from access_sites import Site, site
from openapi_cases import CHECKS, MADE_UP, case_of, made_up, seed
from otokura.shared.events import Role
from otokura.shared.keyring import read_keyring

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]

SERVED = [operation for operation in OPERATIONS if operation.method != "HEAD"]


@dataclass(frozen=True)
class Seeded:
    """Two tenants with one of everything, and the schema of what is served.

    Attributes:
        access: the service.
        kept: the tenant of the requests that are good; nothing else happens there.
        ours: the one of those that are made up, which change and delete what they like.
        operator: a token.
        schema: what is served.
    """

    access: Access
    kept: Site
    ours: Site
    operator: str
    schema: BaseSchema

    def token(self, role: Role, of: Site) -> dict[str, str]:
        """How somebody of a tenant shows who they are."""
        return bearer(self.operator if role is Role.OPERATOR else of.people[role].token)

    def ask(self, case: Case[Any], credential: Mapping[str, str]) -> int:
        """Sends a request from the office, and holds the answer against the schema."""
        headers = {**credential, "X-Forwarded-For": OFFICE}
        response = case.call(base_url=self.access.url, headers=headers)
        case.validate_response(response, checks=CHECKS)
        return response.status_code


@pytest.fixture(scope=servers.broker_scope)
def seeded(access: Access) -> Seeded:
    """Made once."""
    document: dict[str, Any] = json.loads(httpx.get(f"{access.url}/openapi.json").text)
    return Seeded(access, site(access), site(access), access.operator(), openapi.from_dict(document))


@pytest.mark.guarantee("R15")
@pytest.mark.parametrize("operation", [pytest.param(one, id=f"{n}-{one}") for n, one in enumerate(SERVED)])
def test_every_answer_is_one_that_the_openapi_says(seeded: Seeded, operation: Operation) -> None:
    """No 5xx, and no status, media type or form that is not documented, whoever asks for whatever."""
    described = seeded.schema[operation.path][operation.method]
    for role in sorted(operation.may | operation.across):
        assert served_rightly(seeded, described, operation, role) < 300
    wrapping = read_keyring(seeded.access.keyring)[0].current
    good = operation.request({**seeded.ours.ids, "kek_id": wrapping})
    ids = {name: str(value) for name, value in seeded.ours.ids.items() if f"{{{name}}}" in operation.path}
    statuses: set[int] = set()

    @MADE_UP
    @given(case=made_up(described), known=st.booleans(), members=st.integers(0, 255))
    def ask(case: Case[Any], known: bool, members: int) -> None:
        if known:
            case.path_parameters = (case.path_parameters or {}) | ids
            seed(case, good, members)
        if isinstance(case.body, dict) and isinstance(case.body.get("kek_id"), str):
            # Of any other key access says 503 by design: its copy of the keyring may be older.
            case.body["kek_id"] = wrapping
        for role in Role:
            statuses.add(seeded.ask(case, seeded.token(role, seeded.ours)))

    ask()
    assert max(statuses) < 500


@pytest.mark.guarantee("R15")
@pytest.mark.parametrize("operation", [pytest.param(one, id=str(one)) for one in PUBLIC])
def test_so_is_every_answer_to_who_needs_no_role(seeded: Seeded, operation: PublicOperation) -> None:
    """Without a credential, and with the one that it is about, where there is one."""
    described = seeded.schema[operation.path][operation.method]
    with operation.around(seeded.access):
        good = operation.good(seeded.kept.tenant)
        assert seeded.ask(case_of(described, {}, good), good.get("headers", {})) < 300
    spent = operation.good(seeded.ours.tenant)
    credentials: list[dict[str, str]] = [{}, spent["headers"]] if "headers" in spent else [{}]
    statuses: set[int] = set()

    @MADE_UP
    @given(case=made_up(described), members=st.integers(0, 255))
    def ask(case: Case[Any], members: int) -> None:
        seed(case, spent, members)
        for credential in credentials:
            statuses.add(seeded.ask(case, credential))

    ask()
    assert max(statuses) < 500


def test_nothing_that_is_served_is_left_out(seeded: Seeded) -> None:
    """The operations of the two tests above are those of the document."""
    paths: dict[str, Any] = seeded.schema.raw_schema["paths"]
    documented = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert documented == {str(operation) for operation in [*SERVED, *PUBLIC]}


def served_rightly(
    seeded: Seeded, described: APIOperation[Any, Any, Any, Any], operation: Operation, role: Role
) -> int:
    """What the good request of the table gets."""
    ids: dict[str, Any] = {**seeded.kept.ids}
    if operation.renewed is not None:
        ids |= operation.renewed(seeded.kept.tenant)
    headers = once() if operation.method == "POST" else {}
    if operation.matching:
        with seeded.access.client(seeded.kept.tenant.admin) as client:
            headers["If-Match"] = client.get(operation.path.format(**ids)).headers["ETag"]
    case = case_of(described, ids, operation.request(ids), headers)
    return seeded.ask(case, seeded.token(role, seeded.kept))
