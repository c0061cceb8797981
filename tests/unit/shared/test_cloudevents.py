from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from messaging import call_ended
from otokura.shared.audit_events import AuditCounted
from otokura.shared.errors import Poison
from otokura.shared.events import CallEnded, KeyWrapped
from otokura.shared.kafka import Record, decode, encode

NOW = datetime(2026, 4, 1, 9, 0, 0, 123456, tzinfo=timezone(timedelta(hours=9)))


def received(record: Record, **changes: bytes | None) -> Any:
    """The record as a consumer gets it, with headers changed; None stands for a null value."""
    headers: dict[str, bytes | None] = {**dict(record.headers), **changes}
    return SimpleNamespace(
        topic=record.topic, key=record.key, headers=tuple(headers.items()), value=record.value
    )


def test_an_event_arrives_as_it_was_sent() -> None:
    event, event_id = call_ended(), uuid4()
    envelope = decode(received(encode(event, event_id, "otokura/ingest", NOW)))
    assert (envelope.event_id, envelope.source, envelope.event_type) == (
        event_id,
        "otokura/ingest",
        CallEnded.TYPE,
    )
    assert envelope.time == NOW
    assert envelope.parse(CallEnded) == event


def test_headers_are_those_of_the_kafka_protocol_binding() -> None:
    event, event_id = call_ended(), uuid4()
    record = encode(event, event_id, "otokura/ingest", NOW)
    assert (record.topic, record.key) == ("otokura.calls", str(event.call_id).encode())
    assert dict(record.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": str(event_id).encode(),
        "ce_source": b"otokura/ingest",
        "ce_type": b"otokura.call.ended.v1",
        "ce_time": b"2026-04-01T00:00:00.123456Z",
        "content-type": b"application/json",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"ce_id": None},
        {"ce_id": b"not-a-uuid"},
        {"ce_id": b"\xff\xfe"},
        {"ce_type": None},
        {"ce_specversion": b"0.3"},
        {"ce_time": b"yesterday"},
        {"ce_time": b"2026-04-01T00:00:00"},
    ],
)
def test_what_is_no_cloudevent_is_poison(changes: dict[str, bytes | None]) -> None:
    with pytest.raises(Poison):
        decode(received(encode(call_ended(), uuid4(), "s", NOW), **changes))


def test_a_record_without_headers_or_value_is_poison() -> None:
    record = encode(call_ended(), uuid4(), "s", NOW)
    with pytest.raises(Poison):
        decode(received(Record(record.topic, record.key, [], record.value)))
    with pytest.raises(Poison):
        decode(received(Record(record.topic, record.key, record.headers, None)))


def test_wrong_data_is_poison_that_names_the_field_and_never_its_value() -> None:
    record = encode(call_ended(), uuid4(), "s", NOW)
    secret = Record(record.topic, record.key, record.headers, b'{"call_id": "+81-90-1234-5678"}')
    with pytest.raises(Poison) as caught:
        decode(received(secret)).parse(KeyWrapped)
    assert "call_id uuid_parsing" in caught.value.detail
    assert "wrapped missing" in caught.value.detail
    assert "1234" not in caught.value.detail
    assert caught.value.__suppress_context__


def test_nor_what_stands_where_a_name_should() -> None:
    record = encode(call_ended(), uuid4(), "s", NOW)
    keys = ", ".join(f'"+81-90-1234-{number:04}": 5' for number in range(1000))
    secret = Record(record.topic, record.key, record.headers, f'{{"reads": {{{keys}}}}}'.encode())
    with pytest.raises(Poison) as caught:
        decode(received(secret)).parse(AuditCounted)
    assert "reads ?" in caught.value.detail
    assert "1234" not in caught.value.detail
    assert len(caught.value.detail) < 1000
