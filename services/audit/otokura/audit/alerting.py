"""Entries that somebody should hear of at once: audit makes an alert of each as it becomes part of the log.

The alert names the entry and tells no reason, name or address: those stand in the entry, for who may read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from otokura.shared.audit_entries import Action
from otokura.shared.audit_events import AuditAlerted, AuditRecorded

Kind = Literal["break-glass", "leak-signal"]
_KINDS: Mapping[str, Kind] = {
    Action.BREAK_GLASS_ASKED: "break-glass",
    Action.BREAK_GLASS_APPROVED: "break-glass",
    Action.SIGNAL_RAISED: "leak-signal",
}
_TOLD = {"glass", "asked_by", "minutes", "until", "signal", "rule", "paused"}
"""What of an entry's detail an alert repeats: ids, numbers and names of rules."""


def alert_of(entry: AuditRecorded, now: datetime) -> AuditAlerted | None:
    """The alert that an entry calls for; None for most.

    Its source is the service, not the instance: a successor may send the entry of a killed one again.
    """
    kind = _KINDS.get(entry.action)
    if kind is None:
        return None
    told = {name: value for name, value in entry.detail.items() if name in _TOLD}
    detail = {
        **told,
        "entry_id": str(entry.entry_id),
        "action": entry.action,
        "tenant_id": str(entry.tenant_id) if entry.tenant_id else None,
        "reader": entry.reader,
    }
    return AuditAlerted(kind=kind, source=entry.source.partition("/")[0], detail=detail, at=now)
