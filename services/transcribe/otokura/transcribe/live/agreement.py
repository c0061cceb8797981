"""LocalAgreement-2: words become final when two hypotheses in a row begin with them. Pure.

Macháček, Dabre, Bojar: Turning Whisper into Real-Time Transcription System, IJCNLP-AACL 2023
(arXiv 2307.14743), §3. What Whisper makes of the end of an unfinished sentence changes with every word that
follows; what two hypotheses over growing audio agree on seldom does.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from otokura.transcribe.engine import HeardWord


def agreed(before: Sequence[HeardWord], now: Sequence[HeardWord]) -> int:
    """How many words both hypotheses begin with; case, width and punctuation do not matter."""
    count = 0
    for one, other in zip(before, now, strict=False):
        if _letters(one.text) != _letters(other.text):
            break
        count += 1
    return count


def unconfirmed(confirmed: Sequence[HeardWord], heard: Sequence[HeardWord]) -> list[HeardWord]:
    """What of a new hypothesis comes after the words that are confirmed.

    Args:
        confirmed: of the audio that the hypothesis is of, which begins with them.
        heard: the hypothesis.
    """
    if agreed(confirmed, heard) == len(confirmed):
        return list(heard[len(confirmed) :])
    # Whisper has changed its mind about what is final: time tells what is new.
    through = confirmed[-1].end_ms
    return [word for word in heard if (word.start_ms + word.end_ms) // 2 >= through]


def _letters(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(letter for letter in folded if letter.isalnum())
