"""What a running ingest process holds: made once in the lifespan, handed to everything."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

from otokura.ingest.call_keys import CallKeys
from otokura.ingest.settings import Settings
from otokura.ingest.streams import Streams
from otokura.shared.database import Database
from otokura.shared.directory import Directory
from otokura.shared.errors import Unauthenticated
from otokura.shared.events import TenantSettings
from otokura.shared.ids import uuid7
from otokura.shared.objects import ObjectStore


@dataclass(frozen=True)
class State:
    """Connections and settings of this instance."""

    settings: Settings
    database: Database
    store: ObjectStore
    keys: CallKeys
    directory: Directory
    streams: Streams = field(default_factory=Streams)
    instance: UUID = field(default_factory=uuid7)
    to_seal: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a call begins to wait for sealing, so that it need not wait for the next look."""
    to_clean: asyncio.Event = field(default_factory=asyncio.Event)

    async def tenant_settings(self, tenant_id: UUID) -> TenantSettings:
        """What the tenant's administrator set.

        Raises:
            Unauthenticated: the tenant is not known here.
        """
        tenant = await self.directory.tenant(tenant_id)
        if tenant is None:
            raise Unauthenticated("The tenant of this credential is not known here.")
        return tenant.settings
