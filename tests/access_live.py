"""Calls that last, and their text as readers are sent it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

from access_audit import run
from access_calls import started_of
from access_service import Access, Tenant
from otokura.shared.cloudevents import encode
from otokura.shared.events import ChannelRole, KeyWrapped, TranscriptCompleted, TranscriptPartial
from otokura.shared.ids import uuid7
from otokura.shared.kafka import Producer
from otokura.shared.kafka_settings import KafkaSettings
from otokura.shared.keys import KeyContext, commitment, new_dek
from otokura.shared.live_text import seal_partial
from otokura.shared.transcripts import PartialTranscript, PartialTurn


@dataclass(frozen=True)
class Live:
    """A call that lasts, with its key."""

    access: Access
    tenant: Tenant
    call_id: UUID
    dek: bytes

    @property
    def id(self) -> UUID:
        """As other calls name theirs."""
        return self.call_id

    @property
    def path(self) -> str:
        return f"/v1/calls/{self.call_id}/transcript/live"

    def say(self, revision: int, *turns: tuple[int, str, bool], epoch: int = 1, since: int = 0) -> None:
        """Publishes a partial whose turns are (start, text, final)."""
        said = [
            PartialTurn(
                channel=0, role=ChannelRole.AGENT, start_ms=start, end_ms=start + 500, text=text, final=final
            )
            for start, text, final in turns
        ]
        partial = PartialTranscript(
            call_id=self.call_id, epoch=epoch, revision=revision, final_through_ms=0, turns=said
        )
        run(self._send(seal_partial(self.dek, self.tenant.id, partial, language="ja", since=since)))

    async def _send(self, event: TranscriptPartial) -> None:
        producer = Producer(cast("KafkaSettings", SimpleNamespace(**self.access.kafka)))
        try:
            await producer.send(encode(event, uuid7(), "test", datetime.now(UTC)))
        finally:
            await producer.stop()

    def complete(self) -> None:
        """The recording's transcript exists."""
        event = TranscriptCompleted(
            call_id=self.call_id,
            tenant_id=self.tenant.id,
            version=1,
            bucket="transcripts",
            object="x",
            language="ja",
            turns=1,
            words=1,
            characters=1,
            duration_ms=1000,
            plaintext_bytes=1,
            plaintext_sha256="0" * 64,
            engine="e",
            model="m",
            completed_at=datetime.now(UTC),
        )
        self.access.apply(event)


def live_call(access: Access, tenant: Tenant) -> Live:
    """A call that has begun, and whose key has arrived."""
    call_id, dek = uuid7(), new_dek()
    wrapped = run(access.keys.wrap(dek, KeyContext(tenant.id, call_id)))
    key = KeyWrapped(
        call_id=call_id,
        tenant_id=tenant.id,
        version=1,
        kek_id=wrapped.kek_id,
        wrapped=base64.b64encode(wrapped.wrapped),
        commitment=commitment(dek, call_id),
    )
    access.apply(started_of(call_id, tenant.id), key)
    return Live(access, tenant, call_id, dek)


def events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any], str | None]]:
    """Name, data and id of each server-sent event."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
        elif "event" in fields:
            yield fields["event"], json.loads(fields["data"]), fields.get("id")
            fields = {}


def texts(data: dict[str, Any]) -> list[tuple[str, bool]]:
    return [(turn["text"], turn["final"]) for turn in data["turns"]]
