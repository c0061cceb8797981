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


async def put_segment(store: ObjectStore, bucket: str, name: str, sealed: bytes) -> None:
    """Store a segment.

    Raises:
        Unavailable: the store is away, or does not have its bucket, as while it starts.
    """
    try:
        await store.put(bucket, name, sealed)
    except NotFound:
        raise _without_bucket() from None


async def check_bucket(store: ObjectStore, bucket: str) -> None:
    """Whether the store answers and has the bucket.

    Raises:
        Unavailable: it does not. An object that is not found then says nothing about the object.
    """
    try:
        async for _ in store.list(bucket, "check/"):
            return
    except NotFound:
        raise _without_bucket() from None


def _without_bucket() -> Unavailable:
    return Unavailable("The object store is not ready; try again shortly.")


async def discard(store: ObjectStore, bucket: str, name: str) -> None:
    """Remove an object that no row names. Cleaning removes it later if the store is away now."""
    try:
        await store.delete(bucket, name)
    except NotFound:
        return
    except Unavailable:
        log.warning("object.discard-postponed", bucket=bucket, object=name)
