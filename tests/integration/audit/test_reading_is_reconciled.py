"""A real access and the log: what it serves has entries, unless its code is changed so that it has none."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from sqlalchemy import text

import servers
from access_calls import Call
from access_live import events, live_call
from access_service import Access, Person, Tenant, kafka_of, running
from audit_fixtures import Log, NoBroker
from history_stub import history_stub
from otokura.audit.handlers import LogConsumer
from otokura.audit.progress import Progress
from otokura.audit.reconciler import Reconciler
from otokura.audit.source_keys import SourceKeys
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.program import Program
from otokura.cli.local.seaweedfs import SeaweedServer
from otokura.shared.audit_entries import read_signing_key
from otokura.shared.audit_events import AuditAlerted
from redacted_calls import flac, noise, recorded

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.slow]

SILENT = """
import runpy
from otokura.access.reads import gate

async def _write_nothing(opened, about):
    pass

gate._write_down = _write_nothing
runpy.run_module("otokura.access", run_name="__main__", alter_sys=True)
"""


@pytest.fixture
def access(
    postgres_server: PostgresServer, s3_server: SeaweedServer, kafka_server: servers.KafkaServer
) -> Iterator[Access]:
    with history_stub() as history:
        settings = {"OTOKURA_AUDIT_URL": history.url}
        with running(postgres_server, s3_server, kafka_of(kafka_server), **settings) as found:
            yield found


class Reading:
    """A person who reads a call in every way, and the log that hears of it."""

    def __init__(self, access: Access, log: Log) -> None:
        self.access, self.log = access, log
        self.tenant: Tenant = access.tenant()
        self.call: Call = self.tenant.call()
        self.reader: Person = self.tenant.person("supervisor")
        self.offset = 0

    def read(self, what: str = "audio", method: str = "GET", **headers: str) -> int:
        with self.access.client(self.reader.token) as client:
            path = f"/v1/calls/{self.call.id}/{what}"
            try:
                answer = client.request(method, path, params={"purpose": "quality"}, headers=headers)
            except httpx.TransportError:
                return 0
        return answer.status_code

    async def accused(self) -> list[AuditAlerted]:
        """Has the log take all that is on the topic; whom the reconciler accuses then."""
        keys = SourceKeys({"access": read_signing_key(self.access.audit_key_file).public_key()})
        consumer = LogConsumer(NoBroker(), self.log.database, keys, Progress(), lambda: None)
        await consumer.apply(await self._messages())
        return await Reconciler(self.log.database).look(datetime.now(UTC))

    async def _messages(self) -> list[ConsumerRecord[Any, Any]]:
        bootstrap = str(self.access.kafka["kafka_bootstrap"])
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            partition = TopicPartition("otokura.audit", 0)
            consumer.assign([partition])
            consumer.seek(partition, self.offset)
            found: list[ConsumerRecord[Any, Any]] = []
            while True:
                found += (await consumer.getmany(partition, timeout_ms=200)).get(partition, [])
                end, self.offset = consumer.highwater(partition), await consumer.position(partition)
                if end is not None and self.offset >= end:
                    return [one for one in found if (one.key or b"").startswith(b"access/")]
        finally:
            await consumer.stop()

    async def served(self) -> list[Any]:
        statement = "SELECT served, unserved, opened FROM read_counts WHERE tenant_id = :tenant"
        async with self.log.database.session() as session:
            found = await (await session.connection()).execute(text(statement), {"tenant": self.tenant.id})
            return [tuple(row) for row in found]


@pytest.mark.guarantee("L23")
async def test_every_way_of_reading_is_counted_and_nobody_is_accused(access: Access, log: Log) -> None:
    reading = await asyncio.to_thread(Reading, access, log)

    def read() -> None:
        assert reading.read() == 200
        assert reading.read(Range="bytes=0-99") == 206
        assert reading.read(method="HEAD") == 200
        assert reading.read("transcript") == 200
        assert reading.read(Range="bytes=99999999-") == 416
        access.replace_object(reading.call.manifest.recording.name, lambda data: data[:-1] + b"x")
        assert reading.read() in (0, 200, 500)
        access.program.stop()

    await asyncio.to_thread(read)
    assert await reading.accused() == []
    ((served, unserved, opened),) = await reading.served()
    assert served + unserved == opened >= 5


@pytest.mark.guarantee("L23")
async def test_what_is_sent_as_it_is_made_is_counted_too(access: Access, log: Log) -> None:
    """Live text, evidence, each call of an archive, a vCon: one read each, and each of them served."""
    reading = await asyncio.to_thread(Reading, access, log)

    def read() -> None:
        tenant, purpose = reading.tenant, {"purpose": "quality"}
        said = noise(1)
        calls = [recorded(tenant, flac(said), [], samples=len(said)) for _ in range(2)]
        officer = tenant.person("evidence-officer")
        live = live_call(access, tenant)
        live.say(1, (0, "もしもし", True))
        with access.client(reading.reader.token) as client:
            assert client.get(
                f"/v1/calls/{calls[0].id}/transcript", params=purpose | {"format": "vcon"}
            ).is_success
            with client.stream("GET", live.path, params=purpose) as text_of:
                assert next(events(text_of.iter_lines()))[0] == "partial"
        with access.client(officer.token) as client:
            asked = {"call_ids": [str(call.id) for call in calls], "reason": "開示のご請求"}
            assert client.post("/v1/exports", json=asked).status_code == 200
            evidence = client.post(f"/v1/calls/{calls[0].id}/evidence", json={"reason": "令和8年(ワ)第123号"})
            assert evidence.status_code == 200, evidence.text
        access.program.stop()

    await asyncio.to_thread(read)
    assert await reading.accused() == []
    vcon, live, archive, evidence = 1, 1, 2, 1
    assert await reading.served() == [(vcon + live + archive + evidence, 0, 5)]


@pytest.mark.guarantee("L23")
async def test_a_killed_access_is_not_accused(access: Access, log: Log) -> None:
    reading = await asyncio.to_thread(Reading, access, log)

    def kill_amid_reads() -> None:
        for _ in range(2):
            with ThreadPoolExecutor(4) as pool:
                answers = [pool.submit(reading.read) for _ in range(60)]
                assert [answer.result() for answer in answers[:6]] == [200] * 6
                access.program.kill()
            access.start()
        assert reading.read() == 200
        access.program.stop()

    await asyncio.to_thread(kill_amid_reads)
    assert await reading.accused() == []
    assert await log.execute("SELECT 1 FROM read_counts WHERE pending") == 0
    assert await log.execute("SELECT 1 FROM entries WHERE action = 'read.opened'") > 12


@pytest.mark.guarantee("L23")
async def test_an_access_that_serves_reads_without_entries_is_found_out(access: Access, log: Log) -> None:
    reading = await asyncio.to_thread(Reading, access, log)

    def read_unwritten() -> None:
        assert reading.read() == 200
        access.program.stop()
        argv = [sys.executable, "-c", SILENT]
        access.program = Program("access", argv, env=access.environment(), log=access.program.log)
        access.start()
        assert [reading.read(), reading.read("transcript")] == [200, 200]
        access.program.stop()

    await asyncio.to_thread(read_unwritten)
    (alert,) = await reading.accused()
    assert alert.kind == "unmatched"
    told = {name: alert.detail[name] for name in ("tenant_id", "served", "opened", "unmatched")}
    assert told == {"tenant_id": str(reading.tenant.id), "served": 2, "opened": 0, "unmatched": 2}
