"""Transcripts as WebVTT and SubRip, read back by parsers that others wrote."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from itertools import pairwise

import pytest
import srt as srt_peer
import webvtt as webvtt_peer
from hypothesis import given
from hypothesis import strategies as st

from otokura.access.reads.subtitles import LONGEST_MS, MOST_CHARACTERS, srt, timestamp, webvtt
from otokura.shared.transcripts import Transcript
from transcripts import spoken, transcript, turn

HOSTILE = "a --> b\n\n2\n00:00:00,000 --> 00:00:09,000\n<i>x</i> & {\\an8} NOTE <00:01.000>"
# What a recogniser can write: no lone surrogates, which are no text.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def shown_in_vtt(of: Transcript) -> list[str]:
    captions = webvtt_peer.from_buffer(io.StringIO(webvtt(of)), format="vtt").captions
    return [re.sub("^<v [a-z]+>", "", caption.raw_text) for caption in captions]


def test_webvtt_has_a_cue_a_turn_with_its_speaker() -> None:
    shown = webvtt(transcript(turn("もしもし", 1500, 3723), turn("はい", 3_600_000, 3_601_001)))
    assert shown == (
        "WEBVTT\n\n"
        "00:00:01.500 --> 00:00:03.723\n<v customer>もしもし\n\n"
        "01:00:00.000 --> 01:00:01.001\n<v customer>はい\n"
    )


def test_srt_has_a_numbered_cue_a_turn_with_its_speaker() -> None:
    shown = srt(transcript(turn("もしもし", 1500, 3723), turn("はい", 3_600_000, 3_601_001)))
    assert shown == (
        "1\n00:00:01,500 --> 00:00:03,723\ncustomer: もしもし\n\n"
        "2\n01:00:00,000 --> 01:00:01,001\ncustomer: はい\n"
    )


def test_an_empty_transcript_is_a_valid_file() -> None:
    assert webvtt(transcript()) == "WEBVTT\n"
    assert srt(transcript()) == ""


@pytest.mark.parametrize("words", ["", " \n\t ", "\u3000"])
def test_a_turn_without_words_is_no_cue(words: str) -> None:
    assert webvtt(transcript(turn(words))) == "WEBVTT\n"
    assert srt(transcript(turn(words))) == ""


def test_a_cue_ends_after_it_starts() -> None:
    assert "00:00:01.000 --> 00:00:01.001" in webvtt(transcript(turn("a", 1000, 1000)))


@pytest.mark.guarantee("T36")
def test_other_parsers_read_what_was_said_and_no_more() -> None:
    said = transcript(turn(HOSTILE, 0, 1000), turn("次の発話", 2000, 3000))
    line = " ".join(HOSTILE.split())
    escaped = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert shown_in_vtt(said) == [escaped, "次の発話"]
    cues = list(srt_peer.parse(srt(said)))
    shown = line.translate(str.maketrans("<>{}", "＜＞｛｝"))
    assert [cue.content for cue in cues] == [f"customer: {shown}", "customer: 次の発話"]
    assert [(cue.start, cue.end) for cue in cues] == [
        (timedelta(0), timedelta(seconds=1)),
        (timedelta(seconds=2), timedelta(seconds=3)),
    ]


@given(TEXT)
def test_no_words_can_end_a_cue_or_begin_another(words: str) -> None:
    said = transcript(turn(words, 0, 1000), turn("end", 2000, 3000))
    cues = 2 if words.strip() else 1
    assert len(webvtt(said).removeprefix("WEBVTT\n\n").split("\n\n")) == cues
    assert len(re.findall("^.* --> .*$", webvtt(said), re.MULTILINE)) == cues
    assert len(list(srt_peer.parse(srt(said)))) == cues
    for payload in re.findall("<v customer>(.*)", webvtt(said)):
        assert not re.search(r"[<>\r]", payload)


def test_a_long_turn_becomes_cues_that_fit_a_screen_and_lose_nothing() -> None:
    sentence = "We are sorry to hear that, and we will see to it at once today. "
    said = transcript(spoken(sentence * 6, word_ms=400))
    cues = list(srt_peer.parse(srt(said)))
    assert len(cues) > 5
    assert " ".join(cue.content.removeprefix("customer: ") for cue in cues) == (sentence * 6).strip()
    assert max(len(cue.content.removeprefix("customer: ")) for cue in cues) <= MOST_CHARACTERS
    assert max(cue.end - cue.start for cue in cues) <= timedelta(milliseconds=LONGEST_MS)
    assert all(one.end <= other.start for one, other in pairwise(cues))
    assert shown_in_vtt(said) == [cue.content.removeprefix("customer: ") for cue in cues]


@given(st.lists(st.text("あいう。 ", min_size=1, max_size=8), min_size=1, max_size=40))
def test_pieces_of_japanese_lose_no_character(tokens: list[str]) -> None:
    said = transcript(spoken(tokens, word_ms=900))
    cues = [cue.content.removeprefix("customer: ") for cue in srt_peer.parse(srt(said))]
    assert "".join("".join(cues).split()) == "".join("".join(tokens).split())


@given(st.integers(min_value=0, max_value=10**10))
def test_a_timestamp_says_the_milliseconds(milliseconds: int) -> None:
    hours, minutes, seconds, ms = map(int, re.split(r"[:.]", timestamp(milliseconds)))
    assert ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms == milliseconds
    assert minutes < 60
    assert seconds < 60
