"""A call's chunks come late, twice, with holes, or to another worker: its text stays one text."""

from __future__ import annotations

import pytest

from live_words import audio, chunk, segment, sentence, word
from otokura.shared.events import LiveChunk
from otokura.shared.redactions import RedactionPolicy
from otokura.shared.transcripts import PartialTranscript
from otokura.transcribe.engine import HeardWord
from otokura.transcribe.live.audio import LONGEST_MS, ChannelAudio, channels_of
from otokura.transcribe.live.call import LiveCall, Resumed

SAID = [
    *sentence("good morning how may I help you", 1000),
    *sentence("what is it about then", 6000),
    *sentence("I see let me have a look", 11_000),
    *sentence("thank you for waiting so long", 17_000),
]
END = 22_000


def live_call(epoch: int = 1, revision: int = 0, through: tuple[int, ...] = (0, 0)) -> LiveCall:
    call = LiveCall(chunk(0, 0, 0), Resumed(epoch, revision, through), RedactionPolicy())
    call.language = "en"
    return call


def hear(call: LiveCall, said: list[HeardWord] = SAID) -> list[PartialTranscript]:
    """Hears what there is, as often as there is something."""
    found: list[PartialTranscript] = []
    for channel in call.channels:
        if call.fresh_ms(channel) == 0:
            continue
        window = call.window(channel)
        begin = window.begin_ms
        words = [
            word(one.text, one.start_ms - begin, one.end_ms - begin)
            for one in said
            if channel == 0 and one.start_ms >= begin and one.end_ms <= window.end_ms
        ]
        call.heard(window, segment(words))
    partial = call.partial()
    return found if partial is None else [*found, partial]


def play(call: LiveCall, chunks: list[LiveChunk]) -> list[PartialTranscript]:
    found: list[PartialTranscript] = []
    for one in chunks:
        call.take(one, b"" if one.ended else audio(one.samples * 1000 // one.rate))
        found += hear(call)
    while call.ended and not call.finished:
        found += hear(call)
    return found


def chunks(until: int = END) -> list[LiveChunk]:
    """The whole call, and its end."""
    return [*(chunk(n, n * 500, 500) for n in range(until // 500)), chunk(until // 500, until, 0, ended=True)]


def finals(partials: list[PartialTranscript]) -> list[str]:
    """The final turns by when they began; raises if one was ever two."""
    found: dict[int, str] = {}
    for partial in partials:
        for turn in partial.turns:
            if turn.final:
                assert found.setdefault(turn.start_ms, turn.text) == turn.text
    return [found[start] for start in sorted(found)]


WHOLE = [
    "good morning how may I help you",
    "what is it about then",
    "I see let me have a look",
    "thank you for waiting so long",
]


@pytest.mark.guarantee("T42")
def test_revisions_grow_and_what_is_final_stays() -> None:
    """Each partial is newer than the one before; final turns never change, and are all there at the end."""
    partials = play(live_call(), chunks())
    assert [one.revision for one in partials] == list(range(1, len(partials) + 1))
    through = [one.final_through_ms for one in partials]
    assert through == sorted(through)
    assert finals(partials) == WHOLE
    assert not partials[-1].turns or all(turn.final for turn in partials[-1].turns)


def test_chunks_that_come_again_change_nothing() -> None:
    """A repeat, or a chunk of an older connection, is dropped."""
    twice = [one for pair in ((one, one) for one in chunks()) for one in pair]
    call = live_call()
    late = [*twice[:40], chunk(3, 0, 500), *twice[40:]]
    assert finals(play(call, late)) == WHOLE
    assert not call.take(chunk(2, 0, 500), audio(500))


def test_a_hole_ends_a_turn_and_the_clock_goes_on() -> None:
    """Chunks that were lost cost what was said in them and nothing else."""
    holed = [one for one in chunks() if not 10 <= one.seq < 20]
    heard = [one for one in SAID if not 5000 <= one.start_ms < 10_000]
    call = live_call()
    partials: list[PartialTranscript] = []
    for one in holed:
        call.take(one, b"" if one.ended else audio(500))
        partials += hear(call, heard)
    while not call.finished:
        partials += hear(call, heard)
    assert finals(partials) == [WHOLE[0], WHOLE[2], WHOLE[3]]
    starts = {turn.start_ms for one in partials for turn in one.turns if turn.final}
    assert starts == {1000, 11_000, 17_000}


def test_a_new_connection_that_sends_the_last_seconds_again_does_not_repeat_them() -> None:
    """A client that replays what was not accepted is heard once."""
    first = chunks()[:30]
    second = [chunk(n, 13_000 + n * 500, 500, epoch=2) for n in range(18)]
    end = chunk(18, END, 0, epoch=2, ended=True)
    assert finals(play(live_call(), [*first, *second, end])) == WHOLE


@pytest.mark.guarantee("T42")
@pytest.mark.parametrize("at", [3, 5, 9, 14, 22, 27, 33, 40])
def test_another_worker_goes_on_where_all_was_final(at: int) -> None:
    """Whenever a worker dies, its successor hears what was not final, and nothing is said twice or lost."""
    before = live_call()
    partials = play(before, chunks()[:at])
    after = live_call(2, before.revision, tuple(before.through_ms))
    resumed = min(before.through_ms)
    again = [one for one in chunks() if one.ended or one.start_sample * 1000 // one.rate + 500 > resumed]
    partials += play(after, again)
    assert finals(partials) == WHOLE
    positions = [(one.epoch, one.revision) for one in partials]
    assert positions == sorted(set(positions))


@pytest.mark.guarantee("T44")
def test_a_channel_that_is_not_heard_holds_a_bounded_piece_of_audio() -> None:
    """When the engine cannot follow, the newest audio is kept, and what was dropped is counted."""
    held = ChannelAudio(0)
    for second in range(120):
        held.add(second * 1000, channels_of(audio(1000), "mulaw", 2)[0], 8000)
    first = held.first
    assert first is not None
    assert first.length_ms <= LONGEST_MS
    assert abs(first.end_ms - 120_000) <= 20
    assert abs(held.dropped_ms - (120_000 - LONGEST_MS)) <= 20
    assert len(first.window()) <= LONGEST_MS * 16


def test_a_window_that_the_engine_cannot_hear_is_passed_over() -> None:
    """What was understood before it holds; the call goes on after it."""
    call = live_call()
    partials = play(call, chunks()[:20])
    call.give_up(call.window(0))
    partials += play(call, chunks()[20:])
    assert finals(partials)[-2:] == WHOLE[-2:]


def test_samples_that_are_no_whole_frames_are_refused() -> None:
    """Half a frame is an error, never a shift of the channels."""
    with pytest.raises(ValueError, match="reshape"):
        channels_of(b"\xff" * 3, "mulaw", 2)
