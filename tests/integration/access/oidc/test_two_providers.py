"""Administrators who come by several identity providers: one of them can always come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy

import httpx
import pytest

import issuer_server
from access_locks import together
from access_service import Access, Tenant
from oidc_people import PEOPLE, Trust, trust

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
ISSUERS = "SELECT 1 FROM oidc_issuers WHERE tenant_id = :tenant"


@pytest.fixture(scope="module")
def another() -> Iterator[issuer_server.Issuer]:
    """A second running OpenID provider."""
    with issuer_server.running(**deepcopy(PEOPLE)) as running:
        yield running


@pytest.fixture
def both(
    access: Access, tenant: Tenant, issuer: issuer_server.Issuer, another: issuer_server.Issuer
) -> tuple[tuple[Trust, str], tuple[Trust, str]]:
    """Two providers, each with a token of the administrator who came by it; the tenant has no others."""
    first, second = trust(access, tenant, issuer), trust(access, tenant, another)
    one, other = first.person("boss"), second.person("boss")
    assert (first.status(one, "/v1/principals"), second.status(other, "/v1/principals")) == (200, 200)
    with access.client(one) as client:
        [local] = [p for p in client.get("/v1/principals").json()["items"] if p["name"] != "社長"]
        assert client.delete(f"/v1/principals/{local['id']}").status_code == 204
    return (first, one), (second, other)


def removes(access: Access, trusted: Trust, token: str) -> Callable[[], httpx.Response]:
    def ask() -> httpx.Response:
        with access.client(token) as client:
            return client.delete(trusted.path)

    return ask


@pytest.mark.guarantee("P18")
def test_who_came_by_a_provider_that_is_gone_is_no_administrator_who_can_come(
    access: Access, both: tuple[tuple[Trust, str], tuple[Trust, str]]
) -> None:
    (first, one), (second, other) = both
    assert removes(access, first, other)().status_code == 204
    assert first.status(one, "/v1/principals") == 401
    refused = removes(access, second, other)()
    assert (refused.status_code, "administrators" in refused.json()["detail"]) == (409, True)
    assert second.status(other, "/v1/principals") == 200
    assert second.status(second.person("boss"), "/v1/principals") == 200, "they can come again"


@pytest.mark.guarantee("P18")
def test_who_cannot_come_any_more_can_be_disabled_by_the_last_who_can(
    access: Access, both: tuple[tuple[Trust, str], tuple[Trust, str]]
) -> None:
    (first, _), (_, other) = both
    with access.client(other) as client:
        [subject] = client.get(f"{first.path}/subjects").json()["items"]
        gone = subject["principal_id"]
        assert client.delete(first.path).status_code == 204
        assert client.delete(f"/v1/principals/{gone}").status_code == 204


@pytest.mark.guarantee("P18")
def test_two_who_remove_each_others_provider_at_once_are_not_both_gone(
    access: Access, tenant: Tenant, both: tuple[tuple[Trust, str], tuple[Trust, str]]
) -> None:
    (first, one), (second, other) = both
    asks = removes(access, second, one), removes(access, first, other)
    answers = together(access, ISSUERS, *asks, tenant=tenant.id)
    assert sorted(answer.status_code for answer in answers) == [204, 409]
    left = [trusted.status(token, "/v1/principals") for trusted, token in ((first, one), (second, other))]
    assert sorted(left) == [200, 401]
