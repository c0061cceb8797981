"""A broker in memory that fails as it is told to, for what `AuditWriter` makes of that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from messaging import Broker
from otokura.shared.audit import Action, AuditDraft, AuditWriter
from otokura.shared.audit_events import AuditHeartbeat, AuditRecorded
from otokura.shared.kafka import Producer, Record

KEY = Ed25519PrivateKey.generate()
DRAFT = AuditDraft(action=Action.READ_OPENED, tenant_id=uuid4(), reader="r", detail={"range": [0, 99]})

Outcome = Callable[[int], tuple[int, int]]
"""Of so many records in a batch: how many reach the log, and how many of those are acknowledged."""


class ScriptedBroker(Producer):
    """A partition in memory. What is acknowledged is in `log`; what is in `log` may not be acknowledged."""

    def __init__(self) -> None:
        super().__init__(Broker("nowhere"))
        self.log: list[Record] = []
        self.outcome: Outcome = lambda count: (count, count)

    async def send_all(self, records: Sequence[Record]) -> list[bool]:
        await asyncio.sleep(0)
        arrived, acknowledged = self.outcome(len(records))
        self.log.extend(records[:arrived])
        return [index < acknowledged for index in range(len(records))]

    def entries(self) -> list[AuditRecorded]:
        return [
            AuditRecorded.model_validate_json(record.value or b"")
            for record in self.log
            if dict(record.headers)["ce_type"] == AuditRecorded.TYPE.encode()
        ]

    def heartbeats(self) -> list[AuditHeartbeat]:
        return [
            AuditHeartbeat.model_validate_json(record.value or b"")
            for record in self.log
            if dict(record.headers)["ce_type"] == AuditHeartbeat.TYPE.encode()
        ]


@asynccontextmanager
async def opened(broker: ScriptedBroker, **options: Any) -> AsyncIterator[AuditWriter]:
    writer = AuditWriter(broker, "access", KEY, **options)
    await writer.start()
    try:
        yield writer
    finally:
        broker.outcome = lambda count: (count, count)
        await writer.stop()


def assert_no_hole(broker: ScriptedBroker) -> None:
    seen: dict[int, UUID] = {}
    for record in broker.log:
        data = json.loads(record.value or b"")
        if "last_seq" in data:
            assert set(range(1, data["last_seq"] + 1)) <= set(seen), "a heartbeat is ahead of its entries"
        else:
            assert data["seq"] <= len(seen) + 1, "a number came before the one below it"
            assert seen.setdefault(data["seq"], data["entry_id"]) == data["entry_id"], (
                "a number was given twice"
            )
