"""From a transcript to the events of a feed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.access.feeds import rendering
from otokura.shared.events import ChannelRole, TranscriptCompleted
from otokura.shared.feeds import Disclosed, FeedField
from otokura.shared.producer import MAX_RECORD_BYTES
from otokura.shared.redacted import redacted
from otokura.shared.transcripts import Redaction, RedactionKind, Transcript, Turn, Word

FEED, TENANT, CALL, ENTRY = (UUID(int=n) for n in range(1, 5))
AT = datetime(2026, 11, 24, tzinfo=UTC)
EVERYTHING = frozenset(FeedField)
ROW: dict[str, Any] = {
    "external_id": "cti-7",
    "direction": "inbound",
    "agent_id": "2041",
    "channels": [{"role": "agent"}, {"role": "customer"}],
    "purposes": ["quality"],
    "started_at": AT,
    "ended_at": None,
}
ANNOUNCED = TranscriptCompleted(
    call_id=CALL,
    tenant_id=TENANT,
    version=3,
    bucket="transcripts",
    object="x",
    language="en",
    turns=1,
    words=1,
    characters=1,
    duration_ms=60_000,
    plaintext_bytes=1,
    plaintext_sha256="0" * 64,
    engine="e",
    model="m",
    completed_at=AT,
)


def turn(text: str, start_ms: int = 0) -> Turn:
    words = [
        Word(text=word, start_ms=start_ms + n, end_ms=start_ms + n + 1, confidence=0.9)
        for n, word in enumerate(text.split())
    ]
    return Turn(
        channel=1,
        role=ChannelRole.CUSTOMER,
        start_ms=start_ms,
        end_ms=start_ms + 1000,
        text=text,
        words=words,
        avg_logprob=-0.1,
        no_speech_prob=0.0,
    )


def transcript(turns: list[Turn], redactions: list[Redaction] | None = None) -> Transcript:
    return Transcript(
        call_id=CALL,
        language="en",
        engine="e",
        model="m",
        duration_ms=60_000,
        turns=turns,
        redactions=redactions or [],
    )


def disclosed(*, redacted: bool = True) -> Disclosed:
    return Disclosed(
        feed_id=FEED,
        tenant_id=TENANT,
        call_id=CALL,
        purpose="quality",
        redacted=redacted,
        entry_id=ENTRY,
    )


def events(what: Transcript, fields: frozenset[str] = EVERYTHING, *, raw: bool = False) -> list[Any]:
    return rendering.completed(what, ANNOUNCED, ROW, fields, disclosed(redacted=not raw))


@pytest.mark.guarantee("T61")
@given(
    before=st.text("abc d", max_size=20),
    secret=st.text("0123456789", min_size=4, max_size=16),
    after=st.text("abc d", max_size=20),
)
def test_what_is_redacted_stands_nowhere_in_an_event(before: str, secret: str, after: str) -> None:
    text = f"{before} {secret} {after}"
    start = len(before) + 1
    place = Redaction(
        turn=0,
        start=start,
        end=start + len(secret),
        kind=RedactionKind.CARD_NUMBER,
        start_ms=0,
        end_ms=1,
    )
    [event] = events(redacted(transcript([turn(text)], [place])))
    [told] = event.turns
    assert told.text == f"{before} [card-number] {after}"
    assert secret not in told.text
    assert all(secret not in word.text for word in told.words)
    [shown] = told.redactions
    assert told.text[shown.start : shown.end] == "[card-number]"
    assert event.redacted is True


def test_a_feed_is_given_the_parts_that_it_asked_for() -> None:
    what = transcript([turn("hello there")])
    [turns] = events(what, frozenset({FeedField.TURNS}))
    assert turns.turns[0].words is None
    assert turns.call is None
    [call] = events(what, frozenset({FeedField.CALL}))
    assert call.turns is None
    assert (call.call.external_id, call.call.agent_id, call.call.purposes) == ("cti-7", "2041", ["quality"])
    [words] = events(what, frozenset({FeedField.TURNS, FeedField.WORDS}))
    assert [word.text for word in words.turns[0].words] == ["hello", "there"]


def test_an_event_says_which_transcript_it_is_and_why_it_was_given() -> None:
    [event] = events(transcript([]))
    assert (event.version, event.engine, event.model, event.part, event.parts) == (3, "e", "m", 1, 1)
    assert (event.purpose, event.entry_id, event.feed_id) == ("quality", ENTRY, FEED)
    assert event.turns == []


def test_the_same_event_has_the_same_id_and_no_other_has() -> None:
    kind = "otokura.feed.transcript-completed.v1"
    assert rendering.event_id(FEED, CALL, kind, 3, 1) == rendering.event_id(FEED, CALL, kind, 3, 1)
    others = [
        rendering.event_id(TENANT, CALL, kind, 3, 1),
        rendering.event_id(FEED, FEED, kind, 3, 1),
        rendering.event_id(FEED, CALL, "otokura.call.erased.v1", 3, 1),
        rendering.event_id(FEED, CALL, kind, 4, 1),
        rendering.event_id(FEED, CALL, kind, 3, 2),
        rendering.event_id(FEED, CALL, kind, 3, 1),
    ]
    assert len(set(others)) == len(others)


@pytest.mark.guarantee("T63")
def test_a_transcript_of_any_length_fits_into_events_and_nothing_of_it_is_lost() -> None:
    """People who never pause, for longer than one record may hold."""
    turns = [turn("a word and another one " * 60, start_ms=n * 1000) for n in range(80)]
    told = events(transcript(turns))
    assert len(told) > 1
    assert [event.part for event in told] == list(range(1, len(told) + 1))
    assert {event.parts for event in told} == {len(told)}
    assert [t.start_ms for event in told for t in event.turns] == [t.start_ms for t in turns]
    assert [event.first_turn for event in told] == [
        sum(len(earlier.turns) for earlier in told[:n]) for n in range(len(told))
    ]
    assert [event.call is None for event in told] == [False, *[True] * (len(told) - 1)]
    assert max(len(event.model_dump_json().encode()) for event in told) < MAX_RECORD_BYTES


def test_a_turn_too_long_for_an_event_is_given_without_its_words() -> None:
    [event] = events(transcript([turn("word " * 30_000)]))
    assert event.turns[0].words is None
    assert event.turns[0].text == "word " * 30_000
    assert len(event.model_dump_json().encode()) < MAX_RECORD_BYTES
