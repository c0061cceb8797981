"""A transcript as players read it: WebVTT (W3C) and SubRip (SRT, which has no standard)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from otokura.shared.redacted import word_offsets
from otokura.shared.transcripts import Transcript, Turn

LONGEST_MS = 7000
"""What is shown at once; a longer turn becomes several cues, cut between words."""
MOST_CHARACTERS = 84
"""Two lines of a usual subtitle."""

_MS_PER_SECOND = 1000
_SECONDS_PER_MINUTE = 60
_MINUTES_PER_HOUR = 60
_SRT_LOOKALIKES = str.maketrans("<>{}", "＜＞｛｝")


@dataclass(frozen=True, slots=True)
class _Cue:
    """Words on one line, times in ms; the end is behind the start."""

    start_ms: int
    end_ms: int
    role: str
    text: str


def webvtt(transcript: Transcript) -> str:
    """WebVTT: the speaker is a voice span (WebVTT §3.4, §4.2.2).

    Cue text has no markup and no line ends of its own: `-->` or a blank line would end the cue.
    """
    shown = [
        f"{timestamp(cue.start_ms)} --> {timestamp(cue.end_ms)}\n<v {cue.role}>{_escaped(cue.text)}"
        for cue in _cues(transcript)
    ]
    return "\n\n".join(["WEBVTT", *shown]) + "\n"


def srt(transcript: Transcript) -> str:
    """SubRip. It has no way to escape: brackets that players take for markup become full-width ones."""
    return "\n".join(
        f"{number}\n{timestamp(cue.start_ms, ',')} --> {timestamp(cue.end_ms, ',')}\n"
        f"{cue.role}: {cue.text.translate(_SRT_LOOKALIKES)}\n"
        for number, cue in enumerate(_cues(transcript), start=1)
    )


def timestamp(milliseconds: int, point: str = ".") -> str:
    """`hh:mm:ss.ttt`, hours as many digits as they need, at least two (WebVTT §3.3)."""
    seconds, ms = divmod(milliseconds, _MS_PER_SECOND)
    minutes, second = divmod(seconds, _SECONDS_PER_MINUTE)
    hour, minute = divmod(minutes, _MINUTES_PER_HOUR)
    return f"{hour:02}:{minute:02}:{second:02}{point}{ms:03}"


def _cues(transcript: Transcript) -> Iterator[_Cue]:
    for turn in transcript.turns:
        for start_ms, end_ms, text in _pieces(turn):
            line = " ".join(text.split())
            if line:
                # A cue must end after it starts (WebVTT §4.1), also one of a single short word.
                yield _Cue(start_ms, max(end_ms, start_ms + 1), turn.role.value, line)


def _pieces(turn: Turn) -> Iterator[tuple[int, int, str]]:
    """The turn's text in pieces that fit a screen, each with its times; all of the text, in order."""
    if not turn.words:
        yield turn.start_ms, turn.end_ms, turn.text
        return
    offsets = word_offsets(turn)
    first, begin, shown_from = 0, 0, turn.start_ms
    for i in range(1, len(turn.words)):
        long = turn.words[i].end_ms - shown_from > LONGEST_MS
        if long or offsets[i][1] - begin > MOST_CHARACTERS:
            cut = max(begin, offsets[i][0])
            yield shown_from, max(word.end_ms for word in turn.words[first:i]), turn.text[begin:cut]
            first, begin, shown_from = i, cut, turn.words[i].start_ms
    yield shown_from, max(turn.end_ms, turn.words[-1].end_ms), turn.text[begin:]


def _escaped(line: str) -> str:
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
