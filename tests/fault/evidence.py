"""What the system shows when all is calm: topics, log, alerts, and the independent verifier's report."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from fault.history import Entry, Event, History
from otokura.cli.local.layout import SERVICES
from otokura.cli.verify.log import verify_log
from whole import PATIENCE, Whole

RECORDED = "otokura.audit.recorded.v1"
AUDIT = "otokura.audit"
PROVEN_READS = 5
ALERT_LOOKS = 60
ENDED = re.compile(r"(?P<part>\w+) ended \((?P<code>-?\d+)\)")


@dataclass(frozen=True)
class Message:
    """A CloudEvent on a topic."""

    event_id: str
    type: str
    data: dict[str, Any]


async def collect(whole: Whole, history: History) -> None:
    """Adds to the history all that the system shows. Nobody else may use it meanwhile."""
    topics = await read_topics(whole.target.stack.kafka_bootstrap)
    history.announced = [entry_of(m.data) for m in topics.pop(AUDIT) if m.type == RECORDED]
    history.living = living(history.announced)
    history.dead_letters = [f"{m.type} on {t}" for t in topics if t.endswith(".dlq") for m in topics[t]]
    events = [m for name, messages in topics.items() if not name.endswith(".dlq") for m in messages]
    history.events = [
        Event(m.event_id, m.type, m.data["call_id"], m.data.get("outcome", ""))
        for m in events
        if "call_id" in m.data
    ]
    history.log = await whole_log(whole, {entry.entry_id for entry in history.announced})
    history.alerts = await alerts(whole)
    history.crashed = crashes(whole.told)
    verify(whole, history)


async def alerts(whole: Whole) -> list[tuple[str, str]]:
    """Kind and source of every alert, as soon as all that is due should have been raised."""
    due = "SELECT count(*) AS unsaid FROM sources WHERE NOT closed AND NOT silence_alerted"
    for _ in range(ALERT_LOOKS):
        [row] = await whole.query("audit", due)
        if row.unsaid <= len(SERVICES):
            break
        await asyncio.sleep(1.0)
    return [(row.kind, row.source) for row in await whole.query("audit", "SELECT kind, source FROM alerts")]


async def whole_log(whole: Whole, announced: set[str]) -> list[Entry]:
    """The log, as soon as it has all that was announced and has published it."""
    query = "SELECT entry_id, source, seq, action, call_id, recorded FROM entries"
    async with asyncio.timeout(PATIENCE):
        while True:
            rows = await whole.query("audit", query)
            [shard] = await whole.query("audit", "SELECT size, published_size FROM log_shards")
            if announced <= {str(row.entry_id) for row in rows} and shard.published_size == len(rows):
                return [entry_of(json.loads(row.recorded)) for row in rows]
            await asyncio.sleep(0.5)


def verify(whole: Whole, history: History) -> None:
    """The verifier's report: the whole log, and the receipts of some reads."""
    some = history.reads[:: max(1, len(history.reads) // PROVEN_READS)]
    target = whole.target
    report = verify_log(target.log_url, target.log_vkey)
    assert report.size == len(history.log)
    history.findings = [str(finding) for finding in report.findings]
    history.holes = report.holes
    with whole.api("auditor", "audit") as api:
        receipts = [api.json("GET", f"/v1/receipts/{read.entry_id}") for read in some]
    keys = json.loads(target.layout.source_keys.read_text())
    proven = verify_log(target.log_url, target.log_vkey, receipts=receipts, source_keys=keys)
    assert proven.receipts == len(some)
    history.findings += [str(finding) for finding in proven.findings]


def entry_of(recorded: Mapping[str, Any]) -> Entry:
    """An entry as its source wrote it."""
    span = recorded["detail"].get("range") if recorded["action"] == "read.opened" else None
    return Entry(
        entry_id=recorded["entry_id"],
        source=recorded["source"],
        seq=recorded["seq"],
        action=recorded["action"],
        call_id=recorded["call_id"],
        span=(span["start"], span["stop"]) if span else None,
    )


def living(announced: list[Entry]) -> set[str]:
    """The newest source of each service: when all is calm, it is the one that runs."""
    opened = [entry.source for entry in announced if entry.action == "source.opened"]
    return set({source.split("/")[0]: source for source in opened}.values())


def crashes(told: list[str]) -> list[str]:
    """What ended otherwise than by `kill -9`, by what the supervision said."""
    ended = [match for line in told if (match := ENDED.match(line))]
    return [match[0] for match in ended if match["code"] != "-9"]


async def read_topics(bootstrap: str) -> dict[str, list[Message]]:
    """Everything on every topic of Otokura's, by topic."""
    # The local broker spends this time on reading: see otokura.shared.fetching.
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=3_000
    )
    await consumer.start()
    try:
        names = sorted(name for name in await consumer.topics() if name.startswith("otokura."))
        return {name: await _read(consumer, TopicPartition(name, 0)) for name in names}
    finally:
        await consumer.stop()


async def _read(consumer: AIOKafkaConsumer, partition: TopicPartition) -> list[Message]:
    """Lag is by the fetch's high-water mark: the local broker answers ListOffsets(latest) wrongly."""
    consumer.assign([partition])
    consumer.seek(partition, 0)
    messages: list[Message] = []
    while (end := consumer.highwater(partition)) is None or await consumer.position(partition) < end:
        records = await consumer.getmany(partition, timeout_ms=500)
        for record in records.get(partition, []):
            headers = {name: value.decode() for name, value in record.headers}
            data = json.loads(record.value or b"{}")
            messages.append(Message(headers["ce_id"], headers["ce_type"], data))
    return messages
