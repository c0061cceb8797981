"""What a tenant publishes about its recordings is checked when it is set."""

from __future__ import annotations

from typing import Any

import pytest

from access_service import Access, Tenant
from otokura.shared.events import TenantSettings

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

PUBLISHED: dict[str, Any] = {
    "require_purpose": True,
    "notice_version": "2026-04",
    "retention_days": 180,
    "company": {
        "name": "株式会社みどり",
        "name_en": "Midori Inc.",
        "address": "東京都千代田区1-1",
        "representative": "緑川 一郎",
    },
    "contact": {"name": "個人情報窓口", "email": "privacy@midori.example", "phone": "0120-000-000"},
    "requests_ja": "窓口までお申し出ください。\n手数料は無料です。",
    "requests_en": "Ask us.\nIt costs nothing.",
}


def put(access: Access, tenant: Tenant, changes: dict[str, Any]) -> Any:
    with access.client(tenant.admin) as client:
        read = client.get("/v1/settings")
        match = {"If-Match": read.headers["ETag"]}
        return client.put("/v1/settings", json=read.json() | changes, headers=match)


def test_what_is_published_is_told_to_ingest_as_it_was_set(access: Access, tenant: Tenant) -> None:
    response = put(access, tenant, PUBLISHED)
    assert response.status_code == 200, response.text
    query = "SELECT data::json AS data FROM outbox WHERE key = :key ORDER BY id DESC LIMIT 1"
    [row] = access.query(query, key=str(tenant.id))
    settings = row.data["settings"]
    told = TenantSettings.model_validate(settings)
    assert told == TenantSettings.model_validate({**settings, **PUBLISHED})
    entries = access.audit.at_least(2, action="settings.changed", tenant_id=str(tenant.id))
    assert entries[-1]["detail"]["changed"] == sorted(PUBLISHED)


@pytest.mark.parametrize(
    "changes",
    [
        {"contact": {"name": "nobody can be reached"}},
        {"contact": {"name": "x", "url": "javascript:alert(1)"}},
        {"contact": {"name": "x", "url": "http://plain.example"}},
        {"contact": {"name": "x", "url": "https://a.example/\"onclick='x'"}},
        {"contact": {"name": "x", "email": "a@b.example?bcc=c@d.example"}},
        {"contact": {"name": "x", "email": "nobody"}},
        {"contact": {"name": "x", "phone": "call me"}},
        {"contact": {"name": "two\nlines", "phone": "110"}},
        {"contact": {"name": "x", "phone": "110", "fax": "111"}},
        {"company": {"name": ""}},
        {"company": {"name": "x", "ceo": "y"}},
        {"requests_ja": "a\x07bell"},
        {"retention_days": 0},
        {"retention_days": 10**9},
        {"notice_version": "two words"},
        {"require_purpose": True, "purposes": []},
    ],
    ids=str,
)
def test_what_cannot_be_published_is_refused(access: Access, tenant: Tenant, changes: dict[str, Any]) -> None:
    response = put(access, tenant, changes)
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
