"""The events of a rotation of key-encryption keys. No key travels in them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from otokura.shared.events.base import EventData, Topic

KeyHolder = Literal["ingest", "transcribe", "access"]
"""A service whose tables hold wrapped keys."""


class KeysRotated(EventData):
    """There are new key-encryption keys: what the old ones wrapped is to be wrapped again.

    `kek_id` is the one that wraps from here on; None where every tenant has its own.
    """

    TOPIC = Topic.REQUESTS
    TYPE = "otokura.keys.rotated.v1"
    rotation_id: UUID
    kek_id: str | None
    rotated_at: datetime

    def partition_key(self) -> str:
        """The rotation's id."""
        return str(self.rotation_id)


class KeysRewrapped(EventData):
    """How far a service is with a rotation, as it was when `version` was made.

    `finished`: nothing of this service needs the old keys any more, and nothing will.
    """

    TOPIC = Topic.KEYS
    TYPE = "otokura.keys.rewrapped.v1"
    rotation_id: UUID
    service: KeyHolder
    version: int
    remaining: int
    """Keys that are still under an old one."""
    unreadable: int
    """Of them those that do not open: they were changed, and the service's log names them."""
    finished: bool
    at: datetime

    def partition_key(self) -> str:
        """The rotation's id."""
        return str(self.rotation_id)
