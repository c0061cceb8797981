"""Twilio Media Streams, and Telnyx' media streaming, which says the same with other names."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any, ClassVar

import numpy as np

from dialects.dialect import Piece, as_text, cut, one_channel
from dialects.websocket_wire import WebSocketDialect
from otokura.ingest.audio_format import Encoding

TRACKS = ("inbound", "outbound")
STREAM = "MZ00000000000000000000000000000001"
ACCOUNT = "AC00000000000000000000000000000001"
CALL = "CA00000000000000000000000000000001"
CONTROL = "v3:stream-control"


class Twilio(WebSocketDialect):
    """Both tracks of one leg; the counter of chunks is shared, as in Twilio's examples."""

    name: ClassVar[str] = "twilio"
    path: ClassVar[str] = "/v1/streams/twilio"
    placed: ClassVar[bool] = True

    def opening(self, api_key: str, external_id: str, fields: dict[str, Any]) -> list[str | bytes]:
        start = {
            "event": "start",
            "sequenceNumber": "1",
            "start": {
                "accountSid": ACCOUNT,
                "streamSid": STREAM,
                "callSid": external_id,
                "tracks": list(TRACKS[: len(self.roles)]),
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": {"api_key": api_key, **as_text(fields)},
            },
            "streamSid": STREAM,
        }
        return [json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}), json.dumps(start)]

    def pieces(self, audio: list[bytes]) -> list[Piece]:
        single = one_channel(self.form)
        placed = [
            (start, channel, payload)
            for channel, samples in enumerate(audio)
            for start, payload in cut(samples, single)
        ]
        return [
            Piece(
                channel,
                start,
                len(payload) // single.sample_bytes,
                self.media(number, channel, start, payload),
            )
            for number, (start, channel, payload) in enumerate(sorted(placed), 1)
        ]

    def media(self, number: int, channel: int, start: int, payload: bytes) -> str:
        """One message of audio; `start` in samples."""
        return json.dumps(
            {
                "event": "media",
                "sequenceNumber": str(number + 1),
                "media": {
                    "track": TRACKS[channel],
                    "chunk": str(number),
                    "timestamp": str(start * 1000 // self.rate),
                    "payload": b64encode(payload).decode(),
                },
                "streamSid": STREAM,
            }
        )

    def wrong(self) -> dict[str, tuple[str | bytes, int | None]]:
        good = json.loads(self.media(1, 0, 0, b"\xff" * 160))

        def bad(**changes: Any) -> str:
            return json.dumps({**good, "media": {**good["media"], **changes}})

        return {
            "a JSON bomb": ("[" * 60_000, 4400),
            "no JSON": ("what is this?", 4400),
            "binary": (b"\xff" * 160, 4400),
            "base64 that is not": (bad(payload="****"), 4400),
            "an unknown track": (bad(track="sideways"), 4400),
            "a time before all times": (bad(timestamp="-20"), 4400),
            "a time after a day": (bad(timestamp=str(25 * 3600 * 1000)), 4413),
            "a second start": (self.opening("", "again", {})[1], 4400),
            "a text without end": ("x" * 70_000, 4413),
        }

    def closing(self) -> list[str | bytes]:
        stop = {"accountSid": ACCOUNT, "callSid": CALL}
        return [json.dumps({"event": "stop", "sequenceNumber": "9999", "stop": stop, "streamSid": STREAM})]


class Telnyx(Twilio):
    """The key of the client comes as the streaming token, in a header and in the first message."""

    name: ClassVar[str] = "telnyx"
    path: ClassVar[str] = "/v1/streams/telnyx"
    media_encoding: ClassVar[str] = "PCMU"

    def headers(self, api_key: str) -> dict[str, str]:
        return {"x-telnyx-streaming-auth-token": api_key}

    def opening(self, api_key: str, external_id: str, fields: dict[str, Any]) -> list[str | bytes]:
        connected = {"event": "connected", "version": "1.0.0", "x-telnyx-streaming-auth-token": api_key}
        start = {
            "event": "start",
            "sequence_number": "1",
            "start": {
                "user_id": "3E6F995F-85F7-4705-9741-53B116D28237",
                "call_control_id": external_id,
                "call_session_id": "ff55a038-6f5d-11ef-9692-02420aeffb1f",
                "from": "+815000000001",
                "to": "+815000000002",
                "custom_parameters": as_text(fields),
                "media_format": {"encoding": self.media_encoding, "sample_rate": self.rate, "channels": 1},
            },
            "stream_id": STREAM,
        }
        return [json.dumps(connected), json.dumps(start)]

    def media(self, number: int, channel: int, start: int, payload: bytes) -> str:
        return json.dumps(
            {
                "event": "media",
                "sequence_number": str(number + 1),
                "media": {
                    "track": TRACKS[channel],
                    "chunk": str(number),
                    "timestamp": str(start * 1000 // self.rate),
                    "payload": b64encode(payload).decode(),
                },
                "stream_id": STREAM,
            }
        )

    def closing(self) -> list[str | bytes]:
        stop = {"user_id": "3E6F995F-85F7-4705-9741-53B116D28237", "call_control_id": CONTROL}
        return [json.dumps({"event": "stop", "sequence_number": "9999", "stop": stop, "stream_id": STREAM})]


class TelnyxLinear(Telnyx):
    """16-bit samples at 16 kHz, in network byte order as RTP carries them (RFC 3551 §4.5.11)."""

    name: ClassVar[str] = "telnyx-l16"
    encoding: ClassVar[Encoding] = Encoding.PCM_S16LE
    rate: ClassVar[int] = 16000
    media_encoding: ClassVar[str] = "L16"

    def wrong(self) -> dict[str, tuple[str | bytes, int | None]]:
        half = Telnyx.media(self, 1, 0, 0, b"\x00" * 321)
        return {"half a sample": (half, 4400)}

    def media(self, number: int, channel: int, start: int, payload: bytes) -> str:
        swapped = np.frombuffer(payload, "<i2").astype(">i2").tobytes()
        return super().media(number, channel, start, swapped)
