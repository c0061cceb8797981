"""What Twilio and Telnyx say, and what others say in their name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.ingest.audio_format import Encoding, StreamFormat
from otokura.ingest.dialects.media_stream_messages import (
    Connected,
    Media,
    MediaFormat,
    Other,
    Start,
    Stop,
    parse_message,
    stream_format,
)
from otokura.ingest.dialects.media_streams import swap
from otokura.ingest.errors import MalformedMessage
from otokura.shared.errors import UnsupportedMedia

TWILIO_START = {
    "event": "start",
    "sequenceNumber": "1",
    "start": {
        "accountSid": "AC1",
        "streamSid": "MZ1",
        "callSid": "CA1",
        "tracks": ["inbound", "outbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"agent_id": "a-17"},
    },
    "streamSid": "MZ1",
}
TELNYX_START = {
    "event": "start",
    "sequence_number": "1",
    "start": {
        "user_id": "u",
        "call_control_id": "v3:abc",
        "call_session_id": "s",
        "from": "+815000000001",
        "to": "+815000000002",
        "custom_parameters": {"agent_id": "a-17"},
        "media_format": {"encoding": "PCMA", "sample_rate": 8000, "channels": 1},
    },
    "stream_id": "32DE0DEA",
}


def media(**changes: Any) -> str:
    """A good media message, changed."""
    told = {"track": "inbound", "chunk": "1", "timestamp": "5", "payload": "AAEC", **changes}
    return json.dumps({"event": "media", "sequenceNumber": "3", "media": told, "streamSid": "MZ1"})


def test_both_vendors_starts_are_read_alike() -> None:
    twilio, telnyx = parse_message(json.dumps(TWILIO_START)), parse_message(json.dumps(TELNYX_START))
    assert isinstance(twilio, Start)
    assert isinstance(telnyx, Start)
    assert (twilio.call, telnyx.call) == ("CA1", "v3:abc")
    assert (twilio.tracks, telnyx.tracks) == (["inbound", "outbound"], None)
    assert twilio.parameters == telnyx.parameters == {"agent_id": "a-17"}
    assert (telnyx.caller, telnyx.callee) == ("+815000000001", "+815000000002")
    assert stream_format(twilio.format, 2) == StreamFormat(Encoding.MULAW, 8000, 2)
    assert stream_format(telnyx.format, 2) == StreamFormat(Encoding.ALAW, 8000, 2)


def test_numbers_are_numbers_whether_they_stand_in_quotes_or_not() -> None:
    assert parse_message(media()) == parse_message(media(timestamp=5)) == Media("inbound", 5, b"\0\1\2")


def test_what_does_not_matter_to_a_recording_is_tolerated() -> None:
    """A key press, a mark, and whatever the vendor invents next."""
    for event in ("dtmf", "mark", "clear", "error", "something-new"):
        assert parse_message(json.dumps({"event": event, "x": {"y": [1]}})) == Other()
    assert parse_message('{"event":"stop","stop":{}}') == Stop()


def test_telnyx_token_comes_first() -> None:
    first = parse_message('{"event":"connected","version":"1.0.0","x-telnyx-streaming-auth-token":"t"}')
    assert first == Connected("t")


@pytest.mark.guarantee("A53")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "[" * 60_000,
        '{"event":' + '{"a":' * 10_000,
        '{"event":"media"}',
        '{"event":"start"}',
        '{"event":["media"]}',
        media(payload="not base64!"),
        media(payload="AAE"),
        media(payload=7),
        media(timestamp="-1"),
        media(timestamp="1e9"),
        media(timestamp=2**64),
        media(timestamp="9" * 5000),
        media(timestamp=None),
        media(track="sideways"),
        json.dumps({**TWILIO_START, "start": {**TWILIO_START["start"], "callSid": "x" * 200}}),  # type: ignore[dict-item]
        json.dumps({**TWILIO_START, "start": {**TWILIO_START["start"], "tracks": ["inbound"] * 9}}),  # type: ignore[dict-item]
    ],
)
def test_what_is_no_message_is_refused_and_not_repeated(text: str) -> None:
    """JSON bombs, base64 that is none, numbers that are none: one error each, without what was sent."""
    with pytest.raises(MalformedMessage) as refused:
        parse_message(text)
    assert len(refused.value.detail) < 200
    assert "sideways" not in refused.value.detail
    assert "xxx" not in refused.value.detail


@pytest.mark.parametrize(
    ("encoding", "rate", "channels"),
    [("opus", 48000, 1), ("PCMU", 16000, 1), ("audio/x-mulaw", 8000, 2), ("G722", 16000, 1)],
)
def test_a_codec_that_would_have_to_be_decoded_is_refused(encoding: str, rate: int, channels: int) -> None:
    told = MediaFormat.model_validate({"encoding": encoding, "sampleRate": rate, "channels": channels})
    with pytest.raises(UnsupportedMedia, match="PCMU or PCMA at 8000"):
        stream_format(told, 1)


@given(st.binary(max_size=200))
def test_swapping_twice_is_nothing(samples: bytes) -> None:
    assert swap(swap(samples)) == samples
    assert len(swap(samples)) == len(samples)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["event", "start", "media", "track", "timestamp", "payload", "callSid"])
            | st.text(max_size=8),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@pytest.mark.guarantee("A53")
@given(JSON | st.fixed_dictionaries({"event": st.sampled_from(["media", "start", "stop", "connected"])}))
def test_any_json_is_a_message_or_refused(value: Any) -> None:
    read_or_refuse(json.dumps(value))


@pytest.mark.guarantee("A53")
@given(st.text(max_size=300))
def test_any_text_is_a_message_or_refused(text: str) -> None:
    read_or_refuse(text)


@given(st.data())
def test_a_message_that_was_tampered_with_is_a_message_or_refused(data: st.DataObject) -> None:
    """Good messages, with a stretch cut out or replaced."""
    good = data.draw(st.sampled_from([json.dumps(TWILIO_START), json.dumps(TELNYX_START), media()]))
    start = data.draw(st.integers(0, len(good)))
    stop = data.draw(st.integers(start, len(good)))
    read_or_refuse(good[:start] + data.draw(st.text(max_size=5)) + good[stop:])


def read_or_refuse(text: str) -> None:
    try:
        parse_message(text)
    except MalformedMessage:
        return
