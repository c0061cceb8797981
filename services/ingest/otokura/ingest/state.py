"""What a running ingest process holds: made once in the lifespan, handed to everything."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

from otokura.ingest.call_keys import CallKeys
from otokura.ingest.connections.lookup import Connections
from otokura.ingest.deliveries import Deliveries
from otokura.ingest.limits import Limits
from otokura.ingest.live_chunks import LiveChunks
from otokura.ingest.replies import Replies
from otokura.ingest.settings import Settings
from otokura.ingest.streams import Streams
from otokura.ingest.vendor_secrets import VendorSecrets
from otokura.shared.database import Database
from otokura.shared.directory import Directory
from otokura.shared.errors import Unauthenticated, Unavailable
from otokura.shared.events import TenantSettings
from otokura.shared.ids import uuid7
from otokura.shared.objects import ObjectStore
from otokura.shared.rewrapping import Rewrapper


@dataclass(frozen=True)
class State:
    """Connections and settings of this instance."""

    settings: Settings
    database: Database
    store: ObjectStore
    keys: CallKeys
    secrets: VendorSecrets
    connections: Connections
    directory: Directory
    deliveries: Deliveries
    limits: Limits
    decoding: asyncio.Semaphore
    """Held while an uploaded file is decoded: however many come at once, so many processes open them."""
    live_chunks: LiveChunks
    replies: Replies
    rewrapper: Rewrapper
    streams: Streams = field(default_factory=Streams)
    instance: UUID = field(default_factory=uuid7)
    to_clean: asyncio.Event = field(default_factory=asyncio.Event)
    to_deliver: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there may be webhooks to send."""

    @property
    def to_seal(self) -> asyncio.Event:
        """Set when a call begins to wait for sealing, so that it need not wait for the next look."""
        return self.deliveries.outlet.ended

    def check_takes_calls(self) -> None:
        """Whether a new call may begin here.

        Raises:
            Unavailable: audio of other calls waits for the store or the database already.
        """
        if self.deliveries.stalled:
            raise Unavailable(
                "Audio cannot be stored at the moment, so no new call is taken. Try again shortly.",
                headers={"Retry-After": "5"},
            )

    async def tenant_settings(self, tenant_id: UUID) -> TenantSettings:
        """What the tenant's administrator set.

        Raises:
            Unauthenticated: the tenant is not known here.
        """
        tenant = await self.directory.tenant(tenant_id)
        if tenant is None:
            raise Unauthenticated("The tenant of this credential is not known here.")
        return tenant.settings
