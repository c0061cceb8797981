"""Dialects that send samples and nothing else: Asterisk's chan_websocket, and jambonz' `listen`."""

from __future__ import annotations

import json
from typing import Any, ClassVar
from urllib.parse import urlencode

from dialects.dialect import Piece, as_text, cut
from dialects.websocket_wire import WebSocketDialect, basic
from otokura.ingest.audio_format import Encoding


def interleaved(audio: list[bytes], width: int) -> bytes:
    """The channels' samples, one of each in turn."""
    woven = bytearray(sum(map(len, audio)))
    stride = width * len(audio)
    for channel, samples in enumerate(audio):
        for byte in range(width):
            woven[channel * width + byte :: stride] = samples[byte::width]
    return bytes(woven)


class Continuous(WebSocketDialect):
    """Binary messages of interleaved samples; the key is a password."""

    def headers(self, api_key: str) -> dict[str, str]:
        return basic(api_key)

    def pieces(self, audio: list[bytes]) -> list[Piece]:
        woven = interleaved(audio, self.form.sample_bytes)
        return [
            Piece(None, start, len(samples) // self.form.frame_bytes, samples)
            for start, samples in cut(woven, self.form)
        ]

    def wrong(self) -> dict[str, tuple[str | bytes, int | None]]:
        unfit = {"half a frame": (bytes(3), 4400)} if self.form.frame_bytes > 1 else {}
        return {
            **unfit,
            "a message without end": (bytes(600_000), 4413),
            "a text without end": ("x" * 70_000, 4413),
        }

    def closing(self) -> list[str | bytes]:
        return []


class Asterisk(Continuous):
    """Control messages as JSON: channel variables carry the call's fields."""

    name: ClassVar[str] = "asterisk"
    path: ClassVar[str] = "/v1/streams/asterisk"
    subprotocols: ClassVar[tuple[str, ...]] = ("media",)
    roles: ClassVar[tuple[str, ...]] = ("mixed",)

    def opening(self, api_key: str, external_id: str, fields: dict[str, Any]) -> list[str | bytes]:
        del api_key
        told = {"external_id": external_id, **as_text(fields)}
        variables = {f"OTOKURA_{name.upper()}": value for name, value in told.items()}
        start = {
            "event": "MEDIA_START",
            "connection_id": "otokura",
            "channel": "WebSocket/otokura/0x7f0000000001",
            "channel_id": "1790000000.7",
            "format": "ulaw",
            "optimal_frame_size": 160,
            "ptime": 20,
            "channel_variables": {"MEDIA_WEBSOCKET_CONNECTION_ID": "otokura", **variables},
        }
        return [json.dumps(start)]


class AsteriskPlain(Asterisk):
    """Control messages as plain text, as before 22.8: the call's fields come in the address."""

    name: ClassVar[str] = "asterisk-plain"
    encoding: ClassVar[Encoding] = Encoding.PCM_S16LE
    rate: ClassVar[int] = 16000

    def opening(self, api_key: str, external_id: str, fields: dict[str, Any]) -> list[str | bytes]:
        del api_key, external_id, fields
        channel = "WebSocket/otokura/0x7f0000000001"
        return [f"MEDIA_START connection_id:otokura channel:{channel} format:slin16 optimal_frame_size:640"]

    def query(self, external_id: str, fields: dict[str, Any]) -> str:
        return "?" + urlencode({"external_id": external_id, **as_text(fields)}, safe="{},")


class Jambonz(Continuous):
    """Two channels of 16-bit samples; the call's fields come in the metadata."""

    name: ClassVar[str] = "jambonz"
    path: ClassVar[str] = "/v1/streams/jambonz"
    subprotocols: ClassVar[tuple[str, ...]] = ("audio.jambonz.org",)
    encoding: ClassVar[Encoding] = Encoding.PCM_S16LE

    def opening(self, api_key: str, external_id: str, fields: dict[str, Any]) -> list[str | bytes]:
        del api_key
        text = {
            "sampleRate": self.rate,
            "mixType": "stereo",
            "callSid": external_id,
            "direction": "inbound",
            "from": "+815000000001",
            "to": "+815000000002",
            "callId": "abc@192.0.2.1",
            "sipStatus": 200,
            "callStatus": "in-progress",
            "accountSid": "6a7e1a0c-0000-4000-8000-000000000001",
            "otokura": fields,
        }
        return [json.dumps(text)]
