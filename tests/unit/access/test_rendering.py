"""Transcripts as WebVTT and text, and which of the formats a request wants."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.access.reads.rendering import TranscriptFormat, choose_format, render, text, timestamp, webvtt
from otokura.shared.events import ChannelRole
from otokura.shared.transcripts import Transcript, Turn


def turn(words: str, start_ms: int = 0, end_ms: int = 1000, *, doubtful: bool = False) -> Turn:
    return Turn(
        channel=0,
        role=ChannelRole.CUSTOMER,
        start_ms=start_ms,
        end_ms=end_ms,
        text=words,
        words=[],
        avg_logprob=0,
        no_speech_prob=0,
        doubtful=doubtful,
    )


def transcript(*turns: Turn) -> Transcript:
    return Transcript(
        call_id=UUID(int=1), language="ja", engine="e", model="m", duration_ms=9, turns=list(turns)
    )


def test_webvtt_has_one_cue_a_turn_with_its_speaker() -> None:
    shown = webvtt(transcript(turn("もしもし", 1500, 3723), turn("はい", 3_600_000, 3_601_001)))
    assert shown == (
        "WEBVTT\n\n"
        "00:00:01.500 --> 00:00:03.723\n<v customer>もしもし\n\n"
        "01:00:00.000 --> 01:00:01.001\n<v customer>はい\n"
    )


def test_an_empty_transcript_is_a_valid_file() -> None:
    assert webvtt(transcript()) == "WEBVTT\n"
    assert text(transcript()) == ""


def test_a_cue_ends_after_it_starts() -> None:
    assert "00:00:01.000 --> 00:00:01.001" in webvtt(transcript(turn("a", 1000, 1000)))


@given(st.text())
def test_no_words_can_end_a_cue_or_begin_another(words: str) -> None:
    head, _, body = webvtt(transcript(turn(words))).partition("\n\n")
    assert head == "WEBVTT"
    timing, payload = body[:-1].split("\n", 1)
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} --> \d\d:\d\d:\d\d\.\d{3}", timing)
    spoken = payload.removeprefix("<v customer>")
    assert not re.search(r"[<>\r\n]", spoken)


@given(st.integers(min_value=0, max_value=10**10))
def test_a_timestamp_says_the_milliseconds(milliseconds: int) -> None:
    hours, minutes, seconds, ms = map(int, re.split(r"[:.]", timestamp(milliseconds)))
    assert ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms == milliseconds
    assert minutes < 60
    assert seconds < 60


def test_text_has_one_line_a_turn_and_marks_doubt() -> None:
    shown = text(transcript(turn("もし\nもし", 61_500), turn("えっと", 62_000, doubtful=True)))
    assert shown == "[00:01:01] customer: もし もし\n[00:01:02] customer: えっと (?)\n"


def test_json_is_the_transcript_itself() -> None:
    stored = transcript(turn("もしもし"))
    assert Transcript.model_validate_json(render(stored, TranscriptFormat.JSON)) == stored


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
