"""64 KiB gated reads at 16 in flight, against the same route ungated and the same bytes from the store.

Starts its own servers (PostgreSQL, SeaweedFS, Tansu, access), puts one recording of 16 MiB there, and reads
random ranges of it over kept-alive connections. The three take turns, round by round, in one run. Every gated
read does all that a read must: token, one query, zones, policies, an acknowledged entry, the key, the range,
and `read.closed`. Prints one JSON line; figures only, no bar.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from minio import Minio

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import access_audit
import access_calls
import access_service
import servers
from otokura.cli.local.ports import free_ports
from otokura.cli.local.program import accepts
from otokura.shared.keys import KeyContext, KeyUse, WrappedDek

RANGE_BYTES = 64 * 1024
RECORDING_BYTES = 16 * 1024 * 1024
IN_FLIGHT = 16
ROUNDS = 5
SECONDS = 3.0


@dataclass
class Contestant:
    """One way to the same bytes; `paths` gives the path and further headers of the next request."""

    name: str
    host: str
    port: int
    request: Callable[[int, int], bytes]
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
                start = random.randrange(0, RECORDING_BYTES - RANGE_BYTES)
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
        servers.kafka(lasting=True) as broker,
        access_service.running(postgres, store, access_service.kafka_of(broker)) as access,
    ):
        tenant = access.tenant()
        call = tenant.call(audio=os.urandom(RECORDING_BYTES))
        supervisor = tenant.person("supervisor")
        gated = Contestant(
            "gated",
            "127.0.0.1",
            access.port,
            http_request(
                "access",
                f"/v1/calls/{call.id}/audio?purpose=quality",
                {"Authorization": f"Bearer {supervisor.token}", "X-Forwarded-For": access_service.OFFICE},
            ),
        )
        with ungated(access, call) as port:
            peer = Contestant(
                "ungated", "127.0.0.1", port, http_request("peer", f"/v1/calls/{call.id}/audio", {})
            )
            measure([gated, peer, straight(access, call)])
    return 0


def dek_of(access: access_service.Access, call: access_calls.Call) -> bytes:
    """The call's key, as access would unwrap it."""
    [row] = access.query("SELECT kek_id, wrapped FROM call_keys WHERE call_id = :id", id=call.id)
    context = KeyContext(call.manifest.tenant_id, call.id)
    wrapped = WrappedDek(row.kek_id, row.wrapped)
    return access_audit.run(access.keys.unwrap(wrapped, context, KeyUse.READ, "bench"))


@contextmanager
def ungated(access: access_service.Access, call: access_calls.Call) -> Iterator[int]:
    """The ungated peer in a process of its own; its port."""
    port = free_ports(1)[0]
    shared = {"DATABASE_URL", "KAFKA_BOOTSTRAP", "S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY", "ISSUER"}
    names = {"PATH", "LD_LIBRARY_PATH", "OTOKURA_AUDIT_SIGNING_KEY_FILE", *(f"OTOKURA_{n}" for n in shared)}
    env = {name: value for name, value in access.environment().items() if name in names}
    log = access.folder / "ungated.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, str(Path(__file__).with_name("read_ungated.py"))],
            env=env | {"OTOKURA_PORT": str(port)},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        given = {"manifest": call.manifest.model_dump(mode="json"), "dek": dek_of(access, call).hex()}
        assert process.stdin is not None
        process.stdin.write(json.dumps(given).encode() + b"\n")
        process.stdin.flush()
        while not accepts(port):
            if process.poll() is not None:
                raise RuntimeError(log.read_text())
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def straight(access: access_service.Access, call: access_calls.Call) -> Contestant:
    """The same number of bytes of the stored ciphertext, from the store itself, by a signed URL."""
    where = urlsplit(access.store_settings.endpoint)
    keys = access.store_settings
    client = Minio(where.netloc, keys.access_key, keys.secret_key, secure=False, region=keys.region)
    stored = call.manifest.recording
    url = urlsplit(client.presigned_get_object(stored.bucket, stored.name, timedelta(hours=1)))
    request = http_request(where.netloc, f"{url.path}?{url.query}", {})
    return Contestant("store", where.hostname or "", where.port or 80, request)


def measure(contestants: list[Contestant]) -> None:
    """Turns of each, the first of which only warms up, and the JSON line."""
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
        "bench": "read",
        "bytes": RANGE_BYTES,
        "in_flight": IN_FLIGHT,
        "of_ungated": round(rate["gated"] / rate["ungated"], 2),
        "of_store": round(rate["gated"] / rate["store"], 2),
        **figures,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    sys.exit(main())
