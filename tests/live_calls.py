"""Live calls as ingest would send them: a sample call's audio in chunks, at the speed of speech or faster."""

from __future__ import annotations

import asyncio
import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import speech
from otokura.shared.cipher import encrypt
from otokura.shared.cloudevents import encode
from otokura.shared.events import ChannelRole, KeyWrapped, LiveChunk, TranscriptPartial
from otokura.shared.ids import uuid7
from otokura.shared.kafka import Producer
from otokura.shared.keys import (
    KeyContext,
    Kind,
    LocalKeyProvider,
    associated_data,
    commitment,
    derive,
    new_dek,
)
from otokura.shared.live_text import open_partial
from otokura.shared.transcripts import PartialTranscript

RATE = 8000
CHUNK_MS = 500


def wire_audio(name: str) -> bytes:
    """The µ-law samples of a sample call, two channels."""
    content = (speech.CALLS / f"{name}.wav").read_bytes()
    return content[content.index(b"data") + 8 :]


@dataclass
class LiveCall:
    """One call on its way.

    Attributes:
        sent_at: by the ms that a chunk ends with, when it was sent (`loop.time()`).
    """

    name: str
    keys: LocalKeyProvider
    call_id: UUID = field(default_factory=uuid7)
    tenant_id: UUID = field(default_factory=uuid7)
    dek: bytes = field(default_factory=new_dek)
    sent_at: dict[int, float] = field(default_factory=dict[int, float])

    async def key(self) -> KeyWrapped:
        """The event of its key."""
        wrapped = await self.keys.wrap(self.dek, KeyContext(self.tenant_id, self.call_id))
        return KeyWrapped(
            call_id=self.call_id,
            tenant_id=self.tenant_id,
            version=1,
            kek_id=wrapped.kek_id,
            wrapped=base64.b64encode(wrapped.wrapped),
            commitment=commitment(self.dek, self.call_id),
        )

    def chunk(self, seq: int, start: int, data: bytes, *, ended: bool = False) -> LiveChunk:
        """A chunk with its audio sealed."""
        binding = associated_data(self.tenant_id, self.call_id, Kind.LIVE, sequence=seq, version=1)
        sealed = encrypt(derive(self.dek, Kind.LIVE, self.call_id), data, binding)
        return LiveChunk(
            call_id=self.call_id,
            tenant_id=self.tenant_id,
            version=1,
            epoch=1,
            seq=seq,
            start_sample=start,
            samples=len(data) // 2,
            rate=RATE,
            encoding="mulaw",
            roles=[ChannelRole.AGENT, ChannelRole.CUSTOMER],
            language=self.name[:2],
            sealed=None if ended else base64.b64encode(sealed),
            ended=ended,
            recorded_at=datetime.now(UTC),
        )

    async def stream(
        self,
        producer: Producer,
        seconds: float,
        speed: float = 1.0,
        *,
        until: float = math.inf,
        go_on: asyncio.Event | None = None,
    ) -> None:
        """Sends the first seconds of the call, each chunk when its last sample was said, and the end.

        Args:
            producer: sends them.
            seconds: how much of the call.
            speed: how much faster than it was said.
            until: after so many seconds nothing is sent before `go_on` is set.
            go_on: what is waited for there.
        """
        loop = asyncio.get_running_loop()
        size = 2 * CHUNK_MS * RATE // 1000
        audio = wire_audio(self.name)[: int(seconds * 2 * RATE)]
        pieces = [audio[at : at + size] for at in range(0, len(audio), size)]
        began = loop.time()
        for seq, piece in enumerate(pieces):
            if go_on is not None and (seq + 1) * CHUNK_MS / 1000 > until:
                await go_on.wait()
            await asyncio.sleep(max(0.0, began + (seq + 1) * CHUNK_MS / 1000 / speed - loop.time()))
            self.sent_at[(seq + 1) * CHUNK_MS] = loop.time()
            await send(producer, self.chunk(seq, seq * size // 2, piece))
        await send(producer, self.chunk(len(pieces), len(audio) // 2, b"", ended=True))

    def opened(self, events: Sequence[TranscriptPartial]) -> list[PartialTranscript]:
        """What its partials say, in the order in which they came."""
        return [open_partial(self.dek, event) for event in events if event.call_id == self.call_id]


async def send(producer: Producer, *events: KeyWrapped | LiveChunk) -> None:
    """Sends events as another service would."""
    await producer.send(*(encode(event, uuid7(), "test", datetime.now(UTC)) for event in events))


def finals(partials: Sequence[PartialTranscript]) -> dict[tuple[int, int], str]:
    """The final turns by channel and start.

    Raises:
        AssertionError: one was published as two texts.
    """
    found: dict[tuple[int, int], str] = {}
    for partial in partials:
        for turn in partial.turns:
            if turn.final:
                assert found.setdefault((turn.channel, turn.start_ms), turn.text) == turn.text
    return found
