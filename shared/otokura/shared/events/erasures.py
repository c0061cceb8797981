"""The events of an erasure: asked for once, applied by each service, final when the keys' keys are gone."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from otokura.shared.events.base import CallEvent, EventData, Topic


class ErasedKind(StrEnum):
    """How much of a call goes."""

    CALL = "call"
    """Everything, and its key: what is left anywhere of the call is ciphertext that nothing opens."""
    RECORDING = "recording"
    """What was heard. The transcript, and the key that opens it, stay."""
    TRANSCRIPT = "transcript"
    """Every version of the text, and what was made of it."""


class ErasureRequested(CallEvent):
    """A call, or a part of it, is to be erased by every service. `version` is 1: it is asked for once.

    From the moment of this event nothing brings back what it names: each service keeps a tombstone.
    """

    TOPIC = Topic.ERASURES
    TYPE = "otokura.erasure.requested.v1"
    erasure_id: UUID
    kind: ErasedKind
    requested_at: datetime


class ErasureApplied(CallEvent):
    """One service has erased its part: rows, wrapped keys and objects are gone."""

    TOPIC = Topic.ERASURES
    TYPE = "otokura.erasure.applied.v1"
    erasure_id: UUID
    kind: ErasedKind
    service: str
    counts: dict[str, int]
    """What went, by its name: rows by table, objects, details of entries."""
    kek_ids: list[str]
    """The key-encryption keys that had wrapped the call's key here: their end makes the erasure final."""
    shredded_at: datetime
    """When the rows and the wrapped key went."""
    applied_at: datetime
    """When the last object was gone."""


class KekDestroyed(EventData):
    """A key-encryption key no longer exists: no copy of a key that it wrapped opens any more."""

    TOPIC = Topic.ERASURES
    TYPE = "otokura.kek.destroyed.v1"
    kek_id: str
    destroyed_at: datetime

    def partition_key(self) -> str:
        """The key's id."""
        return self.kek_id


class CallErased(CallEvent):
    """The call's recording, transcript and keys are being destroyed, for good.

    Every feed that had something of the call gets this event, too: whoever took a copy deletes it.
    """

    TOPIC = Topic.ERASURES
    TYPE = "otokura.call.erased.v1"
    erased_at: datetime
