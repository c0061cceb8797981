"""The provider changes its keys, goes away, and lies, while access serves."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from functools import partial

import httpx
import pytest

import access_service
import servers
from access_service import Access, Tenant, once
from issuer_server import Issuer
from oidc_people import SECONDS, Trust, becomes, settings
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


@pytest.fixture(scope="module")
def access(postgres_server: PostgresServer, s3_server: SeaweedServer, provider: Issuer) -> Iterator[Access]:
    """One that believes keys for six seconds while the provider is away."""
    del provider
    with servers.kafka() as broker:
        kafka = access_service.kafka_of(broker)
        changes = {**SECONDS, "OTOKURA_OIDC_STALE_SECONDS": "6", "OTOKURA_OIDC_TIMEOUT_SECONDS": "2"}
        with access_service.running(postgres_server, s3_server, kafka, **changes) as process:
            yield process


@pytest.mark.guarantee("P11")
def test_new_keys_are_followed_and_what_the_old_one_signed_ends(trusted: Trust) -> None:
    old = trusted.person("hanako")
    assert trusted.status(old) == 200
    trusted.issuer.rotate()
    new = trusted.person("hanako")
    assert becomes(partial(trusted.status, new), 200)
    assert becomes(partial(trusted.status, old), 401)
    trusted.issuer.rotate("ES256")
    assert becomes(partial(trusted.status, trusted.machine()), 200)
    assert becomes(partial(trusted.status, new), 401)
    trusted.issuer.rotate("RS256")


@pytest.mark.guarantee("P11")
def test_while_the_provider_is_away_known_keys_are_good_for_a_time_and_then_nothing_is(
    access: Access, trusted: Trust
) -> None:
    token, unknown = trusted.person("hanako"), trusted.machine()
    assert trusted.status(token) == 200
    trusted.issuer.program.stop()
    assert trusted.status(token) == 200
    assert trusted.status(unknown) == 200, "the key is known, the subject need not be"
    assert becomes(partial(trusted.status, token), 503)
    with access.client(token) as client:
        answer = client.get("/v1/calls")
    assert answer.json()["type"] == "urn:otokura:problem:unavailable"
    assert "Retry-After" in answer.headers
    local = trusted.tenant.person("supervisor")
    assert trusted.status(local.token) == 200, "Otokura's own tokens need nobody"
    trusted.issuer.start()
    assert becomes(partial(trusted.status, token), 200)


@pytest.mark.guarantee("P11")
def test_metadata_that_name_another_issuer_are_believed_neither_first_nor_later(
    access: Access, trusted: Trust
) -> None:
    token = trusted.person("hanako")
    assert trusted.status(token) == 200
    trusted.issuer.lying = True
    trusted.issuer.apply()
    other = access.tenant()
    with access.client(other.admin) as client:
        body = settings(trusted.issuer, other)
        refused = client.post("/v1/oidc-issuers", json=body, headers=once())
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:otokura:problem:issuer-unusable")
    assert "another issuer" in refused.json()["detail"]
    assert becomes(partial(trusted.status, token), 503)


def test_an_issuer_that_is_not_there_is_refused(access: Access, tenant: Tenant, issuer: Issuer) -> None:
    with access.client(tenant.admin) as client:
        for url in (
            "http://127.0.0.1:9",
            issuer.url + "/nothing-here",
            "https://127.0.0.1:9",
            "https://10.0.0.1",
            "https://169.254.169.254",
            "http://localhost:9",
            "https://does-not-exist.invalid",
            "not a URL",
        ):
            body = settings(issuer, tenant) | {"issuer": url}
            answer = client.post("/v1/oidc-issuers", json=body, headers=once())
            assert (url, answer.status_code) == (url, 422), answer.text
        assert client.get("/v1/oidc-issuers").json() == {"items": []}


def test_junk_costs_the_provider_nothing(access: Access, trusted: Trust) -> None:
    """A thousand made-up key names: a few fetches, and everybody else goes on."""
    token = trusted.person("hanako")
    assert trusted.status(token) == 200

    def fetches() -> float:
        lines = httpx.get(f"{access.url}/metrics").text.splitlines()
        name = 'otokura_access_oidc_key_fetches_total{outcome="fetched"}'
        return float(next(line.split()[-1] for line in lines if line.startswith(name)))

    before, started = fetches(), time.monotonic()
    rest = token.partition(".")[2]
    with access.client() as client:
        for number in range(300):
            junk = f"{made_up_header(number)}.{rest}"
            assert client.get("/v1/calls", headers={"Authorization": f"Bearer {junk}"}).status_code == 401
    seconds = time.monotonic() - started
    assert fetches() - before <= seconds / float(SECONDS["OTOKURA_OIDC_REFETCH_SECONDS"]) + 2
    assert trusted.status(token) == 200


def made_up_header(number: int) -> str:
    header = json.dumps({"alg": "RS256", "typ": "at+jwt", "kid": f"junk-{number}"}).encode()
    return base64.urlsafe_b64encode(header).rstrip(b"=").decode()
