"""Recorded sessions: what a phone system sent during one short call, and when.

`PYTHONPATH=tests python tests/dialects/sessions.py` makes `tests/contract/dialects/sessions/*.jsonl` again,
from a second of a sample call in `examples/`. The first line says how to connect; each further line is a
message with its time. `{api_key}`, `{basic}` and `{external_id}` stand for what each replay fills in.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from dialects.audiohook import MEDIA, ORGANIZATION, PATH, AudioHook, open_parameters
from dialects.audiosocket import HANGUP, AudioSocket, uuid_frame
from dialects.dialect import Dialect, Piece
from dialects.every import EVERY
from dialects.websocket_wire import WebSocketDialect
from otokura.cli.calls.wav import read_wav
from otokura.ingest.audio_format import Encoding
from otokura.shared.media.g711 import decode_mulaw

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "contract" / "dialects" / "sessions"
SAMPLE = ROOT / "examples" / "calls" / "en-support.wav"
FROM_SECONDS, SECONDS = 3.0, 1.0
Message = str | bytes | dict[str, Any]
"""A text, binary data, or the members of a JSON text that is waited for."""
FIELDS = {"notice": "announced", "notice_version": "2026-04", "purposes": ["quality"], "language": "en"}


@dataclass(frozen=True)
class Session:
    """A recorded session."""

    header: dict[str, Any]
    messages: list[tuple[int, Message]]
    """Each with its time in milliseconds."""

    def dump(self) -> str:
        """As JSON Lines."""
        lines = [self.header]
        for at_ms, message in self.messages:
            if isinstance(message, str):
                lines.append({"at_ms": at_ms, "text": message})
            elif isinstance(message, dict):
                lines.append({"at_ms": at_ms, "expect": message})
            else:
                lines.append({"at_ms": at_ms, "binary": b64encode(message).decode()})
        return "".join(json.dumps(line) + "\n" for line in lines)


def read(path: Path) -> Session:
    """A session from its file."""
    header, *lines = map(json.loads, path.read_text().splitlines())
    return Session(header, [(line["at_ms"], _content(line)) for line in lines])


def _content(line: dict[str, Any]) -> Message:
    if "binary" in line:
        return b64decode(line["binary"])
    content: Message = line["text"] if "text" in line else line["expect"]
    return content


def sample_audio(dialect: Dialect) -> list[bytes]:
    """For each channel of the dialect a second of speech, coded as it codes them."""
    wav = read_wav(SAMPLE)
    data = SAMPLE.read_bytes()[wav.start : wav.start + wav.size]
    first = round(FROM_SECONDS * wav.rate) * wav.frame_bytes
    piece = data[first : first + round(SECONDS * wav.rate) * wav.frame_bytes]
    agent, customer = piece[0::2], piece[1::2]
    legs = {"agent": agent, "customer": customer, "mixed": agent}
    return [_coded(legs[role], dialect) for role in dialect.roles]


def _coded(mulaw: bytes, dialect: Dialect) -> bytes:
    """The sample's µ-law as the dialect has it; a higher rate by straight lines between samples."""
    if dialect.encoding is Encoding.MULAW:
        return mulaw
    samples = decode_mulaw(mulaw).astype(np.float64)
    times = dialect.rate // 8000
    places = np.arange(len(samples) * times) / times
    return np.interp(places, np.arange(len(samples)), samples).round().astype("<i2").tobytes()


def record(dialect: Dialect) -> Session | None:
    """The session of a dialect, if it is words in an order: nothing that ingest says may change them."""
    if isinstance(dialect, WebSocketDialect):
        opening = dialect.opening("{api_key}", "{external_id}", FIELDS)
        return Session(_websocket(dialect), _messages(dialect, opening, dialect.closing()))
    if isinstance(dialect, AudioSocket):
        header = {"dialect": dialect.name, "transport": "tcp", "roles": list(dialect.roles)}
        return Session(header, _messages(dialect, [uuid_frame(str(UUID(int=0)))], [HANGUP]))
    if isinstance(dialect, AudioHook):
        return Session(_signed(dialect), _messages(dialect, *_audiohook(dialect)))
    return None


def _signed(dialect: AudioHook) -> dict[str, Any]:
    headers = {
        "Audiohook-Organization-Id": ORGANIZATION,
        "Audiohook-Session-Id": "{session_id}",
        "Audiohook-Correlation-Id": "e160e428-53e2-487c-977d-96989bf5c99d",
        "X-API-Key": "{api_key}",
    }
    told = {"dialect": dialect.name, "transport": "websocket", "path": PATH}
    return {**told, "headers": headers, "subprotocols": [], "signed": True}


def _audiohook(dialect: AudioHook) -> tuple[list[Message], list[Message]]:
    """Genesys waits for `opened` before it sends audio, and for `closed` before it leaves."""
    media = [{**one, "format": dialect.format} for one in MEDIA]
    common = {"version": "2", "id": "{session_id}"}
    opening = {**common, "type": "open", "seq": 1, "serverseq": 0, "position": "PT0S"}
    closing = {**common, "type": "close", "seq": 2, "serverseq": 1, "position": f"PT{SECONDS}S"}
    parameters = open_parameters("{external_id}", media=media)
    return (
        [json.dumps({**opening, "parameters": parameters}), {"type": "opened"}],
        [json.dumps({**closing, "parameters": {"reason": "end"}}), {"type": "closed"}],
    )


def _messages(
    dialect: Dialect, opening: Sequence[Message], closing: Sequence[Message]
) -> list[tuple[int, Message]]:
    end_ms = round(SECONDS * 1000)
    return [
        *((0, message) for message in opening),
        *((_at(dialect, piece), piece.wire) for piece in dialect.pieces(sample_audio(dialect))),
        *((end_ms, message) for message in closing),
    ]


def _websocket(dialect: WebSocketDialect) -> dict[str, Any]:
    return {
        "dialect": dialect.name,
        "transport": "websocket",
        "path": dialect.path + dialect.query("{external_id}", FIELDS),
        "headers": dialect.headers("{api_key}"),
        "subprotocols": list(dialect.subprotocols),
    }


def _at(dialect: Dialect, piece: Piece) -> int:
    """A piece is sent when its last sample was spoken."""
    return (piece.start + piece.samples) * 1000 // dialect.rate


def main() -> None:
    """Make every session again."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for dialect in EVERY:
        session = record(dialect)
        if session is not None:
            (FOLDER / f"{dialect.name}.jsonl").write_text(session.dump())


if __name__ == "__main__":
    main()
