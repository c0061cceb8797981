"""Words as an engine would hear them, for tests of live text."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from otokura.shared.events import ChannelRole, LiveChunk
from otokura.transcribe.engine import HeardWord, Segment

CALL, TENANT = UUID(int=3), UUID(int=4)
RATE = 8000


def word(text: str, start_ms: int, end_ms: int) -> HeardWord:
    return HeardWord(text=text, start_ms=start_ms, end_ms=end_ms, confidence=0.9)


def sentence(text: str, start_ms: int, each_ms: int = 200) -> list[HeardWord]:
    """The words of a text, one after the other."""
    return [
        word(f" {one}", start_ms + n * each_ms, start_ms + (n + 1) * each_ms)
        for n, one in enumerate(text.split())
    ]


def segment(words: list[HeardWord]) -> list[Segment]:
    return [Segment(words=words, avg_logprob=-0.1, no_speech_prob=0.01, compression_ratio=1)] if words else []


def chunk(seq: int, start_ms: int, length_ms: int, *, epoch: int = 1, ended: bool = False) -> LiveChunk:
    """A chunk of two channels; its audio is `silence` of as many ms."""
    return LiveChunk(
        call_id=CALL,
        tenant_id=TENANT,
        version=epoch,
        epoch=epoch,
        seq=seq,
        start_sample=start_ms * RATE // 1000,
        samples=length_ms * RATE // 1000,
        rate=RATE,
        encoding="mulaw",
        roles=[ChannelRole.AGENT, ChannelRole.CUSTOMER],
        language="en",
        ended=ended,
        recorded_at=datetime.now(UTC),
    )


def audio(length_ms: int) -> bytes:
    return b"\xff" * (2 * length_ms * RATE // 1000)
