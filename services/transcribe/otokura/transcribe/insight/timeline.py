"""Who speaks when: talk, silence, interruptions and speed, from the times of words. Pure.

docs/insight.md has the formulas in words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from otokura.shared.events import ChannelRole
from otokura.shared.insight import Interruption, Silence, Span, SpeedUnit, Talk
from otokura.shared.insight.phrases import folded, words_of
from otokura.shared.redactions import RedactionKind
from otokura.shared.transcripts import Transcript, Word
from otokura.transcribe.insight.rules import plain

BREATH_MS = 300
"""A shorter gap between two words of one channel is speech: nobody else could have answered."""
OVERLAP_MS = 500
"""A shorter overlap is the courtesy of a fast answer, or the recogniser's inexact times."""
INTERRUPTION_MS = 1000
"""Who speaks for a shorter time does not take the turn."""
SPEED_MS = 3000
"""Speech from which on a speed says something."""
UNSPACED = frozenset({"ja", "zh", "yue", "th", "lo", "km", "my"})
"""Languages that are written without spaces (ISO 639): their speed is counted in characters."""

_MARKS = frozenset(f"[{kind.value}]" for kind in RedactionKind)
_MS_PER_MINUTE = 60_000


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word and the turn that it stands in."""

    turn: int
    word: Word


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words of one channel without a breath between them."""

    channel: int
    role: ChannelRole
    words: list[Spoken]

    @property
    def start_ms(self) -> int:
        """Its first word's start."""
        return self.words[0].word.start_ms

    @property
    def end_ms(self) -> int:
        """The latest end of its words."""
        return max(one.word.end_ms for one in self.words)

    def is_backchannel(self, backchannels: frozenset[str]) -> bool:
        """Whether it only shows that somebody listens: "はい、はい" or "I see"."""
        said = "".join(plain(one.word.text) for one in self.words)
        # The recogniser cuts Japanese anywhere: what counts is whether the whole falls into such words.
        ends = {0}
        for i in range(len(said)):
            if i in ends:
                ends |= {i + len(word) for word in backchannels if said.startswith(word, i)}
        return len(said) in ends


def phrases_of(transcript: Transcript) -> dict[int, list[Phrase]]:
    """The phrases of each channel in order; a channel that says nothing has none."""
    spoken: dict[int, list[Spoken]] = defaultdict(list)
    roles: dict[int, ChannelRole] = {}
    for number, turn in enumerate(transcript.turns):
        roles[turn.channel] = turn.role
        spoken[turn.channel] += [Spoken(number, word) for word in turn.words]
    return {
        channel: list(_phrases(channel, roles[channel], sorted(words, key=lambda one: one.word.start_ms)))
        for channel, words in sorted(spoken.items())
    }


def talk(transcript: Transcript, phrases: dict[int, list[Phrase]]) -> list[Talk]:
    """How much and how fast each channel speaks."""
    unit = SpeedUnit.CHARACTERS if transcript.language in UNSPACED else SpeedUnit.WORDS
    spoken = {channel: sum(one.end_ms - one.start_ms for one in those) for channel, those in phrases.items()}
    everything = sum(spoken.values())
    return [
        Talk(
            channel=channel,
            role=next(turn.role for turn in transcript.turns if turn.channel == channel),
            spoken_ms=spoken[channel],
            ratio=spoken[channel] / everything if everything else 0,
            turns=sum(turn.channel == channel for turn in transcript.turns),
            speed=_speed([one for phrase in those for one in phrase.words], unit),
            speed_unit=unit,
        )
        for channel, those in phrases.items()
    ]


def silence(phrases: dict[int, list[Phrase]], duration_ms: int) -> Silence:
    """When nobody speaks, between the first word and the last."""
    spans = sorted((one.start_ms, one.end_ms) for those in phrases.values() for one in those)
    gaps: list[Span] = []
    until = spans[0][1] if spans else 0
    for start, end in spans:
        if start > until:
            gaps.append(Span(start_ms=until, end_ms=start))
        until = max(until, end)
    total = sum(gap.end_ms - gap.start_ms for gap in gaps)
    return Silence(
        total_ms=total,
        ratio=min(1, total / duration_ms) if duration_ms else 0,
        longest=max(gaps, key=lambda gap: gap.end_ms - gap.start_ms, default=None),
    )


def interruptions(
    phrases: dict[int, list[Phrase]], backchannels: frozenset[str]
) -> list[Interruption] | None:
    """Where one channel begins while another speaks, and goes on. None when there is only one channel."""
    if len(phrases) < 2:  # noqa: PLR2004
        return None
    everyone = sorted((one for those in phrases.values() for one in those), key=lambda one: one.start_ms)
    talking = [one for one in everyone if not one.is_backchannel(backchannels)]
    found: list[Interruption] = []
    current: dict[int, Phrase] = {}
    for phrase in talking:
        if phrase.end_ms - phrase.start_ms >= INTERRUPTION_MS:
            found += _interrupted(phrase, current.values())
        current[phrase.channel] = phrase
    return found


def _interrupted(phrase: Phrase, others: Iterable[Phrase]) -> Iterator[Interruption]:
    for other in others:
        late = phrase.start_ms - other.start_ms >= OVERLAP_MS
        overlap_ms = min(other.end_ms, phrase.end_ms) - phrase.start_ms
        if other.channel != phrase.channel and late and overlap_ms >= OVERLAP_MS:
            yield Interruption(
                turn=phrase.words[0].turn,
                by_channel=phrase.channel,
                by_role=phrase.role,
                of_channel=other.channel,
                of_role=other.role,
                start_ms=phrase.start_ms,
                overlap_ms=overlap_ms,
            )


def _phrases(channel: int, role: ChannelRole, spoken: Sequence[Spoken]) -> Iterator[Phrase]:
    begin, until = 0, 0
    for i, one in enumerate(spoken):
        if i > begin and one.word.start_ms - until >= BREATH_MS:
            yield Phrase(channel, role, list(spoken[begin:i]))
            begin, until = i, 0
        until = max(until, one.word.end_ms)
    if spoken:
        yield Phrase(channel, role, list(spoken[begin:]))


def _speed(spoken: Sequence[Spoken], unit: SpeedUnit) -> float | None:
    """Units a minute of the time that it took to say them; what was redacted counts on neither side."""
    open_words = [one for one in spoken if one.word.text not in _MARKS]
    time_ms = sum(one.end_ms - one.start_ms for one in _phrases(0, ChannelRole.MIXED, open_words))
    if time_ms < SPEED_MS:
        return None
    text = " ".join("".join(map(folded, one.word.text)) for one in open_words)
    units = len(plain(text)) if unit is SpeedUnit.CHARACTERS else len(words_of(text))
    return round(units * _MS_PER_MINUTE / time_ms, 1)
