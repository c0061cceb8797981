"""Broken glass and leak signals become alerts with the entry, once, whoever sends the entry again."""

from __future__ import annotations

import pytest

from audit_fixtures import Log, NoBroker
from audit_logs import Scribe, keys_of, message
from otokura.audit.handlers import LogConsumer
from otokura.audit.progress import Progress
from otokura.shared.ids import uuid7

pytestmark = [pytest.mark.postgres, pytest.mark.s3]


@pytest.mark.guarantee("R27")
async def test_an_alert_is_raised_with_the_entry_and_once(log: Log) -> None:
    killed = Scribe()
    successor = Scribe(key=killed.key)
    consumer = LogConsumer(NoBroker(), log.database, keys_of(killed), Progress(), lambda: None)
    tenant, about = uuid7(), {"glass": str(uuid7()), "minutes": 30, "reason": "山田さんの件"}
    asked = killed.entry(action="break-glass.asked", tenant_id=tenant, detail=about)
    signal = killed.entry(
        action="signal.raised", tenant_id=tenant, detail={"rule": "volume", "kind": "volume"}
    )
    await consumer.apply([message(one, at) for at, one in enumerate((asked, killed.entry(), signal))])
    # The outbox of a killed instance, sent again by the next one.
    again = successor.entry(
        action="break-glass.asked", tenant_id=tenant, detail=about, entry_id=asked.entry_id
    )
    await consumer.apply([message(one, at) for at, one in enumerate((asked, again, signal))])
    raised = await log.alerts()
    assert sorted((kind, source) for kind, source, _ in raised) == [
        ("break-glass", "access"),
        ("leak-signal", "access"),
    ]
    assert {detail["entry_id"] for _, _, detail in raised} == {str(asked.entry_id), str(signal.entry_id)}
    assert "山田" not in str(raised)
    published = await log.execute("SELECT 1 FROM outbox WHERE topic = 'otokura.audit.alerts'")
    assert published == 2
