"""One live call: its audio in, its text out. No clock, no network."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from otokura.shared.events import LiveChunk
from otokura.shared.redactions import RedactionPolicy
from otokura.shared.transcripts import PartialTranscript, PartialTurn, Turn
from otokura.transcribe.engine import Pcm16, Segment
from otokura.transcribe.live.audio import ChannelAudio, channels_of
from otokura.transcribe.live.speech import Speech
from otokura.transcribe.live.withholding import holds_numerals, in_a_number, partial_turn, shown
from otokura.transcribe.service import UNDETERMINED
from otokura.transcribe.turns import shifted

CONTEXT_MS = 60_000
"""Turns are looked at together with those of the minute before."""
RECENT_REVISIONS = 30
"""A partial repeats what became final in so many revisions before it: some of them may be missed."""


@dataclass(frozen=True)
class Resumed:
    """Where a call's text stands: of no worker yet, or of one before.

    Attributes:
        epoch: this worker's.
        revision: the newest that was published, 0 before the first.
        through_ms: for each channel, before when all is final.
    """

    epoch: int
    revision: int
    through_ms: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Window:
    """Audio of one channel that is to be heard."""

    channel: int
    begin_ms: int
    end_ms: int
    audio: Pcm16


class LiveCall:
    """What is known of a call that is heard while it lasts.

    Args:
        first: any of its chunks: who speaks on which channel.
        resumed: where its text stands.
        policy: what the tenant does not want redacted.
    """

    def __init__(self, first: LiveChunk, resumed: Resumed, policy: RedactionPolicy) -> None:
        self.call_id: UUID = first.call_id
        self.tenant_id: UUID = first.tenant_id
        self.language: str | None = None
        self.ended = False
        self.resumed = resumed
        self.revision = resumed.revision
        self._policy = policy
        self._place = (first.epoch, -1)
        self._audio = [ChannelAudio(through) for through in resumed.through_ms]
        self._speech = [
            Speech(channel, role, through)
            for channel, (role, through) in enumerate(zip(first.roles, resumed.through_ms, strict=True))
        ]
        self._final: list[Turn] = []
        """Turns that are final, of the last minute: what was said around the others."""
        self._recent: deque[tuple[int, PartialTurn]] = deque()
        self._published: list[PartialTurn] = []

    @property
    def through_ms(self) -> list[int]:
        """For each channel, before when all is final: what a successor need not hear."""
        return [
            min([turn.start_ms for turn in one.closed[:1]], default=one.needed_from_ms)
            for one in self._speech
        ]

    @property
    def held_ms(self) -> int:
        """How much audio waits to be final, in the channel that holds most."""
        return max(
            audio.end_ms - through for audio, through in zip(self._audio, self.through_ms, strict=True)
        )

    @property
    def dropped_ms(self) -> int:
        """Audio that was too old to be heard, over all channels."""
        return sum(audio.dropped_ms for audio in self._audio)

    def take(self, chunk: LiveChunk, data: bytes) -> bool:
        """Takes the next chunk, and its audio in the clear; a repeat or what came late changes nothing.

        Returns:
            Whether it was news.

        Raises:
            ValueError: the audio is not what the chunk says.
        """
        if (chunk.epoch, chunk.seq) <= self._place or len(chunk.roles) != len(self._audio):
            return False
        if chunk.epoch > self._place[0]:
            # Another connection: what the one before sent may not have been recorded to its end.
            self._complete()
        self._place = (chunk.epoch, chunk.seq)
        self.ended = self.ended or chunk.ended
        if chunk.ended or chunk.gap is not None:
            self._complete()
            return True
        start = chunk.start_sample * 1000 // chunk.rate
        for audio, samples in zip(
            self._audio, channels_of(data, chunk.encoding, len(chunk.roles)), strict=True
        ):
            audio.add(start, samples, chunk.rate)
        return True

    def end(self) -> None:
        """Nothing came for so long that nothing will."""
        self.ended = True
        self._complete()

    def _complete(self) -> None:
        for audio in self._audio:
            audio.complete()

    def fresh_ms(self, channel: int) -> int:
        """How much audio was not heard yet; of a stretch that is complete, enough to be heard at once."""
        first = self._audio[channel].first
        if first is None:
            return 0
        return max(first.fresh_ms, 1000) if first.complete else first.fresh_ms

    @property
    def channels(self) -> range:
        """Their numbers."""
        return range(len(self._audio))

    def window(self, channel: int) -> Window:
        """All of a channel that is not final, to be heard; `fresh_ms` must not be 0."""
        first = self._audio[channel].first
        if first is None:
            raise ValueError("there is no audio")
        return Window(channel, first.begin_ms, first.end_ms, first.window())

    def heard(self, window: Window, segments: Sequence[Segment]) -> None:
        """What is said in a window; times in the segments count from its beginning."""
        audio, speech = self._audio[window.channel], self._speech[window.channel]
        speech.heard([shifted(one, window.begin_ms) for one in segments], window.end_ms)
        first = audio.first
        if first is None:
            return
        if first.complete and first.end_ms <= window.end_ms:
            speech.finish(window.end_ms)
            audio.done()
        else:
            first.drop_before(speech.needed_from_ms)

    def give_up(self, window: Window) -> None:
        """A window that cannot be heard: what was understood of it before holds."""
        audio, speech = self._audio[window.channel], self._speech[window.channel]
        speech.finish(window.end_ms)
        first = audio.first
        if first is not None:
            first.drop_before(window.end_ms)
            if first.complete and first.end_ms <= window.end_ms:
                audio.done()

    @property
    def finished(self) -> bool:
        """Whether the call is over and all of it is final."""
        return self.ended and not any(audio.first for audio in self._audio) and not self._pending()

    def partial(self) -> PartialTranscript | None:
        """The next revision, when there is anything new to say."""
        turns, finals = self._settle()
        if not finals and turns == self._published:
            return None
        self._published = turns
        self.revision += 1
        self._recent += [(self.revision, turn) for turn in finals]
        while self._recent and self._recent[0][0] <= self.since:
            self._recent.popleft()
        every = [turn for _, turn in self._recent] + turns
        return PartialTranscript(
            call_id=self.call_id,
            epoch=self.resumed.epoch,
            revision=self.revision,
            final_through_ms=min(self.through_ms),
            turns=sorted(every, key=lambda turn: (turn.start_ms, turn.channel)),
        )

    @property
    def since(self) -> int:
        """The newest revision of which the next partial does not repeat what became final."""
        return max(self.revision - RECENT_REVISIONS, self.resumed.revision)

    def _settle(self) -> tuple[list[PartialTurn], list[PartialTurn]]:
        """The turns that are not final as they may be shown, and those that become so now."""
        pending = self._pending()
        every = sorted([*self._final, *pending], key=lambda turn: (turn.start_ms, turn.channel))
        closed = {id(turn) for one in self._speech for turn in one.closed}
        numbered = self._in_a_number(every)
        held = [n for n, turn in enumerate(every) if id(turn) not in closed or numbered]
        final = {id(turn) for turn in self._final}
        texts = shown(
            every, [n for n in held if id(every[n]) not in final], self.language or UNDETERMINED, self._policy
        )
        text_of = {id(turn): text for turn, text in zip(every, texts, strict=True)}
        ready = self._take_ready(numbered=numbered)
        became = {id(turn) for turn in ready}
        open_turns = [
            partial_turn(turn, text_of[id(turn)], final=False) for turn in pending if id(turn) not in became
        ]
        finals = [partial_turn(turn, text_of[id(turn)], final=True) for turn in ready]
        self._remember(ready)
        return sorted(open_turns, key=lambda turn: (turn.start_ms, turn.channel)), finals

    def _pending(self) -> list[Turn]:
        opens = [speech.open for speech in self._speech]
        return [turn for speech in self._speech for turn in speech.closed] + [turn for turn in opens if turn]

    def _in_a_number(self, turns: Sequence[Turn]) -> bool:
        if self.ended and not any(audio.first for audio in self._audio):
            return False
        return any(
            in_a_number([turn for turn in turns if turn.channel == channel], speech.needed_from_ms)
            for channel, speech in enumerate(self._speech)
        )

    def _take_ready(self, *, numbered: bool) -> list[Turn]:
        """The closed turns that become final: in order in each channel, none past one that is held back."""
        ready: list[Turn] = []
        for speech in self._speech:
            count = len(speech.closed)
            if numbered:
                count = next((n for n, turn in enumerate(speech.closed) if holds_numerals(turn)), count)
            ready += speech.closed[:count]
            del speech.closed[:count]
        return ready

    def _remember(self, ready: Sequence[Turn]) -> None:
        self._final += ready
        newest = max((audio.end_ms for audio in self._audio), default=0)
        self._final = [turn for turn in self._final if turn.end_ms > newest - CONTEXT_MS]
