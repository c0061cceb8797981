"""Floods of requests of nobody: the log grows by their aggregates and not by the request."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest

from access_grants import until
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
    until(lambda: not access.query("SELECT 1 FROM outbox WHERE sent_at IS NULL"))
    before = len(access.audit.entries(source=source))
    with access.client("nobody") as client, ThreadPoolExecutor(16) as pool:
        for ask, refused in FLOODS:
            answers = [pool.submit(ask, client) for _ in range(EACH)]
            assert {one.result().status_code for one in answers} <= refused, ask.__name__
    assert [entry["action"] for entry in access.audit.entries(source=source)[before:]] == []


def at_a_client(access: Access) -> tuple[str, Callable[[httpx.Client], httpx.Response]]:
    person = access.tenant().person("supervisor")
    form = {"grant_type": "client_credentials", "client_id": str(person.id), "client_secret": "guess"}
    return "token.denied", lambda client: client.post("/oauth2/token", data=form)


def at_a_login(access: Access) -> tuple[str, Callable[[httpx.Client], httpx.Response]]:
    """Of nobody: whoever is named, of logins that do not exist there is one entry a place and reason."""
    company = access.tenant().id

    def ask(client: httpx.Client) -> httpx.Response:
        guess = {"company": str(company), "login": "hanako", "password": "a guess that is long enough"}
        return client.post("/v1/sessions", json=guess)

    return "login.refused", ask


def at_the_bootstrap_token(access: Access) -> tuple[str, Callable[[httpx.Client], httpx.Response]]:
    del access
    guess = {"token": "guess", "name": "Mallory"}
    return "bootstrap.refused", lambda client: client.post("/v1/bootstrap", json=guess)


@pytest.mark.guarantee("L11")
@pytest.mark.parametrize("guess", [at_a_client, at_a_login, at_the_bootstrap_token])
def test_a_flood_of_guesses_is_an_entry_a_minute_and_each_is_counted(
    access: Access, guess: Callable[[Access], tuple[str, Callable[[httpx.Client], httpx.Response]]]
) -> None:
    """Each entry says for how many it stands; those of the last minute are written when access stops."""
    action, ask = guess(access)
    address = "192.0.2.77"
    with access.client(address=address) as client, ThreadPoolExecutor(16) as pool:
        answers = [answer.result() for answer in [pool.submit(ask, client) for _ in range(EACH)]]
    judged = [answer for answer in answers if "too-many-requests" not in answer.text]
    assert {answer.status_code for answer in judged} <= {401, 403, 429}
    assert len(judged) > EACH / 2
    access.program.stop()
    try:
        told = [one for one in access.audit.entries(action=action) if one["detail"]["address"] == address]
    finally:
        access.start()
    counts: dict[str, list[int]] = {}
    for entry in told:
        counts.setdefault(str(entry["detail"]["why"]), []).append(entry["detail"]["count"])
    assert all(each[0] == 1 and len(each) <= 3 for each in counts.values()), counts
    assert sum(sum(each) for each in counts.values()) == len(judged)
