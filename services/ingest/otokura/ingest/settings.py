"""Ingest's settings: the environment, read once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from otokura.ingest.webhooks.settings import WebhookSettings
from otokura.shared.key_settings import KeyProviderSettings


class Settings(WebhookSettings, KeyProviderSettings):
    """`OTOKURA_…` variables of this service beside the common ones."""

    service: ClassVar[str] = "ingest"
    port: int = Field(default=8101, ge=0, le=65535)
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
    live_chunk_ms: int = Field(default=500, ge=100, le=1000)
    """Length of the pieces in which audio is sent on for live text, where a tenant wants it."""
    live_queue_bytes: int = Field(default=32 * 1024**2, ge=1024**2)
    """The most of them that may wait for the broker; older ones are thrown away."""
    stream_start_seconds: float = Field(default=10.0, gt=0)
    """How long a connection may take to say whose call it carries."""
    stream_silence_seconds: float = Field(default=900.0, gt=0)
    """How long an open stream may send nothing."""
    store_patience_seconds: float = Field(default=12.0, ge=0)
    """How long a client that waits for what it sent to be stored, or for room in the spool, sees nothing
    accepted before it is told that it is not stored."""
    spool_folder: Path | None = None
    """Where live audio waits, encrypted, while the store or the database is away; a folder that outlives the
    process, for this process alone. None: a temporary one, which a restart loses."""
    spool_bytes: int = Field(default=2 * 1024**3, ge=0)
    """The most that may wait there. A two-channel G.711 call needs 1 MB a minute."""

    max_upload_bytes: int = Field(default=4 * 1024**3, ge=1)
    upload_stall_seconds: float = Field(default=60.0, gt=0)
    """A request that sends nothing for so long is given up."""
    upload_expires_seconds: int = Field(default=24 * 3600, ge=1)
    """A resumable upload that does not go on for so long is given up."""
    upload_answer_seconds: float = Field(default=25.0, ge=0)
    """How long the sender of a resumable upload's last bytes waits for its recording; proxies wait for 60."""
    decoders: int = Field(default=2, ge=1, le=64)
    """Uploaded files that are opened at once, each by a process that may take half a gigabyte."""
    upload_sealers: int = Field(default=2, ge=1, le=32)
    """Resumable uploads that are sealed at once, in each process."""
    max_message_bytes: int = Field(default=512 * 1024, ge=4096)
    """Largest binary message on the raw stream; above `max_body_bytes` the protocol closes (1009)."""
    client_calls: int = Field(default=2000, ge=0)
    """Calls at once of one vendor's client, over all instances, where the administrator set nothing; so are
    the next two."""
    client_requests_per_minute: int = Field(default=12_000, ge=1)
    client_upload_bytes_per_hour: int = Field(default=256 * 1024**3, ge=1)
    public_requests_per_minute: int = Field(default=600, ge=1)
    """From one address, without credentials."""
    audiosocket_port: int | None = Field(default=None, ge=1, le=65535)
    """TCP port on which Asterisk's AudioSocket is taken, at `host`; None: it is not. The protocol has no TLS:
    keep it in a private network."""
    audiosocket_address: str | None = Field(default=None, pattern=r"^[^\s/]+:\d{1,5}$")
    """Where Asterisk reaches that port, if that is not `host` and the port itself."""
    audiosocket_connections: int = Field(default=2000, ge=1)
    """Most sockets open at once; another displaces one that has said nothing yet, or is closed."""
    sealers: int = Field(default=2, ge=1, le=32)
    seal_attempts: int = Field(default=10, ge=1)
    """Unexplained failures of sealing after which the call is failed; its segments are then kept."""

    @property
    def lease(self) -> timedelta:
        """The lease as an interval."""
        return timedelta(seconds=self.lease_seconds)

    @property
    def audiosocket_reached_at(self) -> str | None:
        """Host and port as Asterisk is told them; None if AudioSocket is not taken."""
        if self.audiosocket_port is None:
            return None
        return self.audiosocket_address or f"{self.host}:{self.audiosocket_port}"
