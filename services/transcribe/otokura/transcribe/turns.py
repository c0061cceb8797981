"""Merges what was heard on each channel into turns, by time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from otokura.shared.events import ChannelRole
from otokura.shared.transcripts import Turn, Word
from otokura.transcribe.engine import HeardWord, Segment
from otokura.transcribe.guard import NO_SPEECH, REPETITIVE, UNSURE

PAUSE_MS = 300
"""A breath: where the other may have answered, a channel's words are cut here."""
LONG_PAUSE_MS = 5000
"""A silence after which a new turn begins even when nobody answered."""


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A word with the segment that vouches for it; times on the recording's clock, in ms."""

    channel: int
    word: HeardWord
    segment: Segment


@dataclass(frozen=True, slots=True)
class _Phrase:
    """Words of one channel without a breath between them."""

    channel: int
    start_ms: int
    end_ms: int
    spoken: list[_Spoken]


def shifted(segment: Segment, by_ms: int) -> Segment:
    """`segment` with its times moved from its window's clock to the recording's."""
    words = [
        word.model_copy(update={"start_ms": word.start_ms + by_ms, "end_ms": word.end_ms + by_ms})
        for word in segment.words
    ]
    return segment.model_copy(update={"words": words})


def merge(roles: Sequence[ChannelRole], heard: Sequence[Sequence[Segment]]) -> list[Turn]:
    """The conversation as turns in the order in which they began.

    A word is never torn from its phrase: who speaks while the other speaks gets a turn after the phrase
    that was interrupted, so that a "yes" in between does not cut a sentence in two.

    Args:
        roles: whose voice each channel carries.
        heard: for each channel its segments, times on the recording's clock.
    """
    phrases = [phrase for channel, segments in enumerate(heard) for phrase in _phrases(channel, segments)]
    phrases.sort(key=lambda phrase: (phrase.start_ms, phrase.channel))
    turns: list[Turn] = []
    for channel, run in groupby(phrases, key=lambda phrase: phrase.channel):
        turns.extend(_turn(roles[channel], together) for together in _unbroken(run))
    turns.sort(key=lambda turn: (turn.start_ms, turn.channel))
    return turns


def _phrases(channel: int, segments: Iterable[Segment]) -> Iterator[_Phrase]:
    spoken = [_Spoken(channel, word, segment) for segment in segments for word in segment.words]
    spoken.sort(key=lambda one: one.word.start_ms)
    start = 0
    for i in range(1, len(spoken) + 1):
        if i == len(spoken) or spoken[i].word.start_ms - spoken[i - 1].word.end_ms >= PAUSE_MS:
            words = spoken[start:i]
            yield _Phrase(channel, words[0].word.start_ms, words[-1].word.end_ms, words)
            start = i


def _unbroken(run: Iterable[_Phrase]) -> Iterator[list[_Phrase]]:
    """Splits one channel's phrases where a long silence lies between them."""
    together: list[_Phrase] = []
    for phrase in run:
        if together and phrase.start_ms - together[-1].end_ms >= LONG_PAUSE_MS:
            yield together
            together = []
        together.append(phrase)
    if together:
        yield together


def _turn(role: ChannelRole, phrases: Sequence[_Phrase]) -> Turn:
    spoken = [one for phrase in phrases for one in phrase.spoken]
    logprob = sum(one.segment.avg_logprob for one in spoken) / len(spoken)
    no_speech = max(one.segment.no_speech_prob for one in spoken)
    repetition = max(one.segment.compression_ratio for one in spoken)
    return Turn(
        channel=phrases[0].channel,
        role=role,
        start_ms=phrases[0].start_ms,
        end_ms=phrases[-1].end_ms,
        text="".join(one.word.text for one in spoken).strip(),
        words=[_word(one.word) for one in spoken],
        avg_logprob=logprob,
        no_speech_prob=no_speech,
        doubtful=(
            any(one.segment.doubtful for one in spoken)
            or logprob < UNSURE
            or no_speech > NO_SPEECH
            or repetition > REPETITIVE
        ),
    )


def _word(heard: HeardWord) -> Word:
    return Word(
        text=heard.text.strip(), start_ms=heard.start_ms, end_ms=heard.end_ms, confidence=heard.confidence
    )
