"""The manifest: what a sealed recording is, hashed into the audit log.

Trusted from the database and the log, never from the bucket.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Literal
from uuid import UUID

import rfc8785
from pydantic import BaseModel, ConfigDict, Field

from otokura.shared.events import Channel, Direction, Notice, Sha256Hex
from otokura.shared.gaps import Gap, GapReason

__all__ = ["Gap", "GapReason", "Manifest", "StoredObject"]


class StoredObject(BaseModel):
    """Where the encrypted recording lies, and how to check what comes out of it."""

    model_config = ConfigDict(frozen=True)
    bucket: str
    name: str
    media_type: str
    plaintext_bytes: int = Field(ge=0)
    plaintext_sha256: Sha256Hex


class Manifest(BaseModel):
    """Version 1 of the manifest. Times are UTC; durations in milliseconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    v: Literal[1] = 1
    call_id: UUID
    tenant_id: UUID
    external_id: str
    origin: Literal["live", "upload"]
    direction: Direction
    channels: list[Channel]
    sample_rate: int
    samples: int
    duration_ms: int
    gaps: list[Gap]
    drift: list[int] = Field(default_factory=list[int])
    """Per channel, samples inserted (+) or dropped (-) to hold channels that come apart together."""
    notice: Notice
    purposes: list[str]
    language: str | None = None
    """ISO 639-1 code of what is spoken, where the caller of the API knew it."""
    started_at: datetime
    ended_at: datetime
    recording: StoredObject
    key_commitment: Sha256Hex

    def canonical(self) -> bytes:
        """The RFC 8785 form, over which the hash is taken."""
        return rfc8785.dumps(self.model_dump(mode="json"))

    def sha256(self) -> str:
        """SHA-256 of the canonical form, lower-case hex."""
        return hashlib.sha256(self.canonical()).hexdigest()
