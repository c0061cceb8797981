"""Streaming to a SIEM: real receivers, killed and started again; nothing is lost, the order is the log's."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

import otokura.audit.siem as module
from audit_fixtures import Log
from audit_logs import Scribe
from otokura.audit import siem_syslog
from otokura.audit.leaves import prepare
from otokura.audit.siem import Sending
from otokura.audit.siem_receivers import EventsReceiver, SyslogReceiver, read_receivers
from otokura.cli.local.ports import free_ports
from otokura.shared.errors import Unavailable
from otokura.shared.ids import uuid7
from siem_servers import Hook, Syslog, tls

pytestmark = [pytest.mark.postgres, pytest.mark.s3]

ORIGIN = "audit.example.jp/log"


async def appended(log: Log, scribe: Scribe, count: int, **members: Any) -> list[str]:
    events = [scribe.entry(**members) for _ in range(count)]
    await log.append([prepare(event) for event in events])
    return [str(event.entry_id) for event in events]


async def send_all(sending: Sending) -> None:
    while await sending.step():
        pass


def syslog_receiver(port: int, **members: Any) -> SyslogReceiver:
    url = f"{'tls' if 'ca_file' in members else 'tcp'}://localhost:{port}".replace("localhost", "127.0.0.1")
    return SyslogReceiver(name="siem", kind="syslog", url=url, **members)


async def test_messages_are_rfc_5424_and_tell_no_more_than_they_may(log: Log) -> None:
    [port] = free_ports(1)
    scribe, tenant_id = Scribe(), uuid7()
    detail = {
        "reason": "顧客の依頼", "address": "192.0.2.1", "why": ["outside-zones"], "purpose": "q",
        "question": {"nested": "x"},
    }  # fmt: skip
    reader = 'a"]\\\n' + "x" * 400
    ids = await appended(
        log, scribe, 1, tenant_id=tenant_id, action="read.denied", reader=reader, detail=detail
    )
    async with Syslog(port).running() as received:
        await send_all(Sending(log.database, syslog_receiver(port, from_beginning=True), ORIGIN))
        also = syslog_receiver(port, from_beginning=True, also=("reason",)).model_copy(
            update={"name": "other"}
        )
        await send_all(Sending(log.database, also, ORIGIN))
    plain, told = received.messages
    match = re.fullmatch(
        r"<108>1 (\S+Z) audit\.example\.jp otokura - read\.denied \[otokura@32473 (.*)\] \ufeff(\{.*\})",
        plain,
        re.DOTALL,
    )
    assert match is not None
    assert f'entry_id="{ids[0]}"' in match[2]
    assert r'reader="a\"\]\\?x' in match[2]
    body = json.loads(match[3])
    assert body["detail"] == {"address": "192.0.2.1", "why": ["outside-zones"], "purpose": "q"}
    assert len(body["reader"]) == 256
    assert "顧客" not in plain
    assert "顧客の依頼" in told


@pytest.mark.guarantee("L20")
async def test_a_receiver_that_ends_tls_without_close_notify_gets_each_entry_once(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As rsyslog with gtls: it has read to the end, and the connection ends in order."""
    monkeypatch.setattr(module, "BATCH", 7)
    [port] = free_ports(1)
    context, ca_file = tls(tmp_path)
    ids = await appended(log, Scribe(), 20)
    async with Syslog(port, context, polite=False).running() as received:
        await send_all(
            Sending(log.database, syslog_receiver(port, from_beginning=True, ca_file=ca_file), ORIGIN)
        )
    assert received.cut_off == 0
    assert received.ids() == ids


@pytest.mark.guarantee("L20")
async def test_a_connection_that_ends_while_entries_are_on_their_way_is_no_receipt() -> None:
    """A receiver that is stopped ends it in order, too; what comes after that is read by nobody."""
    with socket.socket() as listening:
        # So little that not all of it comes in.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        receiver = syslog_receiver(listening.getsockname()[1])
        sending = asyncio.create_task(asyncio.to_thread(siem_syslog.send, receiver, b"1 x" * 10_000))
        connection, _ = await asyncio.to_thread(listening.accept)
        with connection:
            connection.shutdown(socket.SHUT_WR)
            with pytest.raises(Unavailable, match="ConnectionError"):
                await sending


@pytest.mark.guarantee("L20")
@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
async def test_a_receiver_that_is_away_dies_and_comes_again_misses_nothing(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secure: bool
) -> None:
    monkeypatch.setattr(module, "BATCH", 7)
    [port] = free_ports(1)
    context, ca_file = tls(tmp_path) if secure else (None, None)
    members: dict[str, Any] = {"ca_file": ca_file} if secure else {}
    receiver, scribe = syslog_receiver(port, from_beginning=True, **members), Scribe()
    ids = await appended(log, scribe, 30)
    got: list[str] = []
    with pytest.raises(Unavailable):
        await Sending(log.database, receiver, ORIGIN).step()
    for dies in (False, True, False):
        async with Syslog(port, context, dies=dies).running() as received:
            # Another process each time: what it knows is in the database.
            sending = Sending(log.database, receiver, ORIGIN)
            if dies:
                with pytest.raises(Unavailable):
                    await sending.step()
            else:
                await sending.step()
        got += received.ids()
        ids += await appended(log, scribe, 5)
    async with Syslog(port, context).running() as received:
        await send_all(Sending(log.database, receiver, ORIGIN))
    got += received.ids()
    assert received.cut_off == 0
    assert got == ids


