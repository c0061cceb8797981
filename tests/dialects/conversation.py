"""A conversation over AudioHook whose text the test makes up, and what comes back of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

from access_audit import AuditTopic
from dialects.audiohook import AudioHookWire, Genesys
from dialects.outcome import call_of
from ingest_service import IngestService
from live_partials import Said, publish, sealed
from otokura.shared.fetching import LONGEST_WAIT_MS


class Conversation:
    """A conversation that is streamed by Genesys, and transcribed by the test."""

    def __init__(self, genesys: Genesys) -> None:
        self.genesys = genesys
        self.id = str(uuid4())
        self.wires: list[AudioHookWire] = []
        self.revision = 0

    async def open(self, **parameters: Any) -> AudioHookWire:
        """A session; the next one goes on with the call."""
        self.wires.append(await self.genesys.open(self.id, **parameters))
        return self.wires[-1]

    async def call_id(self) -> str:
        return await call_of(self.genesys.ingest, self.id)

    async def transcribe(self, *said: Said) -> None:
        """What is understood by now."""
        ingest, call_id = self.genesys.ingest, await self.call_id()
        self.revision += 1
        dek = await ingest.dek(call_id)
        tenant_id = self.genesys.credentials.tenant_id
        await publish(ingest.kafka, sealed(tenant_id, UUID(call_id), dek, self.revision, *said))

    async def entries(self, action: str) -> list[dict[str, Any]]:
        """The audit entries of the call that the broker has by now."""
        # From its beginning each time, where there is something: a broker that has just started takes long.
        topic = AuditTopic(str(self.genesys.ingest.kafka["kafka_bootstrap"]), LONGEST_WAIT_MS)
        call_id = await self.call_id()
        return await asyncio.to_thread(lambda: topic.entries(call_id=call_id, action=action))

    async def entry(self, action: str, **detail: Any) -> dict[str, Any]:
        """The one entry, as soon as the broker has it."""
        async with asyncio.timeout(30):
            while True:
                found = [
                    entry for entry in await self.entries(action) if detail.items() <= entry["detail"].items()
                ]
                if found:
                    [entry] = found
                    return entry


def told(wire: AudioHookWire) -> list[dict[str, Any]]:
    """The entities that a session was sent, in order."""
    events = [message for message in wire.heard if message["type"] == "event"]
    return [entity["data"] for event in events for entity in event["parameters"]["entities"]]


def texts(wire: AudioHookWire) -> list[tuple[str, bool]]:
    return [
        (one["alternatives"][0]["interpretations"][0]["transcript"], one["isFinal"]) for one in told(wire)
    ]


@asynccontextmanager
async def registered(ingest: IngestService, **settings: Any) -> AsyncIterator[Genesys]:
    genesys = Genesys(ingest, await ingest.add_tenant(**settings))
    await genesys.register(defaults={"purposes": ["quality"], "notice": {"given": "attested"}})
    yield genesys
    await genesys.leave()
