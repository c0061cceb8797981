"""A live stream begins again where the server had got to, and gives up when the server says so.

The server here is one that speaks ingest's messages and breaks off as it is told; with ingest itself the
same client is tested end to end.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from websockets.sync.server import Server, ServerConnection, serve

from otokura.cli.calls import live
from otokura.cli.calls.live import StreamError, Where, stream_live
from otokura.cli.calls.wav import Wav

SAMPLES = bytes(n % 251 for n in range(16_000))
"""Two seconds of one channel of µ-law; each byte tells where it belongs."""


@dataclass
class Recorder:
    """Stores what comes in segments; hangs up after as many bytes as `breaks` says, a connection each."""

    breaks: list[int] = field(default_factory=list[int])
    refuse_with: int | None = None
    forget: int = 0
    """Bytes received but not stored when it hangs up."""
    stored: bytearray = field(default_factory=bytearray)
    connections: int = 0

    def __call__(self, socket: ServerConnection) -> None:
        self.connections += 1
        if self.refuse_with is not None:
            problem = {"status": self.refuse_with - 4000, "detail": "This call has ended."}
            socket.send(json.dumps({"type": "error", "problem": problem}))
            socket.close(self.refuse_with)
            return
        socket.send(self.message("ready"))
        received, limit = bytearray(), self.breaks.pop(0) if self.breaks else None
        for message in socket:
            if isinstance(message, str):
                self.stored += received
                socket.send(self.message("accepted", final=True))
                socket.close(1000)
                return
            received += message
            if limit is not None and len(received) >= limit:
                self.stored += received[: len(received) - self.forget]
                socket.close(1012)
                return

    def message(self, kind: str, *, final: bool = False) -> str:
        return json.dumps({"type": kind, "accepted_samples": len(self.stored), "final": final})


@contextmanager
def serving(recorder: Recorder) -> Iterator[Where]:
    server: Server = serve(recorder, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        port = server.socket.getsockname()[1]
        yield Where(f"ws://127.0.0.1:{port}/v1/calls/1/stream", {"X-API-Key": "k"})
    finally:
        server.shutdown()
        thread.join()


@pytest.fixture
def wav(tmp_path: Path) -> Wav:
    path = tmp_path / "call.raw"
    path.write_bytes(b"head" + SAMPLES)
    return Wav(path, "mulaw", 8000, 1, 4, len(SAMPLES))


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_PAUSES", (0.01, 0.01, 0.01))


@pytest.mark.guarantee("K3")
@pytest.mark.parametrize("forget", [0, 1, 799, 800, 2000])
def test_after_an_interruption_it_goes_on_where_the_server_had_got_to(wav: Wav, forget: int) -> None:
    recorder = Recorder(breaks=[4000, 2400, 3200], forget=forget)
    reached: list[int] = []
    with serving(recorder) as where:
        connections = stream_live(where, wav, speed=100, progress=reached.append)
    assert bytes(recorder.stored) == SAMPLES
    assert connections == recorder.connections == 4
    assert reached[-1] == len(SAMPLES)


def test_what_ingest_refuses_is_not_tried_again(wav: Wav) -> None:
    recorder = Recorder(refuse_with=4409)
    with serving(recorder) as where, pytest.raises(StreamError, match="This call has ended"):
        stream_live(where, wav, speed=100)
    assert recorder.connections == 1


def test_what_is_away_for_a_moment_is_tried_again(wav: Wav) -> None:
    recorder = Recorder(refuse_with=4503)
    with serving(recorder) as where, pytest.raises(StreamError, match="cannot be reached"):
        stream_live(where, wav, speed=100)
    assert recorder.connections == 4


def test_a_server_that_is_not_there_is_given_up(wav: Wav) -> None:
    with serving(Recorder()) as where:
        pass
    with pytest.raises(StreamError, match="cannot be reached"):
        stream_live(where, wav)


def test_a_connection_that_breaks_without_progress_is_given_up(wav: Wav) -> None:
    recorder = Recorder(breaks=[1] * 10, forget=800)
    with serving(recorder) as where, pytest.raises(StreamError, match="cannot be reached"):
        stream_live(where, wav, speed=100)
    assert recorder.connections == 4
    assert bytes(recorder.stored) == b""
