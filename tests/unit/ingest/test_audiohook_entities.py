"""Turns as AudioHook's entities: form, ids, places on the session's clock, and how many go into a message."""

from __future__ import annotations

import json
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_partials import turn
from otokura.ingest.dialects.audiohook_entities import (
    LONGEST_EVENT,
    SessionClock,
    duration,
    entity,
    fitting,
    size,
)
from otokura.ingest.dialects.audiohook_messages import LONGEST_TEXT, Exchange

ID = "8c904805-e52d-59db-86c2-8a1200f2dfa2"
START = SessionClock(Decimal(0), Decimal(0))


def test_a_turn_has_the_form_of_the_protocol() -> None:
    """As Genesys' sample server sends it; live text has no words, so there are no tokens."""
    said = turn(1, 1500, "Good morning.", True).model_copy(update={"end_ms": 2750})
    assert entity(ID, said, "en", START) == {
        "type": "transcript",
        "data": {
            "id": ID,
            "channelId": 1,
            "isFinal": True,
            "offset": "PT1.5S",
            "duration": "PT1.25S",
            "alternatives": [
                {
                    "confidence": 1,
                    "languages": ["en"],
                    "interpretations": [{"type": "display", "transcript": "Good morning."}],
                }
            ],
        },
    }


def test_a_language_that_is_not_known_is_not_told() -> None:
    [alternative] = entity(ID, turn(0, 0, "Hm", False), "und", START)["data"]["alternatives"]
    assert "languages" not in alternative


@pytest.mark.parametrize(
    ("seconds", "written"),
    [("0", "PT0S"), ("1.5", "PT1.5S"), ("100", "PT100S"), ("0.0004", "PT0S"), ("3600.123456", "PT3600.123S")],
)
def test_durations_are_written_in_seconds(seconds: str, written: str) -> None:
    """No exponent, no other unit: Genesys reads `PT<number>S` and nothing else."""
    assert duration(Decimal(seconds)) == written


@given(
    position=st.decimals(0, 100_000, places=3),
    began=st.decimals(0, 100_000, places=6),
    after_ms=st.integers(0, 10_000_000),
)
def test_a_place_is_told_on_the_clients_own_clock(position: Decimal, began: Decimal, after_ms: int) -> None:
    """What was said so long after the session began stands so long after where the client was then."""
    clock = SessionClock(position, began)
    call_ms = int(began * 1000) + after_ms
    offset = clock.offset(call_ms)
    if offset is None:
        assert position + Decimal(after_ms) / 1000 < Decimal("0.002")
        return
    assert abs(Decimal(offset[2:-1]) - position - Decimal(after_ms) / 1000) <= Decimal("0.002")


def test_what_was_said_before_the_clients_clock_began_has_no_place() -> None:
    """A session that goes on with a call counts from 0 again: a turn of before it has no offset there."""
    data = entity(ID, turn(0, 59_500, "Hello", True), "en", SessionClock(Decimal(0), Decimal(60)))["data"]
    assert not {"offset", "duration"} & data.keys()
    kept = SessionClock(Decimal(60), Decimal(60))
    assert entity(ID, turn(0, 59_500, "Hello", True), "en", kept)["data"]["offset"] == "PT59.5S"


@given(st.lists(st.text(max_size=3000).map(lambda text: text * 4), min_size=1, max_size=12))
def test_a_message_is_never_longer_than_a_client_takes(texts: list[str]) -> None:
    """Genesys' client gives a session up that is sent more than 65,535 characters."""
    entities = [entity(ID, turn(0, place, text, True), "en", START) for place, text in enumerate(texts)]
    count = fitting(map(size, entities))
    message = Exchange(UUID(int=1)).say("event", {"entities": entities[:count]})
    assert len(message.encode("utf-16-le")) // 2 <= LONGEST_TEXT
    assert len(message.encode()) <= LONGEST_EVENT + 300
    assert json.loads(message)["parameters"]["entities"] == entities[:count]
    assert count == len(entities) or sum(map(size, entities[: count + 1])) > LONGEST_EVENT
