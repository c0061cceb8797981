"""What audit's OpenAPI says is what is served: requests that Schemathesis makes of it, by each role.

Of each operation one request is good, and served to whoever may; the others are made up.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import Case, openapi
from schemathesis.schemas import BaseSchema

from audit_service import AuditService
from erasures import requested
from openapi_cases import CHECKS, MADE_UP, case_of, made_up, seed
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.events import Role
from otokura.shared.ids import uuid7
from otokura.shared.tokens import Principal

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]

AUDITORS = {Role.AUDITOR}
OFFICERS = {Role.AUDITOR, Role.EVIDENCE_OFFICER}
MAY: dict[str, set[Role]] = {
    "/v1/entries": AUDITORS,
    "/v1/entries/export": AUDITORS,
    "/v1/receipts/{entry_id}": AUDITORS,
    "/v1/consistency": AUDITORS,
    "/v1/alerts": {Role.AUDITOR, Role.OPERATOR},
    "/v1/questions/who-heard": AUDITORS,
    "/v1/questions/what-read": AUDITORS,
    "/v1/questions/denials": AUDITORS,
    "/v1/questions/changes": AUDITORS,
    "/v1/questions/vendor-deliveries": AUDITORS,
    "/v1/questions/feed-deliveries": AUDITORS,
    "/v1/calls/{call_id}/custody": OFFICERS,
    "/v1/calls/{call_id}/erasure-certificate": OFFICERS,
}
"""By path, who may ask; of a receipt besides whoever read."""
PUBLIC = (
    "/log",
    "/log/{shard}/checkpoint",
    "/log/{shard}/cosigned",
    "/log/{shard}/key",
    "/log/{shard}/opening",
    "/log/{shard}/tile/{path}",
)
UNANSWERED = {"/log/{shard}/cosigned": 404}
"""No witness is configured here: `test_witnessed_service.py` has some."""

EARLY = "0001-01-01T00:00:00+23:59"
"""In UTC a year before the first."""


def cursor(**members: Any) -> str:
    """One that somebody made up."""
    return base64.urlsafe_b64encode(json.dumps(members).encode()).decode().rstrip("=")


@dataclass(frozen=True)
class Seeded:
    """A log with one of everything, and the schema of what is served."""

    audit: AuditService
    tenant_id: UUID
    ids: Mapping[str, object]
    schema: BaseSchema

    def params(self, path: str) -> dict[str, str]:
        """The query of a request that is good."""
        call = str(self.ids["call_id"])
        known = {
            "/v1/consistency": {"from": "1"},
            "/v1/questions/who-heard": {"call_id": call},
            "/v1/questions/what-read": {"reader": "yamada"},
            "/v1/questions/vendor-deliveries": {"vendor": call},
            "/v1/questions/feed-deliveries": {"feed": call},
        }
        return known.get(path, {})

    def ask(self, case: Case[Any], role: Role | None) -> int:
        """Sends a request as somebody of this role or as nobody, and holds the answer against the schema."""
        headers: dict[str, str] = {}
        if role is not None:
            principal = Principal(uuid7(), self.tenant_id, frozenset({role}), "person")
            token = self.audit.tokens.issue(principal, timedelta(minutes=15))
            headers = {"Authorization": f"Bearer {token}"}
        response = case.call(base_url=self.audit.url, headers=headers)
        case.validate_response(response, checks=CHECKS)
        return response.status_code


@pytest.fixture(scope="module")
def seeded(audit: AuditService) -> Seeded:
    """Made once."""
    document: dict[str, Any] = json.loads(httpx.get(f"{audit.url}/openapi.json").text)
    tenant_id = asyncio.run(audit.add_tenant())
    return Seeded(audit, tenant_id, asyncio.run(erased(audit, tenant_id)), openapi.from_dict(document))


async def erased(audit: AuditService, tenant_id: UUID) -> dict[str, object]:
    """A call that was read and is erased; what a path may name."""
    event = requested(uuid7(), tenant_id)
    about = {"erasure_id": event.erasure_id, "kind": "call"}
    asked = {"ground": "cease-use", "requested_at": event.requested_at, "services": ["access"]}
    times = {"shredded_at": event.requested_at, "applied_at": event.requested_at}
    applied = {**about, "service": "access", "counts": {"calls": 1}, "kek_ids": ["kek-1"], **times}
    mine = {"tenant_id": tenant_id, "call_id": event.call_id}
    async with audit.source() as writer:
        drafts = [
            AuditDraft(action=Action.READ_OPENED, reader="yamada", detail={"purpose": "quality"}, **mine),
            AuditDraft(action=Action.ERASURE_BEGUN, detail={**about, **asked}, **mine),
            AuditDraft(action=Action.ERASURE_APPLIED, detail=applied, **mine),
        ]
        entries = await audit.write(writer, drafts)
        size = await audit.published(len(drafts) + 1)
    path = f"entries/000.p/{size}"
    return {"entry_id": entries[0], "call_id": event.call_id, "shard": audit.year, "path": path}


@pytest.mark.guarantee("R15")
@pytest.mark.parametrize("path", [*MAY, *PUBLIC])
def test_every_answer_is_one_that_the_openapi_says(seeded: Seeded, path: str) -> None:
    """No 5xx, and no status, media type or form that is not documented, whoever asks for whatever."""
    described = seeded.schema[path]["GET"]
    good = {"params": seeded.params(path)}
    wanted = UNANSWERED.get(path, 200)
    for role in [*Role, None]:
        may = path in PUBLIC or role in MAY[path]
        status = seeded.ask(case_of(described, seeded.ids, good), role)
        expected = {wanted} if may else {401, 403, 404}
        assert status in expected, (role, status)
    ids = {name: str(value) for name, value in seeded.ids.items() if f"{{{name}}}" in path}
    statuses: set[int] = set()

    @MADE_UP
    @given(case=made_up(described), known=st.booleans(), members=st.integers(0, 255))
    def ask(case: Case[Any], known: bool, members: int) -> None:
        if known:
            case.path_parameters = (case.path_parameters or {}) | ids
            seed(case, good, members)
        for role in [*Role, None]:
            statuses.add(seeded.ask(case, role))

    ask()
    assert max(statuses) < 500


def test_nothing_that_is_served_is_left_out(seeded: Seeded) -> None:
    """The operations of the test above are those of the document, and the log's own need no credential."""
    paths: dict[str, Any] = seeded.schema.raw_schema["paths"]
    assert {f"{method} {path}" for path, methods in paths.items() for method in methods} == {
        f"get {path}" for path in [*MAY, *PUBLIC]
    }
    assert {path for path, methods in paths.items() if methods["get"].get("security") == []} == {*PUBLIC}


