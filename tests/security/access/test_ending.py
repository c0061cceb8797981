"""What ends a session ends everything that was got in it: here, in another replica, and in other services."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import servers
from access_people import PASSWORD, Somebody, refresh, somebody, status
from access_service import Access, Tenant
from access_streams import slow_reader

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]


@pytest.fixture
def hanako(tenant: Tenant) -> Somebody:
    return somebody(tenant)


@pytest.fixture
def replica(access: Access) -> Iterator[Access]:
    """A second instance on the same database and broker, with a signing key of its own."""
    with servers.scratch_folder("replica") as folder:
        other = Access(
            Path(folder), access.database_url, access.store_settings, access.seal_settings, access.kafka
        )
        other.keyring.write_bytes(access.keyring.read_bytes())
        try:
            other.start()
            yield other
        finally:
            other.program.stop()


def leave(access: Access, _person: Somebody, token: str) -> None:
    with access.client(token) as client:
        assert client.delete("/v1/sessions/current").status_code == 204


def end_all(access: Access, person: Somebody, _token: str) -> None:
    with access.client(person.tenant.admin) as client:
        assert client.delete(f"/v1/principals/{person.id}/sessions").status_code == 204


def disable(access: Access, person: Somebody, _token: str) -> None:
    with access.client(person.tenant.admin) as client:
        assert client.delete(f"/v1/principals/{person.id}").status_code == 204


def change_password(access: Access, person: Somebody, _token: str) -> None:
    with access.client(person.session()["access_token"]) as client:
        body = {"password": PASSWORD, "new_password": "quite another long sentence"}
        assert client.put("/v1/password", json=body).status_code == 204


Ending = Callable[[Access, Somebody, str], None]
ENDINGS = pytest.mark.parametrize("end", [leave, end_all, disable, change_password])


@ENDINGS
@pytest.mark.guarantee("P6")
def test_what_ends_a_session_is_told_to_every_service(access: Access, hanako: Somebody, end: Ending) -> None:
    tokens = hanako.session()
    end(access, hanako, tokens["access_token"])
    assert status(access, tokens["access_token"]) == 401
    assert refresh(access, tokens["refresh_token"]).status_code == 401
    rows = access.query("SELECT data::json AS data FROM outbox WHERE type = 'otokura.token.revoked.v1'")
    revoked = {row.data["jti"] or row.data["subject"] for row in rows}
    assert revoked & {tokens["session_id"], str(hanako.id)}


@ENDINGS
@pytest.mark.guarantee("P6")
def test_a_token_that_was_given_in_a_second_in_which_others_ended_ends_too(
    access: Access, hanako: Somebody, end: Ending
) -> None:
    """It says a later second than it was given in, or it would have ended with the others."""
    later = "UPDATE principals SET tokens_since = date_trunc('second', now()) + interval '3 s' WHERE id = :id"
    access.query(later, id=hanako.id)
    token = hanako.session()["access_token"]
    assert status(access, token) == 200
    end(access, hanako, token)
    assert status(access, token) == 401


@pytest.mark.guarantee("P6")
def test_what_one_replica_ends_is_over_in_the_other(
    access: Access, replica: Access, hanako: Somebody
) -> None:
    first = hanako.session()
    second = refresh(replica, first["refresh_token"]).json()
    assert [status(each, second["access_token"]) for each in (access, replica)] == [200, 200]
    end_all(access, hanako, "")
    assert [status(each, second["access_token"]) for each in (access, replica)] == [401, 401]
    third = hanako.session()
    leave(replica, hanako, third["access_token"])
    assert [status(each, third["access_token"]) for each in (replica, access)] == [401, 401]
    assert refresh(access, third["refresh_token"]).status_code == 401


@pytest.mark.guarantee("P6")
def test_a_reading_under_way_ends_with_the_session(access: Access, tenant: Tenant, hanako: Somebody) -> None:
    call, tokens = tenant.call(audio=bytes(64 * 1024 * 1024)), hanako.session()
    request = (
        f"GET /v1/calls/{call.id}/audio?purpose=quality HTTP/1.1\r\nHost: access\r\n"
        f"X-Forwarded-For: 203.0.113.7\r\nAuthorization: Bearer {tokens['access_token']}\r\n\r\n"
    )
    with slow_reader(access) as connection:
        connection.sendall(request.encode())
        received = len(connection.recv(4096))
        leave(access, hanako, tokens["access_token"])
        time.sleep(0.5)
        while chunk := connection.recv(65536):
            received += len(chunk)
    assert received < len(call.audio)
    closed = access.audit.entry(action="read.closed", call_id=str(call.id))
    assert closed["detail"]["outcome"] == "revoked"
