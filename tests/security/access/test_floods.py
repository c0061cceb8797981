"""Floods of requests of nobody: the log grows by their aggregates and not by the request."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest

from access_service import Access

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]

EACH = 750


def without_a_token(client: httpx.Client) -> httpx.Response:
    return client.get("/v1/calls", headers={"Authorization": ""})


def with_a_wrong_token(client: httpx.Client) -> httpx.Response:
    return client.get("/v1/calls", headers={"Authorization": f"Bearer {uuid4()}"})


def of_a_wrong_path(client: httpx.Client) -> httpx.Response:
    return client.get(f"/v1/{uuid4()}", headers={"Authorization": f"Bearer {uuid4()}"})


def of_a_client_that_is_not(client: httpx.Client) -> httpx.Response:
    body = {"grant_type": "client_credentials", "client_id": str(uuid4()), "client_secret": "guess"}
    return client.post("/oauth2/token", data=body)


FLOODS: list[tuple[Callable[[httpx.Client], httpx.Response], set[int]]] = [
    (without_a_token, {401}),
    (with_a_wrong_token, {401}),
    (of_a_wrong_path, {401, 404}),
    (of_a_client_that_is_not, {400, 401, 429}),
]


@pytest.mark.guarantee("L11")
def test_three_thousand_requests_of_nobody_add_nothing_to_the_log(access: Access) -> None:
    source = access.audit.at_least(1, reader=str(access.tenant().person("agent").id))[0]["source"]
    before = len(access.audit.entries(source=source))
    with access.client("nobody") as client, ThreadPoolExecutor(16) as pool:
        for ask, refused in FLOODS:
            answers = [pool.submit(ask, client) for _ in range(EACH)]
            assert {one.result().status_code for one in answers} <= refused, ask.__name__
    assert [entry["action"] for entry in access.audit.entries(source=source)[before:]] == []


@pytest.mark.guarantee("L11")
def test_a_flood_of_guesses_at_a_known_client_is_one_entry_a_minute(access: Access) -> None:
    """It says for how many it stands; those after it are in the next one."""
    person = access.tenant().person("supervisor")
    form = {"grant_type": "client_credentials", "client_id": str(person.id), "client_secret": "guess"}
    with access.client() as client, ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(client.post, "/oauth2/token", data=form) for _ in range(EACH)]
        assert {one.result().status_code for one in answers} == {401}
    told = access.audit.entries(action="token.denied", reader=str(person.id))
    assert 1 <= len(told) <= 2
    assert told[0]["detail"]["count"] == 1
    assert sum(entry["detail"]["count"] for entry in told) <= EACH
