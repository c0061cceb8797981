"""Ingest's settings: the environment, read once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from otokura.shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """`OTOKURA_…` variables of this service beside the common ones."""

    service: ClassVar[str] = "ingest"
    port: int = Field(default=8101, ge=0, le=65535)
    keyring_file: Path
    """The keyring of the `local` key provider, mode 0600."""
    key_provider: str = "local"
    recordings_bucket: str = "recordings"

    segment_seconds: int = Field(default=5, ge=1, le=60)
    """Length of a stored segment: what a crash can cost a client that cannot send again."""
    flush_seconds: float = Field(default=6.0, gt=0)
    """When a stream pauses: audio that waited so long for its segment is stored as a shorter one."""
    lease_seconds: int = Field(default=15, ge=3)
    """How long a dead process's calls wait before another takes them over."""
    call_idle_seconds: int = Field(default=900, ge=1)
    """A call without audio and without an end for so long is ended."""
    max_call_seconds: int = Field(default=24 * 3600, ge=60)
    store_patience_seconds: float = Field(default=12.0, ge=0)
    """How long a stream waits for the store or the database before it asks the client to come back."""

    max_upload_bytes: int = Field(default=4 * 1024**3, ge=1)
    upload_stall_seconds: float = Field(default=60.0, gt=0)
    """An upload that sends nothing for so long is given up."""
    max_message_bytes: int = Field(default=512 * 1024, ge=4096)
    """Largest binary message on the raw stream; above `max_body_bytes` the protocol closes (1009)."""
    sealers: int = Field(default=2, ge=1, le=32)
    seal_attempts: int = Field(default=10, ge=1)
    """Unexplained failures of sealing after which the call is failed; its segments are then kept."""

    @property
    def lease(self) -> timedelta:
        """The lease as an interval."""
        return timedelta(seconds=self.lease_seconds)
