"""From a transcript to the events of a feed: pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

from otokura.shared.events import TranscriptCompleted
from otokura.shared.feeds import (
    Disclosed,
    FeedCall,
    FeedField,
    FeedRedaction,
    FeedTranscriptCompleted,
    FeedTurn,
    FeedWord,
)
from otokura.shared.transcripts import Redaction, Transcript, Turn

EVENT_IDS = UUID("5a4f1d0e-6c1b-5b0e-9d53-0c6f1b0a7e21")
"""The namespace (RFC 9562 §5.5) of the ids of a feed's events."""
PART_BYTES = 700_000
"""Of turns in one event: with the rest it stays below what a broker accepts."""


def event_id(feed_id: UUID, call_id: UUID, event_type: str, *which: int) -> UUID:
    """The same for the same event, however often it is sent: readers tell repeats by it."""
    return uuid5(EVENT_IDS, "/".join([str(feed_id), str(call_id), event_type, *map(str, which)]))


def completed(
    transcript: Transcript,
    announced: TranscriptCompleted,
    call: Mapping[str, Any],
    fields: frozenset[str],
    disclosed: Disclosed,
) -> list[FeedTranscriptCompleted]:
    """The events that tell a transcript, most often one.

    Args:
        transcript: redacted already, where the feed is.
        announced: which transcript it is.
        call: the call's row in the read model.
        fields: those of `FeedField` that the feed has.
        disclosed: what every event says of itself.
    """
    about = {
        **disclosed.model_dump(),
        "version": announced.version,
        "completed_at": announced.completed_at,
        "language": transcript.language,
        "engine": transcript.engine,
        "model": transcript.model,
        "duration_ms": transcript.duration_ms,
    }
    once = {
        "call": _call(call) if FeedField.CALL in fields else None,
        "signals": transcript.signals if FeedField.SIGNALS in fields else None,
        "summary": transcript.summary if FeedField.SUMMARY in fields else None,
    }
    if FeedField.TURNS not in fields:
        whole = {"part": 1, "parts": 1, "first_turn": 0}
        return [FeedTranscriptCompleted.model_validate({**about, **once, **whole})]
    parts = list(_parts(list(_turns(transcript, disclosed.redacted, FeedField.WORDS in fields))))
    events: list[FeedTranscriptCompleted] = []
    for number, turns in enumerate(parts, start=1):
        place = {"part": number, "parts": len(parts), "first_turn": sum(map(len, parts[: number - 1]))}
        events.append(FeedTranscriptCompleted.model_validate({**about, **once, **place, "turns": turns}))
        once = {}
    return events


def _call(row: Mapping[str, Any]) -> FeedCall:
    return FeedCall.model_validate({name: row[name] for name in FeedCall.model_fields})


def _turns(transcript: Transcript, redacted: bool, words: bool) -> Iterator[FeedTurn]:
    places: dict[int, list[FeedRedaction]] = {}
    for one in (transcript.redactions or []) if redacted else []:
        places.setdefault(one.turn, []).append(_redaction(one))
    for number, turn in enumerate(transcript.turns):
        yield _turn(turn, places.get(number, []), words)


def _turn(turn: Turn, redactions: list[FeedRedaction], words: bool) -> FeedTurn:
    spoken = [FeedWord.model_validate(word.model_dump()) for word in turn.words] if words else None
    told = FeedTurn(
        channel=turn.channel,
        role=turn.role,
        start_ms=turn.start_ms,
        end_ms=turn.end_ms,
        text=turn.text,
        doubtful=turn.doubtful,
        words=spoken,
        redactions=redactions,
    )
    return told if _size(told) <= PART_BYTES else told.model_copy(update={"words": None})


def _redaction(one: Redaction) -> FeedRedaction:
    return FeedRedaction.model_validate(one.model_dump(mode="json"))


def _parts(turns: Sequence[FeedTurn]) -> Iterator[list[FeedTurn]]:
    """The turns, as many to a part as fit; one part where there are none."""
    part: list[FeedTurn] = []
    size = 0
    for turn in turns:
        more = _size(turn)
        if part and size + more > PART_BYTES:
            yield part
            part, size = [], 0
        part.append(turn)
        size += more
    yield part


def _size(turn: FeedTurn) -> int:
    return len(turn.model_dump_json().encode()) + 1
