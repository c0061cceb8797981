"""Gated reads of 64 KiB at 16 in flight, against the same route ungated and the same bytes from the store.

Starts its own servers (PostgreSQL, SeaweedFS, Tansu, access), puts one recording of 16 MiB there, and reads
random segments of it (64 KiB, which is how it is encrypted) over kept-alive connections. The contestants take
turns, round by round, in one run. Every gated read does all that a read must: token, one query, zones,
policies, an acknowledged entry, the key, the range, and `read.closed`. `anywhere` are gated ranges of the
same length that begin anywhere, and so take two segments each. Prints one JSON line; status 1 below a bar.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import access_calls
import access_service
import servers
from otokura.cli.local.ports import free_ports
from otokura.cli.local.program import Program, accepts

RANGE_BYTES = 64 * 1024
RECORDING_BYTES = 16 * 1024 * 1024
IN_FLIGHT = 16
ROUNDS = 5
SECONDS = 3.0
AT_LEAST = {"reads_per_s": 600, "ratio_ungated": 0.6}
P99_MS = 100
AT_REST = {"OTOKURA_RECHECK_SECONDS": "5"}
"""As by default: tests are in more of a hurry with what is not measured here."""


@dataclass
class Contestant:
    """One way to the same bytes; `paths` gives the path and further headers of the next request."""

    name: str
    host: str
    port: int
    request: Callable[[int, int], bytes]
    step: int = RANGE_BYTES
    rates: list[float] = field(default_factory=list[float])
    latencies: list[float] = field(default_factory=list[float])

    async def run(self, seconds: float) -> None:
        """One round: `IN_FLIGHT` connections ask again as soon as they are answered."""
        deadline = time.perf_counter() + seconds
        before = len(self.latencies)
        started = time.perf_counter()
        await asyncio.gather(*(self._connection(deadline) for _ in range(IN_FLIGHT)))
        self.rates.append((len(self.latencies) - before) / (time.perf_counter() - started))

    async def _connection(self, deadline: float) -> None:
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=1 << 20)
        try:
            while time.perf_counter() < deadline:
                start = random.randrange(0, RECORDING_BYTES - RANGE_BYTES, self.step)
                asked = time.perf_counter()
                writer.write(self.request(start, start + RANGE_BYTES - 1))
                await _answer(reader, self.name)
                self.latencies.append(time.perf_counter() - asked)
        finally:
            writer.close()

    def figures(self) -> dict[str, float]:
        """Median rate of the rounds, and latencies over all of them."""
        hundredths = statistics.quantiles(self.latencies, n=100)
        return {
            "per_second": round(statistics.median(self.rates), 1),
            "p50_ms": round(hundredths[49] * 1000, 2),
            "p99_ms": round(hundredths[98] * 1000, 2),
        }


async def _answer(reader: asyncio.StreamReader, name: str) -> None:
    """Reads one HTTP/1.1 answer: 206 with exactly the bytes that were asked for."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
    body = await reader.readexactly(length)
    if b" 206 " not in head.split(b"\r\n", 1)[0] or length != RANGE_BYTES:
        raise RuntimeError(f"{name} answered {head[:200]!r} {body[:300]!r}")


def http_request(host: str, path: str, headers: dict[str, str]) -> Callable[[int, int], bytes]:
    """A GET that differs in its range only."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", *(f"{k}: {v}" for k, v in headers.items())]
    fixed = "\r\n".join(lines)
    return lambda first, last: f"{fixed}\r\nRange: bytes={first}-{last}\r\n\r\n".encode()


def main() -> int:
    """Starts everything, measures, prints."""
    with (
        servers.postgres() as postgres,
        servers.s3() as store,
        servers.kafka() as broker,
        access_service.running(postgres, store, access_service.kafka_of(broker), **AT_REST) as access,
    ):
        tenant = access.tenant()
        call = tenant.call(audio=os.urandom(RECORDING_BYTES))
        headers = {
            "Authorization": f"Bearer {tenant.person('supervisor').token}",
            "X-Forwarded-For": access_service.OFFICE,
        }
        ask = http_request("access", f"/v1/calls/{call.id}/audio?purpose=quality", headers)
        with ungated(access) as port:
            contestants = [
                Contestant("gated", "127.0.0.1", access.port, ask),
                Contestant("ungated", "127.0.0.1", port, ask),
                straight(access, call),
                Contestant("anywhere", "127.0.0.1", access.port, ask, step=1),
            ]
            return measure(contestants)


@contextmanager
def ungated(access: access_service.Access) -> Iterator[int]:
    """The ungated peer in a process of its own; its port."""
    port = free_ports(1)[0]
    argv = [sys.executable, str(Path(__file__).with_name("read_ungated.py"))]
    env = access.environment() | {"OTOKURA_PORT": str(port)}
    peer = Program("ungated", argv, env=env, log=access.folder / "ungated.log")
    peer.start()
    try:
        peer.wait_until(lambda: accepts(port), 30.0)
        yield port
    finally:
        peer.stop(10)


def straight(access: access_service.Access, call: access_calls.Call) -> Contestant:
    """The same number of bytes of the stored ciphertext, from the store itself, by a signed URL."""
    client = servers.s3_client(access.store_settings)
    stored = call.manifest.recording
    url = urlsplit(client.presigned_get_object(stored.bucket, stored.name, timedelta(hours=1)))
    request = http_request(url.netloc, f"{url.path}?{url.query}", {})
    return Contestant("store", url.hostname or "", url.port or 80, request)


def measure(contestants: list[Contestant]) -> int:
    """Turns of each, the first of which only warms up, and the JSON line; 1 below a bar."""
    for contestant in contestants:
        asyncio.run(contestant.run(1.0))
        contestant.rates.clear()
        contestant.latencies.clear()
    for _ in range(ROUNDS):
        for contestant in contestants:
            asyncio.run(contestant.run(SECONDS))
    figures = {contestant.name: contestant.figures() for contestant in contestants}
    rate = {name: figure["per_second"] for name, figure in figures.items()}
    result = {
        "reads_per_s": rate["gated"],
        "p99_ms": figures["gated"]["p99_ms"],
        "ratio_ungated": round(rate["gated"] / rate["ungated"], 2),
        "ratio_store": round(rate["gated"] / rate["store"], 2),
    }
    met = all(result[name] >= bar for name, bar in AT_LEAST.items()) and result["p99_ms"] < P99_MS
    about = {"bench": "read", "bytes": RANGE_BYTES, "in_flight": IN_FLIGHT, "met": met}
    print(json.dumps({**about, **result, **figures}))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
