"""The running service: what sources write is found by auditors, proven, and verified by others."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import rfc8785

from audit_logs import Scribe, record
from audit_service import AuditService, public_text, until
from otokura.cli.verify import (
    is_consistent,
    open_checkpoint,
    parse_vkey,
    verify_inclusion,
    verify_log,
    verify_receipt,
)
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.events import Role
from otokura.shared.ids import uuid7

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]


async def listed(client: httpx.AsyncClient, **params: object) -> list[dict[str, Any]]:
    """Entries as the auditor finds them, but for the lines that looking leaves."""
    response = await client.get("/v1/entries", params={name: str(value) for name, value in params.items()})
    assert response.status_code == 200, response.text
    return [item for item in response.json()["items"] if item["action"] != "entries.listed"]


def reads(tenant_id: UUID, count: int, **members: object) -> list[AuditDraft]:
    return [
        AuditDraft(action=Action.READ_OPENED, tenant_id=tenant_id, detail={"range": [at, at + 1]}, **members)
        for at in range(count)
    ]


async def test_what_a_source_wrote_is_found_newest_first(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID
) -> None:
    call_id = uuid7()
    async with audit.source() as writer:
        ids = await audit.write(writer, reads(tenant_id, 3, reader="yamada", call_id=call_id))
        items = await listed(auditor)
        assert [item["entry_id"] for item in items] == [str(entry_id) for entry_id in reversed(ids)]
        newest = items[0]
        assert (newest["source"], newest["seq"]) == (writer.source, 4)
    assert (newest["action"], newest["reader"], newest["call_id"]) == ("read.opened", "yamada", str(call_id))
    assert newest["detail"] == {"range": [2, 3]}


async def test_filters_find_what_they_name(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID
) -> None:
    call_id = uuid7()
    async with audit.source() as writer:
        drafts = [
            AuditDraft(action=Action.READ_OPENED, tenant_id=tenant_id, reader="yamada", call_id=call_id),
            AuditDraft(action=Action.READ_DENIED, tenant_id=tenant_id, reader="yamada"),
            AuditDraft(action=Action.READ_OPENED, tenant_id=tenant_id, reader="suzuki", call_id=call_id),
        ]
        await audit.write(writer, drafts)
        third, second, first = await listed(auditor)
    assert await listed(auditor, reader="yamada") == [second, first]
    assert await listed(auditor, call_id=call_id) == [third, first]
    assert await listed(auditor, action="read.denied") == [second]
    assert await listed(auditor, reader="yamada", action="read.opened") == [first]
    assert await listed(auditor, **{"from": second["time"], "to": third["time"]}) == [second]
    assert await listed(auditor, reader="nobody") == []


async def test_pages_follow_each_other_without_overlap(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID
) -> None:
    async with audit.source() as writer:
        await audit.write(writer, reads(tenant_id, 25, reader="pager"))
        whole = await listed(auditor, reader="pager")
    pages: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        params = {"reader": "pager", "limit": "10"} | ({"cursor": cursor} if cursor else {})
        body = (await auditor.get("/v1/entries", params=params)).json()
        pages += body["items"]
        cursor = body["next_cursor"]
        if cursor is None:
            break
    assert pages == whole
    assert (await auditor.get("/v1/entries", params={"cursor": "nonsense"})).status_code == 400


@pytest.mark.guarantee("L7")
async def test_whoever_looks_into_the_log_leaves_a_line_in_it(auditor: httpx.AsyncClient) -> None:
    await listed(auditor, reader="yamada")

    async def look() -> list[dict[str, Any]] | None:
        body = (await auditor.get("/v1/entries", params={"action": "entries.listed"})).json()
        return [item for item in body["items"] if item["detail"]["filter"] == {"reader": "yamada"}] or None

    (line,) = await until(look)
    assert line["detail"]["address"] == "127.0.0.1"
    assert str(line["source"]).startswith("audit/")


@pytest.mark.guarantee("L7")
async def test_a_tenant_sees_nothing_of_another(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID
) -> None:
    async with audit.source() as writer:
        await audit.write(writer, reads(tenant_id, 1, reader="yamada"))
        (item,) = await listed(auditor)
    async with audit.client(await audit.add_tenant()) as stranger:
        assert await listed(stranger) == []
        response = await stranger.get(f"/v1/receipts/{item['entry_id']}")
    assert response.status_code == 404
    assert response.json()["type"] == "urn:otokura:problem:not-found"


async def test_an_entry_can_be_proven_offline(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID
) -> None:
    async with audit.source() as writer:
        [entry_id] = await audit.write(writer, reads(tenant_id, 1, reader="yamada"))
        (item,) = await listed(auditor)
    await audit.covered(entry_id)
    receipt = (await auditor.get(f"/v1/receipts/{item['entry_id']}")).json()
    keys = {"access": public_text(audit.source_key)}
    verified = verify_receipt(receipt, audit.vkey, source_keys=keys)
    assert verified.index == item["index"]
    assert verified.entry is not None
    assert verified.entry["reader"] == "yamada"
    assert verified.leaf.commitment == item["commitment"]
    response = await auditor.get(f"/v1/receipts/{item['entry_id']}", headers={"Accept": "text/plain"})
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    leaf = rfc8785.dumps(receipt["leaf"])
    assert verify_inclusion(leaf, response.text, audit.vkey)[0] == item["index"]
    report = verify_log(audit.log_url, audit.vkey, receipts=[receipt], source_keys=keys)
    assert report.ok, report.findings
    assert report.receipts == 1


@pytest.mark.guarantee("L6")
async def test_a_deleted_detail_leaves_a_log_that_verifies(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID
) -> None:
    async with audit.source() as writer:
        (entry_id,) = await audit.write(writer, reads(tenant_id, 1, reader="yamada"))
    await audit.query(
        "UPDATE entries SET recorded = NULL, salt = NULL, reader = NULL WHERE entry_id = :id", id=entry_id
    )
    (item,) = await listed(auditor)
    assert (item["detail"], item["salt"], item["reader"]) == (None, None, None)
    await audit.covered(entry_id)
    receipt = (await auditor.get(f"/v1/receipts/{entry_id}")).json()
    assert verify_receipt(receipt, audit.vkey).entry is None
    assert verify_log(audit.log_url, audit.vkey).ok


async def test_a_consistency_proof_joins_two_checkpoints(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID
) -> None:
    key = parse_vkey(audit.vkey)
    async with audit.source() as writer:
        await writer.write(reads(tenant_id, 1)[0])
        await audit.published()
        old = open_checkpoint((await auditor.get(f"/log/{audit.year}/checkpoint")).text, key)
        await asyncio.gather(*(writer.write(draft) for draft in reads(tenant_id, 40)))
        await audit.published(old.size + 40)
        new = open_checkpoint((await auditor.get(f"/log/{audit.year}/checkpoint")).text, key)
    response = await auditor.get("/v1/consistency", params={"from": old.size, "to": new.size})
    body = response.json()
    hashes = [base64.b64decode(hash_) for hash_ in body["hashes"]]
    assert is_consistent((old.size, old.root), (new.size, new.root), hashes)
    too_far = await auditor.get("/v1/consistency", params={"from": 1, "to": 1_000_000})
    assert too_far.status_code == 400
    assert (await auditor.get("/v1/consistency", params={"from": 1, "shard": 2001})).status_code == 404


async def test_asking_needs_an_auditor(audit: AuditService, tenant_id: UUID) -> None:
    async with httpx.AsyncClient(base_url=audit.url) as nobody:
        assert (await nobody.get("/v1/entries")).status_code == 401
    async with audit.client(tenant_id, Role.ADMIN, Role.SUPERVISOR) as admin:
        for path in ("/v1/entries", "/v1/consistency?from=1"):
            assert (await admin.get(path)).status_code == 403


@pytest.mark.parametrize(
    "params",
    [{"limit": "0"}, {"limit": "1000"}, {"call_id": "x"}, {"from": "yesterday"}, {"reader": "x" * 300}],
)
async def test_bad_filters_are_explained(auditor: httpx.AsyncClient, params: dict[str, str]) -> None:
    response = await auditor.get("/v1/entries", params=params)
    assert response.status_code == 422
    assert response.json()["errors"]


@pytest.mark.guarantee("L1")
@pytest.mark.guarantee("L14")
async def test_killed_at_any_moment_the_log_loses_nothing_and_repeats_nothing(
    audit: AuditService, tenant_id: UUID
) -> None:
    async with audit.source() as writer:
        for _ in range(4):
            await asyncio.gather(*(writer.write(draft) for draft in reads(tenant_id, 120)))
            audit.program.kill()
            await asyncio.gather(*(writer.write(draft) for draft in reads(tenant_id, 10)))
            audit.start()
        source = writer.source
    rows = await audit.sequenced(source, 4 * 130 + 2)
    assert [row.seq for row in rows] == list(range(1, 4 * 130 + 3))
    size = (await audit.query("SELECT max(index) + 1 AS size FROM entries"))[0].size
    await audit.published(size)
    report = verify_log(audit.log_url, audit.vkey)
    assert report.ok, report.findings
    assert report.sources[source] == len(rows)
    assert source not in report.holes


@pytest.mark.guarantee("L3")
async def test_a_forged_message_is_an_alert_and_a_dead_letter_and_never_an_entry(audit: AuditService) -> None:
    forger = Scribe("access")
    await audit.send(record(forger.entry()))
    (alert,) = await audit.alerts("access")
    assert alert.kind == "bad-signature"
    assert (alert.detail["claimed"], alert.detail["count"]) == (forger.source, 1)
    assert await audit.query("SELECT 1 FROM entries WHERE source = :s", s=forger.source) == []
    (told,) = await audit.query(
        "SELECT data FROM outbox WHERE topic = 'otokura.audit.alerts' AND data::json->>'source' = 'access'",
    )
    assert json.loads(told.data)["kind"] == "bad-signature"


async def test_the_commitment_shown_can_be_recomputed(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID
) -> None:
    async with audit.source() as writer:
        [entry_id] = await audit.write(writer, reads(tenant_id, 1))
        (item,) = await listed(auditor)
    await audit.covered(entry_id)
    receipt = (await auditor.get(f"/v1/receipts/{item['entry_id']}")).json()
    salt = base64.b64decode(str(item["salt"]))
    assert hashlib.sha256(salt + rfc8785.dumps(receipt["entry"])).hexdigest() == item["commitment"]
    assert datetime.fromisoformat(str(item["time"])).utcoffset() == timedelta(0)
