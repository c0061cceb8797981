"""Entries for the log, signed before any clock starts, and a process of its own that sends them.

    python bench/audit_load.py < PLAN

The plan is JSON: the broker's settings, a file of entries, which of its lines, and how many a second (0: as
fast as the broker acknowledges). Prints `[first, last, acknowledged]` for each chunk, seconds since 1970.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from otokura.shared.audit_entries import Action, instant
from otokura.shared.audit_events import AuditRecorded
from otokura.shared.canonical_json import canonical_json
from otokura.shared.cloudevents import encode_json
from otokura.shared.events import Topic
from otokura.shared.ids import uuid7
from otokura.shared.kafka import KafkaSettings, Producer, Record, ensure_topics

CHUNK = 256
SOURCES, TENANTS, READERS, CALLS = 4, 8, 200, 5_000
PACE_SECONDS = 0.02


def sign(path: Path, count: int, key: Ed25519PrivateKey) -> float:
    """Writes entries, one a line; how many were signed a second.

    They say what a read says that access writes down, by a few sources in turns.
    """
    sources = [f"access/{uuid7()}" for _ in range(SOURCES)]
    tenants, calls = [str(uuid7()) for _ in range(TENANTS)], [str(uuid7()) for _ in range(CALLS)]
    began = time.perf_counter()
    with path.open("wb") as lines:
        for number in range(count):
            members: dict[str, Any] = {
                "entry_id": str(uuid7()),
                "source": sources[number % SOURCES],
                "seq": number // SOURCES + 1,
                "time": instant(datetime.now(UTC)),
                "tenant_id": tenants[number % TENANTS],
                "action": str(Action.READ_OPENED),
                "reader": f"person/{number * 7 % READERS:08x}",
                "call_id": calls[number * 11 % CALLS],
                "detail": _detail(number),
            }
            signed = canonical_json(members)
            signature = base64.b64encode(key.sign(signed))
            lines.write(signed[:-1] + b',"signature":"' + signature + b'"}\n')
    return count / (time.perf_counter() - began)


def _detail(number: int) -> dict[str, Any]:
    return {
        "read_id": str(uuid7()),
        "address": f"192.0.2.{number % 200}",
        "action": "listen",
        "purpose": "quality",
        "reason": "品質管理のための確認",
        "external_id": f"call-{number % CALLS}",
        "policies": ["supervisor-hears-team", "office-only"],
        "zones": ["office"],
        "range": [number % 64 * 65_536, 65_536],
    }


def _record(line: bytes) -> Record:
    data = line.rstrip(b"\n")
    members = json.loads(data)
    at = datetime.fromisoformat(members["time"])
    return encode_json(
        topic=Topic.AUDIT,
        key=members["source"],
        event_type=AuditRecorded.TYPE,
        event_id=UUID(members["entry_id"]),
        source=members["source"],
        time=at,
        data=data,
    )


def _chunks(plan: dict[str, Any]) -> Iterator[Sequence[bytes]]:
    rate = plan["per_second"]
    each = max(1, int(rate * PACE_SECONDS)) if rate else CHUNK
    with Path(plan["file"]).open("rb") as lines:
        wanted = islice(lines, plan["first"], plan["first"] + plan["count"])
        while chunk := list(islice(wanted, each)):
            yield chunk


async def send(plan: dict[str, Any]) -> None:
    """Sends what the plan says, one chunk after another."""
    settings = cast("KafkaSettings", SimpleNamespace(**plan["kafka"]))
    await ensure_topics(settings, [Topic.AUDIT])
    producer = Producer(settings)
    done, rate = plan["first"], plan["per_second"]
    began = time.perf_counter()
    try:
        for chunk in _chunks(plan):
            if rate:
                due = began + (done - plan["first"]) / rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await producer.send(*map(_record, chunk))
            print(json.dumps([done, done + len(chunk) - 1, time.time()]))
            done += len(chunk)
    finally:
        await producer.stop()


if __name__ == "__main__":
    asyncio.run(send(json.load(sys.stdin)))
