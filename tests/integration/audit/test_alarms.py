"""Alarms over a real broker, with short waits: the one real gap is reported, and nobody else is accused."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from audit_fixtures import MakeAudit
from audit_logs import Scribe, record
from audit_service import AuditService
from otokura.shared.audit_entries import Action, AuditDraft

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]


@pytest.fixture(scope="module")
def audit(make_audit: MakeAudit) -> AuditService:
    return make_audit(gap_seconds=1, silence_seconds=8)


@pytest.mark.slow
@pytest.mark.guarantee("L4")
async def test_a_real_gap_is_found_and_a_restart_accuses_nobody(audit: AuditService) -> None:
    draft = AuditDraft(action=Action.READ_OPENED, reader="yamada")
    liar = Scribe("access", audit.source_key, datetime.now(UTC))
    first, _kept_back, third = (liar.entry() for _ in range(3))
    async with audit.source(heartbeat_seconds=0.5) as honest:
        await audit.write(honest, [draft] * 20)
        audit.program.kill()
        await asyncio.gather(*(honest.write(draft) for _ in range(200)))
        await audit.send(record(third), record(first), record(liar.heartbeat()))
        audit.start()
        await audit.write(honest, [draft] * 20)
        gap, silence = await audit.alerts(liar.source, 2)
        accused = await audit.query("SELECT * FROM alerts WHERE source = :source", source=honest.source)
    assert (gap.kind, gap.detail["first"], gap.detail["last"]) == ("gap", 2, 2)
    assert silence.kind == "silent-source"
    assert accused == []
