"""What auditors ask is answered from one index, in pages, of their tenant alone; asking is an entry."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.base import PGDialect

from audit_fixtures import Log
from audit_logs import Scribe
from audit_service import AuditService, until
from otokura.audit import answers
from otokura.audit.answers import Asked, Subject
from otokura.audit.leaves import Prepared, prepare
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.events import Role
from otokura.shared.ids import uuid7

pytestmark = [pytest.mark.postgres, pytest.mark.s3]

ROWS = 12_000


async def ask(client: httpx.AsyncClient, question: str, **params: object) -> list[dict[str, Any]]:
    given = {name: str(value) for name, value in params.items()}
    response = await client.get(f"/v1/questions/{question}", params=given)
    assert response.status_code == 200, response.text
    UUID(response.headers["Otokura-Entry-Id"])
    items: list[dict[str, Any]] = response.json()["items"]
    return items


@pytest.mark.kafka
@pytest.mark.guarantee("L20")
async def test_each_question_finds_what_it_asks_for_and_nothing_else(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID
) -> None:
    call, other, vendor, feed = uuid7(), uuid7(), uuid7(), uuid7()

    def draft(action: Action, reader: object = None, **members: Any) -> AuditDraft:
        return AuditDraft(
            action=action, tenant_id=tenant_id, reader=None if reader is None else str(reader), **members
        )

    drafts = [
        draft(Action.READ_OPENED, "yamada", call_id=call),
        draft(Action.READ_CLOSED, "yamada", call_id=call),
        draft(Action.READ_OPENED, "suzuki", call_id=other),
        draft(Action.CALLS_SEARCHED, "yamada"),
        draft(Action.READ_DENIED, "suzuki", call_id=call, detail={"address": "203.0.113.9"}),
        draft(Action.LOGIN_REFUSED, "yamada"),
        draft(Action.ZONE_CHANGED, "admin"),
        draft(Action.HOLD_SET, "officer", call_id=call),
        draft(Action.RECORDING_SEALED, vendor, call_id=call),
        draft(Action.CALL_SETTLED, uuid7(), call_id=other),
        draft(Action.DISCLOSURE_OPENED, f"feed/{feed}", call_id=call),
        draft(Action.DISCLOSURE_OPENED, f"feed/{uuid7()}", call_id=other),
        AuditDraft(action=Action.POLICIES_CHANGED, detail={"after": "f00"}),
    ]
    async with audit.source() as writer:
        written = await audit.write(writer, drafts)
        await audit.covered(written[-1])
    ids = dict(enumerate(map(str, written)))

    async def found(question: str, **params: object) -> list[int]:
        places = {entry_id: place for place, entry_id in ids.items()}
        return [places[item["entry_id"]] for item in await ask(auditor, question, **params)]

    assert await found("who-heard", call_id=call) == [10, 0]
    assert await found("what-read", reader="yamada") == [3, 0]
    assert await found("denials") == [5, 4]
    assert await found("denials", reader="suzuki") == [4]
    assert await found("denials", call_id=call) == [4]
    assert await found("changes") == [12, 7, 6]
    assert await found("changes", of="zone") == [6]
    assert await found("changes", of="hold") == [7]
    assert await found("changes", of="policy") == [12]
    assert await found("vendor-deliveries", vendor=vendor) == [8]
    assert await found("feed-deliveries", feed=feed) == [10]
    [denied] = await ask(auditor, "denials", reader="suzuki")
    assert denied["detail"]["address"] == "203.0.113.9"
    # What is of all tenants has a receipt for each tenant's auditor.
    assert (await auditor.get(f"/v1/receipts/{ids[12]}")).status_code == 200

    async def told() -> list[dict[str, Any]] | None:
        listed = (await auditor.get("/v1/entries", params={"action": "entries.listed"})).json()["items"]
        asked = [item["detail"] for item in listed if item["detail"].get("question") == "who-heard"]
        return asked or None

    assert (await until(told))[0] | {"address": ""} == {
        "question": "who-heard", "filter": {"call_id": str(call)}, "shown": 2, "address": "",
    }  # fmt: skip
    async with audit.client(await audit.add_tenant()) as stranger:
        assert await ask(stranger, "who-heard", call_id=call) == []
        assert await ask(stranger, "denials") == []


@pytest.mark.kafka
@pytest.mark.guarantee("L20")
async def test_pages_and_times_cut_an_answer_without_loss_or_repetition(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID
) -> None:
    async with audit.source() as writer:
        drafts = [
            AuditDraft(action=Action.READ_OPENED, tenant_id=tenant_id, reader="pager") for _ in range(9)
        ]
        drafts += [AuditDraft(action=Action.POLICIES_CHANGED, detail={"after": str(at)}) for at in range(3)]
        drafts += [AuditDraft(action=Action.ZONE_CREATED, tenant_id=tenant_id) for _ in range(4)]
        await audit.write(writer, drafts)
    for question, params in (("what-read", {"reader": "pager"}), ("changes", dict[str, str]())):
        whole = await ask(auditor, question, **params)
        pages: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            url = f"/v1/questions/{question}"
            page = (await auditor.get(url, params={**params, "limit": "2", **cursor})).json()
            pages += page["items"]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert pages == whole
    reads = await ask(auditor, "what-read", reader="pager")
    window = {"from": reads[5]["time"], "to": reads[2]["time"]}
    assert await ask(auditor, "what-read", reader="pager", **window) == reads[3:6]
    bad = await auditor.get("/v1/questions/denials", params={"cursor": "nonsense"})
    assert bad.status_code == 400


@pytest.mark.kafka
@pytest.mark.guarantee("L20")
async def test_only_auditors_ask(audit: AuditService, tenant_id: UUID) -> None:
    paths = [
        f"who-heard?call_id={uuid7()}", "what-read?reader=x", "denials", "changes",
        f"vendor-deliveries?vendor={uuid7()}", f"feed-deliveries?feed={uuid7()}",
    ]  # fmt: skip
    roles = [role for role in Role if role is not Role.AUDITOR]
    async with audit.client(tenant_id, *roles) as others:
        for path in paths:
            assert (await others.get(f"/v1/questions/{path}")).status_code == 403
        assert (await others.get("/v1/entries/export")).status_code == 403
    async with httpx.AsyncClient(base_url=audit.url) as nobody:
        for path in paths:
            assert (await nobody.get(f"/v1/questions/{path}")).status_code == 401


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]


async def filled(log: Log) -> dict[str, Any]:
    """A log of two tenants: one in ten entries is a denial, one in a hundred a change."""
    scribe, tenant, another = Scribe(), uuid7(), uuid7()
    calls, readers = [uuid7() for _ in range(400)], [str(uuid7()) for _ in range(30)]
    feed, vendor = uuid7(), uuid7()
    events: list[Prepared] = []
    for at in range(ROWS):
        action, reader = "read.opened", readers[at % 30]
        if at % 100 == 0:
            action = "zone.changed"
        elif at % 10 == 0:
            action = "read.denied"
        elif at % 10 == 1:
            action, reader = "recording.sealed", str(vendor)
        elif at % 10 == 2:
            action, reader = "disclosure.opened", f"feed/{feed}"
        event = scribe.entry(
            tenant_id=another if at % 4 == 3 else tenant,
            action=action, reader=reader, call_id=calls[at % 400],
        )  # fmt: skip
        events.append(prepare(event))
    for at in range(0, ROWS, 1_000):
        await log.append(events[at : at + 1_000])
    # VACUUM cannot run in a transaction; fresh statistics are what the planner needs.
    await log.execute("ANALYZE entries")
    return {"tenant": tenant, "call": calls[0], "reader": readers[0], "feed": feed, "vendor": vendor}


@pytest.mark.guarantee("L20")
async def test_each_question_is_read_off_an_index_in_order(log: Log) -> None:
    made = await filled(log)
    expected: list[tuple[Asked, str]] = [
        (answers.who_heard(made["call"]), "entries_by_call"),
        (answers.what_read(made["reader"]), "entries_by_reader"),
        (answers.denials(None, None), "entries_denied"),
        (answers.changes(None), "entries_of_changes"),
        (answers.changes(Subject.ZONE), "entries_of_changes"),
        (answers.sent_by(made["vendor"]), "entries_by_reader"),
        (answers.gone_to(made["feed"]), "entries_by_reader"),
    ]
    window = (datetime(2026, 5, 1, 9, 30, tzinfo=UTC), datetime(2026, 5, 1, 12, tzinfo=UTC))
    bounds: list[answers.Bounds] = [(None, None, None), (*window, None)]
    bounds.append((*window, (window[1] - timedelta(minutes=20), 2026, 7_000)))
    for asked, index in expected:
        for bound in bounds:
            statement = answers.statement(made["tenant"], asked, bound, 51)
            dialect = PGDialect()  # type: ignore[no-untyped-call]
            compiled = statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
            async with log.database.session() as session:
                explained = text("EXPLAIN (FORMAT JSON) " + str(compiled).replace(":", r"\:"))
                [(plan,)] = (await (await session.connection()).execute(explained)).all()
            found = nodes((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
            told = [(node["Node Type"], node.get("Index Name")) for node in found]
            assert told == [("Limit", None), ("Index Scan", index)], (asked.name, bound, told)
