"""Rows of the log altered in PostgreSQL, and files in the bucket: whoever asks is told, loudly."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import rfc8785

from audit_fixtures import YEAR, Log
from audit_logs import Scribe, prepared_entries
from audit_service import AuditService
from otokura.audit.leaves import commit
from otokura.cli.verify import Code, verify_log
from otokura.shared.audit_entries import Action, AuditDraft

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]


async def write_one(audit: AuditService, tenant_id: UUID) -> UUID:
    async with audit.source() as writer:
        draft = AuditDraft(action=Action.READ_OPENED, tenant_id=tenant_id, reader="yamada")
        (entry_id,) = await audit.write(writer, [draft])
    return entry_id


@pytest.mark.guarantee("L2")
@pytest.mark.parametrize(
    "change",
    [
        "recorded = NULL, salt = NULL, seq = seq + 1",
        "reader = 'suzuki'",
        "action = 'read.denied'",
        "time = time + interval '1 hour'",
        "recorded = convert_to(replace(convert_from(recorded, 'UTF8'), 'yamada', 'suzuki'), 'UTF8')",
        "salt = decode(repeat('00', 16), 'hex')",
        "seq = seq + 1",
    ],
)
async def test_an_altered_row_is_not_shown(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID, change: str
) -> None:
    entry_id = await write_one(audit, tenant_id)
    await audit.query(f"UPDATE entries SET {change} WHERE entry_id = :id", id=entry_id)  # noqa: S608 - from above
    for path in ("/v1/entries", f"/v1/receipts/{entry_id}"):
        response = await auditor.get(path)
        assert response.status_code == 500
        assert response.json()["type"] == "urn:otokura:problem:integrity"
        assert "altered" in response.json()["detail"]


@pytest.mark.guarantee("L2")
async def test_an_altered_leaf_gets_no_proof(
    audit: AuditService, auditor: httpx.AsyncClient, tenant_id: UUID
) -> None:
    """Detail and leaf altered together agree with each other, and not with what was signed."""
    victim = await write_one(audit, tenant_id)
    (row,) = await audit.query("SELECT * FROM entries WHERE entry_id = :id", id=victim)
    await audit.published(row.index + 1)
    recorded = row.recorded.replace(b"yamada", b"suzuki")
    commitment = commit(row.salt, recorded)
    leaf = rfc8785.dumps({**json.loads(row.leaf), "commitment": commitment})
    await audit.query(
        "UPDATE entries SET leaf = :leaf, recorded = :recorded, reader = 'suzuki' WHERE entry_id = :id",
        leaf=leaf,
        recorded=recorded,
        id=victim,
    )
    response = await auditor.get(f"/v1/receipts/{victim}")
    assert response.status_code == 500
    assert response.json()["type"] == "urn:otokura:problem:integrity"
    assert "altered after they were published" in response.json()["detail"]


@pytest.mark.guarantee("L2")
@pytest.mark.parametrize("name", ["tile/0/000", "tile/entries/000", "tile/1/000.p/2", "checkpoint"])
async def test_a_bit_flipped_in_the_bucket_is_found_by_the_verifier(
    log: Log, tmp_path: Path, name: str
) -> None:
    await log.append(prepared_entries(Scribe(), 600))
    await log.publish()
    data = bytearray(await log.store.get(log.bucket, f"{YEAR}/{name}"))
    data[40] ^= 1
    await log.store.put(log.bucket, f"{YEAR}/{name}", bytes(data))
    report = verify_log(await log.download(tmp_path), log.signer().vkey)
    expected = {
        "tile/0/000": {Code.TILE_ALTERED},
        "tile/entries/000": {Code.ENTRY_ALTERED, Code.MALFORMED},
        "tile/1/000.p/2": {Code.TILE_ALTERED},
        "checkpoint": {Code.BAD_SIGNATURE},
    }
    assert not report.ok
    assert {finding.code for finding in report.findings} <= expected[name]


@pytest.mark.guarantee("L2")
async def test_the_two_kinds_of_file_swapped_in_the_bucket_are_found(log: Log, tmp_path: Path) -> None:
    await log.append(prepared_entries(Scribe(), 600))
    await log.publish()
    names = [f"{YEAR}/tile/entries/{index}" for index in ("000", "001")]
    first, second = [await log.store.get(log.bucket, name) for name in names]
    await log.store.put(log.bucket, names[0], second)
    await log.store.put(log.bucket, names[1], first)
    report = verify_log(await log.download(tmp_path), log.signer().vkey)
    assert {finding.code for finding in report.findings} == {Code.ENTRY_ALTERED}
