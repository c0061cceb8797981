"""The raw stream's query and messages."""

from __future__ import annotations

import numpy as np
import pytest

from otokura.ingest.audio_format import Encoding, StreamFormat
from otokura.ingest.dialects.raw_messages import End, GapMessage, parse_format, parse_message
from otokura.ingest.errors import MalformedAudio, MalformedMessage
from otokura.shared.errors import BadRequest

GOOD = {"encoding": "mulaw", "rate": "8000", "channels": "2"}


def test_a_format_is_read_from_the_query() -> None:
    """All three parameters are needed, so that a default never mislabels audio."""
    assert parse_format(GOOD) == StreamFormat(Encoding.MULAW, 8000, 2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("encoding", "opus"),
        ("encoding", ""),
        ("rate", "44100"),
        ("rate", "8000.0"),
        ("rate", "-8000"),
        ("channels", "0"),
        ("channels", "3"),
        ("channels", "two"),
    ],
)
def test_what_is_not_offered_is_refused_by_name(name: str, value: str) -> None:
    """The message names the parameter and what it may be, and does not repeat the value."""
    with pytest.raises(BadRequest, match=f"query parameter {name} must be one of") as refused:
        parse_format({**GOOD, name: value})
    assert not value or value not in refused.value.detail.split("must be one of")[0]


@pytest.mark.parametrize("missing", ["encoding", "rate", "channels"])
def test_a_missing_parameter_is_refused(missing: str) -> None:
    with pytest.raises(BadRequest, match=missing):
        parse_format({name: value for name, value in GOOD.items() if name != missing})


def test_pcm_passes_unchanged() -> None:
    """Stored samples are the samples that came."""
    pcm = bytes(range(8))
    assert StreamFormat(Encoding.PCM_S16LE, 16000, 2).decode(pcm) == pcm


@pytest.mark.parametrize(("encoding", "silence"), [(Encoding.MULAW, 0xFF), (Encoding.ALAW, 0xD5)])
def test_g711_becomes_sixteen_bit(encoding: Encoding, silence: int) -> None:
    """ITU-T G.711: its idle codes are (next to) zero, and each byte is one sample."""
    decoded = np.frombuffer(StreamFormat(encoding, 8000, 1).decode(bytes([silence] * 5)), "<i2")
    assert decoded.size == 5
    assert np.all(np.abs(decoded) <= 8)


@pytest.mark.parametrize(
    ("wanted", "size"),
    [
        (StreamFormat(Encoding.PCM_S16LE, 8000, 1), 3),
        (StreamFormat(Encoding.PCM_S16LE, 8000, 2), 6),
        (StreamFormat(Encoding.ALAW, 8000, 2), 1),
        (StreamFormat(Encoding.MULAW, 8000, 1), 0),
    ],
)
def test_half_a_frame_is_malformed(wanted: StreamFormat, size: int) -> None:
    """Guessing would shift every later sample into the other channel or byte."""
    with pytest.raises(MalformedAudio):
        wanted.decode(bytes(size))


def test_client_messages_are_read() -> None:
    assert parse_message('{"type":"end"}') == End(type="end")
    assert parse_message('{"type":"gap","ms":250,"reason":"paused"}') == GapMessage(
        type="gap", ms=250, reason="paused"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "end",
        "[]",
        '{"type":"stop"}',
        '{"type":"end","now":true}',
        '{"type":"gap","ms":0,"reason":"lost"}',
        '{"type":"gap","ms":-5,"reason":"lost"}',
        '{"type":"gap","ms":5,"reason":"boredom"}',
        '{"type":"gap","ms":1e99,"reason":"lost"}',
    ],
)
def test_other_messages_are_malformed(text: str) -> None:
    """The answer lists what may be sent and repeats nothing of what came."""
    with pytest.raises(MalformedMessage, match=r'"type":"end"'):
        parse_message(text)
