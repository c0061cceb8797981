"""How many real-time two-channel G.711 streams hold on this machine, against a bare sink for the same frames.

Starts its own servers: PostgreSQL, SeaweedFS, Tansu, and two instances of ingest, or of the sink. Level by
level, so many streams send 50 messages a second each, in real time, and every segment must be acknowledged. A
level holds if nothing is lost, if the 99th hundredth of the acceptance lag (from a segment's last sample to
the client hearing that it is stored) stays under a second, and if the generator was not itself the limit: no
message left a second late, or the streams were not real-time any more. The sink is judged by its answers to
pings. Prints the levels to stderr and one JSON line.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).parent))
from ingest_generator import PATTERN, frame
from watched import Watched

import servers
from flac_decoding import decoded
from ingest_service import Credentials, IngestService, settled, start_call
from otokura.cli.local.ports import free_ports
from otokura.cli.local.program import Program, accepts
from otokura.shared.media.g711 import decode_mulaw

LEVELS = (50, 200, 400, 500, 600, 700, 800, 900)
SINK_LEVELS = (600, 800, 1000, 1200, 1400, 1600, 1800)
OPENS_PER_SECOND = 60.0
SECONDS = 15.0
LAG_LIMIT_MS = 1000.0
GENERATOR_LIMIT = 0.7
BARS = {"streams": 600, "ratio": 0.5, "mb_per_stream": 1.0}
LIMITS = {
    "OTOKURA_CLIENT_CALLS": "5000",
    "OTOKURA_CLIENT_REQUESTS_PER_MINUTE": "1000000",
    "OTOKURA_CLIENT_UPLOAD_BYTES_PER_HOUR": str(2**40),
}


def generate(
    ports: list[int], headers: dict[str, str], paths: list[str], *, acknowledged: bool
) -> subprocess.Popen[str]:
    """Start the generator on a plan."""
    plan = {
        "ports": ports,
        "headers": headers,
        "paths": paths,
        "opens_per_second": OPENS_PER_SECOND,
        "seconds": SECONDS,
        "acknowledged": acknowledged,
    }
    script = str(Path(__file__).parent / "ingest_generator.py")
    process = subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(plan))
    process.stdin.close()
    return process


def measured(process: subprocess.Popen[str], watched: list[Watched], base_rss: float) -> dict[str, Any]:
    """What the generator saw, and what it cost whom while all streams sent."""
    assert process.stdout is not None
    if process.stdout.readline() != "measuring\n":
        raise SystemExit("the generator gave up")
    before, peak = {one.name: one.cpu() for one in watched}, 0.0
    began = time.perf_counter()
    while time.perf_counter() - began < SECONDS - 0.5:
        time.sleep(0.5)
        peak = max(peak, watched[0].rss())
    took = time.perf_counter() - began
    cpu = {one.name: one.cpu() - before[one.name] for one in watched}
    told: dict[str, Any] = json.loads(process.stdout.read() or "{}")
    if process.wait() != 0 or not told:
        raise SystemExit("the generator gave up")
    per_stream = {name: round(1000 * spent / took / told["streams"], 2) for name, spent in cpu.items()}
    told["cpu_ms_per_stream_second"] = per_stream
    told["mb_per_stream"] = round((peak - base_rss) / told["streams"] / 1e6, 3)
    return told


def holds(told: dict[str, Any]) -> bool:
    """Whether a level held."""
    return bool(
        abs(told["lost_seconds"]) < 1e-9
        and told["unfinished"] == 0
        and told["lag_p99_ms"] < LAG_LIMIT_MS
        and told["late_ms"] < LAG_LIMIT_MS
        and told["generator_busy"] < GENERATOR_LIMIT
    )


@contextmanager
def stack() -> Iterator[tuple[IngestService, list[int], list[Watched]]]:
    """The servers, and on them two instances of ingest, as many as there are cores."""
    with ExitStack() as held:
        postgres = held.enter_context(servers.postgres())
        store = held.enter_context(servers.s3())
        kafka = held.enter_context(servers.kafka(lasting=True))
        folder = held.enter_context(servers.scratch_folder("bench"))
        database = asyncio.run(postgres.create_database("bench", "bench"))
        broker = {
            "kafka_bootstrap": kafka.bootstrap,
            "kafka_idempotence": kafka.idempotence,
            "kafka_replication": 1,
            "kafka_min_insync": 1,
            "kafka_partitions": 1,
            "development": True,
        }
        identity = servers.object_store_settings(store, "ingest")
        service = IngestService(folder, database, identity, broker, dict(LIMITS))
        asyncio.run(service.prepare())
        service.start()
        held.callback(service.program.kill)
        other = held.enter_context(service.another())
        # The word of the store finds the broker's own store, too.
        words = {"ingest": "otokura.ingest", "store": "weed", "broker": "tansu", "database": "postgres"}
        ports = [service.port, urlsplit(other).port or 0]
        yield service, ports, [Watched(name, word) for name, word in words.items()]


async def started(service: IngestService, count: int) -> tuple[Credentials, list[str]]:
    """Calls, ready to be streamed."""
    credentials = await service.add_tenant()
    async with httpx.AsyncClient(base_url=service.url, headers=credentials.headers, timeout=60) as client:
        return credentials, [(await start_call(client))["id"] for _ in range(count)]


async def sealed(service: IngestService, credentials: Credentials, call_id: str) -> float:
    """End a call; the seconds of its recording that are not what the generator sent."""
    async with httpx.AsyncClient(base_url=service.url, headers=credentials.headers, timeout=60) as client:
        await client.post(f"/v1/calls/{call_id}/end")
        call = await settled(client, call_id, 120)
    _, flac = await service.recording(call_id)
    heard = decoded(flac, 2)
    pattern = b"".join(map(frame, range(PATTERN)))
    spoken = decode_mulaw(pattern).astype("<i2").tobytes()
    wrong = sum(
        heard[start : start + len(spoken)] != spoken[: len(heard) - start]
        for start in range(0, len(heard), len(spoken))
    )
    return 5.0 * wrong if call["accepted_samples"] * 4 == len(heard) else float("inf")


def climb(
    service: IngestService, ports: list[int], watched: list[Watched]
) -> tuple[list[dict[str, Any]], float]:
    """Ingest's levels, from few streams to the first that does not hold."""
    base = watched[0].rss()
    credentials, calls = asyncio.run(started(service, LEVELS[-1] + len(LEVELS)))
    levels: list[dict[str, Any]] = []
    probes: list[str] = []
    for level in LEVELS:
        probes.append(calls.pop())  # streamed once, so that its recording is what this level sent
        paths = [
            f"/v1/calls/{call}/stream?encoding=mulaw&rate=8000&channels=2"
            for call in [*calls[: level - 1], probes[-1]]
        ]
        told = measured(generate(ports, credentials.headers, paths, acknowledged=True), watched, base)
        levels.append(shown("ingest", told))
        if not levels[-1]["held"]:
            break
    return levels, sum(asyncio.run(sealed(service, credentials, call)) for call in probes)


