"""What one use of a grant is, and that no race gets another one out of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from access_audit import PATIENCE_SECONDS, run
from access_calls import Call
from access_grants import give, read, why
from access_service import Access, Person, Tenant
from otokura.shared.database import Database
from otokura.shared.ids import uuid7

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
AT_ONCE = 20
_LOCK = text("SELECT 1 FROM grants WHERE id = :id FOR UPDATE")
_WAITING = text("SELECT count(*) FROM pg_locks WHERE NOT granted")


async def together(
    access: Access, grant: str, ask: Callable[[], list[httpx.Response]]
) -> list[httpx.Response]:
    """The answers to many reads, of which some came as far as the grant's row before any could go on."""
    database = Database(access.database_url)
    try:
        async with database.session() as session, asyncio.timeout(PATIENCE_SECONDS):
            connection = await session.connection()
            await connection.execute(_LOCK, {"id": grant})
            asked = asyncio.create_task(asyncio.to_thread(ask))
            while (await connection.execute(_WAITING)).scalar_one() < 4:  # noqa: ASYNC110 - a database tells nobody
                await asyncio.sleep(0.02)
        return await asked
    finally:
        await database.close()


@pytest.fixture
def call(tenant: Tenant) -> Call:
    return tenant.call()


@pytest.fixture
def lead(tenant: Tenant) -> Person:
    return tenant.person("supervisor")


@pytest.fixture
def agent(tenant: Tenant) -> Person:
    return tenant.person("agent", agent_ids=["a-9"])


@pytest.mark.guarantee("R21")
def test_of_many_uses_at_once_as_many_are_served_as_were_given(
    access: Access, lead: Person, agent: Person, call: Call
) -> None:
    for listenings in (1, 3):
        grant = give(access, lead, agent, call, listenings=listenings)

        def ask(grant: dict[str, Any] = grant) -> list[httpx.Response]:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                return list(pool.map(lambda _: read(access, agent, call, grant), range(AT_ONCE)))

        answers = run(together(access, grant["id"], ask))
        served = [answer for answer in answers if answer.status_code == 200]
        refused = [answer for answer in answers if answer.status_code != 200]
        assert (len(served), {len(answer.content) for answer in served}) == (listenings, {len(call.audio)})
        assert Counter(map(str, map(why, refused))) == {str((403, ["grant-spent"])): AT_ONCE - listenings}
        [row] = access.query("SELECT used FROM grants WHERE id = :id", id=grant["id"])
        assert row.used == listenings
        entries = access.audit.entries(action="read.opened", call_id=str(call.id))
        by_it = [entry for entry in entries if entry["detail"].get("grant") == grant["id"]]
        assert len(by_it) == listenings, "who was refused opened nothing"


@pytest.mark.guarantee("R21")
def test_the_ranges_of_one_listening_are_one_use_however_they_come(
    access: Access, lead: Person, agent: Person, call: Call
) -> None:
    grant = give(access, lead, agent, call)
    read_id = str(uuid7())

    def part(number: int) -> int:
        span = f"bytes={number * 1000}-{number * 1000 + 999}"
        return read(access, agent, call, grant, read_id=read_id, part=span).status_code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert set(pool.map(part, range(AT_ONCE))) == {206}
    assert why(read(access, agent, call, grant, read_id=str(uuid7()))) == (403, ["grant-spent"])
    assert part(3) == 206
    access.audit.at_least(1, action="grant.used", reader=str(agent.id))
    used = [e for e in access.audit.entries(action="grant.used") if e["detail"]["grant"] == grant["id"]]
    assert len(used) == 1


@pytest.mark.guarantee("R21")
def test_a_listening_does_not_last_for_ever(access: Access, lead: Person, agent: Person, call: Call) -> None:
    """Its read_id is good for as long as the recording can be heard twice; then it is another use."""
    grant = give(access, lead, agent, call, listenings=2)
    read_id = str(uuid7())
    for uses in (1, 2):
        assert read(access, agent, call, grant, read_id=read_id).status_code == 200
        [row] = access.query("SELECT used FROM grants WHERE id = :id", id=grant["id"])
        assert row.used == uses
        access.query("UPDATE grant_uses SET until = now() WHERE grant_id = :id", id=grant["id"])
    assert why(read(access, agent, call, grant, read_id=read_id)) == (403, ["grant-spent"])


@pytest.mark.guarantee("R21")
def test_what_is_refused_before_anything_is_opened_uses_nothing(
    access: Access, lead: Person, agent: Person, call: Call
) -> None:
    grant = give(access, lead, agent, call)
    assert read(access, agent, call, grant, part="bytes=900000-").status_code == 416
    assert read(access, agent, call, grant, purpose="training").status_code == 403
    assert read(access, agent, call, grant, what="transcript").status_code == 403
    with access.client(agent.token) as client:
        params = {"purpose": "quality", "grant": grant["id"]}
        assert client.head(f"/v1/calls/{call.id}/audio", params=params).status_code == 200
    assert why(read(access, agent, call, grant)) == (403, ["grant-spent"]), "HEAD tells how long it is"


@pytest.mark.guarantee("R21")
def test_a_read_id_of_another_grant_or_reader_is_no_listening_of_this_one(
    access: Access, tenant: Tenant, lead: Person, agent: Person, call: Call
) -> None:
    colleague = tenant.person("agent", agent_ids=["a-8"])
    first, second = give(access, lead, agent, call), give(access, lead, colleague, call)
    read_id = str(uuid7())
    assert read(access, agent, call, first, read_id=read_id).status_code == 200
    assert read(access, colleague, call, second, read_id=read_id).status_code == 200
    assert why(read(access, colleague, call, second)) == (403, ["grant-spent"])