@pytest.mark.guarantee("L20")
async def test_who_is_killed_between_the_receivers_answer_and_the_note_of_it_sends_again(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    [port] = free_ports(1)
    receiver = syslog_receiver(port, from_beginning=True)
    ids = await appended(log, Scribe(), 3)
    async with Syslog(port).running() as received:
        with monkeypatch.context() as patched:
            patched.setattr(module, "_move", _killed)
            with pytest.raises(Killed):
                await Sending(log.database, receiver, ORIGIN).step()
        await send_all(Sending(log.database, receiver, ORIGIN))
    assert received.ids() == ids * 2


class Killed(BaseException):
    """Nothing more happens in this process."""


async def _killed(*_: object) -> None:
    raise Killed


@pytest.mark.guarantee("L20")
async def test_a_receiver_that_is_somebody_else_gets_nothing(log: Log, tmp_path: Path) -> None:
    [port] = free_ports(1)
    context, _ = tls(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    _, wrong = tls(other)
    await appended(log, Scribe(), 1)
    async with Syslog(port, context).running() as received:
        sending = Sending(log.database, syslog_receiver(port, from_beginning=True, ca_file=wrong), ORIGIN)
        with pytest.raises(Unavailable):
            await sending.step()
    assert received.messages == []


async def test_a_new_receiver_begins_with_what_comes_then_and_a_tenants_gets_the_tenants(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOKED_AT", 4)
    [port] = free_ports(1)
    scribe, tenant_id = Scribe(), uuid7()
    await appended(log, scribe, 3, tenant_id=tenant_id)
    sending = Sending(log.database, syslog_receiver(port, tenant_id=tenant_id), ORIGIN)
    async with Syslog(port).running() as received:
        await send_all(sending)
        await appended(log, scribe, 9, tenant_id=uuid7())
        ids = await appended(log, scribe, 2, tenant_id=tenant_id)
        await appended(log, scribe, 9, tenant_id=None)
        await send_all(sending)
    assert received.ids() == ids


async def test_two_replicas_send_each_batch_once(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 5)
    [port] = free_ports(1)
    receiver = syslog_receiver(port, from_beginning=True)
    ids = await appended(log, Scribe(), 40)
    async with Syslog(port).running() as received:
        while len(received.messages) < len(ids):
            await asyncio.gather(*(Sending(log.database, receiver, ORIGIN).step() for _ in range(3)))
    assert received.ids() == ids


@pytest.mark.guarantee("L20")
async def test_cloudevents_are_signed_and_sent_again_until_they_are_taken(log: Log, tmp_path: Path) -> None:
    [port] = free_ports(1)
    secret, token = tmp_path / "secret", tmp_path / "token"
    secret.write_text("s3cret\n")
    token.write_text("t0ken\n")
    receiver = EventsReceiver(
        name="events", kind="cloudevents", url=f"http://127.0.0.1:{port}/in?x=1",
        secret_file=secret, token_file=token, from_beginning=True,
    )  # fmt: skip
    ids = await appended(log, Scribe(), 3)
    sending = Sending(log.database, receiver, ORIGIN)
    async with Hook([500, 302, 400]).running(port) as hook:
        for _ in range(3):
            with pytest.raises(Unavailable):
                await sending.step()
        await send_all(sending)
    assert len(hook.got) == 4
    headers, body = hook.got[-1]
    assert headers["content-type"] == "application/cloudevents-batch+json; charset=utf-8"
    assert headers["authorization"] == "Bearer t0ken"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = hmac.new(b"s3cret", signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"
    events = json.loads(body)
    assert [event["id"] for event in events] == ids
    assert {event["specversion"] for event in events} == {"1.0"}
    assert {event["source"] for event in events} == {f"//{ORIGIN}/2026"}
    assert events == sorted(events, key=lambda event: str(event["sequence"]))


async def test_a_shard_that_grows_after_the_next_began_is_sent_to_its_end(log: Log) -> None:
    [port] = free_ports(1)
    scribe, receiver = Scribe(), syslog_receiver(port, from_beginning=True)
    old = await appended(log, scribe, 2)
    events = [scribe.entry() for _ in range(2)]
    await log.append([prepare(event) for event in events], year=2027)
    async with Syslog(port).running() as received:
        await send_all(Sending(log.database, receiver, ORIGIN))
        async with log.database.session() as session:
            moved = "UPDATE siem_cursors SET next = 1 WHERE shard = 2026"
            await (await session.connection()).execute(text(moved))
        await send_all(Sending(log.database, receiver, ORIGIN))
    assert received.ids() == [*old, *(str(event.entry_id) for event in events), old[1]]


def test_the_file_of_receivers_is_checked(tmp_path: Path) -> None:
    assert read_receivers(None, development=False) == []
    path = tmp_path / "siem.json"
    good = {"name": "a", "kind": "syslog", "url": "tls://siem.example.jp:6514"}
    path.write_text(json.dumps([good]))
    assert read_receivers(path, development=False)[0].name == "a"
    for bad in (
        [good, good],
        [good | {"url": "udp://x:1"}],
        [good | {"kind": "carrier-pigeon"}],
        [good | {"secret": "x"}],
        [{"name": "a", "kind": "cloudevents", "url": "https://user:secret@x/"}],
        [{"name": "a", "kind": "cloudevents", "url": "http://x/"}],
        [{"name": "a", "kind": "cloudevents", "url": "https://x:99999/"}],
        [good | {"url": "tls://siem.example.jp:99999"}],
        [good | {"url": "tls://siem.example.jp:0"}],
    ):
        path.write_text(json.dumps(bad))
        with pytest.raises(ValueError, match=r"."):
            read_receivers(path, development=False)
