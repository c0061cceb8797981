"""Without the log there is no reading: when entries cannot be written, nothing is told and no byte leaves."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

import access_service
import servers
from access_calls import Call
from access_people import WRONG, Somebody, refresh, somebody
from access_service import Access, Person, Tenant, once
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]
QUALITY = {"purpose": "quality"}


@pytest.fixture(scope="module")
def broker() -> Iterator[servers.KafkaServer]:
    """A broker of our own, to take away."""
    with servers.kafka(lasting=True) as server:
        yield server


@pytest.fixture(scope="module")
def lonely(
    postgres_server: PostgresServer, s3_server: SeaweedServer, broker: servers.KafkaServer
) -> Iterator[Access]:
    """An access process that depends on that broker."""
    with access_service.running(postgres_server, s3_server, access_service.kafka_of(broker)) as process:
        yield process


@pytest.fixture
def readers(lonely: Access) -> tuple[Tenant, Person, Person, Call]:
    tenant = lonely.tenant()
    return tenant, tenant.person("supervisor"), tenant.person("auditor"), tenant.call()


@pytest.fixture
def away(readers: object, broker: servers.KafkaServer) -> Iterator[None]:
    """The broker is killed for the time of the test."""
    del readers
    broker.kill()
    yield
    broker.start()


@pytest.mark.guarantee("R7")
@pytest.mark.usefixtures("away")
def test_without_the_broker_nothing_is_read(
    lonely: Access, readers: tuple[Tenant, Person, Person, Call]
) -> None:
    _, supervisor, auditor, call = readers
    audio, transcript = f"/v1/calls/{call.id}/audio", f"/v1/calls/{call.id}/transcript"
    form = {"grant_type": "client_credentials"} | {
        name: supervisor.credentials[name] for name in ("client_id", "client_secret")
    }
    requests: list[tuple[Person | None, str, str, dict[str, Any]]] = [
        (supervisor, "GET", audio, {"params": QUALITY, "headers": {"Range": "bytes=0-99"}}),
        (supervisor, "GET", audio, {"params": QUALITY | {"view": "redacted"}}),
        (supervisor, "GET", transcript, {"params": QUALITY}),
        (supervisor, "GET", f"/v1/calls/{call.id}", {}),
        (supervisor, "GET", "/v1/calls", {}),
        (supervisor, "POST", "/v1/search", {"json": {"phrase": "ありがとう", **QUALITY}}),
        (auditor, "GET", audio, {"params": QUALITY}),
        (None, "POST", "/oauth2/token", {"data": form}),
    ]

    def ask(request: tuple[Person | None, str, str, dict[str, Any]]) -> httpx.Response:
        who, method, path, more = request
        with lonely.client(who.token if who else None) as client:
            return client.request(method, path, **more)

    with ThreadPoolExecutor(len(requests)) as pool:
        answers = list(pool.map(ask, requests))
    for answer in answers:
        assert answer.status_code == 503
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["Retry-After"]
        assert call.audio[:16] not in answer.content
        assert str(call.id) not in answer.text
        assert call.transcript.turns[0].text not in answer.text


@pytest.mark.guarantee("R7")
def test_reading_goes_on_when_the_broker_is_back(
    lonely: Access, readers: tuple[Tenant, Person, Person, Call], broker: servers.KafkaServer
) -> None:
    tenant, supervisor, _, call = readers
    url = f"/v1/calls/{call.id}/audio"
    broker.kill()
    try:
        with lonely.client(supervisor.token) as client:
            refused = client.get(url, params=QUALITY)
        with lonely.client(tenant.admin) as client:
            zone = {"name": "branch", "networks": ["10.0.0.0/8"]}
            assert client.post("/v1/zones", json=zone, headers=once()).status_code == 201
    finally:
        broker.start()
    with lonely.client(supervisor.token) as client:
        for _ in range(20):
            response = client.get(url, params=QUALITY)
            if response.status_code == 200:
                break
    assert (refused.status_code, response.content) == (503, call.audio)
    lonely.audit.entry(entry_id=response.headers["Otokura-Entry-Id"])
    opened = lonely.audit.entries(action="read.opened", call_id=str(call.id))
    by_id = {entry["entry_id"]: entry for entry in opened}
    assert response.headers["Otokura-Entry-Id"] in by_id
    for entry_id in by_id:
        outcome = lonely.audit.closed(entry_id)["detail"]["outcome"]
        assert outcome == ("complete" if entry_id == response.headers["Otokura-Entry-Id"] else "unwritten")
    zones = lonely.audit.at_least(2, action="zone.created", tenant_id=str(tenant.id))
    assert {entry["detail"]["zone"]["name"] for entry in zones} == {"office", "branch"}


@pytest.fixture
def hanako(lonely: Access) -> tuple[Somebody, dict[str, Any]]:
    """Somebody who has logged in."""
    person = somebody(lonely.tenant())
    return person, person.session()


@pytest.mark.guarantee("P7")
@pytest.mark.guarantee("R7")
@pytest.mark.guarantee("P3")
def test_without_the_broker_nobody_logs_in_or_goes_on(
    lonely: Access, hanako: tuple[Somebody, dict[str, Any]], broker: servers.KafkaServer
) -> None:
    """Nor is anybody refused; what waited is written when the broker is back."""
    person, tokens = hanako
    right, wrong = person.says(), person.says(**WRONG)
    nobody = wrong | {"login": "nobody@midori.example"}
    broker.kill()
    try:
        with lonely.client() as client:
            said = (right, wrong, wrong, nobody, nobody)
            answers = [client.post("/v1/sessions", json=each) for each in said]
        answers.append(refresh(lonely, tokens["refresh_token"]))
    finally:
        broker.start()
    assert [answer.status_code for answer in answers] == [503] * 6
    assert not any("access_token" in answer.json() for answer in answers)
    sessions = lonely.query("SELECT id FROM sessions WHERE principal_id = :id", id=person.id)
    assert [str(row.id) for row in sessions] == [tokens["session_id"]]
    for _ in range(20):
        again = refresh(lonely, tokens["refresh_token"])
        if again.status_code != 503:
            break
    assert again.status_code == 200, again.text
    refused = lonely.audit.at_least(1, action="login.refused", reader=str(person.id))
    assert [(entry["detail"]["why"], entry["detail"]["count"]) for entry in refused] == [("password", 1)]
