"""The log's speed: hashing alone, from the broker to the checkpoint, and how long an entry waits for its own.

Starts its own servers: PostgreSQL (with fsync), SeaweedFS, Tansu, and the audit service as it is run. Entries
are signed before the clock starts, and sent by a process of its own. Three legs: `tiles`, the log's hashes,
tiles and bundles in one process without any I/O; `latency`, a steady stream, from the broker's
acknowledgement to the first served checkpoint that covers the entry; `flood`, as many as there are, from the
first one acknowledged to the checkpoint that covers the last, and what the service's memory does meanwhile.
Prints one JSON line; exits 1 below a bar. Sizes: ENTRIES (flood), RATE and SECONDS (latency), TILES.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).parent))
import audit_load
from audit_tiles import tile_entries_per_second
from watched import Watched

import servers
from audit_service import AuditService

ENTRIES = int(os.environ.get("ENTRIES", "1000000"))
RATE = int(os.environ.get("RATE", "1000"))
SECONDS = int(os.environ.get("SECONDS", "10"))
TILES = int(os.environ.get("TILES", "200000"))
WARM = 2_000
AT_LEAST = {"tile_entries_per_s": 100_000, "end_to_end_entries_per_s": 5_000}
P50_MS = 1000
FLAT = 1.25
"""The service's memory at the end of the flood, over that after its first tenth: what is kept by the entry
would be many times that."""
LOOK_SECONDS = 0.02
PATIENCE_SECONDS = 600.0


class Checkpoints:
    """Asks for the log's checkpoint all the time, as anybody can, and notes when it had which size."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stopped = Event()
        self._thread = Thread(target=self._look, daemon=True)
        self.seen: list[tuple[float, int]] = []
        self.every = LOOK_SECONDS

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _look(self) -> None:
        with httpx.Client(timeout=60, verify=servers.PLAIN) as client:
            while not self._stopped.wait(self.every):
                answer = client.get(f"{self._url}/checkpoint")
                if answer.status_code == httpx.codes.OK:
                    size = int(answer.text.split("\n", 2)[1])
                    if not self.seen or size > self.seen[-1][1]:
                        self.seen.append((time.time(), size))

    def size(self) -> int:
        """The newest size."""
        return self.seen[-1][1] if self.seen else 0

    def reaches(self, size: int, meanwhile: Callable[[], None] = lambda: None) -> float:
        """When the checkpoint first covered `size` entries; waits for it."""
        limit = time.monotonic() + PATIENCE_SECONDS
        while self.size() < size:
            if time.monotonic() > limit:
                raise SystemExit(f"the checkpoint stands at {self.size()} of {size}")
            time.sleep(LOOK_SECONDS)
            meanwhile()
        return next(at for at, seen in self.seen if seen >= size)


class Load:
    """The process that sends, and what it says was acknowledged when."""

    def __init__(self, audit: AuditService, file: Path, first: int, count: int, rate: int) -> None:
        plan = {"kafka": audit.kafka, "file": str(file), "first": first, "count": count, "per_second": rate}
        self.began = time.time()
        self._process = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, audit_load.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(plan))
        self._process.stdin.close()
        self.acknowledged: list[tuple[int, int, float]] = []
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self.acknowledged.append(tuple(json.loads(line)))

    def finish(self) -> None:
        """Waits until everything is acknowledged."""
        if self._process.wait() != 0:
            raise SystemExit("the load gave up")
        self._reader.join()


@contextmanager
def service() -> Iterator[tuple[AuditService, list[Watched]]]:
    """The servers, and on them the audit service with its own defaults."""
    with ExitStack() as held:
        postgres = held.enter_context(servers.postgres(lasting=True))
        store = held.enter_context(servers.s3())
        broker = held.enter_context(servers.kafka())
        folder = held.enter_context(servers.scratch_folder("bench"))
        url = asyncio.run(postgres.create_database("bench", "bench"))
        kafka: dict[str, object] = {
            "kafka_bootstrap": broker.bootstrap,
            "kafka_idempotence": broker.idempotence,
            "kafka_replication": 1,
            "kafka_min_insync": 1,
            "kafka_partitions": 1,
            "development": True,
        }
        defaults = {"publish_interval_seconds": "0.5", "lock_days": "366"}
        where = servers.object_store_settings(store, "test")
        audit = AuditService(folder, url, where, kafka, "log-bench", defaults)
        asyncio.run(audit.prepare())
        audit.start()
        held.callback(audit.program.kill)
        words = {"audit": "otokura.audit", "database": "postgres", "broker": "tansu", "store": "weed"}
        yield audit, [Watched(name, word) for name, word in {**words, "load": "audit_load"}.items()]


