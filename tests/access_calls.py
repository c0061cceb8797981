"""Calls as ingest and transcribe would leave them: objects in the store, and events about them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from otokura.access.feeds import handlers as feed_handlers
from otokura.access.lifecycle import handlers as lifecycle
from otokura.access.reads import handlers
from otokura.access.search import handlers as search_handlers
from otokura.shared.consumer import EventContext
from otokura.shared.customer_keys import CustomerCopy, copy_for
from otokura.shared.events import (
    CallEnded,
    CallEvent,
    CallSettled,
    CallStarted,
    Channel,
    ChannelRole,
    Direction,
    ErasureApplied,
    ErasureRequested,
    EventData,
    KeyWrapped,
    Notice,
    RecordingSealed,
    TranscriptCompleted,
    TranscriptFailed,
    TranscriptPartial,
)
from otokura.shared.ids import uuid7
from otokura.shared.keys import (
    KeyContext,
    Kind,
    LocalKeyProvider,
    associated_data,
    commitment,
    derive,
    new_dek,
)
from otokura.shared.manifest import Manifest, StoredObject
from otokura.shared.objects import ObjectStore
from otokura.shared.sealed_objects import seal
from otokura.shared.transcripts import Transcript, Turn, Word


@dataclass(frozen=True)
class Call:
    """A call to read: what was sealed, and where."""

    id: UUID
    manifest: Manifest
    audio: bytes
    transcript: Transcript
    events: tuple[CallEvent, ...]


async def seal_call(
    store: ObjectStore,
    keys: LocalKeyProvider,
    tenant_id: UUID,
    audio: bytes,
    *,
    said: Callable[[UUID], Transcript] | None = None,
    customer_key: str | None = None,
    **about: Any,
) -> Call:
    """A sealed and transcribed call: its objects are stored, its events are told to nobody yet."""
    call_id, dek = uuid7(), new_dek()
    transcript = (said or transcript_of)(call_id)
    stored = await store_recording(store, tenant_id, call_id, dek, audio)
    words = await store_transcript(store, tenant_id, dek, transcript)
    wrapped = await keys.wrap(dek, KeyContext(tenant_id, call_id))
    started = started_of(call_id, tenant_id, **about)
    manifest = manifest_of(started, stored, commitment(dek, call_id))
    common = {"call_id": call_id, "tenant_id": tenant_id}
    at = started.started_at + timedelta(minutes=1)
    events = (
        started,
        CallEnded(**common, version=2, ended_at=at),
        CallSettled(**common, version=4, outcome="sealed", settled_at=at),
        RecordingSealed(
            **common,
            version=4,
            manifest=manifest.model_dump(mode="json"),
            manifest_sha256=manifest.sha256(),
            sealed_at=at,
            customer_key=customer_copy(customer_key, dek) if customer_key else None,
        ),
        KeyWrapped.model_validate(
            {
                **common,
                "version": 1,
                "kek_id": wrapped.kek_id,
                "wrapped": base64.b64encode(wrapped.wrapped),
                "commitment": commitment(dek, call_id),
            }
        ),
        TranscriptCompleted(**common, version=1, completed_at=at, **words),
    )
    return Call(call_id, manifest, audio, transcript, events)


def customer_copy(customer_key: str, dek: bytes) -> CustomerCopy:
    """The key for the customer's own, as ingest tells of it."""
    key_sha256, wrapped = copy_for(customer_key, dek)
    return CustomerCopy(key_sha256=key_sha256, wrapped=base64.b64encode(wrapped))


async def store_recording(
    store: ObjectStore, tenant_id: UUID, call_id: UUID, dek: bytes, audio: bytes
) -> StoredObject:
    """The sealed recording."""
    name = f"recordings/{tenant_id}/{call_id}"
    info = await seal(
        store,
        "recordings",
        name,
        chunks_of(audio),
        key=derive(dek, Kind.RECORDING, call_id),
        associated_data=associated_data(tenant_id, call_id, Kind.RECORDING),
    )
    return StoredObject(
        bucket="recordings",
        name=name,
        media_type="audio/flac",
        plaintext_bytes=info.plaintext_bytes,
        plaintext_sha256=info.plaintext_sha256,
    )


