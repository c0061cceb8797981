"""The first words of Asterisk and of jambonz, and the call's fields among the words of vendors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.ingest.audio_format import Encoding, StreamFormat
from otokura.ingest.dialects import asterisk_messages, jambonz_messages
from otokura.ingest.dialects.call_fields import number, parse_fields
from otokura.ingest.errors import MalformedMessage
from otokura.shared.errors import Unprocessable, UnsupportedMedia
from otokura.shared.events import Direction

PLAIN = (
    "MEDIA_START connection_id:otokura channel:WebSocket/otokura/0x7f channel_id:17.4 format:alaw ptime:20"
)
LISTEN = {"callSid": "c-1", "sampleRate": 16000, "mixType": "stereo", "direction": "inbound"}


def test_media_start_is_read_as_text_and_as_json() -> None:
    """Colons within a value are the value's own."""
    told = json.dumps(
        {
            "event": "MEDIA_START",
            "channel": "WebSocket/otokura/0x7f",
            "channel_id": "17.4",
            "format": "alaw",
            "ptime": 20,
            "channel_variables": {"OTOKURA_AGENT_ID": "a:17", "CALLERID": "x"},
        }
    )
    plain, as_json = asterisk_messages.parse_start(PLAIN), asterisk_messages.parse_start(told)
    assert plain.model_copy(update={"channel_variables": as_json.channel_variables}) == as_json
    assert as_json.fields == {"agent_id": "a:17"}
    assert plain.stream_format() == StreamFormat(Encoding.ALAW, 8000, 1)


@pytest.mark.parametrize(("name", "rate"), [("slin", 8000), ("slin44", 44100), ("slin192", 192000)])
def test_signed_linear_comes_at_every_rate(name: str, rate: int) -> None:
    start = asterisk_messages.parse_start(f"MEDIA_START channel:a format:{name}")
    assert start.stream_format() == StreamFormat(Encoding.PCM_S16LE, rate, 1)


def test_a_codec_that_would_have_to_be_decoded_is_refused() -> None:
    with pytest.raises(UnsupportedMedia, match="c\\(…\\), one of ulaw, alaw, slin"):
        asterisk_messages.parse_start("MEDIA_START channel:a format:opus").stream_format()
    with pytest.raises(UnsupportedMedia, match="8000, 16000"):
        jambonz_messages.parse_start(json.dumps({**LISTEN, "sampleRate": 64000})).stream_format()


@pytest.mark.guarantee("A53")
@pytest.mark.parametrize(
    "text",
    ["", "{", "[" * 60_000, "{" + '"a":{' * 20_000, "HANGUP", "MEDIA_START", "MEDIA_START format:ulaw", "7"],
)
def test_other_first_words_are_refused(text: str) -> None:
    for parse in (asterisk_messages.parse_start, jambonz_messages.parse_start):
        with pytest.raises(MalformedMessage):
            parse(text)


@pytest.mark.parametrize("place", ["beside", "within"])
def test_the_metadata_of_listen_is_found_beside_its_members_and_within_metadata(place: str) -> None:
    """jambonz puts the members of `metadata` beside its own."""
    fields = {"otokura": {"agent_id": "a-17"}}
    told = {**LISTEN, **(fields if place == "beside" else {"metadata": fields})}
    start = jambonz_messages.parse_start(json.dumps(told))
    assert start.fields == {"agent_id": "a-17"}
    assert start.stream_format() == StreamFormat(Encoding.PCM_S16LE, 16000, 2)
    assert start.direction is Direction.INBOUND


def test_inside_dial_the_direction_is_that_of_the_dialled_leg_and_says_nothing() -> None:
    told = {**LISTEN, "direction": "outbound", "parentCallSid": "c-0"}
    assert jambonz_messages.parse_start(json.dumps(told)).direction is None


def test_fields_are_found_among_the_vendors_own() -> None:
    """Lists are separated by commas; what a template left empty is not said."""
    told = {"purposes": "quality, training", "agent_id": "", "direction": "outbound", "campaign": "x"}
    fields = parse_fields({**told, "notice_version": ""})
    assert fields.notice_version is None
    assert (fields.purposes, fields.agent_id, fields.direction) == (
        ["quality", "training"],
        None,
        Direction.OUTBOUND,
    )


def test_a_wrong_field_is_named_and_its_value_is_not() -> None:
    told = {"direction": "+815012345678", "call_id": "secret", "notice_version": "a\nb", "api_key": "otk_x"}
    with pytest.raises(Unprocessable, match="call_id, direction, notice_version") as refused:
        parse_fields(told)
    assert "8150" not in refused.value.detail
    assert "secret" not in refused.value.detail


@pytest.mark.parametrize("told", [None, "", "x" * 65, "+81\n50"])
def test_an_odd_number_is_left_out_rather_than_losing_the_call(told: str | None) -> None:
    assert number(told) is None
    assert number("sip:1001@192.0.2.1") == "sip:1001@192.0.2.1"


ANYTHING = st.none() | st.booleans() | st.integers() | st.text(max_size=30) | st.lists(st.text(max_size=5))


@pytest.mark.guarantee("A53")
@given(
    st.dictionaries(
        st.sampled_from(
            ["callSid", "sampleRate", "mixType", "otokura", "metadata", "event", "channel", "format", "from"]
        ),
        ANYTHING | st.dictionaries(st.text(max_size=8), ANYTHING, max_size=3),
    )
)
def test_any_json_is_a_first_message_or_refused(told: dict[str, Any]) -> None:
    read_or_refuse(json.dumps(told))


@pytest.mark.guarantee("A53")
@given(st.text(max_size=200) | st.text(max_size=100).map(lambda text: f"MEDIA_START channel:a {text}"))
def test_any_text_is_a_first_message_or_refused(text: str) -> None:
    read_or_refuse(text)


@given(st.dictionaries(st.sampled_from(["purposes", "channels", "call_id", "notice", "caller"]), ANYTHING))
def test_any_fields_are_read_or_refused(told: dict[str, Any]) -> None:
    try:
        parse_fields(told)
    except Unprocessable:
        return


def read_or_refuse(text: str) -> None:
    for parse in (asterisk_messages.parse_start, jambonz_messages.parse_start):
        try:
            parse(text)
        except MalformedMessage:
            continue
