"""Readings under way end with what permitted them: a zone, a grant, broken glass, trust in the reader."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from urllib.parse import urlencode, urlparse

import pytest

from access_calls import Call
from access_grants import QUALITY, broken, give
from access_service import OFFICE, Access, Tenant, once

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
LENGTH = 48 * 1024 * 1024
End = Callable[[], None]


class Reading:
    """A tenant with a long call, and who reads it by what."""

    def __init__(self, access: Access, tenant: Tenant) -> None:
        self.access = access
        self.tenant = tenant
        self.call: Call = tenant.call(audio=bytes(LENGTH))
        self.lead = tenant.person("supervisor")
        self.agent = tenant.person("agent", agent_ids=["a-9"])
        self.officer = tenant.person("evidence-officer")
        self.zone = access.query("SELECT id FROM zones WHERE tenant_id = :id", id=tenant.id)[0].id
        self.who, self.by = self.lead, dict[str, str]()

    def delete(self, who: str, path: str) -> None:
        with self.access.client(who) as client:
            response = client.delete(path, params={"confirm": True})
            assert response.status_code == 204, response.text

    def move_zone(self) -> None:
        path = f"/v1/zones/{self.zone}"
        with self.access.client(self.tenant.admin) as client:
            match = {"If-Match": client.get(path).headers["ETag"]}
            elsewhere = {"networks": ["192.0.2.0/24"]}
            moved = client.put(path, json=elsewhere, headers=match, params={"confirm": True})
            assert moved.status_code == 200, moved.text

    def by_grant(self) -> str:
        grant: str = give(self.access, self.lead, self.agent, self.call)["id"]
        self.who, self.by = self.agent, {"grant": grant}
        return grant

    def by_glass(self) -> str:
        glass: str = broken(self.access, self.agent, self.officer)["id"]
        self.who = self.agent
        return glass

    def change(self, statement: str, what: object) -> None:
        self.access.query(statement, id=what)


def zone_is_deleted(reading: Reading) -> End:
    return lambda: reading.delete(reading.tenant.admin, f"/v1/zones/{reading.zone}")


def zone_ends(reading: Reading) -> End:
    return lambda: reading.change("UPDATE zones SET valid_until = now() WHERE id = :id", reading.zone)


def zone_is_moved(reading: Reading) -> End:
    return reading.move_zone


def grant_is_revoked(reading: Reading) -> End:
    grant = reading.by_grant()
    return lambda: reading.delete(reading.lead.token, f"/v1/grants/{grant}")


def grant_expires(reading: Reading) -> End:
    grant = reading.by_grant()
    return lambda: reading.change("UPDATE grants SET expires_at = now() WHERE id = :id", grant)


def giver_of_the_grant_goes(reading: Reading) -> End:
    reading.by_grant()
    return lambda: reading.delete(reading.tenant.admin, f"/v1/principals/{reading.lead.id}")


def broken_glass_is_ended(reading: Reading) -> End:
    glass = reading.by_glass()
    return lambda: reading.delete(reading.officer.token, f"/v1/break-glass/{glass}")


def minutes_of_broken_glass_pass(reading: Reading) -> End:
    glass = reading.by_glass()
    return lambda: reading.change("UPDATE break_glass SET until = now() WHERE id = :id", glass)


def reader_is_paused(reading: Reading) -> End:
    return lambda: reading.change("UPDATE principals SET paused_at = now() WHERE id = :id", reading.lead.id)


@pytest.mark.guarantee("R10")
@pytest.mark.guarantee("R23")
@pytest.mark.guarantee("R26")
@pytest.mark.guarantee("R31")
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
    ],
)
def test_a_reading_ends_when_its(access: Access, tenant: Tenant, when: Callable[[Reading], End]) -> None:
    reading = Reading(access, tenant)
    end = when(reading)
    path = f"/v1/calls/{reading.call.id}/audio?{urlencode(QUALITY | reading.by)}"
    request = (
        f"GET {path} HTTP/1.1\r\nHost: access\r\nX-Forwarded-For: {OFFICE}\r\n"
        f"Authorization: Bearer {reading.who.token}\r\n\r\n"
    )
    with slow_reader(access) as connection:
        connection.sendall(request.encode())
        head = connection.recv(4096)
        assert head.startswith(b"HTTP/1.1 200"), head
        end()
        time.sleep(0.5)
        received = len(head)
        while chunk := connection.recv(65536):
            received += len(chunk)
    assert received < LENGTH
    closed = access.audit.entry(action="read.closed", call_id=str(reading.call.id))["detail"]
    assert closed["outcome"] == "revoked"
    assert closed["bytes_sent"] < LENGTH


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


def slow_reader(access: Access) -> socket.socket:
    """A connection whose receive buffer is so small that the service must wait for us."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(30)
    url = urlparse(access.url)
    connection.connect((url.hostname, url.port))
    return connection
