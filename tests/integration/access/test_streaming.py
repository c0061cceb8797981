"""Long readings: they end when their permission does, and say what was sent when the reader goes away."""

from __future__ import annotations

import time

import pytest

from access_service import Access, Person, Tenant
from access_streams import slow_reader

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]
QUALITY = {"purpose": "quality"}


@pytest.fixture
def supervisor(tenant: Tenant) -> Person:
    return tenant.person("supervisor")


@pytest.mark.guarantee("R10")
def test_a_reading_under_way_ends_when_its_permission_does(
    access: Access, tenant: Tenant, supervisor: Person
) -> None:
    call = tenant.call(audio=bytes(64 * 1024 * 1024))
    request = (
        f"GET /v1/calls/{call.id}/audio?purpose=quality HTTP/1.1\r\nHost: access\r\n"
        f"X-Forwarded-For: 203.0.113.7\r\nAuthorization: Bearer {supervisor.token}\r\n\r\n"
    )
    with slow_reader(access) as connection:
        connection.sendall(request.encode())
        received = len(connection.recv(4096))
        with access.client(tenant.admin) as client:
            assert client.delete(f"/v1/principals/{supervisor.id}").status_code == 204
        time.sleep(0.5)
        while chunk := connection.recv(65536):
            received += len(chunk)
    assert received < len(call.audio)
    closed = access.audit.entry(action="read.closed", call_id=str(call.id))
    assert closed["detail"]["outcome"] == "revoked"
    assert closed["detail"]["bytes_sent"] < len(call.audio)


@pytest.mark.guarantee("R1")
def test_a_reading_that_the_reader_breaks_off_is_closed_with_what_was_sent(
    access: Access, tenant: Tenant, supervisor: Person
) -> None:
    call = tenant.call(audio=bytes(64 * 1024 * 1024))
    with (
        access.client(supervisor.token) as client,
        client.stream("GET", f"/v1/calls/{call.id}/audio", params=QUALITY) as response,
    ):
        next(response.iter_raw(1000))
        entry_id = response.headers["Otokura-Entry-Id"]
    closed = access.audit.closed(entry_id)
    assert closed["detail"]["outcome"] == "aborted"
    assert 0 < closed["detail"]["bytes_sent"] < len(call.audio)
