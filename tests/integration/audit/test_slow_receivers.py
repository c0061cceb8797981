"""Receivers that answer never, or without end: each holds up itself alone, and is given up in time."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import pytest

from audit_desk import Desk
from audit_fixtures import Log
from audit_logs import Scribe, prepared_entries
from otokura.audit import siem_lines
from otokura.audit.siem import Sending
from otokura.audit.siem_receivers import EventsReceiver, SyslogReceiver
from otokura.cli.local.ports import free_ports
from otokura.shared.database import Database
from otokura.shared.errors import Unavailable

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.guarantee("L20")]

ORIGIN = "audit.example.jp/log"


@asynccontextmanager
async def trickling(port: int, answer: bytes, seconds: float) -> AsyncIterator[asyncio.Event]:
    """A receiver that says one byte after another; the event tells that it was spoken to."""
    heard, over = asyncio.Event(), asyncio.Event()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        heard.set()
        left = iter(answer)
        while not over.is_set():
            with suppress(OSError):
                writer.write(bytes([next(left, ord("x"))]))
                async with asyncio.timeout(seconds):
                    await over.wait()
        line: socket.socket = writer.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    server = await asyncio.start_server(take, "127.0.0.1", port)
    try:
        yield heard
    finally:
        over.set()
        server.close()
        await server.wait_closed()


def receiver(kind: str, port: int, name: str = "slow") -> SyslogReceiver | EventsReceiver:
    place = f"127.0.0.1:{port}"
    if kind == "syslog":
        return SyslogReceiver(name=name, kind="syslog", url=f"tcp://{place}", from_beginning=True)
    return EventsReceiver(name=name, kind="cloudevents", url=f"http://{place}/", from_beginning=True)


@pytest.mark.parametrize(
    ("kind", "answer"), [("syslog", b""), ("cloudevents", b"HTTP/1.1 204 X\r\nX: ")], ids=["syslog", "http"]
)
async def test_a_receiver_that_answers_byte_by_byte_is_given_up_in_time(
    log: Log, monkeypatch: pytest.MonkeyPatch, kind: str, answer: bytes
) -> None:
    monkeypatch.setattr(siem_lines, "SECONDS_IN_ALL", 1.0)
    await log.append(prepared_entries(Scribe(), 3))
    [port] = free_ports(1)
    async with trickling(port, answer, 0.1):
        async with asyncio.timeout(30):
            with pytest.raises(Unavailable):
                await Sending(log.database, receiver(kind, port), ORIGIN).step()
    assert await log.rows("SELECT 1 FROM siem_cursors WHERE next > 0") == []


async def test_while_a_receiver_is_waited_for_no_transaction_is_open_and_nobody_else_sends(log: Log) -> None:
    await log.append(prepared_entries(Scribe(), 3))
    [port] = free_ports(1)
    slow = receiver("syslog", port)
    async with trickling(port, b"", 0.1) as heard:
        sending = asyncio.create_task(Sending(log.database, slow, ORIGIN).step())
        await heard.wait()
        assert await Sending(log.database, slow, ORIGIN).step() is False
        assert await log.rows(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend' AND xact_start IS NOT NULL"
        ) == []  # fmt: skip
    with pytest.raises(Unavailable):
        await sending


async def test_the_log_goes_on_while_forty_receivers_answer_never(
    log: Log, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(siem_lines, "SECONDS", 60.0)  # none is given up before the log has gone on
    scribe = Scribe(beginning=datetime.now(UTC))
    await log.append(prepared_entries(scribe, 3))
    [port] = free_ports(1)
    apart = Database(database_url, pool_size=40)
    async with trickling(port, b"", 60):
        sendings = [
            asyncio.create_task(Sending(apart, receiver("syslog", port, f"s{at}"), ORIGIN).step())
            for at in range(40)
        ]
        await asyncio.sleep(1)
        async with asyncio.timeout(30):
            await Desk(log, scribe).take(*(scribe.entry() for _ in range(300)))
    answers = await asyncio.gather(*sendings, return_exceptions=True)
    assert {type(answer) for answer in answers} == {Unavailable}
    await apart.close()
