"""Which entries become alerts, and what an alert tells of one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from audit_logs import Scribe
from otokura.audit.alerting import alert_of
from otokura.shared.audit_entries import Action
from otokura.shared.ids import uuid7

NOW = datetime(2026, 5, 1, 9, tzinfo=UTC)
ALERTING = {
    Action.BREAK_GLASS_ASKED: "break-glass",
    Action.BREAK_GLASS_APPROVED: "break-glass",
    Action.SIGNAL_RAISED: "leak-signal",
}


@pytest.mark.guarantee("R27")
@pytest.mark.parametrize("action", list(Action))
def test_broken_glass_and_leak_signals_are_alerts_and_nothing_else(action: Action) -> None:
    alert = alert_of(Scribe().entry(action=action), NOW)
    assert (alert.kind if alert else None) == ALERTING.get(action)


@pytest.mark.guarantee("R27")
def test_an_alert_names_the_entry_and_tells_nothing_personal() -> None:
    scribe, tenant = Scribe(), uuid7()
    detail = {
        "reason": "山田さんの件",
        "name": "花子",
        "address": "203.0.113.7",
        "until": "2026-05-01T10:00:00Z",
    }
    entry = scribe.entry(action="break-glass.approved", tenant_id=tenant, detail=detail)
    alert = alert_of(entry, NOW)
    assert alert is not None
    assert (alert.source, alert.at) == ("access", NOW)
    assert alert.detail == {
        "entry_id": str(entry.entry_id),
        "action": "break-glass.approved",
        "tenant_id": str(tenant),
        "reader": "yamada",
        "until": "2026-05-01T10:00:00Z",
    }
