"""Erasures as access asks for them, for the tests of all services."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from otokura.shared.events import ErasedKind, ErasureRequested
from otokura.shared.ids import uuid7


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
