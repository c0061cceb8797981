"""Audit entries on a real broker that is killed under them, and from a process that is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from aiokafka import ConsumerRecord
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import servers
from messaging import Broker, eventually, read_topic, settings_of
from messaging_process import process
from otokura.shared.audit import Action, AuditDraft, AuditWriter, verify_signature
from otokura.shared.audit_events import AuditHeartbeat, AuditRecorded
from otokura.shared.errors import Unavailable
from otokura.shared.events import Topic
from otokura.shared.kafka import Producer, decode

pytestmark = pytest.mark.kafka

KEY = Ed25519PrivateKey.generate()
DRAFT = AuditDraft(action=Action.READ_OPENED, reader="r")


@asynccontextmanager
async def writer_on(broker: Broker) -> AsyncIterator[AuditWriter]:
    producer = Producer(broker)
    writer = AuditWriter(producer, "access", KEY, heartbeat_seconds=0.05)
    await writer.start()
    try:
        yield writer
    finally:
        await writer.stop(timeout=60)
        await producer.stop()


async def whole_topic(broker: Broker) -> list[ConsumerRecord[Any, Any]]:
    """Everything up to a source that opens now: the topic has one partition, nothing is left out."""
    async with writer_on(broker) as last:
        mark = last.source.encode()
    records: list[ConsumerRecord[Any, Any]] = []

    def reached(record: ConsumerRecord[Any, Any]) -> bool:
        records.append(record)
        return bool(record.key == mark)

    await read_topic(broker, Topic.AUDIT, reached, 1)
    return records


def assert_no_hole(records: Iterable[ConsumerRecord[Any, Any]], source: str) -> list[AuditRecorded]:
    """The source's entries without repeats; fails when a number is missing before a later one."""
    entries: dict[int, AuditRecorded] = {}
    for record in records:
        envelope = decode(record)
        if record.key != source.encode():
            continue
        if envelope.event_type == AuditHeartbeat.TYPE:
            assert envelope.parse(AuditHeartbeat).last_seq <= len(entries)
            continue
        entry = envelope.parse(AuditRecorded)
        assert entry.entry_id == envelope.event_id
        assert verify_signature(entry, KEY.public_key())
        assert entry.seq <= len(entries) + 1
        assert entries.setdefault(entry.seq, entry) == entry
    return list(entries.values())


@pytest.mark.slow
@pytest.mark.guarantee("E7")
@pytest.mark.guarantee("E8")
async def test_a_broker_killed_under_load_loses_no_entry_and_makes_no_hole() -> None:
    with servers.kafka(lasting=True) as kafka:
        broker = settings_of(kafka)
        acknowledged: list[UUID] = []
        stopping = False

        async def write(writer: AuditWriter) -> None:
            while not stopping:
                try:
                    acknowledged.append(await writer.write(DRAFT, timeout=0.5))
                except Unavailable:
                    await asyncio.sleep(0.05)

        def more_than(count: int) -> bool:
            return len(acknowledged) > count

        async with writer_on(broker) as writer:
            writing = [asyncio.create_task(write(writer)) for _ in range(8)]
            for _ in range(2):
                before = len(acknowledged)
                await eventually(partial(more_than, before + 200))
                kafka.kill()
                await asyncio.sleep(1.5)
                await asyncio.to_thread(kafka.start)
            await eventually(lambda: len(acknowledged) > 600)
            stopping = True
            await asyncio.gather(*writing)
        entries = assert_no_hole(await whole_topic(broker), writer.source)
    assert set(acknowledged) <= {entry.entry_id for entry in entries}
    assert entries[-1].action == Action.SOURCE_CLOSED


@pytest.mark.guarantee("E7")
@pytest.mark.guarantee("E8")
async def test_a_process_killed_while_it_writes_leaves_all_that_it_was_told_and_no_hole(
    kafka_server: servers.KafkaServer,
) -> None:
    broker = settings_of(kafka_server)
    key = KEY.private_bytes_raw().hex()
    lines: list[str] = []
    with process("audit", broker, key=key) as child:
        assert child.stdout is not None
        while len(lines) < 200:
            lines.append(await asyncio.to_thread(child.stdout.readline))
        child.kill()
        lines.extend(child.stdout)
    told = {line.split()[1] for line in lines if line.startswith("written") and line.endswith("\n")}
    records = await whole_topic(broker)
    sources = {decode(record).source for record in records}
    logged = {source: assert_no_hole(records, source) for source in sources if is_ours(records, source)}
    assert len(told) >= 190
    assert told <= {str(entry.entry_id) for entries in logged.values() for entry in entries}


def is_ours(records: Iterable[ConsumerRecord[Any, Any]], source: str) -> bool:
    """Whether it signs with this module's key; other tests write to the topic with theirs."""
    first = next(decode(record) for record in records if record.key == source.encode())
    return verify_signature(first.parse(AuditRecorded), KEY.public_key())
