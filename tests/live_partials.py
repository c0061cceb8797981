"""Live text as transcribe publishes it: partials, sealed under a call's key, sent through the broker."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast
from uuid import UUID

from otokura.shared.cloudevents import encode
from otokura.shared.events import ChannelRole, Topic, TranscriptPartial
from otokura.shared.ids import uuid7
from otokura.shared.kafka import Producer, ensure_topics
from otokura.shared.kafka_settings import KafkaSettings
from otokura.shared.live_text import seal_partial
from otokura.shared.transcripts import PartialTranscript, PartialTurn

ROLES = (ChannelRole.CUSTOMER, ChannelRole.AGENT)
Said = tuple[int, int, str, bool]
"""Channel, start in ms, text, whether it is final."""


def turn(channel: int, start_ms: int, text: str, final: bool) -> PartialTurn:
    """A turn of half a second."""
    return PartialTurn(
        channel=channel,
        role=ROLES[channel],
        start_ms=start_ms,
        end_ms=start_ms + 500,
        text=text,
        final=final,
    )


def sealed(
    tenant_id: UUID,
    call_id: UUID,
    dek: bytes,
    revision: int,
    *said: Said,
    epoch: int = 1,
    since: int | None = None,
    language: str = "en",
) -> TranscriptPartial:
    """The event of a partial; it has what became final in it, and of before only what `since` says."""
    partial = PartialTranscript(
        call_id=call_id,
        epoch=epoch,
        revision=revision,
        final_through_ms=0,
        turns=[turn(*one) for one in said],
    )
    through = revision - 1 if since is None else since
    return seal_partial(dek, tenant_id, partial, language=language, since=through)


async def publish(kafka: dict[str, object], *events: TranscriptPartial) -> None:
    """Sends partials to the topic."""
    settings = cast("KafkaSettings", SimpleNamespace(**kafka))
    await ensure_topics(settings, [Topic.TRANSCRIPTS])
    producer = Producer(settings)
    try:
        await producer.send(*(encode(event, uuid7(), "test", datetime.now(UTC)) for event in events))
    finally:
        await producer.stop()
