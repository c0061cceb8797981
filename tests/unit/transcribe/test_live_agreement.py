"""Words become final when two hypotheses in a row begin with them, and turns when somebody pauses."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from live_words import segment, sentence, word
from otokura.shared.events import ChannelRole
from otokura.transcribe.live.agreement import agreed, unconfirmed
from otokura.transcribe.live.speech import LONGEST_TURN_MS, Speech


def speech() -> Speech:
    return Speech(0, ChannelRole.AGENT, 0)


@pytest.mark.parametrize(
    ("before", "now", "count"),
    [
        ("", "good morning", 0),
        ("good", "good morning", 1),
        ("Good, morning", "good morning to you", 2),
        ("good evening", "good morning", 1),
        ("bad", "good", 0),
    ],
)
def test_two_hypotheses_agree_on_what_both_begin_with(before: str, now: str, count: int) -> None:
    """Case and punctuation do not matter; what differs, and all after it, is not agreed on."""
    assert agreed(sentence(before, 0), sentence(now, 0)) == count


@pytest.mark.parametrize(
    ("confirmed", "heard", "rest"),
    [
        ("", "good morning", "good morning"),
        ("good", "good morning", "morning"),
        ("good morning", "food morning to you", "to you"),
        ("good morning", "", ""),
    ],
)
def test_what_is_new_comes_after_what_is_confirmed(confirmed: str, heard: str, rest: str) -> None:
    """By the words where they are the same, by time where the engine has changed its mind."""
    found = unconfirmed(sentence(confirmed, 0), sentence(heard, 0))
    assert " ".join(one.text.strip() for one in found) == rest


def test_a_turn_is_closed_by_a_pause_and_not_before_two_hypotheses_agree() -> None:
    """A guess that changes is never closed; the turn holds what was agreed on."""
    one = speech()
    one.heard(segment(sentence("may I help", 0)), 700)
    assert one.open is not None
    assert one.open.text == "may I help"
    one.heard(segment(sentence("may I have your", 0)), 1000)
    one.heard(segment(sentence("may I have your name", 0)), 3000)
    assert one.closed == []
    one.heard(segment(sentence("may I have your name", 0)), 3500)
    assert [turn.text for turn in one.closed] == ["may I have your name"]
    assert one.open is None
    assert one.needed_from_ms >= 1000


def test_a_guess_that_goes_away_leaves_nothing() -> None:
    """What one hypothesis invents, and the next does not hear, was never said."""
    one = speech()
    one.heard(segment(sentence("thanks for watching", 0)), 1000)
    one.heard([], 2000)
    one.heard([], 4000)
    assert (one.closed, one.open) == ([], None)
    assert one.needed_from_ms == 2500


def test_who_does_not_pause_gets_turns_all_the_same() -> None:
    """A turn longer than an engine's window is closed between two words, and the rest goes on after it."""
    one = speech()
    words = [word(f" w{n}", n * 300, (n + 1) * 300) for n in range(200)]
    for end in range(1000, 60_000, 1000):
        held = [w for w in words if one.needed_from_ms <= w.start_ms and w.end_ms <= end]
        one.heard(segment(held), end)
        assert end - one.needed_from_ms <= LONGEST_TURN_MS + 3000
    one.finish(60_000)
    said = " ".join(turn.text for turn in one.closed).split()
    assert said == [f"w{n}" for n in range(len(said))]
    assert len(said) >= 190


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_what_is_closed_never_changes(lengths: list[int], random: Random) -> None:
    """Whatever the hypotheses do at their ends, closed turns stay, and each word is closed once."""
    one, clock, seen = speech(), 0, list[str]()
    said = list[str]()
    for number, length in enumerate(lengths):
        words = sentence(" ".join(f"n{number}w{n}" for n in range(length)), clock)
        said += [w.text.strip() for w in words]
        for count in range(1, length + 1):
            heard = [
                *words[: count - 1],
                word(f" {random.choice('xy')}", words[count - 1].start_ms, words[count - 1].end_ms),
            ]
            one.heard(segment(heard), words[count - 1].end_ms)
            assert [turn.text for turn in one.closed][: len(seen)] == seen
            seen = [turn.text for turn in one.closed]
        clock = words[-1].end_ms + 2500
        one.heard(segment(words), clock - 1000)
        one.heard(segment(words), clock - 500)
    one.finish(clock)
    assert " ".join(turn.text for turn in one.closed).split() == said
