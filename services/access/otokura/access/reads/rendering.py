"""A transcript as people and players read it: WebVTT (W3C) and plain text."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from otokura.shared.transcripts import Transcript, Turn

_MS_PER_SECOND = 1000
_SECONDS_PER_MINUTE = 60
_MINUTES_PER_HOUR = 60


class TranscriptFormat(StrEnum):
    """How a transcript can be asked for: `format=` or the media type in Accept."""

    JSON = "json"
    WEBVTT = "vtt"
    TEXT = "text"

    @property
    def media_type(self) -> str:
        """The media type of this format."""
        return _MEDIA_TYPES[self]


_MEDIA_TYPES = {
    TranscriptFormat.JSON: "application/json",
    TranscriptFormat.WEBVTT: "text/vtt",
    TranscriptFormat.TEXT: "text/plain",
}


def render(transcript: Transcript, form: TranscriptFormat) -> bytes:
    """The transcript in the format, UTF-8."""
    renderers: dict[TranscriptFormat, Callable[[Transcript], str]] = {
        TranscriptFormat.JSON: Transcript.model_dump_json,
        TranscriptFormat.WEBVTT: webvtt,
        TranscriptFormat.TEXT: text,
    }
    return renderers[form](transcript).encode()


def webvtt(transcript: Transcript) -> str:
    """WebVTT: one cue a turn, the speaker as a voice span (WebVTT §3.4, §4.2.2)."""
    cues = [_cue(turn) for turn in transcript.turns]
    return "\n\n".join(["WEBVTT", *cues]) + "\n"


def _cue(turn: Turn) -> str:
    # A cue must end after it starts (§4.1), also one of a single short word.
    end_ms = max(turn.end_ms, turn.start_ms + 1)
    return f"{timestamp(turn.start_ms)} --> {timestamp(end_ms)}\n<v {turn.role}>{_escape(turn.text)}"


def _escape(spoken: str) -> str:
    """Cue text without markup or line ends of its own: `-->` or a blank line would end the cue."""
    one_line = " ".join(spoken.split())
    return one_line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def timestamp(milliseconds: int) -> str:
    """`hh:mm:ss.ttt`, hours as many digits as they need, at least two (WebVTT §3.3)."""
    seconds, ms = divmod(milliseconds, _MS_PER_SECOND)
    minutes, second = divmod(seconds, _SECONDS_PER_MINUTE)
    hour, minute = divmod(minutes, _MINUTES_PER_HOUR)
    return f"{hour:02}:{minute:02}:{second:02}.{ms:03}"


def text(transcript: Transcript) -> str:
    """One line a turn: `[hh:mm:ss] role: words`. Turns that the model doubts end with `(?)`."""
    return "".join(f"{_line(turn)}\n" for turn in transcript.turns)


def _line(turn: Turn) -> str:
    at = timestamp(turn.start_ms).partition(".")[0]
    doubt = " (?)" if turn.doubtful else ""
    return f"[{at}] {turn.role}: {' '.join(turn.text.split())}{doubt}"


def choose_format(asked: str | None, accept: str | None) -> TranscriptFormat | None:
    """The format asked for by name, else the best one in Accept (RFC 9110 §12.5.1), else JSON.

    Returns:
        None when neither the name nor Accept asks for a format that there is.
    """
    if asked is not None:
        return next((form for form in TranscriptFormat if form == asked), None)
    if not accept:
        return TranscriptFormat.JSON
    weighed = [(_weight(accept, form), form) for form in TranscriptFormat]
    best, form = max(weighed, key=lambda pair: pair[0])
    return form if best > 0 else None


def _weight(accept: str, form: TranscriptFormat) -> float:
    """The weight that Accept gives to a format: that of the most specific range that matches it."""
    kind = form.media_type.partition("/")[0]
    found = dict(map(_range, accept.split(",")))
    for name in (form.media_type, f"{kind}/*", "*/*"):
        if name in found:
            return found[name]
    return 0


def _range(element: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in element.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, float(parameter[2:])
            except ValueError:
                return name, 0
    return name, 1
