"""Without the log there is no reading: when entries cannot be written, nothing is told and no byte leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

import access_service
import customer
import servers
from access_calls import Call
from access_grants import give
from access_live import Live, live_call
from access_people import WRONG, Somebody, refresh, somebody
from access_service import Access, Person, Tenant, once, secrets_of
from issuer_server import Issuer
from oidc_fixtures import issuer, provider
from oidc_people import trust
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer

__all__ = ["issuer", "provider"]
pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]
QUALITY = {"purpose": "quality"}
SAID = "もしもし、田中です。"
EXCHANGE = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
}
Asked = tuple[Person | None, str, str, dict[str, Any]]


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


@pytest.fixture(scope="module")
def come_back(lonely: Access, broker: servers.KafkaServer) -> Callable[[], None]:
    """Starts the broker again, and waits until access, whose tokens are entries, has found it."""
    person = lonely.tenant().person("supervisor")
    form = {"grant_type": "client_credentials"} | secrets_of(person.credentials)

    def start() -> None:
        broker.start()
        with lonely.client() as client:
            answers = (client.post("/oauth2/token", data=form) for _ in range(20))
            assert any(answer.status_code != 503 for answer in answers)

    return start


@pytest.fixture
def readers(lonely: Access) -> tuple[Tenant, Person, Person, Call]:
    tenant = lonely.tenant()
    return tenant, tenant.person("supervisor"), tenant.person("auditor"), tenant.call()


@dataclass(frozen=True)
class Ways:
    """The other ways to what is kept, all of them open as long as there is a broker."""

    supervisor: Person
    officer: Person
    agent: Person
    call: Call
    held: Call
    live: Live
    grant: str


@pytest.fixture
def ways(lonely: Access, readers: tuple[Tenant, Person, Person, Call]) -> Ways:
    tenant, supervisor, _, call = readers
    agent, officer = tenant.person("agent", agent_ids=["a-9"]), tenant.person("evidence-officer")
    grant = give(lonely, supervisor, agent, call, what=["listen", "read-transcript"], listenings=2)["id"]
    live = live_call(lonely, tenant)
    live.say(1, (0, SAID, True))
    held = tenant.call(customer_key=customer.public_pem())
    return Ways(supervisor, officer, agent, call, held, live, grant)


@pytest.fixture
def away(
    readers: object, ways: object, broker: servers.KafkaServer, come_back: Callable[[], None]
) -> Iterator[None]:
    """The broker is killed for the time of the test."""
    del readers, ways
    broker.kill()
    yield
    come_back()


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
    requests: list[Asked] = [
        (supervisor, "GET", audio, {"params": QUALITY, "headers": {"Range": "bytes=0-99"}}),
        (supervisor, "GET", audio, {"params": QUALITY | {"view": "redacted"}}),
        (supervisor, "GET", transcript, {"params": QUALITY}),
        (supervisor, "GET", f"/v1/calls/{call.id}", {}),
        (supervisor, "GET", "/v1/calls", {}),
        (supervisor, "POST", "/v1/search", {"json": {"phrase": "ありがとう", **QUALITY}}),
        (auditor, "GET", audio, {"params": QUALITY}),
        (None, "POST", "/oauth2/token", {"data": form}),
    ]
    for answer in answers_of(lonely, requests):
        assert_nothing_told(answer, call)


def answers_of(access: Access, requests: Sequence[Asked]) -> list[httpx.Response]:
    """What is answered to all of them at once: each waits for a broker that is not there."""

    def ask(request: Asked) -> httpx.Response:
        who, method, path, more = request
        with access.client(who.token if who else None) as client:
            return client.request(method, path, **more)

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(ask, requests))


def assert_nothing_told(answer: httpx.Response, call: Call) -> None:
    assert answer.status_code == 503, (answer.request.method, answer.request.url, answer.text)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Retry-After"]
    assert call.audio[:16] not in answer.content
    assert str(call.id) not in answer.text
    assert call.transcript.turns[0].text not in answer.text


@pytest.mark.guarantee("R7")
@pytest.mark.usefixtures("away")
def test_without_the_broker_no_other_way_leads_to_anything(lonely: Access, ways: Ways) -> None:
    """Live text, ciphertext, archives, versions, headers alone, previews, and all that a grant opens."""
    call, held = f"/v1/calls/{ways.call.id}", f"/v1/calls/{ways.held.id}"
    by_grant = {"params": QUALITY | {"grant": ways.grant}}
    named = {"call_ids": [str(ways.call.id)]}
    customers = {"customer": {"numbers": ["+81312345678"]}}
    requests: list[Asked] = [
        (ways.supervisor, "GET", ways.live.path, {"params": QUALITY}),
        (ways.supervisor, "GET", f"{held}/sealed", {"params": QUALITY}),
        (ways.supervisor, "GET", f"{held}/sealed", {"params": QUALITY | {"transcript": "true"}}),
        (ways.supervisor, "GET", f"{call}/transcripts", {}),
        (ways.supervisor, "HEAD", f"{call}/audio", {"params": QUALITY}),
        (ways.officer, "POST", "/v1/exports", {"json": named | {"reason": "開示のご請求"}}),
        (ways.officer, "POST", "/v1/erasures/preview", {"json": named}),
        (ways.officer, "POST", "/v1/erasures/preview", {"json": customers}),
        (ways.agent, "GET", f"{call}/audio", by_grant),
        (ways.agent, "GET", f"{call}/transcript", by_grant),
    ]
    for answer in answers_of(lonely, requests):
        for each in (ways.call, ways.held):
            assert_nothing_told(answer, each)
        assert SAID not in answer.text
        assert str(ways.live.id) not in answer.text


@pytest.mark.guarantee("R7")
@pytest.mark.guarantee("P15")
def test_without_the_broker_no_token_is_exchanged(
    lonely: Access, broker: servers.KafkaServer, issuer: Issuer, come_back: Callable[[], None]
) -> None:
    """Of a person who was known before, and whose own token is good."""
    trusted = trust(lonely, lonely.tenant(), issuer)
    form = EXCHANGE | {"subject_token": trusted.person("hanako")}
    with lonely.client() as client:
        assert client.post("/oauth2/token", data=form).status_code == 200
        broker.kill()
        try:
            refused = client.post("/oauth2/token", data=form)
        finally:
            come_back()
    assert (refused.status_code, "access_token" in refused.text) == (503, False)
    assert refused.headers["Retry-After"]


@pytest.mark.guarantee("R7")
def test_reading_goes_on_when_the_broker_is_back(
    lonely: Access,
    readers: tuple[Tenant, Person, Person, Call],
    broker: servers.KafkaServer,
    come_back: Callable[[], None],
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
        come_back()
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
    lonely: Access,
    hanako: tuple[Somebody, dict[str, Any]],
    broker: servers.KafkaServer,
    come_back: Callable[[], None],
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
        come_back()
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
    # The second refusal is counted, and written only when its minute is over.
    assert {entry["detail"]["why"] for entry in refused} == {"password"}
    assert refused[0]["detail"]["count"] == 1
