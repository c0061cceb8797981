"""Erasures as access asks for them, for the tests of all services."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from otokura.shared.events import ErasedKind, ErasureRequested
from otokura.shared.ids import uuid7

GONE: dict[str, tuple[str, ...]] = {
    "ingest": ("calls", "pieces", "uploads", "webhook_deliveries", "audio_sockets"),
    "transcribe": ("recordings", "jobs", "call_keys", "live_progress"),
    "access": (
        "calls",
        "call_keys",
        "transcripts",
        "transcript_versions",
        "transcription_requests",
        "grants",
        "seen_calls",
        "search_index",
    ),
    "audit": (),
}
"""By service, the tables of which no row of an erased call is left."""
KEPT: dict[str, tuple[str, ...]] = {
    "ingest": (),
    "transcribe": (),
    "access": (
        "call_erasures",
        "call_lifecycles",
        "erasure_confirmations",
        "erasure_items",
        "feed_calls",
        "feed_erasures",
        "feed_jobs",
        "holds",
        "search_jobs",
    ),
    "audit": ("entries",),
}
"""Those that name a call after its end as well, by its id: nothing in them was said or heard."""


def requested(call_id: UUID, tenant_id: UUID, kind: ErasedKind = ErasedKind.CALL) -> ErasureRequested:
    """A new request to erase a call, or a kind of what there is of it."""
    return ErasureRequested(
        call_id=call_id,
        tenant_id=tenant_id,
        version=1,
        erasure_id=uuid7(),
        kind=kind,
        requested_at=datetime.now(UTC),
    )
