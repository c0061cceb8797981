"""Receipts: of auditors all of their tenant, of readers those of what they were given, of nobody else any."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import httpx
import pytest

import servers
from audit_service import AuditService, public_text
from otokura.cli.verify import verify_inclusion, verify_receipt
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.events import Role
from otokura.shared.ids import uuid7
from otokura.shared.tokens import Principal

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]


@asynccontextmanager
async def reader(audit: AuditService, tenant_id: UUID, subject: UUID) -> AsyncIterator[httpx.AsyncClient]:
    principal = Principal(subject, tenant_id, frozenset({Role.SUPERVISOR}), "person")
    headers = {"Authorization": f"Bearer {audit.tokens.issue(principal, timedelta(minutes=15))}"}
    async with httpx.AsyncClient(
        base_url=audit.url, headers=headers, timeout=60, verify=servers.PLAIN
    ) as client:
        yield client


@pytest.mark.guarantee("L9")
async def test_a_reader_has_the_receipt_of_the_own_read_and_nobody_elses(
    audit: AuditService, tenant_id: UUID
) -> None:
    me, another = uuid7(), uuid7()
    async with audit.source() as writer:
        drafts = [
            AuditDraft(action=Action.READ_OPENED, tenant_id=tenant_id, reader=str(me), call_id=uuid7()),
            AuditDraft(action=Action.READ_OPENED, tenant_id=tenant_id, reader=str(another)),
            AuditDraft(action=Action.READ_DENIED, tenant_id=tenant_id, reader=str(me)),
            AuditDraft(action=Action.CUSTOMER_SEARCHED, tenant_id=tenant_id, reader=str(me)),
        ]
        mine, others, denied, looked = await audit.write(writer, drafts)
        await audit.covered(looked)
    async with reader(audit, tenant_id, me) as client:
        response = await client.get(f"/v1/receipts/{mine}")
        assert response.status_code == 200, response.text
        keys = {"access": public_text(audit.source_key)}
        verified = verify_receipt(response.json(), audit.vkey, source_keys=keys)
        assert verified.entry is not None
        assert verified.entry["reader"] == str(me)
        # Looking is an entry, too, and the answer names it.
        assert UUID(response.headers["Otokura-Entry-Id"]) != mine
        proof = await client.get(f"/v1/receipts/{mine}", headers={"Accept": "text/plain"})
        assert verify_inclusion(verified.leaf.encode(), proof.text, audit.vkey)[0] == verified.index
        assert (await client.get(f"/v1/receipts/{looked}")).status_code == 200
        for other in (others, denied):
            assert (await client.get(f"/v1/receipts/{other}")).status_code == 404
    async with audit.client(tenant_id) as auditor:
        assert (await auditor.get(f"/v1/receipts/{denied}")).status_code == 200
    async with reader(audit, await audit.add_tenant(), me) as client:
        assert (await client.get(f"/v1/receipts/{mine}")).status_code == 404
    async with audit.client(await audit.add_tenant()) as stranger:
        assert (await stranger.get(f"/v1/receipts/{mine}")).status_code == 404
    async with httpx.AsyncClient(base_url=audit.url) as nobody:
        assert (await nobody.get(f"/v1/receipts/{mine}")).status_code == 401


@pytest.mark.guarantee("L9")
async def test_before_the_log_has_the_entry_the_answer_says_when_to_come_again(
    auditor: httpx.AsyncClient,
) -> None:
    young = await auditor.get(f"/v1/receipts/{uuid7()}")
    assert (young.status_code, young.headers["Retry-After"]) == (404, "1")
    assert "may be on its way" in young.json()["detail"]
    for never in (UUID("0174876e-8000-7000-8000-000000000001"), UUID(int=7)):
        old = await auditor.get(f"/v1/receipts/{never}")
        assert old.status_code == 404
        assert "Retry-After" not in old.headers
    assert (await auditor.get("/v1/receipts/nonsense")).status_code == 422


@pytest.mark.guarantee("L9")
async def test_before_a_checkpoint_covers_the_entry_that_is_a_conflict_and_the_receipt_comes(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID
) -> None:
    async with audit.source() as writer:
        await audit.published()
        async with audit.database() as database, database.session() as session:
            # Nobody publishes while this is held: see `publisher.PUBLISHER_LOCK`.
            connection = await session.connection()
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({0x6F746F6B_75726110})")
            draft = AuditDraft(action=Action.READ_OPENED, tenant_id=tenant_id, reader="yamada")
            [entry_id] = await audit.write(writer, [draft])
            early = await auditor.get(f"/v1/receipts/{entry_id}")
        assert (early.status_code, early.headers["Retry-After"]) == (409, "1")
        assert early.json()["type"] == "urn:otokura:problem:not-published-yet"
        response = await auditor.get(f"/v1/receipts/{entry_id}")
        while response.status_code == 409:
            response = await auditor.get(f"/v1/receipts/{entry_id}")
        assert verify_receipt(response.json(), audit.vkey).entry is not None