@pytest.mark.guarantee("R15")
@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/v1/entries", {"reader": "a\0"}, 400),
        ("/v1/entries/export", {"action": "a\0"}, 400),
        ("/v1/questions/what-read", {"reader": "\0"}, 400),
        ("/v1/entries", {"from": EARLY}, 422),
        ("/v1/entries", {"to": "9999-12-31T23:59:59-23:59"}, 422),
        ("/v1/entries/export", {"from": EARLY}, 422),
        ("/v1/questions/denials", {"to": EARLY}, 422),
        ("/v1/alerts", {"from": EARLY}, 422),
        ("/v1/entries", {"cursor": cursor(time=EARLY, shard=2026, index=1)}, 400),
        ("/v1/questions/changes", {"cursor": cursor(time=EARLY, shard=2026, index=1)}, 400),
        ("/v1/alerts", {"cursor": cursor(at=EARLY, id=str(UUID(int=1)))}, 400),
        ("/log/2026/tile/0/" + "x999/" * 1433 + "999", {}, 404),
        ("/log/2026/tile/0/" + "x999/" * 210 + "999", {}, 404),
    ],
)
async def test_what_no_database_holds_is_the_asker_s_fault(
    seeded: Seeded, path: str, params: dict[str, str], status: int
) -> None:
    async with seeded.audit.client(seeded.tenant_id) as client:
        answer = await client.get(path, params=params)
    assert answer.status_code == status, answer.text[:200]
