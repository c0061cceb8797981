"""What of live text is news to somebody who was told some of it."""

from __future__ import annotations

from uuid import UUID

from live_partials import Said, turn
from otokura.shared.live_text import news_of
from otokura.shared.transcripts import PartialTranscript


def partial(*said: Said) -> PartialTranscript:
    turns = [turn(*one) for one in said]
    return PartialTranscript(call_id=UUID(int=1), epoch=1, revision=1, final_through_ms=0, turns=turns)


def test_a_final_turn_is_news_once_and_a_draft_as_the_newest_has_it() -> None:
    """In the order in which it was said, whichever channel, whatever partial it stands in."""
    first = partial((1, 0, "Hello.", True), (0, 900, "Hi th", False), (1, 2000, "gone", False))
    second = partial((0, 900, "Hi there.", True), (1, 1800, "How", False))
    assert [one.text for one in news_of([first, second], set()).values()] == ["Hello.", "Hi there.", "How"]
    assert [one.text for one in news_of([first, second], {(1, 0), (0, 900)}).values()] == ["How"]
    assert news_of([partial()], set()) == {}
