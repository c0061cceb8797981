"""Merging what was heard on each channel into a conversation."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from otokura.shared.events import ChannelRole
from otokura.transcribe.engine import HeardWord, Segment
from otokura.transcribe.turns import LONG_PAUSE_MS, PAUSE_MS, merge, shifted

AGENT, CUSTOMER = ChannelRole.AGENT, ChannelRole.CUSTOMER
ROLES = [AGENT, CUSTOMER]


def word(text: str, start_ms: int, end_ms: int) -> HeardWord:
    return HeardWord(text=text, start_ms=start_ms, end_ms=end_ms, confidence=0.9)


def segment(
    *words: tuple[str, int, int], logprob: float = -0.2, no_speech: float = 0.1, ratio: float = 1.2
) -> Segment:
    return Segment(
        words=[word(*one) for one in words],
        avg_logprob=logprob,
        no_speech_prob=no_speech,
        compression_ratio=ratio,
    )


def spoken(heard: list[list[Segment]]) -> list[tuple[ChannelRole, str]]:
    return [(turn.role, turn.text) for turn in merge(ROLES, heard)]


def test_question_and_answer_alternate_in_time() -> None:
    agent = [segment((" How", 0, 200), (" are", 200, 400), (" you?", 400, 700), (" Ah.", 2500, 2900))]
    customer = [segment((" Fine,", 1000, 1400), (" thanks.", 1400, 2000))]
    assert spoken([agent, customer]) == [
        (AGENT, "How are you?"),
        (CUSTOMER, "Fine, thanks."),
        (AGENT, "Ah."),
    ]


def test_a_turn_carries_the_times_of_its_first_and_last_word() -> None:
    turn = merge([AGENT], [[segment((" a", 120, 300), (" b", 310, 480))]])[0]
    assert (turn.start_ms, turn.end_ms) == (120, 480)
    assert [word.text for word in turn.words] == ["a", "b"]


def test_a_sentence_is_not_cut_by_a_yes_in_its_middle() -> None:
    agent = [segment((" one", 0, 400), (" two", 400, 800), (" three", 800, 1200))]
    customer = [segment((" yes", 500, 700))]
    assert spoken([agent, customer]) == [(AGENT, "one two three"), (CUSTOMER, "yes")]


def test_an_answer_in_a_breath_divides_the_turn() -> None:
    agent = [segment((" one", 0, 400), (" two", 400 + PAUSE_MS, 1000))]
    customer = [segment((" yes", 450, 600))]
    assert spoken([agent, customer]) == [(AGENT, "one"), (CUSTOMER, "yes"), (AGENT, "two")]


def test_pauses_alone_do_not_divide_a_turn() -> None:
    agent = [segment((" one", 0, 400)), segment((" two", 400 + LONG_PAUSE_MS - 1, 6000))]
    assert spoken([agent, []]) == [(AGENT, "one two")]


def test_a_long_silence_divides_a_turn() -> None:
    agent = [segment((" one", 0, 400)), segment((" two", 400 + LONG_PAUSE_MS, 6000))]
    assert spoken([agent, []]) == [(AGENT, "one"), (AGENT, "two")]


def test_japanese_is_joined_without_spaces() -> None:
    agent = [segment(("お", 0, 100), ("電話", 100, 400), ("ありがとう", 400, 900))]
    assert spoken([agent, []]) == [(AGENT, "お電話ありがとう")]


def test_nothing_heard_is_no_turn() -> None:
    assert merge(ROLES, [[], []]) == []


def test_what_the_engine_does_not_trust_is_kept_and_marked() -> None:
    kept = [
        segment((" sure", 0, 100)),
        segment((" unsure", 6000, 6100), logprob=-1.2),
        segment((" music", 12000, 12100), no_speech=0.7),
        segment((" la la la", 18000, 18100), ratio=2.6),
    ]
    turns = merge([AGENT], [kept])
    assert [turn.doubtful for turn in turns] == [False, True, True, True]


def test_shifting_moves_every_word_and_nothing_else() -> None:
    moved = shifted(segment((" a", 10, 20), (" b", 20, 30), logprob=-0.7), 300_000)
    assert [(word.start_ms, word.end_ms) for word in moved.words] == [(300_010, 300_020), (300_020, 300_030)]
    assert moved.avg_logprob == -0.7


@st.composite
def channels(draw: st.DrawFn) -> list[list[Segment]]:
    """Two channels of words in order, gaps and overlaps between them of any kind."""
    heard: list[list[Segment]] = []
    for channel in range(2):
        clock, segments = 0, list[Segment]()
        for number in range(draw(st.integers(0, 6))):
            words = list[tuple[str, int, int]]()
            for place in range(draw(st.integers(1, 5))):
                start = clock + draw(st.integers(0, 7000))
                clock = start + draw(st.integers(0, 900))
                words.append((f" {channel}.{number}.{place}", start, clock))
            segments.append(segment(*words))
        heard.append(segments)
    return heard


@given(channels())
def test_every_word_is_in_exactly_one_turn_in_its_channels_order(heard: list[list[Segment]]) -> None:
    turns = merge(ROLES, heard)
    for channel, segments in enumerate(heard):
        said = [word.text.strip() for one in segments for word in one.words]
        assert [word.text for turn in turns if turn.channel == channel for word in turn.words] == said
    assert [turn.start_ms for turn in turns] == sorted(turn.start_ms for turn in turns)
    assert all(turn.start_ms <= word.start_ms <= word.end_ms for turn in turns for word in turn.words)
