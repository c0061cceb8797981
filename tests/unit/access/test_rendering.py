"""Transcripts as text and JSON, and which of the formats a request wants."""

from __future__ import annotations

import pytest

from otokura.access.reads.rendering import TranscriptFormat, choose_format, render, text
from otokura.shared.transcripts import Transcript
from transcripts import transcript, turn
from vcons import source


def test_text_has_one_line_a_turn_and_marks_doubt() -> None:
    shown = text(transcript(turn("もし\nもし", 61_500), turn("えっと", 62_000, doubtful=True)))
    assert text(transcript()) == ""
    assert shown == "[00:01:01] customer: もし もし\n[00:01:02] customer: えっと (?)\n"


def test_json_is_the_transcript_itself() -> None:
    stored = transcript(turn("もしもし"))
    assert Transcript.model_validate_json(render(stored, TranscriptFormat.JSON, source())) == stored


@pytest.mark.parametrize(
    ("asked", "accept", "chosen"),
    [
        (None, None, TranscriptFormat.JSON),
        (None, "", TranscriptFormat.JSON),
        (None, "*/*", TranscriptFormat.JSON),
        (None, "text/vtt", TranscriptFormat.WEBVTT),
        (None, "text/plain;q=0.5, text/vtt;q=0.4", TranscriptFormat.TEXT),
        (None, "TEXT/VTT ; Q=1", TranscriptFormat.WEBVTT),
        (None, "text/*;q=0.9, application/json;q=0.1", TranscriptFormat.WEBVTT),
        (None, "*/*;q=0.1, application/json;q=0", TranscriptFormat.WEBVTT),
        (None, "application/x-subrip", TranscriptFormat.SRT),
        (None, "application/vcon", TranscriptFormat.VCON),
        (None, "application/vcon+json;q=0.9, application/json;q=0.8", TranscriptFormat.VCON),
        (None, "application/*", TranscriptFormat.JSON),
        ("srt", None, TranscriptFormat.SRT),
        (None, "text/html", None),
        (None, "application/json;q=0", None),
        (None, "application/json;q=high", None),
        ("vtt", "application/json", TranscriptFormat.WEBVTT),
        ("pdf", None, None),
    ],
)
def test_the_name_decides_then_accept(
    asked: str | None, accept: str | None, chosen: TranscriptFormat | None
) -> None:
    assert choose_format(asked, accept) == chosen
