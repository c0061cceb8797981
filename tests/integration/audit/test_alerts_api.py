"""Alerts over HTTP: to whom they belong, page by page, and every look is an entry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest

from audit_service import AuditService, until
from otokura.shared.events import Role
from otokura.shared.ids import uuid7
from otokura.shared.tokens import Principal

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]

NOW = datetime.now(UTC)


async def raise_alerts(audit: AuditService, tenant_id: UUID | None, *kinds: str) -> None:
    for at, kind in enumerate(kinds):
        await audit.query(
            "INSERT INTO alerts (id, kind, source, key, detail, at, tenant_id)"
            " VALUES (:id, :kind, 'access', :key, '{\"count\": 1}', :at, :tenant)",
            id=uuid7(), kind=kind, key=str(uuid7()), at=NOW + timedelta(minutes=at), tenant=tenant_id,
        )  # fmt: skip


def kinds_of(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    UUID(response.headers["Otokura-Entry-Id"])
    return [item["kind"] for item in response.json()["items"]]


@pytest.mark.guarantee("L7")
async def test_each_sees_what_is_theirs_and_looking_is_an_entry(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID
) -> None:
    await raise_alerts(audit, tenant_id, "unmatched", "leak-signal", "break-glass")
    await raise_alerts(audit, await audit.add_tenant(), "unmatched")
    await raise_alerts(audit, None, "gap", "clock")
    assert kinds_of(await auditor.get("/v1/alerts")) == ["break-glass", "leak-signal", "unmatched"]
    assert kinds_of(await auditor.get("/v1/alerts", params={"kind": "unmatched"})) == ["unmatched"]
    later = (NOW + timedelta(minutes=2)).isoformat()
    assert kinds_of(await auditor.get("/v1/alerts", params={"from": later})) == ["break-glass"]

    looks = "SELECT 1 FROM entries WHERE action = 'alerts.listed' AND tenant_id = :tenant"

    async def look() -> bool:
        return len(await audit.query(looks, tenant=tenant_id)) == 3

    await until(look)
    operator = Principal(uuid7(), None, frozenset({Role.OPERATOR}), "person")
    token = audit.tokens.issue(operator, timedelta(minutes=15))
    auditor.headers["Authorization"] = f"Bearer {token}"
    seen = kinds_of(await auditor.get("/v1/alerts"))
    assert {"gap", "clock"} <= set(seen)
    assert not {"unmatched", "leak-signal", "break-glass"} & set(seen)


async def test_pages_go_on_after_the_last_one(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID
) -> None:
    await raise_alerts(audit, tenant_id, *["unmatched"] * 5)
    seen: list[str] = []
    params: dict[str, str | int] = {"limit": 2}
    while True:
        page = (await auditor.get("/v1/alerts", params=params)).json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert len(seen) == len(set(seen)) == 5


async def test_bad_questions_and_other_roles_are_refused(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID
) -> None:
    for params in ({"kind": "nonsense"}, {"from": "yesterday"}, {"limit": "0"}, {"cursor": "x"}):
        assert (await auditor.get("/v1/alerts", params=params)).status_code in (400, 422)
    async with audit.client(tenant_id, Role.SUPERVISOR) as other:
        assert (await other.get("/v1/alerts")).status_code == 403
