"""Details go with their call, the tree stays, and the log certifies it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from audit_fixtures import Log
from audit_logs import Scribe
from audit_service import AuditService, until
from erasures import requested
from otokura.audit.erasing import AuditPart
from otokura.audit.leaves import prepare
from otokura.cli.verify import verify_erasure, verify_log
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.cloudevents import encode
from otokura.shared.erasing import erase
from otokura.shared.events import ErasureRequested, Role
from otokura.shared.ids import uuid7

pytestmark = [pytest.mark.postgres, pytest.mark.s3]


async def apply(log: Log, event: ErasureRequested) -> bool:
    async with log.database.session() as session:
        return await erase(session, event, AuditPart())


async def rows(log: Log, call_id: UUID) -> list[Any]:
    async with log.database.session() as session:
        found = await (await session.connection()).execute(
            text('SELECT * FROM entries WHERE call_id = :call ORDER BY "index"'), {"call": call_id}
        )
        return list(found.all())


@pytest.mark.guarantee("Z7")
@pytest.mark.guarantee("L6")
async def test_details_and_salts_go_and_the_log_still_verifies(log: Log, tmp_path: Any) -> None:
    scribe, tenant_id, call_id = Scribe(), uuid7(), uuid7()
    actions = ["recording.sealed", "read.opened", "hold.set", "erasure.begun", "read.closed"]
    mine = [scribe.entry(tenant_id=tenant_id, call_id=call_id, action=action) for action in actions]
    others = [scribe.entry(tenant_id=tenant_id, call_id=uuid7()) for _ in range(300)]
    await log.append([prepare(event) for event in (*mine, *others)])
    await log.publish()
    before = [row.leaf for row in await rows(log, call_id)]
    assert await apply(log, requested(call_id, tenant_id))
    after = await rows(log, call_id)
    assert [row.leaf for row in after] == before
    gone = [row.action for row in after if row.recorded is None]
    assert gone == ["recording.sealed", "read.opened", "read.closed"]
    for row in after:
        assert (row.salt is None) is (row.erased_at is not None)
        assert row.erased_why == ("erasure" if row.erased_at else None)
        # Who sent a call is no reader.
        assert (row.reader is None) is (row.erased_at is not None and row.action != "recording.sealed")
        assert (row.recorded is None) is (row.erased_at is not None)
    await log.append([prepare(scribe.entry()) for _ in range(10)])
    await log.publish()
    folder = await log.download(tmp_path / "log")
    assert verify_log(str(folder), log.signer().vkey).findings == []


@pytest.mark.guarantee("Z7")
async def test_an_entry_that_comes_after_it_has_no_detail_either(log: Log) -> None:
    """It was written before, and its source could not send it: only its leaf is kept."""
    scribe, tenant_id, call_id = Scribe(), uuid7(), uuid7()
    await apply(log, requested(call_id, tenant_id))
    before, after = (datetime.now(UTC) + timedelta(days=days) for days in (-1, 1))
    events = [
        scribe.entry(tenant_id=tenant_id, call_id=call_id, action=action).model_copy(update={"time": at})
        for action, at in (("read.opened", before), ("erasure.applied", before), ("read.denied", after))
    ]
    await log.append([prepare(event) for event in events])
    kept = {row.action: row.recorded is not None for row in await rows(log, call_id)}
    assert kept == {"read.opened": False, "erasure.applied": True, "read.denied": True}


@pytest.mark.guarantee("Z8")
async def test_an_erasure_of_another_tenant_touches_nothing(log: Log) -> None:
    scribe, tenant_id, call_id = Scribe(), uuid7(), uuid7()
    await log.append([prepare(scribe.entry(tenant_id=tenant_id, call_id=call_id))])
    await apply(log, requested(call_id, uuid7()))
    [row] = await rows(log, call_id)
    assert row.recorded is not None


@pytest.mark.kafka
@pytest.mark.guarantee("Z6")
@pytest.mark.guarantee("Z7")
async def test_the_service_erases_confirms_and_certifies(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID
) -> None:
    event = requested(uuid7(), tenant_id)
    about = {"erasure_id": event.erasure_id, "kind": "call"}
    begun = {
        **about,
        "ground": "cease-use",
        "requested_at": event.requested_at,
        "services": ["access", "audit"],
    }
    mine = {"tenant_id": tenant_id, "call_id": event.call_id}
    url = f"/v1/calls/{event.call_id}/erasure-certificate"
    async with audit.source() as writer:
        read = AuditDraft(action=Action.READ_OPENED, reader="yamada", detail={"range": [0, 1]}, **mine)
        await audit.write(writer, [read])
        assert (await auditor.get(url)).status_code == 409
        await audit.write(writer, [AuditDraft(action=Action.ERASURE_BEGUN, detail=begun, **mine)])
        await audit.send(encode(event, uuid7(), "access/test", datetime.now(UTC)))
        counts = {"counts": {"calls": 1}, "kek_ids": ["kek-1"]}
        times = {"shredded_at": event.requested_at, "applied_at": event.requested_at}
        applied = {**about, "service": "access", **counts, **times}
        await audit.write(writer, [AuditDraft(action=Action.ERASURE_APPLIED, detail=applied, **mine)])

        async def certified() -> dict[str, Any] | None:
            response = await auditor.get(url)
            found: dict[str, Any] = response.json()
            return found if response.status_code == 200 else None

        certificate = await until(certified)
    by_service = {each["service"]: each for each in certificate["confirmations"]}
    assert by_service["access"]["kek_ids"] == ["kek-1"]
    assert by_service["audit"]["counts"] == {"details": 1}
    keys = audit.source_keys()
    with pytest.raises(Exception, match="not-confirmed"):  # two services are no proof
        verify_erasure(certificate, [audit.vkey], keys)
    body = (await auditor.get("/v1/entries", params={"call_id": str(event.call_id)})).json()
    erased = next(item for item in body["items"] if item["action"] == "read.opened")
    assert erased["erased_at"] is not None
    assert erased["erased_why"] == "erasure"
    assert (erased["detail"], erased["salt"], erased["reader"]) == (None, None, None)
    async with audit.client(tenant_id, Role.SUPERVISOR) as client:
        assert (await client.get(url)).status_code == 403
    async with audit.client(await audit.add_tenant()) as client:
        assert (await client.get(url)).status_code == 409
