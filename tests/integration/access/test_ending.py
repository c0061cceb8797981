"""Readings under way end with what permitted them: a zone, a grant, broken glass, a session, trust."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from urllib.parse import urlencode

import pytest

import customer
from access_endings import (
    End,
    Reading,
    broken_glass_is_ended,
    get,
    giver_of_the_grant_goes,
    grant_expires,
    grant_is_revoked,
    minutes_of_broken_glass_pass,
    reader_is_paused,
    received_until,
    session_expires,
    session_is_idle,
    token_without_a_session_runs_out,
    zone_ends,
    zone_is_deleted,
    zone_is_moved,
)
from access_grants import QUALITY
from access_service import OFFICE, Access, Tenant, once
from access_streams import slow_reader
from redacted_calls import RATE, REDACTED, clicks, recorded

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
LENGTH = 48 * 1024 * 1024
MINUTES = 30
REDACTED_LENGTH = MINUTES * 60 * RATE * 4
Ending = Callable[[Reading], End]


def assert_revoked(reading: Reading) -> None:
    """The entry of the reading's end says that it ended with the permission, before it was whole."""
    closed = reading.access.audit.entry(action="read.closed", call_id=str(reading.call.id))["detail"]
    assert closed["outcome"] == "revoked"
    assert closed["bytes_sent"] < LENGTH


@pytest.mark.guarantee("R10")
@pytest.mark.guarantee("R23")
@pytest.mark.guarantee("R26")
@pytest.mark.guarantee("R31")
@pytest.mark.guarantee("R49")
@pytest.mark.parametrize(
    "when",
    [
        zone_is_deleted,
        zone_ends,
        zone_is_moved,
        grant_is_revoked,
        grant_expires,
        giver_of_the_grant_goes,
        broken_glass_is_ended,
        minutes_of_broken_glass_pass,
        reader_is_paused,
        session_expires,
        session_is_idle,
        token_without_a_session_runs_out,
    ],
)
def test_a_reading_ends_when_its(access: Access, tenant: Tenant, when: Ending) -> None:
    reading = Reading(access, tenant, tenant.call(audio=bytes(LENGTH)))
    end = when(reading)
    request = get(reading, f"/v1/calls/{reading.call.id}/audio?{urlencode(QUALITY | reading.by)}")
    assert received_until(access, request, end) < LENGTH
    assert_revoked(reading)


@pytest.mark.guarantee("R49")
def test_a_reading_goes_on_when_a_token_runs_out_and_its_session_does_not(
    access: Access, tenant: Tenant
) -> None:
    """A long recording is heard to its last byte by a person whose tokens live for minutes."""
    reading = Reading(access, tenant, tenant.call(audio=bytes(LENGTH)))
    reading.by_session()
    over = reading.by_short_token()
    path = f"/v1/calls/{reading.call.id}/audio"
    with slow_reader(access) as connection:
        connection.sendall(get(reading, f"{path}?{urlencode(QUALITY)}"))
        head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        time.sleep(max(0.0, over - time.time()) + 0.5)
        with access.client(reading.who.token) as client:
            assert client.get(path, params=QUALITY).status_code == 401, "the token is over"
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        received = len(body)
        while received < LENGTH and (chunk := connection.recv(1 << 20)):
            received += len(chunk)
    assert received == LENGTH
    closed = access.audit.entry(action="read.closed", call_id=str(reading.call.id))["detail"]
    assert (closed["outcome"], closed["bytes_sent"]) == ("complete", LENGTH)


@pytest.mark.guarantee("R10")
@pytest.mark.guarantee("R31")
@pytest.mark.guarantee("R49")
@pytest.mark.parametrize("when", [zone_is_deleted, reader_is_paused, session_expires])
def test_listening_to_redacted_audio_ends_when_its(access: Access, tenant: Tenant, when: Ending) -> None:
    call = recorded(tenant, clicks(MINUTES), [], samples=MINUTES * 60 * RATE)
    reading = Reading(access, tenant, call)
    end = when(reading)
    request = get(reading, f"/v1/calls/{call.id}/audio?{urlencode(REDACTED)}")
    assert received_until(access, request, end) < REDACTED_LENGTH
    assert_revoked(reading)


@pytest.mark.guarantee("R10")
@pytest.mark.guarantee("R49")
@pytest.mark.parametrize("when", [zone_is_deleted, token_without_a_session_runs_out])
def test_taking_ciphertext_ends_when_its(access: Access, tenant: Tenant, when: Ending) -> None:
    """Of a call whose customer alone opens it: what is taken is a read all the same."""
    call = tenant.call(audio=bytes(LENGTH), customer_key=customer.public_pem())
    reading = Reading(access, tenant, call)
    end = when(reading)
    request = get(reading, f"/v1/calls/{call.id}/sealed?{urlencode(QUALITY)}")
    assert received_until(access, request, end) < LENGTH
    assert_revoked(reading)


@pytest.mark.guarantee("R10")
@pytest.mark.guarantee("R31")
@pytest.mark.guarantee("Z9")
@pytest.mark.parametrize("when", [zone_is_deleted, reader_is_paused])
def test_an_archive_for_the_person_concerned_ends_when_its(
    access: Access, tenant: Tenant, when: Ending
) -> None:
    """The read of the call and the disclosure of the archive are both said to have ended so."""
    call = recorded(tenant, clicks(MINUTES), [], samples=MINUTES * 60 * RATE)
    reading = Reading(access, tenant, call)
    reading.who = reading.officer
    end = when(reading)
    body = json.dumps({"call_ids": [str(call.id)], "reason": "開示のご請求 2026-131"})
    request = (
        f"POST /v1/exports HTTP/1.1\r\nHost: access\r\nX-Forwarded-For: {OFFICE}\r\n"
        f"Authorization: Bearer {reading.who.token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )
    assert received_until(access, request.encode(), end) < REDACTED_LENGTH
    assert_revoked(reading)
    closed = access.audit.entry(action="disclosure.closed", tenant_id=str(tenant.id))["detail"]
    assert closed["outcome"] == "revoked"


@pytest.mark.guarantee("R10")
def test_a_long_session_is_asked_again_with_every_request(access: Access, tenant: Tenant) -> None:
    """One token, one connection that is kept: what a zone holds is asked for each request anew."""
    lead, call = tenant.person("supervisor"), tenant.call()
    path = f"/v1/calls/{call.id}/audio"
    with access.client(tenant.admin) as admin, access.client(lead.token) as client:
        assert client.get(path, params=QUALITY).status_code == 200
        [office] = admin.get("/v1/zones").json()["items"]
        admin.delete(f"/v1/zones/{office['id']}", params={"confirm": True})
        assert client.get(path, params=QUALITY).json()["why"] == ["outside-zones"]
        again = {"name": "office", "networks": office["networks"]}
        assert admin.post("/v1/zones", json=again, headers=once()).status_code == 201
        assert client.get(path, params=QUALITY).status_code == 200
