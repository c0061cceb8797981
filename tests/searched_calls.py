"""Calls to look for: what is said in them, what of it is redacted, and how they went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from access_calls import transcript_of
from otokura.shared.events import ChannelRole
from otokura.shared.insight.models import Evidence, Finding, Signals, Silence
from otokura.shared.insight.settings import FindingKind
from otokura.shared.redactions import Redaction, RedactionKind
from otokura.shared.transcripts import Transcript, Turn, Word

_ROLES = (ChannelRole.AGENT, ChannelRole.CUSTOMER)


def turn_of(number: int, text: str) -> Turn:
    """A turn, a second long, with a word for each character."""
    start = 1000 * number
    words = [
        Word(text=one, start_ms=start + 10 * at, end_ms=start + 10 * at + 10, confidence=0.9)
        for at, one in enumerate(text)
        if not one.isspace()
    ]
    return Turn(
        channel=number % 2,
        role=_ROLES[number % 2],
        start_ms=start,
        end_ms=start + 900,
        text=text,
        words=words,
        avg_logprob=-0.2,
        no_speech_prob=0.01,
    )


def saying(
    *turns: str,
    hidden: Sequence[str] | None = (),
    language: str = "ja",
    signals: Signals | None = None,
) -> Callable[[UUID], Transcript]:
    """Makes a transcript of these turns.

    Args:
        turns: what is said, agent and customer in turn.
        hidden: parts of it that are redacted; None: nobody has looked.
        language: of the transcript.
        signals: how it went.
    """

    def said(call_id: UUID) -> Transcript:
        return transcript_of(call_id).model_copy(
            update={
                "language": language,
                "turns": [turn_of(number, text) for number, text in enumerate(turns)],
                "redactions": None if hidden is None else redactions_of(turns, hidden),
                "signals": signals,
            }
        )

    return said


def redactions_of(turns: Sequence[str], hidden: Sequence[str]) -> list[Redaction]:
    """The places of these parts, as card numbers."""
    return [
        Redaction(
            turn=number,
            start=text.index(part),
            end=text.index(part) + len(part),
            kind=RedactionKind.CARD_NUMBER,
            start_ms=1000 * number,
            end_ms=1000 * number + 900,
        )
        for part in hidden
        for number, text in enumerate(turns)
        if part in text
    ]


def finding(kind: FindingKind, label: str) -> Signals:
    """Signals with one finding."""
    words = Evidence(turn=0, start=0, end=1, start_ms=0, end_ms=10, words="x", sentence="x")
    found = Finding(kind=kind, rule="test", label=label, role=ChannelRole.CUSTOMER, evidence=[words])
    of = {FindingKind.COMPLAINT: "complaints", FindingKind.ABUSE: "abuse", FindingKind.PROMISE: "promises"}
    plain = Signals(talk=[], silence=Silence(total_ms=0, ratio=0), interruptions=None)
    return plain.model_copy(update={of[kind]: [found]})
