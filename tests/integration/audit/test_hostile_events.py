"""What is hostile or broken on the audit topic is set aside, told and bounded; what is beside it is taken."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import rfc8785

from audit_desk import Desk, Event
from audit_fixtures import Log
from audit_logs import Scribe, message, record
from otokura.shared.cloudevents import Record
from otokura.shared.dead_letters import HEADER, dead_letter
from otokura.shared.ids import uuid7
from otokura.shared.producer import MAX_RECORD_BYTES

pytestmark = [pytest.mark.postgres, pytest.mark.s3]


@pytest.fixture
def scribe() -> Scribe:
    return Scribe(beginning=datetime.now(UTC))


@pytest.fixture
def desk(log: Log, scribe: Scribe) -> Desk:
    return Desk(log, scribe)


def signed_as_it_is(scribe: Scribe, **members: object) -> Record:
    """An entry signed over its own bytes, though no model of ours would hold it."""
    good = record(scribe.entry())
    said = json.loads(good.value or b"")
    del said["signature"]
    said |= members
    signature = scribe.key.sign(rfc8785.dumps(said))
    said["signature"] = base64.b64encode(signature).decode()
    return replace(good, value=json.dumps(said).encode())


def with_header(sent: Record, name: str, value: bytes) -> Record:
    return replace(sent, headers=[(one, value if one == name else old) for one, old in sent.headers])


def a_long_source(scribe: Scribe) -> Record:
    scribe.source = "access/" + "x" * 70_000
    return record(scribe.entry())


def a_heartbeat_beyond_all_numbers(scribe: Scribe) -> Record:
    sent = record(scribe.heartbeat())
    assert sent.value is not None
    return replace(sent, value=sent.value.replace(b'"last_seq":0', b'"last_seq":99999999999999999999'))


def raw(value: bytes) -> Callable[[Scribe], Record]:
    return lambda scribe: replace(record(scribe.entry()), value=value)


def changed(old: bytes, new: bytes) -> Callable[[Scribe], Record]:
    def change(scribe: Scribe) -> Record:
        sent = record(scribe.entry())
        assert sent.value is not None
        assert old in sent.value
        return replace(sent, value=sent.value.replace(old, new))

    return change


HOSTILE: dict[str, tuple[Callable[[Scribe], Event], str, str]] = {
    "a source that no bundle holds": (a_long_source, "rejected", "source"),
    "a reader of a mebibyte's half": (lambda s: s.entry(reader="r" * 500_000), "rejected", "too-long"),
    "an action that never ends": (lambda s: s.entry(action="a" * 65), "rejected", "too-long"),
    "a detail beyond every record": (
        lambda s: s.entry(detail={"reason": "r" * MAX_RECORD_BYTES}),
        "rejected",
        "too-large",
    ),
    "an unknown version": (
        lambda s: with_header(record(s.entry()), "ce_type", b"otokura.audit.recorded.v2"),
        "rejected",
        "unknown-type",
    ),
    "an unknown type": (
        lambda s: with_header(record(s.entry()), "ce_type", b"otokura.call.started.v1"),
        "rejected",
        "unknown-type",
    ),
    "a NUL in the reader": (lambda s: s.entry(reader="yama\0da"), "rejected", "text"),
    "a NUL deep in the detail": (lambda s: s.entry(detail={"a": [{"b": "\0"}]}), "rejected", "text"),
    "a NUL in an alert's detail": (
        lambda s: s.entry(action="signal.raised", detail={"rule": "vol\0ume"}),
        "rejected",
        "text",
    ),
    "a lone surrogate": (changed(b'"yamada"', b'"\\ud800"'), "rejected", "unreadable"),
    "no JSON": (raw(b"{"), "rejected", "unreadable"),
    "JSON too deep": (raw(b'{"detail":' + b"[" * 100_000), "rejected", "unreadable"),
    "no UTF-8": (raw(b'{"source":"\xff"}'), "rejected", "unreadable"),
    "no value": (lambda s: replace(record(s.entry()), value=None), "rejected", "unreadable"),
    "no headers": (lambda s: replace(record(s.entry()), headers=[]), "rejected", "unreadable"),
    "a header that is no text": (
        lambda s: with_header(record(s.entry()), "ce_source", b"\xff\xfe"),
        "rejected",
        "unreadable",
    ),
    "a number beyond 53 bits": (changed(b'"seq":1', b'"seq":9007199254740993'), "bad-signature", "signature"),
    "a number beyond 64 bits": (
        changed(b'"seq":1', b'"seq":36893488147419103232'),
        "bad-signature",
        "signature",
    ),
    "a number of a thousand digits": (
        changed(b'"seq":1', b'"seq":' + b"9" * 1000),
        "bad-signature",
        "signature",
    ),
    "an infinite number": (changed(b'"share":0.5', b'"share":1e999'), "bad-signature", "signature"),
    "a time before all time": (
        lambda s: signed_as_it_is(s, time="0001-01-01T00:00:00+14:00"),
        "rejected",
        "time",
    ),
    "a time without a zone": (lambda s: signed_as_it_is(s, time="2026-05-01T09:00:00"), "rejected", "time"),
    "the last of all times": (
        lambda s: signed_as_it_is(s, time="9999-12-31T23:59:59.999999Z"),
        "rejected",
        "time",
    ),
    "a heartbeat of a number beyond 64 bits": (
        a_heartbeat_beyond_all_numbers,
        "bad-signature",
        "signature",
    ),
}


@pytest.mark.guarantee("L3")
@pytest.mark.guarantee("L11")
@pytest.mark.parametrize("name", HOSTILE)
async def test_it_is_set_aside_and_told_and_the_rest_is_taken(log: Log, scribe: Scribe, name: str) -> None:
    make, kind, code = HOSTILE[name]
    evil = Scribe(key=scribe.key)
    desk = Desk(log, scribe)
    hostile = make(evil)
    batch = await desk.take(scribe.entry(), hostile, scribe.entry())
    assert await desk.numbers() == [1, 2]
    (rejected,) = batch.rejected
    (told,) = await desk.alerts()
    assert (told[0], *told[2:]) == (kind, code, 1)
    ((_, _, detail),) = await log.alerts()
    assert len(json.dumps(detail)) < 1000
    assert "yama" not in rejected.reason
    letter = dead_letter(rejected.message, "group", rejected.reason, 1)
    assert (
        sum(len(value) for _, value in letter.headers) + len(letter.value or b"") <= MAX_RECORD_BYTES + 2000
    )
    again = await desk.consumer.apply([rejected.message])
    assert [one.code for one in again.rejected] == [code]
    assert (await desk.alerts())[0][3] == 1, "delivered again, counted once"


@pytest.mark.guarantee("L3")
@pytest.mark.parametrize("service", ["stranger", "access", ""])
async def test_an_unknown_or_wrongly_signed_source_is_told_of(
    desk: Desk, scribe: Scribe, service: str
) -> None:
    stranger = Scribe(service)
    batch = await desk.take(stranger.entry(), scribe.entry(), stranger.heartbeat())
    assert [one.kind for one in batch.rejected] == ["bad-signature"] * 2
    source = "access" if service == "access" else "otokura.audit"
    assert await desk.alerts() == [("bad-signature", source, "signature", 2)]
    assert await desk.numbers() == [1]
    assert await log_sources(desk) == [scribe.source], "who is not believed gets no row"


@pytest.mark.guarantee("L3")
async def test_one_service_cannot_sign_for_another(log: Log) -> None:
    ingest = Scribe("ingest", beginning=datetime.now(UTC))
    desk = Desk(log, Scribe("access"), ingest)
    await desk.take(Scribe("access", ingest.key).entry(), ingest.entry())
    assert await desk.alerts() == [("bad-signature", "access", "signature", 1)]
    assert await desk.numbers() == [1]


async def log_sources(desk: Desk) -> list[str]:
    async with desk.log.database.session() as session:
        found = await (await session.connection()).exec_driver_sql("SELECT source FROM sources")
        return [row.source for row in found]


@pytest.mark.guarantee("L11")
async def test_a_flood_of_rubbish_is_a_few_rows(desk: Desk, scribe: Scribe) -> None:
    """Whoever may write to the topic invents sources and texts; the alerts do not grow by the message."""
    for _ in range(6):
        rubbish = [Scribe("access").entry() for _ in range(100)]
        unknown = [Scribe(f"service-{uuid7()}").heartbeat() for _ in range(100)]
        broken = [replace(record(scribe.heartbeat()), value=b"%d" % at) for at in range(100)]
        await desk.take(*rubbish, *unknown, *broken)
    assert sorted(await desk.alerts()) == [
        ("bad-signature", "access", "signature", 600),
        ("bad-signature", "otokura.audit", "signature", 600),
        ("rejected", "otokura.audit", "unreadable", 600),
    ]
    assert await log_sources(desk) == []
    assert await desk.log.execute("SELECT 1 FROM outbox WHERE topic = 'otokura.audit.alerts'") == 3


async def test_a_growing_count_is_published_when_it_has_one_digit_more(desk: Desk) -> None:
    for _ in range(12):
        await desk.take(Scribe("access").entry())
    published = "SELECT 1 FROM outbox WHERE topic = 'otokura.audit.alerts'"
    assert await desk.log.execute(published) == 2
    assert await desk.alerts() == [("bad-signature", "access", "signature", 12)]


@pytest.mark.guarantee("L11")
async def test_json_that_is_not_canonical_is_the_entry_that_was_signed(desk: Desk, scribe: Scribe) -> None:
    """What is kept, and what the leaf commits to, is the canonical form: how it was written is no matter."""
    sent = record(scribe.entry())
    members = json.loads(sent.value or b"")
    turned = json.dumps(dict(reversed(members.items())), indent=3, ensure_ascii=True).encode()
    await desk.take(replace(sent, value=turned))
    assert await desk.numbers() == [1]
    assert await desk.alerts() == []
    kept = rfc8785.dumps(members)
    assert await desk.log.execute("SELECT 1 FROM entries WHERE recorded = :kept", kept=kept) == 1


@pytest.mark.guarantee("L11")
async def test_a_source_that_skips_every_other_number_stays_small(desk: Desk, scribe: Scribe) -> None:
    await desk.take(*(scribe.entry(seq=2 * at) for at in range(1, 2500)))
    bounded = "SELECT 1 FROM sources WHERE jsonb_array_length(gaps) = 1000"
    assert await desk.log.execute(bounded) == 1


def test_a_letter_that_no_broker_would_take_says_what_it_stands_for() -> None:
    huge = message(replace(record(Scribe().entry()), value=b"x" * (MAX_RECORD_BYTES + 1)))
    letter = dead_letter(huge, "group", "too large", 1)
    headers = dict(letter.headers)
    assert letter.value == b""
    assert headers[HEADER + "offset"] == b"0"
    assert int(headers[HEADER + "omitted-bytes"]) > MAX_RECORD_BYTES
    assert len(headers[HEADER + "sha256"]) == 64
