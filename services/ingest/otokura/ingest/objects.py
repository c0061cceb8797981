"""Names of objects in the recordings bucket, and taking them away.

A name holds ids and numbers only. The epoch is part of it, so that a writer that lost its claim can never
overwrite what its successor wrote.
"""

from __future__ import annotations

from uuid import UUID

from otokura.shared.errors import NotFound, Unavailable
from otokura.shared.logs import get_logger
from otokura.shared.objects import ObjectStore

log = get_logger(__name__)


def segments_prefix(tenant_id: UUID, call_id: UUID) -> str:
    """Under it lie the segments of a live call."""
    return f"segments/{tenant_id}/{call_id}/"


def segment_name(tenant_id: UUID, call_id: UUID, epoch: int, seq: int) -> str:
    """The segment with this number, written under this epoch."""
    return f"{segments_prefix(tenant_id, call_id)}{epoch}-{seq}"


def recordings_prefix(tenant_id: UUID, call_id: UUID) -> str:
    """Under it lies the sealed recording, and nothing else once the call is cleaned."""
    return f"recordings/{tenant_id}/{call_id}/"


def recording_name(tenant_id: UUID, call_id: UUID, epoch: int) -> str:
    """The recording made under this epoch."""
    return f"{recordings_prefix(tenant_id, call_id)}{epoch}"


async def discard(store: ObjectStore, bucket: str, name: str) -> None:
    """Remove an object that no row names. Cleaning removes it later if the store is away now."""
    try:
        await store.delete(bucket, name)
    except NotFound:
        return
    except Unavailable:
        log.warning("object.discard-postponed", bucket=bucket, object=name)
