"""One channel's words on their way to final turns: guessed, confirmed, closed. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from otokura.shared.events import ChannelRole
from otokura.shared.transcripts import Turn, Word
from otokura.transcribe.engine import HeardWord, Segment
from otokura.transcribe.live.agreement import agreed, unconfirmed

CLOSE_MS = 1000
"""A silence after which a turn is closed."""
LONGEST_TURN_MS = 18_000
"""A turn that goes on for so long is closed between two words: Whisper hears no more than 30 s."""
_LATEST_MS = 2000
"""What was said so lately may still be understood otherwise."""
_KEPT_SILENCE_MS = 1500
"""Of audio in which nobody speaks so much is kept: a word may have begun in it."""
_ONSET_MS = 200
_SENTENCE_ENDS = ("。", ".", "?", "!", "？", "！")


class Speech:
    """What one channel says.

    Attributes:
        closed: turns that will not change any more, in order, as they were heard: not redacted.

    Args:
        channel: its number.
        role: whose voice it carries.
        through_ms: what was said before is none of this one's business.
    """

    def __init__(self, channel: int, role: ChannelRole, through_ms: int) -> None:
        self.closed: list[Turn] = []
        self.needed_from_ms = through_ms
        """Audio before this will not be heard again."""
        self._channel = channel
        self._role = role
        self._confirmed: list[HeardWord] = []
        self._guess: list[HeardWord] = []

    @property
    def open(self) -> Turn | None:
        """The turn that is being said: its confirmed words and then the guessed ones."""
        words = [*self._confirmed, *self._guess]
        return self._turn(words) if words else None

    def heard(self, segments: Sequence[Segment], end_ms: int) -> None:
        """Takes a hypothesis over the audio from `needed_from_ms` to `end_ms`, times on the call's clock."""
        words = sorted((word for one in segments for word in one.words), key=lambda word: word.start_ms)
        fresh = unconfirmed(self._confirmed, words)
        sure = agreed(self._guess, fresh)
        if end_ms - self.needed_from_ms > LONGEST_TURN_MS:
            sure = max(sure, sum(word.end_ms < end_ms - _LATEST_MS for word in fresh))
        self._confirmed += fresh[:sure]
        self._guess = fresh[sure:]
        self._close_at_pauses(end_ms)
        if self._confirmed and end_ms - self._confirmed[0].start_ms > LONGEST_TURN_MS:
            self._close(_end_of_sentence(self._confirmed))
        self._forget(end_ms)

    def finish(self, end_ms: int) -> None:
        """Nothing follows: what was understood last holds."""
        self._confirmed += self._guess
        self._guess = []
        self._close_at_pauses(end_ms)
        self._close(len(self._confirmed))
        self.needed_from_ms = max(self.needed_from_ms, end_ms)

    def _close_at_pauses(self, end_ms: int) -> None:
        starts = [word.start_ms for word in [*self._confirmed, *self._guess][1:]] + [end_ms]
        for count in range(len(self._confirmed), 0, -1):
            ended, begins = self._confirmed[count - 1].end_ms, starts[count - 1]
            if begins - ended >= CLOSE_MS:
                self._close(count)
                # Words end later than the alignment says: half of the last one would be heard again.
                self.needed_from_ms = max(self.needed_from_ms, ended + CLOSE_MS // 2)
                return

    def _close(self, count: int) -> None:
        """Makes turns of the first words, one for each run without a long pause."""
        words, self._confirmed = self._confirmed[:count], self._confirmed[count:]
        together: list[HeardWord] = []
        for word in words:
            if together and word.start_ms - together[-1].end_ms >= CLOSE_MS:
                self.closed.append(self._turn(together))
                together = []
            together.append(word)
        if together:
            self.closed.append(self._turn(together))
            self.needed_from_ms = max(self.needed_from_ms, together[-1].end_ms)

    def _forget(self, end_ms: int) -> None:
        pending = self._confirmed or self._guess
        wanted = pending[0].start_ms - _ONSET_MS if pending else end_ms - _KEPT_SILENCE_MS
        self.needed_from_ms = max(self.needed_from_ms, wanted)

    def _turn(self, words: Sequence[HeardWord]) -> Turn:
        return Turn(
            channel=self._channel,
            role=self._role,
            start_ms=words[0].start_ms,
            end_ms=words[-1].end_ms,
            text="".join(word.text for word in words).strip(),
            words=[
                Word(
                    text=word.text.strip(),
                    start_ms=word.start_ms,
                    end_ms=word.end_ms,
                    confidence=word.confidence,
                )
                for word in words
            ],
            avg_logprob=0,
            no_speech_prob=0,
        )


def _end_of_sentence(words: Sequence[HeardWord]) -> int:
    """How many words end with the last sentence that ends in them; all when none does."""
    ends = [n for n, word in enumerate(words, start=1) if word.text.rstrip().endswith(_SENTENCE_ENDS)]
    return ends[-1] if ends else len(words)
