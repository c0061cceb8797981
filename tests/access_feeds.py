"""Feeds as their readers see them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition

from access_audit import PATIENCE_SECONDS, run
from access_service import Tenant, once
from otokura.shared.events import ChannelRole
from otokura.shared.fetching import LONGEST_WAIT_MS, SHORTEST_WAIT_MS
from otokura.shared.ids import uuid7
from otokura.shared.transcripts import Redaction, RedactionKind, Transcript, Turn, Word

CARD = "4111111111111111"
SAID = f"My card is {CARD} thank you"
SHOWN = "My card is [card-number] thank you"


def searched(call_id: UUID) -> Transcript:
    """A transcript in which somebody has looked for what to redact, and found a card's number."""
    start = SAID.index(CARD)
    words = [
        Word(text=word, start_ms=100 * n, end_ms=100 * n + 90, confidence=0.9)
        for n, word in enumerate(SAID.split())
    ]
    turn = Turn(
        channel=1,
        role=ChannelRole.CUSTOMER,
        start_ms=0,
        end_ms=700,
        text=SAID,
        words=words,
        avg_logprob=-0.1,
        no_speech_prob=0.0,
    )
    place = Redaction(
        turn=0,
        start=start,
        end=start + len(CARD),
        kind=RedactionKind.CARD_NUMBER,
        start_ms=300,
        end_ms=390,
    )
    return Transcript(
        call_id=call_id,
        language="en",
        engine="test",
        model="none",
        duration_ms=60_000,
        turns=[turn],
        redactions=[place],
    )


@dataclass(frozen=True)
class Event:
    """A record of a feed."""

    id: str
    type: str
    key: str
    data: dict[str, Any]


async def read_feed(bootstrap: str, topic: str, wait_ms: int = SHORTEST_WAIT_MS) -> list[Event]:
    """Everything that a feed's topic holds now; nothing where there is no topic."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=wait_ms
    )
    await consumer.start()
    try:
        if topic not in await consumer.topics():
            return []
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.seek(partition, 0)
        found: list[Event] = []
        while True:
            for record in (await consumer.getmany(partition, timeout_ms=50)).get(partition, []):
                headers = {name: value.decode() for name, value in record.headers}
                found.append(
                    Event(headers["ce_id"], headers["ce_type"], record.key.decode(), json.loads(record.value))
                )
            end = consumer.highwater(partition)
            if end is not None and await consumer.position(partition) >= end:
                return found
    finally:
        await consumer.stop()


@dataclass
class Feed:
    """A feed of a tenant of a running access."""

    tenant: Tenant
    id: UUID
    topic: str
    etag: str
    _wait_ms: int = field(default=SHORTEST_WAIT_MS, repr=False)

    @classmethod
    def create(cls, tenant: Tenant, **about: Any) -> Feed:
        """A feed that is ready."""
        body = {"name": f"F {uuid7()}", "purpose": "quality", "principals": [f"User:{tenant.id}"], **about}
        with tenant.access.client(tenant.admin) as client:
            response = client.post("/v1/feeds", json=body, headers=once())
        assert response.status_code == 201, response.text
        made = response.json()
        feed = cls(tenant, UUID(made["id"]), made["topic"], response.headers["ETag"])
        feed.wait_until(lambda: feed.view()["state"] == "ready")
        return feed

    def view(self) -> dict[str, Any]:
        """The feed as its administrator sees it."""
        with self.tenant.access.client(self.tenant.admin) as client:
            response = client.get(f"/v1/feeds/{self.id}")
        assert response.status_code == 200, response.text
        shown: dict[str, Any] = response.json()
        return shown

    def change(self, **changes: Any) -> Any:
        """The answer to a change."""
        with self.tenant.access.client(self.tenant.admin) as client:
            response = client.patch(f"/v1/feeds/{self.id}", json=changes, headers={"If-Match": self.etag})
        self.etag = response.headers.get("ETag", self.etag)
        return response

    def events(self) -> list[Event]:
        """What its topic holds now."""
        return run(read_feed(str(self.tenant.access.kafka["kafka_bootstrap"]), self.topic, self._wait_ms))

    def wait_for(self, wanted: Callable[[list[Event]], bool]) -> list[Event]:
        """What its topic holds, once that is as wanted: each look may take longer."""
        found: list[Event] = []

        def look() -> bool:
            found[:] = self.events()
            self._wait_ms = min(self._wait_ms * 2, LONGEST_WAIT_MS)
            return wanted(found)

        self.wait_until(look)
        return found

    def jobs(self) -> dict[tuple[str, str], tuple[str, str | None]]:
        """(call, kind) → (state, reason) of all that is or was to be published."""
        rows = self.tenant.access.query(
            "SELECT call_id, kind, state, reason FROM feed_jobs WHERE feed_id = :id", id=self.id
        )
        return {(str(row.call_id), row.kind): (row.state, row.reason) for row in rows}

    @staticmethod
    def wait_until(condition: Callable[[], bool]) -> None:
        """Waits until it holds; fails when that takes a minute."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "it did not happen within a minute"
            time.sleep(0.1)
