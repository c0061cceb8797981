"""A transcript in the forms in which it can be asked for, and which one a request wants."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from otokura.access.reads.subtitles import srt, timestamp, webvtt
from otokura.access.reads.vcon import Source, vcon
from otokura.shared.transcripts import Transcript, Turn


class TranscriptFormat(StrEnum):
    """How a transcript can be asked for: `format=` or the media type in Accept."""

    JSON = "json"
    WEBVTT = "vtt"
    SRT = "srt"
    TEXT = "text"
    VCON = "vcon"

    @property
    def media_type(self) -> str:
        """The media type of this format."""
        return _MEDIA_TYPES[self]

    @property
    def suffix(self) -> str:
        """Of a file of this format."""
        return "txt" if self is TranscriptFormat.TEXT else self.value


_MEDIA_TYPES = {
    TranscriptFormat.JSON: "application/json",
    TranscriptFormat.WEBVTT: "text/vtt",
    TranscriptFormat.SRT: "application/x-subrip",
    TranscriptFormat.TEXT: "text/plain",
    TranscriptFormat.VCON: "application/vcon",
}
_FORMER_NAMES = {"application/vcon+json": "application/vcon"}
"""What earlier drafts called them."""


def text(transcript: Transcript) -> str:
    """One line a turn: `[hh:mm:ss] role: words`. Turns that the model doubts end with `(?)`."""
    return "".join(f"{_line(turn)}\n" for turn in transcript.turns)


def _line(turn: Turn) -> str:
    at = timestamp(turn.start_ms).partition(".")[0]
    doubt = " (?)" if turn.doubtful else ""
    return f"[{at}] {turn.role}: {' '.join(turn.text.split())}{doubt}"


_RENDERERS: dict[TranscriptFormat, Callable[[Transcript], str]] = {
    TranscriptFormat.JSON: Transcript.model_dump_json,
    TranscriptFormat.WEBVTT: webvtt,
    TranscriptFormat.SRT: srt,
    TranscriptFormat.TEXT: text,
}


def render(transcript: Transcript, form: TranscriptFormat, source: Source) -> bytes:
    """The transcript in the format, UTF-8.

    Args:
        transcript: raw or redacted.
        form: the format.
        source: what there is to say of it, for the formats that say it.
    """
    if form is TranscriptFormat.VCON:
        return vcon(transcript, source).encode()
    return _RENDERERS[form](transcript).encode()


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
    name = _FORMER_NAMES.get(name, name)
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, float(parameter[2:])
            except ValueError:
                return name, 0
    return name, 1
