"""Talk, silence, interruptions and speed, in numbers that can be checked by hand. Times in ms."""

from __future__ import annotations

import pytest

from otokura.shared.events import ChannelRole
from otokura.shared.insight import InsightRules, Interruption, Silence, Span, SpeedUnit
from otokura.shared.redacted import redacted
from otokura.shared.transcripts import Redaction, RedactionKind, Transcript, Turn, Word
from otokura.transcribe.insight import timeline
from otokura.transcribe.insight.rules import rules_for
from transcripts import CHANNELS, transcript, turn

AGENT, CUSTOMER = ChannelRole.AGENT, ChannelRole.CUSTOMER


def said(role: ChannelRole, *words: tuple[str, int, int]) -> Turn:
    """A turn of words with their start and end."""
    made = turn(" ".join(text for text, _, _ in words), words[0][1], words[-1][2], role=role)
    timed = [Word(text=text, start_ms=start, end_ms=end, confidence=1) for text, start, end in words]
    return made.model_copy(update={"words": timed})


def interruptions(call: Transcript) -> list[tuple[ChannelRole, int, int]] | None:
    """By whom, when, and for how long both spoke."""
    backchannels = rules_for(call.language, InsightRules()).backchannels
    found = timeline.interruptions(timeline.phrases_of(call), backchannels)
    return None if found is None else [(one.by_role, one.start_ms, one.overlap_ms) for one in found]


@pytest.mark.guarantee("T31")
def test_who_talks_how_much() -> None:
    call = transcript(
        said(AGENT, ("a", 0, 1000), ("b", 1299, 2000)),  # 299 ms are a breath: 2000
        said(CUSTOMER, ("c", 3000, 3500), ("d", 3800, 4300)),  # 300 ms are not: 500 + 500
        said(AGENT, ("e", 5000, 6000)),
    )
    talk = timeline.talk(call, timeline.phrases_of(call))
    assert [(one.role, one.spoken_ms, one.ratio, one.turns) for one in talk] == [
        (AGENT, 3000, 0.75, 2),
        (CUSTOMER, 1000, 0.25, 1),
    ]


@pytest.mark.guarantee("T31")
def test_silence_is_what_lies_between_the_first_word_and_the_last() -> None:
    call = transcript(
        said(AGENT, ("a", 2000, 3000)),
        said(CUSTOMER, ("b", 3500, 5000)),  # 500 of silence before it
        said(AGENT, ("c", 4000, 7000)),  # speaks over it
        said(CUSTOMER, ("d", 9000, 9500)),  # 2000 before it
        duration_ms=20_000,
    )
    assert timeline.silence(timeline.phrases_of(call), call.duration_ms) == Silence(
        total_ms=2500, ratio=0.125, longest=Span(start_ms=7000, end_ms=9000)
    )


def test_a_call_in_which_nobody_speaks_is_no_silence_and_no_talk() -> None:
    call = transcript(duration_ms=0)
    assert timeline.silence({}, 0) == Silence(total_ms=0, ratio=0, longest=None)
    assert timeline.talk(call, timeline.phrases_of(call)) == []
    assert interruptions(call) is None


LONG = [("この", 0, 1000), ("件に", 1000, 2000), ("ついて", 2000, 3000)]


@pytest.mark.guarantee("T31")
@pytest.mark.parametrize(
    ("start", "end", "word", "found"),
    [
        (2500, 3500, "しかし", [(AGENT, 2500, 500)]),
        (2501, 3501, "しかし", []),  # 499 ms together: a fast answer
        (2000, 2999, "しかし", []),  # speaks for less than a second
        (1000, 2500, "しかし", [(AGENT, 1000, 1500)]),  # within the other's phrase
        (1000, 2500, "なるほど", []),  # only shows that somebody listens
        (1000, 2500, "はい、はい", []),
        (1000, 2500, "はいしかし", [(AGENT, 1000, 1500)]),
        (499, 2500, "しかし", []),  # both began together
        (500, 2500, "しかし", [(AGENT, 500, 2000)]),
        (3000, 5000, "しかし", []),
    ],
)
def test_an_interruption_takes_the_turn_while_the_other_speaks(
    start: int, end: int, word: str, found: list[tuple[ChannelRole, int, int]]
) -> None:
    call = transcript(said(CUSTOMER, *LONG), said(AGENT, (word, start, end)))
    assert interruptions(call) == found


def test_nobody_interrupts_one_who_only_listens() -> None:
    call = transcript(said(CUSTOMER, ("はい", 0, 3000)), said(AGENT, ("しかし", 1000, 3000)))
    assert interruptions(call) == []


def test_an_interruption_says_who_interrupts_whom_and_where() -> None:
    call = transcript(said(CUSTOMER, *LONG), said(AGENT, ("しかし", 1000, 2500)))
    found = timeline.interruptions(timeline.phrases_of(call), frozenset())
    assert found == [
        Interruption(
            turn=1,
            by_channel=CHANNELS[AGENT],
            by_role=AGENT,
            of_channel=CHANNELS[CUSTOMER],
            of_role=CUSTOMER,
            start_ms=1000,
            overlap_ms=1500,
        )
    ]


def test_voices_on_one_channel_cannot_be_told_apart() -> None:
    call = transcript(said(ChannelRole.MIXED, *LONG))
    assert interruptions(call) is None


@pytest.mark.guarantee("T31")
def test_japanese_is_counted_in_characters_and_english_in_words() -> None:
    japanese = transcript(said(AGENT, ("お電話、", 0, 2000), ("どうも。", 2000, 4000)))
    english = transcript(said(AGENT, ("I'm", 0, 2000), ("well-read.", 2000, 4000)), language="en")
    [first] = timeline.talk(japanese, timeline.phrases_of(japanese))
    [second] = timeline.talk(english, timeline.phrases_of(english))
    assert (first.speed, first.speed_unit) == (90.0, SpeedUnit.CHARACTERS)  # 6 in 4 s
    assert (second.speed, second.speed_unit) == (45.0, SpeedUnit.WORDS)  # 3 in 4 s


def test_too_little_speech_has_no_speed() -> None:
    call = transcript(said(AGENT, ("もしもし", 0, 2999)))
    assert timeline.talk(call, timeline.phrases_of(call))[0].speed is None


def test_what_is_redacted_counts_for_talk_and_not_for_speed() -> None:
    spoken = said(CUSTOMER, ("番号は", 0, 3000), ("09012345678", 3000, 9000))
    hidden = Redaction(turn=0, start=4, end=15, kind=RedactionKind.PHONE_NUMBER, start_ms=3000, end_ms=9000)
    call = redacted(transcript(spoken, redactions=[hidden]))
    [talk] = timeline.talk(call, timeline.phrases_of(call))
    assert (talk.spoken_ms, talk.speed) == (9000, 60.0)  # 3 characters in 3 s
