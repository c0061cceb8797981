"""Two processes of audit on one database, bucket and broker: one log, whichever of them stands still."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial

import pytest

import servers
from audit_fixtures import MakeAudit
from audit_logs import Scribe, prepared_entries
from audit_service import AuditService, until
from freezing import frozen
from otokura.audit import sequencer
from otokura.cli.verify import verify_log
from otokura.shared.audit import AuditWriter
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.producer import _partition_of

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.any_broker, pytest.mark.slow]

PATIENCE = 150.0
"""Longer than PostgreSQL lets a process that stands still hold its locks (`sequencer.HELD_AT_MOST`)."""


@pytest.fixture(scope="module")
def kafka_server() -> Iterator[servers.KafkaServer]:
    """A broker of this module's own, whose topic has as many partitions as it asks for."""
    with servers.kafka() as server:
        yield server


@pytest.fixture(scope="module")
def pair(make_audit: MakeAudit) -> Iterator[tuple[AuditService, AuditService]]:
    """Two instances of one service."""
    first = make_audit(kafka_partitions=2)
    second = first.twin()
    second.start()
    try:
        yield first, second
    finally:
        second.program.stop()


async def verified(audit: AuditService, size: int) -> None:
    """The log of so many entries at least is whole, and nobody raised an alarm."""
    await until(partial(_published, audit, size), PATIENCE)
    report = await asyncio.to_thread(verify_log, audit.log_url, audit.vkey)
    assert report.ok, report.findings
    assert report.entries >= size
    integrity = await audit.query("SELECT detail FROM alerts WHERE kind = 'integrity'")
    assert integrity == []


async def _published(audit: AuditService, size: int) -> bool:
    rows = await audit.query("SELECT published_size FROM log_shards ORDER BY shard DESC LIMIT 1")
    return bool(rows) and rows[0].published_size >= size


async def sizes(audit: AuditService) -> int:
    (row,) = await audit.query("SELECT size FROM log_shards ORDER BY shard DESC LIMIT 1")
    return int(row.size)


@pytest.mark.guarantee("L1")
async def test_both_take_and_publish_and_there_is_one_log(pair: tuple[AuditService, AuditService]) -> None:
    first, _ = pair
    async with AsyncExitStack() as stack:
        writers: list[AuditWriter] = []
        while len(writers) < 6 or {_partition_of(each.source.encode(), (0, 1)) for each in writers} != {0, 1}:
            writers.append(await stack.enter_async_context(first.source()))
        drafts = [AuditDraft(action=Action.READ_OPENED, detail={"at": at}) for at in range(100)]
        await asyncio.gather(*(writer.write(draft) for writer in writers for draft in drafts))
        for writer in writers:
            rows = await first.sequenced(writer.source, 101)
            assert [row.seq for row in rows] == list(range(1, 102))
    partitions = await first.query("SELECT DISTINCT partition FROM sources ORDER BY partition")
    assert [row.partition for row in partitions] == [0, 1]
    await verified(first, await sizes(first))


@pytest.mark.guarantee("L5")
async def test_one_that_is_stopped_and_wakes_with_an_old_tree_signs_nothing_that_contradicts(
    pair: tuple[AuditService, AuditService],
) -> None:
    """Entries come in past the broker meanwhile: nothing waits for the group to notice who is gone."""
    for round_number in range(6):
        sleeper, awake = pair if round_number % 2 else pair[::-1]
        with frozen(sleeper.program.pid):
            async with awake.database() as database:
                for _ in range(3):
                    async with database.session() as session:
                        await sequencer.append(session, awake.year, prepared_entries(Scribe(), 90))
            await until(partial(_published, awake, await sizes(awake)), PATIENCE)
    async with pair[0].source() as writer:
        await writer.write(AuditDraft(action=Action.READ_OPENED))
        await until(partial(_has, pair[0], writer.source), PATIENCE)
    await verified(pair[0], await sizes(pair[0]))


async def _has(audit: AuditService, source: str) -> bool:
    return len(await audit.query("SELECT 1 FROM entries WHERE source = :source", source=source)) >= 2