def latency(audit: AuditService, file: Path, looks: Checkpoints, first: int) -> dict[str, Any]:
    """A steady stream: from each entry's acknowledgement to the first checkpoint that covers it."""
    load = Load(audit, file, first, RATE * SECONDS, RATE)
    load.finish()
    ids: dict[str, float] = {}
    with file.open("rb") as lines:
        wanted = {number: at for start, end, at in load.acknowledged for number in range(start, end + 1)}
        for number, line in enumerate(lines):
            if number in wanted:
                ids[json.loads(line)["entry_id"]] = wanted[number]
            elif number > first:
                break

    async def found() -> list[Any]:
        query = "SELECT entry_id, index FROM entries WHERE entry_id = ANY(CAST(:ids AS uuid[]))"
        rows: list[Any] = []
        while len(rows) < len(ids):
            rows = await audit.query(query, ids=list(ids))
        return rows

    rows = sorted(asyncio.run(found()), key=lambda row: row.index)
    looks.reaches(rows[-1].index + 1)
    waits: list[float] = []
    seen = iter(looks.seen)
    at, size = next(seen)
    for row in rows:
        while size <= row.index:
            at, size = next(seen)
        waits.append((at - ids[str(row.entry_id)]) * 1000)
    hundredths = statistics.quantiles(waits, n=100)
    return {
        "checkpoint_p50_ms": round(hundredths[49], 1),
        "checkpoint_p99_ms": round(hundredths[98], 1),
        "latency_entries_per_s": round(len(rows) / (load.acknowledged[-1][2] - load.acknowledged[0][2])),
    }


def flood(
    audit: AuditService, file: Path, looks: Checkpoints, first: int, watched: Sequence[Watched]
) -> dict[str, Any]:
    """All that is left as fast as it goes: the rate, memory by the size of the log, who used the cores."""
    pid = audit.program.pid
    assert pid is not None
    process = psutil.Process(pid)
    memory: list[tuple[int, float]] = []
    used: dict[str, float] = {}

    def look() -> None:
        if not memory or looks.size() > memory[-1][0]:
            memory.append((looks.size(), process.memory_info().rss / 1e6))
            used.update({one.name: one.cpu() for one in watched})

    looks.every = 5 * LOOK_SECONDS  # each look costs the service what a small read does
    look()
    before, start = dict(used), looks.size()
    load = Load(audit, file, first, ENTRIES, 0)
    ended = looks.reaches(start + ENTRIES, look)
    load.finish()
    look()
    began = load.acknowledged[0][2]
    cpu = {name: spent - before[name] for name, spent in used.items()}
    warm = next(rss for size, rss in memory if size >= start + ENTRIES // 10)
    return {
        "end_to_end_entries_per_s": round(ENTRIES / (ended - began)),
        "sent_per_s": round(ENTRIES / (load.acknowledged[-1][2] - began)),
        "rss_mb": round(memory[-1][1], 1),
        "rss_mb_before": {
            "start": round(memory[0][1], 1),
            "tenth": round(warm, 1),
            "most": round(max(rss for _, rss in memory), 1),
        },
        "entries": memory[-1][0],
        "cpu_us_per_entry": {name: round(spent / ENTRIES * 1e6, 1) for name, spent in cpu.items()},
        "cpu_share": {name: round(spent / sum(cpu.values()), 2) for name, spent in cpu.items()},
    }


def main() -> int:
    """Measures, prints, judges."""
    tiles = tile_entries_per_second(TILES)
    with service() as (audit, watched), Checkpoints(audit.log_url) as looks:
        file = audit.folder / "entries"
        steady = RATE * SECONDS
        signed = audit_load.sign(file, WARM + steady + ENTRIES, audit.source_key)
        warm = Load(audit, file, 0, WARM, RATE)
        warm.finish()
        looks.reaches(WARM)
        waits = latency(audit, file, looks, WARM)
        rates = flood(audit, file, looks, WARM + steady, watched)
    result: dict[str, Any] = {"tile_entries_per_s": round(tiles), **rates, **waits}
    met = (
        all(result[name] >= bar for name, bar in AT_LEAST.items())
        and result["checkpoint_p50_ms"] <= P50_MS
        and result["rss_mb"] <= FLAT * result["rss_mb_before"]["tenth"]
    )
    print(json.dumps({"bench": "audit", "met": met, **result, "signed_per_s": round(signed)}))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
