"""The phone system of `ingest.py`: many real-time streams from one thread, and what it saw.

Reads one JSON object from stdin (see `Plan`) and prints one. Every stream sends a WebSocket message of 20 ms
of two-channel G.711 each 20 ms, due on its own clock, whatever comes back. The masking key is zero, so that
the generator's share of the machine is the sending alone.
"""

from __future__ import annotations

import base64
import json
import os
import re
import select
import socket
import statistics
import struct
import sys
import time
from dataclasses import dataclass, field

FRAME_BYTES = 320
FRAME_SECONDS = 0.02
FRAME_SAMPLES = 160
SLOTS = 20
"""Into so many parts the streams are divided, each due a millisecond after the other."""
PATTERN = 250
"""So many different messages go round: five seconds."""
PING_EVERY = 50
PATIENCE_SECONDS = 20.0
STALL_SECONDS = 0.05
STEADY_SECONDS = 6.0
"""After the last stream has opened: a segment's length and a little."""
_ACCEPTED = re.compile(rb'"accepted_samples":(\d+)')


def message(opcode: int, payload: bytes) -> bytes:
    """A client's WebSocket message in one frame (RFC 6455 §5.2), masked with zeros."""
    size = len(payload)
    head = (
        struct.pack("!BB", 0x80 | opcode, 0x80 | size)
        if size < 126
        else struct.pack("!BBH", 0x80 | opcode, 0xFE, size)
    )
    return head + bytes(4) + payload


def frame(number: int) -> bytes:
    """The audio of a message: differs with its place."""
    return bytes((number * 7 + byte * 3) % 251 for byte in range(FRAME_BYTES))


MESSAGES = [message(2, frame(number)) for number in range(PATTERN)]
PING = message(9, b"")
END = message(1, b'{"type":"end"}')


@dataclass
class Plan:
    """What to do: to whom, with which headers, on which paths, for how long; `acknowledged` or only read."""

    ports: list[int]
    headers: dict[str, str]
    paths: list[str]
    opens_per_second: float
    seconds: float
    acknowledged: bool


@dataclass
class Stream:
    """One connection."""

    sock: socket.socket
    started: float
    sent: int = 0
    base: int = 0
    accepted: int = 0
    unsent: bytes = b""
    received: bytearray = field(default_factory=bytearray)
    pinged: float = 0.0
    closed: bool = False
    finished: bool = False


