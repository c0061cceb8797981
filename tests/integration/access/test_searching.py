"""Looking for calls: what the reader may not view neither shows nor counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from access_calls import started_of
from access_service import Access, Tenant

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
START = datetime(2026, 4, 1, tzinfo=UTC)


def start(tenant: Tenant, minute: int, agent_id: str | None = "a-1") -> str:
    started = started_of(
        uuid4(),
        tenant.id,
        agent_id=agent_id,
        external_id=f"cti-{minute}",
        started_at=START + timedelta(minutes=minute),
    )
    tenant.access.apply(started)
    return str(started.call_id)


def found(access: Access, token: str, **filters: str | int) -> list[str]:
    """The ids of all calls, page by page; each page is an entry that names the calls shown."""
    shown: dict[str, list[str]] = {}
    with access.client(token) as client:
        cursor: dict[str, str] = {}
        while True:
            response = client.get("/v1/calls", params={**filters, **cursor})
            assert response.status_code == 200, response.text
            page = response.json()
            shown[response.headers["Otokura-Entry-Id"]] = [item["id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
    written = access.audit.of(shown)
    assert {entry["action"] for entry in written.values()} == {"calls.searched"}
    assert {entry_id: entry["detail"]["calls"] for entry_id, entry in written.items()} == shown
    return [call_id for page in shown.values() for call_id in page]


@pytest.mark.guarantee("R12")
def test_each_reader_finds_exactly_the_calls_that_they_may_view(access: Access, tenant: Tenant) -> None:
    agent = tenant.person("agent", agent_ids=["a-1", "a-2"], team="tokyo")
    tenant.person("agent", agent_ids=["a-3"], team="osaka")
    calls = [start(tenant, n, f"a-{n % 4}") for n in range(8)]
    start(access.tenant(), 3)
    newest = calls[::-1]
    own = [call for n, call in enumerate(calls) if n % 4 in (1, 2)][::-1]
    osaka = [call for n, call in enumerate(calls) if n % 4 == 3][::-1]
    assert found(access, agent.token, limit=1) == own
    assert found(access, tenant.person("supervisor").token, limit=3) == newest
    assert found(access, tenant.person("supervisor", team="osaka").token) == osaka
    assert found(access, tenant.person("supervisor", team="kyoto").token) == []
    assert found(access, tenant.person("evidence-officer").token, limit=8) == newest
    both = tenant.person("agent", agent_ids=["a-0"], team="nagoya", roles=["agent", "supervisor"])
    assert found(access, both.token) == [calls[4], calls[0]]


def test_filters_narrow(access: Access, tenant: Tenant) -> None:
    calls = [start(tenant, n, f"a-{n}") for n in range(4)]
    sealed = tenant.call(agent_id="a-9", started_at=START - timedelta(days=1))
    token = tenant.person("supervisor").token
    assert found(access, token, agent_id="a-2") == [calls[2]]
    assert found(access, token, external_id="cti-3") == [calls[3]]
    assert found(access, token, state="sealed") == [str(sealed.id)]
    assert found(access, token, **{"from": "2026-04-01T00:01:00Z", "to": "2026-04-01T09:03:00+09:00"}) == [
        calls[2],
        calls[1],
    ]
    assert found(access, token, state="failed") == []


def test_calls_that_began_at_once_are_each_found_once(access: Access, tenant: Tenant) -> None:
    calls = {start(tenant, 0) for _ in range(5)}
    ids = found(access, tenant.person("supervisor").token, limit=2)
    assert (set(ids), len(ids)) == (calls, 5)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=0", 422),
        ("limit=201", 422),
        ("state=lost", 422),
        ("from=yesterday", 422),
        ("from=2026-04-01T00:00:00", 422),
        ("cursor=%00", 400),
        ("cursor=e30", 400),
        ("agent_id=" + "x" * 129, 422),
    ],
)
def test_searches_that_cannot_be_understood_are_refused(
    access: Access, tenant: Tenant, query: str, status: int
) -> None:
    with access.client(tenant.person("supervisor").token) as client:
        response = client.get(f"/v1/calls?{query}")
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"


def test_a_cursor_of_one_tenant_shows_nothing_of_another(access: Access, tenant: Tenant) -> None:
    start(tenant, 1), start(tenant, 2)
    other = access.tenant()
    theirs = start(other, 0)
    with access.client(tenant.person("supervisor").token) as client:
        cursor = client.get("/v1/calls", params={"limit": 1}).json()["next_cursor"]
    with access.client(other.person("supervisor").token) as client:
        page = client.get("/v1/calls", params={"cursor": cursor}).json()
    assert [UUID(item["id"]) for item in page["items"]] == [UUID(theirs)]
