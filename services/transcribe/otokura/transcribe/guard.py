"""Keeps out what Whisper invents where nobody speaks, and marks what is not to be trusted. Pure.

Whisper learned from subtitles: over silence or music it writes how videos end. About 1 % of its segments
held invented phrases (Koenecke et al., FAccT 2024). Three rules, from the coarse to the fine:

1. Nobody spoke: the model says so and is unsure of its text (Whisper's own `no_speech_threshold` with
   `logprob_threshold`). The text is not kept.
2. A stock phrase that the audio does not support is not kept. Those which nobody says on the telephone need
   strong support, everyday ones ("Thank you.") some.
3. Anything else is kept, however strange. Whoever reads is told when it is doubtful.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from otokura.transcribe.engine import HeardWord

NO_SPEECH = 0.6
UNSURE = -1.0
REPETITIVE = 2.4
"""Whisper's own thresholds: `no_speech_threshold`, `logprob_threshold`, `compression_ratio_threshold`."""

_ENDINGS_OF_VIDEOS = """
ご視聴ありがとうございました / ご視聴ありがとうございます / ご清聴ありがとうございました
ご視聴いただきありがとうございました / ご視聴いただきありがとうございます / ご視聴頂きありがとうございました
最後までご視聴いただきありがとうございました / 最後までご視聴ありがとうございました / 次回もお楽しみに
チャンネル登録お願いします / チャンネル登録よろしくお願いします / チャンネル登録をお願いいたします
チャンネル登録よろしくお願いいたします / 高評価とチャンネル登録お願いします / 字幕視聴ありがとうございました
次の動画でお会いしましょう / また次の動画でお会いしましょう / それではまた次の動画でお会いしましょう
Thanks for watching / Thank you for watching / Thank you so much for watching / Thanks for listening
Thank you very much for watching / Thanks for watching and see you in the next video
Please subscribe / Please subscribe to my channel / Please subscribe to the channel / Like and subscribe
Don't forget to subscribe / Don't forget to like and subscribe / Subscribe to my channel
See you in the next video / I'll see you in the next video / I'll see you next time
Subtitles by the Amara.org community / Transcribed by https://otter.ai / Music / Applause
"""
_EVERYDAY = """
ありがとうございました / ありがとうございます / おやすみなさい / おわり / 終わり / はい / うん / ん / あ / え
Thank you / Thank you very much / Thanks / You / Bye / Bye-bye / Goodbye / Oh / Uh / So / Okay / The end
I'm sorry / Hmm / Yeah / See you next time / See you
"""

_SURE_VOICE, _SOME_VOICE = 0.8, 0.5
_SPEECH = 0.3
"""Below this belief that nobody spoke a model is sure that somebody did."""
_SURE_WORDS, _SOME_WORDS = -0.5, -1.5
"""Mean logarithm of the words' confidence."""


def _letters(text: str) -> str:
    """`text` without case, width, punctuation and space."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in folded if unicodedata.category(c)[0] in "LN")


def _phrases(lines: str) -> frozenset[str]:
    return frozenset(_letters(phrase) for line in lines.split("\n") for phrase in line.split(" / ")) - {""}


_STRANGE = _phrases(_ENDINGS_OF_VIDEOS)
_USUAL = _phrases(_EVERYDAY)


class Verdict(Enum):
    """What becomes of words."""

    KEEP = auto()
    DOUBT = auto()
    WITHHOLD = auto()


@dataclass(frozen=True, slots=True)
class Support:
    """What speaks for words having been said.

    Attributes:
        voice: mean probability of speech by the voice detection, 0–1.
        no_speech_prob: the model's belief that nobody spoke, 0–1.
        avg_logprob: of the chunk that they were decoded in.
        compression_ratio: of that chunk's text.
    """

    voice: float
    no_speech_prob: float
    avg_logprob: float
    compression_ratio: float

    @property
    def nobody_spoke(self) -> bool:
        """Whisper's own rule."""
        return self.no_speech_prob > NO_SPEECH and self.avg_logprob < UNSURE


def judge(words: Sequence[HeardWord], support: Support) -> Verdict:
    """What becomes of words that were spoken together, of which there is at least one."""
    if support.nobody_spoke:
        return Verdict.WITHHOLD
    confidence = logarithmic_mean([word.confidence for word in words])
    letters = _letters("".join(word.text for word in words))
    sure = support.voice >= _SURE_VOICE and support.no_speech_prob < _SPEECH and confidence > _SURE_WORDS
    if _consists_of(letters, _STRANGE):
        return Verdict.DOUBT if sure else Verdict.WITHHOLD
    some = support.voice >= _SOME_VOICE and support.no_speech_prob <= NO_SPEECH and confidence > _SOME_WORDS
    if (letters in _USUAL or not letters) and not some:
        return Verdict.WITHHOLD
    if confidence < UNSURE or support.compression_ratio > REPETITIVE or support.no_speech_prob > NO_SPEECH:
        return Verdict.DOUBT
    return Verdict.KEEP


def logarithmic_mean(probabilities: Sequence[float]) -> float:
    """The mean of the natural logarithms; a probability of 0 counts as a very small one."""
    return sum(math.log(max(one, 1e-6)) for one in probabilities) / len(probabilities)


def _consists_of(letters: str, phrases: frozenset[str]) -> bool:
    """Whether `letters` is one of `phrases`, once or again and again."""
    return any(
        len(letters) % len(phrase) == 0 and phrase * (len(letters) // len(phrase)) == letters
        for phrase in phrases
        if letters.startswith(phrase)
    )
