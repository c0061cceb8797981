"""Somebody changes what is stored: it is found, loudly, and no byte of it leaves."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from access_audit import run
from access_calls import Call
from access_service import Access, Person, Tenant
from otokura.shared.segments import HEADER_BYTES, SEGMENT_BYTES

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]
QUALITY = {"purpose": "quality"}
Change = Callable[[bytes], bytes]


@pytest.fixture
def supervisor(tenant: Tenant) -> Person:
    return tenant.person("supervisor")


def flip(position: int) -> Change:
    def change(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[position] ^= 1
        return bytes(changed)

    return change


def read(access: Access, who: Person, call: Call, what: str = "audio", **headers: str) -> httpx.Response:
    with access.client(who.token) as client:
        return client.get(f"/v1/calls/{call.id}/{what}", params=QUALITY, headers=headers)


def assert_refused_loudly(access: Access, response: httpx.Response, call: Call) -> None:
    assert response.status_code == 500
    assert response.json()["type"] == "urn:otokura:problem:integrity"
    opened = access.audit.entry(action="read.opened", call_id=str(call.id))
    closed = access.audit.closed(opened["entry_id"])
    assert (closed["detail"]["outcome"], closed["detail"]["bytes_sent"]) == ("integrity", 0)
    assert any(
        '"critical"' in line and "integrity failure" in line and opened["entry_id"] in line
        for line in access.log_text().splitlines()
    )


CHANGES: dict[str, Change] = {
    "version byte": flip(0),
    "salt": flip(5),
    "nonce prefix": flip(HEADER_BYTES - 1),
    "first segment": flip(HEADER_BYTES),
    "second segment": flip(SEGMENT_BYTES + 7),
    "last tag": flip(-1),
    "truncated": lambda data: data[: 2 * SEGMENT_BYTES],
    "cut by a byte": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "emptied": lambda _: b"",
    "segments swapped": lambda data: (
        data[:SEGMENT_BYTES]
        + data[2 * SEGMENT_BYTES : 3 * SEGMENT_BYTES]
        + data[SEGMENT_BYTES : 2 * SEGMENT_BYTES]
        + data[3 * SEGMENT_BYTES :]
    ),
}


@pytest.mark.guarantee("R8")
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_recording_is_found(
    access: Access, tenant: Tenant, supervisor: Person, change: str
) -> None:
    call = tenant.call()
    access.replace_object(call.manifest.recording.name, CHANGES[change])
    assert_refused_loudly(access, read(access, supervisor, call), call)


@pytest.mark.guarantee("R8")
def test_only_the_segments_that_a_range_covers_are_opened(
    access: Access, tenant: Tenant, supervisor: Person
) -> None:
    call = tenant.call()
    access.replace_object(call.manifest.recording.name, flip(-1))
    begin = read(access, supervisor, call, Range="bytes=0-99")
    assert (begin.status_code, begin.content) == (206, call.audio[:100])
    assert read(access, supervisor, call, Range="bytes=-1").status_code == 500


@pytest.mark.guarantee("R8")
def test_a_change_far_into_a_long_recording_breaks_the_connection_off(
    access: Access, tenant: Tenant, supervisor: Person
) -> None:
    call = tenant.call(audio=bytes(8 * 1024 * 1024))
    access.replace_object(call.manifest.recording.name, flip(-1))
    with pytest.raises(httpx.RemoteProtocolError):
        read(access, supervisor, call)
    opened = access.audit.entry(action="read.opened", call_id=str(call.id))
    closed = access.audit.closed(opened["entry_id"])
    assert closed["detail"]["outcome"] == "integrity"
    assert 0 < closed["detail"]["bytes_sent"] < len(call.audio)


@pytest.mark.guarantee("R8")
@pytest.mark.parametrize("kind", ["audio", "transcript"])
def test_two_objects_that_were_swapped_are_found(
    access: Access, tenant: Tenant, supervisor: Person, kind: str
) -> None:
    one, two = tenant.call(), tenant.call()
    bucket, end = ("recordings", "") if kind == "audio" else ("transcripts", "/1")
    names = [f"{bucket}/{tenant.id}/{call.id}{end}" for call in (one, two)]
    run(swap(access, bucket, *names))
    for call in (one, two):
        assert_refused_loudly(access, read(access, supervisor, call, kind), call)


async def swap(access: Access, bucket: str, one: str, two: str) -> None:
    async with access.store() as store:
        first, second = await store.get(bucket, one), await store.get(bucket, two)
        await store.put(bucket, one, second)
        await store.put(bucket, two, first)


@pytest.mark.guarantee("R8")
@pytest.mark.parametrize("kind", ["audio", "transcript"])
def test_a_bit_flipped_in_a_wrapped_key_is_found(
    access: Access, tenant: Tenant, supervisor: Person, kind: str
) -> None:
    call = tenant.call()
    access.query(
        "UPDATE call_keys SET wrapped = set_byte(wrapped, 20, get_byte(wrapped, 20) # 1) WHERE call_id = :id",
        id=call.id,
    )
    assert_refused_loudly(access, read(access, supervisor, call, kind), call)


@pytest.mark.guarantee("R8")
def test_the_wrapped_key_of_another_call_is_found(access: Access, tenant: Tenant, supervisor: Person) -> None:
    call, other = tenant.call(), tenant.call()
    access.query(
        "UPDATE call_keys k SET wrapped = o.wrapped FROM call_keys o"
        " WHERE k.call_id = :id AND o.call_id = :other",
        id=call.id,
        other=other.id,
    )
    assert_refused_loudly(access, read(access, supervisor, call), call)


@pytest.mark.guarantee("R8")
def test_a_changed_transcript_is_found_and_its_text_is_not_logged(
    access: Access, tenant: Tenant, supervisor: Person
) -> None:
    call = tenant.call()
    access.replace_object(f"transcripts/{tenant.id}/{call.id}/1", flip(200), "transcripts")
    assert_refused_loudly(access, read(access, supervisor, call, "transcript"), call)
    assert call.transcript.turns[0].text not in access.log_text()


@pytest.mark.guarantee("R8")
def test_a_recording_that_is_gone_does_not_look_like_one_that_never_was(
    access: Access, tenant: Tenant, supervisor: Person
) -> None:
    call = tenant.call()
    run(remove(access, call.manifest.recording.name))
    assert_refused_loudly(access, read(access, supervisor, call), call)


async def remove(access: Access, name: str) -> None:
    async with access.store() as store:
        await store.delete("recordings", name)
