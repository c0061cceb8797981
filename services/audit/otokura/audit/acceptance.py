"""What the log takes: bounds on what a signed event may say, so that none is a burden or breaks a row. Pure.

A signature proves who says something, not that it is sane. What is refused here becomes an alert and a dead
letter, like what nobody signed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from otokura.shared.audit_entries import Signed, text_objection
from otokura.shared.audit_events import AuditCounted, AuditHeartbeat, AuditRecorded
from otokura.shared.producer import MAX_RECORD_BYTES
from otokura.shared.read_counts import MOST_TENANTS

LARGEST_NUMBER = 2**53 - 1
"""RFC 7493 §2.2; below PostgreSQL's bigint."""
_SOURCE = re.compile(r"[a-z][a-z0-9-]{0,31}/[0-9A-Za-z-]{1,64}", re.ASCII)
_EARLIEST, _LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9998, 1, 1, tzinfo=UTC)
"""Beyond these PostgreSQL and Python do not agree on what a time is."""


def too_large(value: bytes | None) -> bool:
    """Whether no writer of ours makes a message of this size."""
    return len(value or b"") > MAX_RECORD_BYTES


def objection(event: Signed, signed: bytes | None = None) -> tuple[str, str] | None:
    """Why an event cannot be taken, as a code and in words that repeat nothing of it; None when it can.

    Args:
        event: the event.
        signed: its canonical JSON, where that is known already: it tells at a glance that there is no NUL.
    """
    if _SOURCE.fullmatch(event.source) is None:
        return "source", "the source is not <service>/<instance>"
    if event.time.utcoffset() != timedelta(0) or not _EARLIEST < event.time < _LATEST:
        return "time", "the time is not one in UTC"
    if max(_numbers(event)) > LARGEST_NUMBER:
        return "number", "the number is too large"
    if isinstance(event, AuditCounted) and len(event.reads) > MOST_TENANTS:
        return "too-long", "the reads of too many tenants"
    if isinstance(event, AuditRecorded):
        return text_objection(event.action, event.reader, event.detail, signed)
    return None


def _numbers(event: Signed) -> list[int]:
    if isinstance(event, AuditRecorded):
        return [event.seq]
    if isinstance(event, AuditHeartbeat):
        return [event.last_seq]
    return [event.last_seq, *(one.served + one.unserved for one in event.reads.values())]