def climb_sink(folder: Path) -> list[dict[str, Any]]:
    """The sink's levels."""
    ports = free_ports(2)
    script = [sys.executable, str(Path(__file__).parent / "ingest_sink.py")]
    environment, log = servers.inherited_environment(), folder / "sink.log"
    programs = [Program("sink", [*script, str(port)], env=environment, log=log) for port in ports]
    try:
        for program, port in zip(programs, ports, strict=True):
            program.start()
            program.wait_until(partial(accepts, port))
        watched = [Watched("sink", "ingest_sink.py")]
        levels: list[dict[str, Any]] = []
        for level in SINK_LEVELS:
            process = generate(ports, {}, ["/sink"] * level, acknowledged=False)
            levels.append(shown("sink", measured(process, watched, watched[0].rss())))
            if not levels[-1]["held"]:
                break
        return levels
    finally:
        for program in programs:
            program.kill()


def shown(who: str, told: dict[str, Any]) -> dict[str, Any]:
    """A line of the table."""
    kept = {**told, "held": holds(told)}
    sys.stderr.write(f"{who}: {json.dumps(kept)}\n")
    sys.stderr.flush()
    return kept


def best(levels: list[dict[str, Any]]) -> dict[str, Any]:
    """The highest level that held."""
    held = [level for level in levels if level["held"]]
    return held[-1] if held else {**levels[0], "streams": 0}


def main() -> int:
    """Climb both, and judge."""
    with stack() as (service, ports, watched):
        levels, wrong = climb(service, ports, watched)
        sink = best(climb_sink(service.folder))
    reached = best(levels)
    ratio = round(reached["streams"] / max(1, sink["streams"]), 2)
    lost = reached["lost_seconds"] + wrong
    met = (
        reached["streams"] >= BARS["streams"]
        and ratio >= BARS["ratio"]
        and reached["mb_per_stream"] < BARS["mb_per_stream"]
        and lost == 0
    )
    figures = {
        "bench": "ingest",
        "bars": BARS,
        "met": met,
        "streams": reached["streams"],
        "ratio": ratio,
        "sink_streams": sink["streams"],
        "lag_p50_ms": reached["lag_p50_ms"],
        "lag_p99_ms": reached["lag_p99_ms"],
        "mb_per_stream": reached["mb_per_stream"],
        "lost_seconds": lost,
        "generator_busy": reached["generator_busy"],
        "levels": [
            {
                key: level[key]
                for key in ("streams", "held", "lag_p99_ms", "mb_per_stream", "cpu_ms_per_stream_second")
            }
            for level in levels
        ],
    }
    sys.stdout.write(json.dumps(figures) + "\n")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
