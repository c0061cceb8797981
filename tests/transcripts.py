"""Transcripts made by hand, for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from otokura.shared.events import ChannelRole
from otokura.shared.transcripts import Redaction, Transcript, Turn, Word

CHANNELS = {ChannelRole.AGENT: 0, ChannelRole.CUSTOMER: 1, ChannelRole.MIXED: 0}


def turn(
    words: str,
    start_ms: int = 0,
    end_ms: int = 1000,
    *,
    role: ChannelRole = ChannelRole.CUSTOMER,
    doubtful: bool = False,
) -> Turn:
    """A turn without times of its words."""
    return Turn(
        channel=CHANNELS[role],
        role=role,
        start_ms=start_ms,
        end_ms=end_ms,
        text=words,
        words=[],
        avg_logprob=0,
        no_speech_prob=0,
        doubtful=doubtful,
    )


def spoken(
    text: str | Sequence[str],
    start_ms: int = 0,
    *,
    word_ms: int = 200,
    role: ChannelRole = ChannelRole.CUSTOMER,
    doubtful: bool = False,
) -> Turn:
    """A turn whose words follow each other without a breath.

    Args:
        text: words between spaces, or tokens of Japanese, which are put together as they are.
        start_ms: of the first word.
        word_ms: length of each.
        role: who speaks.
        doubtful: whether the model doubts it.
    """
    tokens = text.split() if isinstance(text, str) else [token for token in text if token.strip()]
    whole = text.strip() if isinstance(text, str) else "".join(text).strip()
    times = [start_ms + i * word_ms for i in range(len(tokens) + 1)]
    words = [
        Word(text=token.strip(), start_ms=times[i], end_ms=times[i + 1], confidence=0.9)
        for i, token in enumerate(tokens)
    ]
    made = turn(whole, start_ms, times[-1], role=role, doubtful=doubtful)
    return made.model_copy(update={"words": words})


def transcript(
    *turns: Turn, language: str = "ja", duration_ms: int = 60_000, redactions: Sequence[Redaction] = ()
) -> Transcript:
    """A call in which this was said."""
    return Transcript(
        call_id=UUID("0199c0de-0000-7000-8000-000000000001"),
        language=language,
        engine="e",
        model="m",
        duration_ms=duration_ms,
        turns=list(turns),
        redactions=list(redactions),
    )