async def store_transcript(
    store: ObjectStore, tenant_id: UUID, dek: bytes, transcript: Transcript, version: int = 1
) -> dict[str, Any]:
    """The sealed transcript, and what its event says of it."""
    call_id = transcript.call_id
    name = f"transcripts/{tenant_id}/{call_id}/{version}"
    plaintext = transcript.model_dump_json().encode()
    await seal(
        store,
        "transcripts",
        name,
        chunks_of(plaintext),
        key=derive(dek, Kind.TRANSCRIPT, call_id),
        associated_data=associated_data(tenant_id, call_id, Kind.TRANSCRIPT, version=version),
    )
    return {
        "bucket": "transcripts",
        "object": name,
        "language": transcript.language,
        "turns": len(transcript.turns),
        "words": 4,
        "characters": 20,
        "duration_ms": transcript.duration_ms,
        "plaintext_bytes": len(plaintext),
        "plaintext_sha256": hashlib.sha256(plaintext).hexdigest(),
        "engine": "test",
        "model": "none",
    }


async def chunks_of(data: bytes) -> AsyncIterator[bytes]:
    yield data


def started_of(call_id: UUID, tenant_id: UUID, **about: Any) -> CallStarted:
    """The beginning of a call of agent 2041."""
    values: dict[str, Any] = {
        "call_id": call_id,
        "tenant_id": tenant_id,
        "version": 1,
        "external_id": f"cti-{call_id}",
        "direction": Direction.INBOUND,
        "agent_id": "2041",
        "channels": [Channel(role=ChannelRole.AGENT), Channel(role=ChannelRole.CUSTOMER)],
        "notice": Notice(given="announced", version="2026-04"),
        "purposes": ["quality"],
        "language": "ja",
        "started_at": datetime.now(UTC),
        "personal": None,
    }
    return CallStarted(**{**values, **about})


def manifest_of(started: CallStarted, stored: StoredObject, key_commitment: str) -> Manifest:
    """The manifest of a minute of audio."""
    return Manifest(
        call_id=started.call_id,
        tenant_id=started.tenant_id,
        external_id=started.external_id,
        origin="live",
        direction=started.direction,
        channels=started.channels,
        sample_rate=8000,
        samples=480_000,
        duration_ms=60_000,
        gaps=[],
        notice=started.notice,
        purposes=started.purposes,
        started_at=started.started_at,
        ended_at=started.started_at + timedelta(minutes=1),
        recording=stored,
        key_commitment=key_commitment,
    )


def transcript_of(call_id: UUID) -> Transcript:
    """Two turns, one of them with characters that mean something to WebVTT."""
    said = [
        (0, ChannelRole.AGENT, "お電話ありがとうございます。"),
        (1, ChannelRole.CUSTOMER, "A < B & C --> D"),
    ]
    turns = [
        Turn(
            channel=channel,
            role=role,
            start_ms=1000 * number,
            end_ms=1000 * number + 900,
            text=words,
            words=[Word(text=words, start_ms=1000 * number, end_ms=1000 * number + 900, confidence=0.9)],
            avg_logprob=-0.2,
            no_speech_prob=0.01,
        )
        for number, (channel, role, words) in enumerate(said)
    ]
    return Transcript(
        call_id=call_id, language="ja", engine="test", model="none", duration_ms=60_000, turns=turns
    )


HANDLERS: dict[type[CallEvent], Callable[..., Awaitable[None]]] = {
    CallStarted: handlers.call_started,
    CallEnded: handlers.call_ended,
    CallSettled: handlers.call_settled,
    RecordingSealed: handlers.recording_sealed,
    KeyWrapped: handlers.key_wrapped,
    TranscriptCompleted: handlers.transcript_completed,
    TranscriptFailed: handlers.transcript_failed,
    ErasureRequested: lifecycle.subscriptions()[0].handler,
    ErasureApplied: lifecycle.erasure_applied,
}

FEED_HANDLERS: dict[type[CallEvent], Callable[..., Awaitable[None]]] = {
    TranscriptCompleted: feed_handlers.transcript_completed,
    TranscriptPartial: feed_handlers.transcript_partial,
}
"""What follows in the same transaction."""


SEARCH_HANDLERS: dict[type[CallEvent], Callable[..., Awaitable[None]]] = {
    CallStarted: search_handlers.call_started,
    TranscriptCompleted: search_handlers.transcript_completed,
}
"""As above."""


def context_of(event: EventData) -> EventContext:
    """Where an event came from, for handlers called without a consumer."""
    return EventContext(uuid7(), "test", event.TYPE, datetime.now(UTC), event.TOPIC, 0, 0, 1)