class Generator:
    """Runs a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._poll = select.epoll()
        self._by_fd: dict[int, Stream] = {}
        self._slots: list[list[Stream]] = [[] for _ in range(SLOTS)]
        self._lags: list[float] = []
        self._latest = 0.0
        self._measuring = False
        self._stalled = 0.0

    def run(self) -> dict[str, object]:
        """Open, send for the time given, end, and tell."""
        begun, cpu = time.perf_counter(), time.process_time()
        first = begun
        opened, tick = 0, 0
        stop, measured_cpu, measured_at = float("inf"), 0.0, 0.0
        while (now := time.perf_counter()) < stop:
            if opened < len(self._plan.paths) and now > first + opened / self._plan.opens_per_second:
                self._open(self._plan.paths[opened], opened)
                opened += 1
                steady = time.perf_counter() + STEADY_SECONDS
            elif opened == len(self._plan.paths) and not self._measuring and now > steady:
                print("measuring", flush=True)
                self._measuring, self._latest = True, 0.0
                measured_cpu, measured_at, stop = time.process_time(), now, now + self._plan.seconds
            due = begun + tick * FRAME_SECONDS / SLOTS
            if now - due > STALL_SECONDS and not self._measuring:
                # Opening took long: the streams go on later, rather than all at once.
                self._stalled += now - due
                begun += now - due
                due = now
            if now < due:
                self._read(due - now)
                continue
            self._latest = max(self._latest, now - due)
            for stream in self._slots[tick % SLOTS]:
                self._send(stream, due)
            tick += 1
            self._read(0)
        busy = (time.process_time() - measured_cpu) / (time.perf_counter() - measured_at)
        self._finish()
        return self._told(busy, time.process_time() - cpu)

    def _open(self, path: str, number: int) -> None:
        port = self._plan.ports[number % len(self._plan.ports)]
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        headers = {
            "Host": f"127.0.0.1:{port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
            **self._plan.headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        sock.sendall(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += sock.recv(4096)
        head, _, rest = answer.partition(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise SystemExit(f"refused: {head[:200]!r}")
        sock.setblocking(False)
        stream = Stream(sock, time.perf_counter())
        self._by_fd[sock.fileno()] = stream
        self._poll.register(sock.fileno(), select.EPOLLIN)
        stream.received += rest
        if self._plan.acknowledged:
            self._wait_ready(stream)
        self._slots[number % SLOTS].append(stream)

    def _wait_ready(self, stream: Stream) -> None:
        """The first message says where this connection begins on the call's timeline."""
        deadline = time.perf_counter() + PATIENCE_SECONDS
        while not self._parse(stream, ready=True):
            if time.perf_counter() > deadline:
                raise SystemExit("a stream did not become ready")
            self._read(0.01, also=stream)

    def _send(self, stream: Stream, due: float) -> None:
        if stream.closed:
            return
        if not stream.sent:
            stream.started = due - FRAME_SECONDS - self._stalled
        data = stream.unsent + MESSAGES[stream.sent % PATTERN]
        stream.sent += 1
        if not self._plan.acknowledged and stream.sent % PING_EVERY == 0 and not stream.pinged:
            data += PING
            stream.pinged = time.perf_counter()
        try:
            stream.unsent = data[stream.sock.send(data) :]
        except BlockingIOError:
            stream.unsent = data
        except OSError:
            stream.closed = True

    def _read(self, patience: float, also: Stream | None = None) -> None:
        for fd, _ in self._poll.poll(patience):
            stream = self._by_fd[fd]
            try:
                data = stream.sock.recv(65536)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                stream.closed = True
                self._poll.unregister(fd)
                continue
            stream.received += data
            if stream is not also:
                self._parse(stream)

    def _parse(self, stream: Stream, *, ready: bool = False) -> bool:
        """Take whole messages; True if one was there."""
        taken = False
        buffer = stream.received
        while len(buffer) >= 2:
            size, start = buffer[1] & 0x7F, 2
            if size == 126:
                if len(buffer) < 4:
                    break
                size, start = int.from_bytes(buffer[2:4], "big"), 4
            if len(buffer) < start + size:
                break
            self._heard(stream, buffer[0] & 0x0F, bytes(buffer[start : start + size]), ready=ready)
            del buffer[: start + size]
            taken = True
        return taken

    def _heard(self, stream: Stream, opcode: int, payload: bytes, *, ready: bool) -> None:
        now = time.perf_counter()
        if opcode == 10 and stream.pinged:
            if self._measuring:
                self._lags.append(now - stream.pinged)
            stream.pinged = 0.0
        elif opcode == 8:
            stream.closed = True
        elif opcode == 1 and (found := _ACCEPTED.search(payload)):
            samples = int(found[1])
            if ready:
                stream.base = stream.accepted = samples
                return
            stream.finished = b'"final":true' in payload
            if samples > stream.accepted:
                stream.accepted = samples
                spoken = (
                    stream.started + self._stalled + (samples - stream.base) / FRAME_SAMPLES * FRAME_SECONDS
                )
                if self._measuring and not stream.finished:
                    self._lags.append(now - spoken)

    def _finish(self) -> None:
        """Say `end` and wait for the last acknowledgement, where there are any."""
        streams = list(self._by_fd.values())
        self._measuring = False
        deadline = time.perf_counter() + PATIENCE_SECONDS
        for stream in streams:
            stream.unsent += END if self._plan.acknowledged else b""
        while time.perf_counter() < deadline:
            for stream in streams:
                if stream.unsent and not stream.closed:
                    try:
                        stream.unsent = stream.unsent[stream.sock.send(stream.unsent) :]
                    except BlockingIOError:
                        continue
                    except OSError:
                        stream.closed = True
            self._read(0.02)
            waiting = any(not (one.finished or one.closed) for one in streams)
            if not any(one.unsent and not one.closed for one in streams) and not (
                self._plan.acknowledged and waiting
            ):
                return

    def _told(self, busy: float, cpu: float) -> dict[str, object]:
        streams = list(self._by_fd.values())
        lost = [one.sent * FRAME_SAMPLES - (one.accepted - one.base) for one in streams]
        hundredths = statistics.quantiles(self._lags, n=100) if len(self._lags) > 1 else [0.0] * 99
        return {
            "streams": len(streams),
            "sent_seconds": sum(one.sent for one in streams) * FRAME_SECONDS,
            "lost_seconds": sum(lost) / 8000 if self._plan.acknowledged else 0.0,
            "unfinished": sum(not one.finished for one in streams) if self._plan.acknowledged else 0,
            "lag_p50_ms": round(hundredths[49] * 1000, 1),
            "lag_p99_ms": round(hundredths[98] * 1000, 1),
            "lags": len(self._lags),
            "late_ms": round(self._latest * 1000, 1),
            "generator_busy": round(busy, 3),
            "generator_cpu": round(cpu, 2),
        }


if __name__ == "__main__":
    print(json.dumps(Generator(Plan(**json.load(sys.stdin))).run()))
