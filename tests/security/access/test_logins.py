"""Whoever guesses, replays, floods or watches: what logins give away, and what they stand."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from uuid import uuid4

import httpx
import pytest

from access_people import PASSWORD, WRONG, Somebody, app_code, refresh, somebody, status
from access_service import Access, Tenant, once
from otokura.access.logins.lockout import ELSEWHERE as MOST_ELSEWHERE
from otokura.access.logins.lockout import HERE as MOST_HERE

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]
TABLES = ("logins", "invitations", "login_tries", "sessions", "outbox", "idempotency_keys", "principals")


@pytest.fixture
def hanako(tenant: Tenant) -> Somebody:
    return somebody(tenant)


@pytest.fixture
def wide(tenant: Tenant) -> Tenant:
    """The tenant, with a zone that holds every address of these tests."""
    with tenant.access.client(tenant.admin) as client:
        zone = {"name": "anywhere", "networks": ["203.0.112.0/20", "198.51.100.0/24", "2001:db8::/32"]}
        assert client.post("/v1/zones", json=zone, headers=once()).status_code == 201
    return tenant


def told(answer: httpx.Response) -> tuple[int, str, str, frozenset[str]]:
    """All of an answer that could tell one login from another."""
    body = answer.json()
    return answer.status_code, body["type"], body["detail"], frozenset(body)


@pytest.mark.guarantee("P2")
def test_a_code_is_good_once(access: Access, hanako: Somebody) -> None:
    said = hanako.says()
    with access.client() as client:
        first = client.post("/v1/sessions", json=said)
        again = client.post("/v1/sessions", json=said)
    assert (first.status_code, told(again)) == (201, told(hanako.log_in(**WRONG)))
    assert access.audit.entries(action="login.refused", reader=str(hanako.id))[0]["detail"]["why"] == "code"


@pytest.mark.guarantee("P2")
def test_a_code_that_comes_many_times_at_once_is_good_once(access: Access, hanako: Somebody) -> None:
    said = hanako.says()

    def post(_: int) -> int:
        with access.client() as client:
            return client.post("/v1/sessions", json=said).status_code

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(post, range(4)))
    assert answers == [201, 401, 401, 401]


@pytest.mark.guarantee("P2")
def test_the_code_that_confirmed_an_app_logs_nobody_in(tenant: Tenant) -> None:
    person = somebody(tenant)
    assert person.secret is not None
    assert person.log_in(code=person.confirming).status_code == 401
    assert person.log_in(code=app_code(person.secret, steps=1)).status_code == 201


@pytest.mark.guarantee("P3")
def test_nobody_learns_which_logins_there_are(access: Access, tenant: Tenant, hanako: Somebody) -> None:
    """Neither by what is answered nor by how often something may be tried; also when the login is closed."""
    closed = somebody(tenant)
    with access.client(tenant.admin) as client:
        assert client.delete(f"/v1/principals/{closed.id}").status_code == 204
    guesses = [
        hanako.says(**WRONG),
        hanako.says(code="000000"),
        hanako.says(code=None),
        closed.says(),
        hanako.says(login="nobody@midori.example"),
        hanako.says(company="No such company"),
    ]
    with access.client() as client:
        answers = {told(client.post("/v1/sessions", json=guess)) for guess in guesses}
        assert len(answers) == 1
        for guess in (guesses[0], guesses[4], guesses[5]):
            more = [client.post("/v1/sessions", json=guess) for _ in range(MOST_HERE + 1)]
            assert {answer.status_code for answer in more[:2]} == {401}
            assert (more[-1].status_code, more[-1].headers["Retry-After"]) == (429, "900")


@pytest.mark.guarantee("P4")
@pytest.mark.usefixtures("wide")
def test_who_guesses_from_elsewhere_does_not_lock_the_owner_out(access: Access, hanako: Somebody) -> None:
    """From a network that they logged in from before; others are closed until the window is over."""
    assert hanako.log_in().status_code == 201
    for number in range(MOST_ELSEWHERE):
        assert hanako.log_in(address=f"198.51.100.{1 + number}", **WRONG).status_code == 401
    locked = hanako.log_in(address="198.51.100.200")
    assert (locked.status_code, locked.json()["type"]) == (429, "urn:otokura:problem:too-many-tries")
    assert hanako.log_in(address="2001:db8::7").status_code == 429
    assert hanako.log_in().status_code == 201
    why = [e["detail"]["why"] for e in access.audit.entries(action="login.refused", reader=str(hanako.id))]
    assert set(why) == {"password", "locked"}
    access.query("UPDATE login_tries SET at = at - interval '16 minutes'")
    assert hanako.log_in(address="2001:db8::7").status_code == 201


@pytest.mark.guarantee("P4")
def test_who_guesses_in_the_owners_own_network_does_not_lock_their_device_out(
    access: Access, tenant: Tenant, hanako: Somebody
) -> None:
    device = hanako.session()["device"]
    others = somebody(tenant).session()["device"]
    for _ in range(MOST_HERE):
        assert hanako.log_in(**WRONG).status_code == 401
    assert hanako.log_in().status_code == 429
    for forged in ("x" * 43, others):
        assert hanako.log_in(device=forged).status_code == 429
    again = hanako.log_in(device=device)
    assert (again.status_code, again.json()["device"]) == (201, device)
    for _ in range(MOST_HERE):
        assert hanako.log_in(**WRONG, device=device).status_code == 401
    assert hanako.log_in(device=device).status_code == 429
    rows = access.query("SELECT t::text AS row FROM login_origins t")
    assert not any(device in row.row for row in rows)


@pytest.mark.guarantee("P4")
def test_many_guesses_at_once_are_no_more_than_one_after_another(access: Access, hanako: Somebody) -> None:
    """The last has the right password and code, and is not looked at."""
    said = hanako.says(**WRONG, code="000000")

    def guess(_: int) -> int:
        with access.client() as client:
            return client.post("/v1/sessions", json=said).status_code

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(guess, range(12)))
    assert sorted(answers) == [401] * MOST_HERE + [429] * (12 - MOST_HERE)
    assert hanako.log_in().status_code == 429


@pytest.mark.guarantee("P5")
def test_a_refresh_token_that_comes_again_ends_its_session(access: Access, hanako: Somebody) -> None:
    stolen, other = hanako.session(), hanako.session()
    newer = refresh(access, stolen["refresh_token"]).json()
    assert refresh(access, stolen["refresh_token"]).status_code == 401
    assert refresh(access, newer["refresh_token"]).status_code == 401
    assert [status(access, each["access_token"]) for each in (stolen, newer, other)] == [401, 401, 200]
    entry = access.audit.entry(action="session.ended", reader=str(hanako.id))
    assert (entry["detail"]["why"], entry["detail"]["session"]) == ("reuse", stolen["session_id"])


@pytest.mark.guarantee("P5")
def test_of_many_refreshes_at_once_one_at_most_is_answered(access: Access, hanako: Somebody) -> None:
    tokens = hanako.session()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: refresh(access, tokens["refresh_token"]), range(4)))
    good = [answer for answer in answers if answer.status_code == 200]
    assert len(good) <= 1
    assert {answer.status_code for answer in answers} <= {200, 401}
    assert all(status(access, answer.json()["access_token"]) == 401 for answer in good)


@pytest.mark.guarantee("P5")
def test_who_never_had_a_token_of_a_session_cannot_end_it(access: Access, hanako: Somebody) -> None:
    """The session's id is no secret: it stands in entries, and in each access token."""
    tokens = hanako.session()
    prefix, family, once_ = tokens["refresh_token"].split(".")
    forged = [
        f"{prefix}.{'x' * 43}.{'x' * 43}",
        f"{prefix}.{once_}.{family}",
        f"ort_{uuid4().hex}.{family}.{once_}",
        tokens["access_token"][:500],
        "nonsense",
    ]
    answers = [refresh(access, each) for each in forged]
    assert len({told(answer) for answer in answers}) == 1
    assert answers[0].status_code == 401
    assert refresh(access, tokens["refresh_token"]).status_code == 200


def refused_so_far(access: Access) -> dict[str, float]:
    """What the metrics say of refused logins."""
    with access.client() as client:
        lines = client.get("/metrics").text.splitlines()
    values = [line.rsplit(" ", 1) for line in lines if line.startswith("otokura_access_logins_refused_total")]
    return {name: float(value) for name, value in values}


@pytest.mark.guarantee("P3")
def test_metrics_count_refusals_of_all_logins_alike(access: Access, hanako: Somebody) -> None:
    """Anybody may read them."""
    counts = [refused_so_far(access)]
    for login in (hanako.login, "nobody"):
        assert hanako.log_in(login=login, **WRONG).status_code == 401
        counts.append(refused_so_far(access))
    [name] = counts[-1]
    assert [after[name] - before.get(name, 0.0) for before, after in pairwise(counts)] == [1.0, 1.0]


def test_logins_that_do_not_exist_are_counted_and_not_written_one_by_one(access: Access) -> None:
    before = len(access.audit.entries(action="login.refused", tenant_id="None"))
    counted = sum(refused_so_far(access).values())
    with access.client(address="203.0.113.14") as client:
        for number in range(10):
            said = {"company": "x", "login": f"guess-{number}", "password": "x"}
            assert client.post("/v1/sessions", json=said).status_code == 401
    entries = access.audit.entries(action="login.refused", tenant_id="None")[before:]
    assert [entry["detail"]["address"] for entry in entries].count("203.0.113.14") == 1
    assert not any("guess" in json.dumps(entry) for entry in entries)
    assert sum(refused_so_far(access).values()) == counted + 10


@pytest.mark.guarantee("S1")
def test_no_password_code_invitation_or_token_is_kept_or_logged(access: Access, hanako: Somebody) -> None:
    code = hanako.code()
    tokens = hanako.log_in(code=code).json()
    newer = refresh(access, tokens["refresh_token"]).json()
    hanako.log_in(password="a wrong but secret sentence")
    assert hanako.secret is not None
    secrets = [
        PASSWORD,
        "a wrong but secret sentence",
        hanako.secret,
        base64.b32decode(hanako.secret).hex(),
        *(part for each in (tokens, newer) for part in each["refresh_token"].split(".")[1:]),
        *(each["access_token"] for each in (tokens, newer)),
    ]
    rows = [row.row for t in TABLES for row in access.query(f"SELECT t::text AS row FROM {t} t")]  # noqa: S608
    places = [access.log_text(), *rows, *map(json.dumps, access.audit.entries())]
    for number, secret in enumerate(secrets):
        assert not any(secret in place for place in places), number
    assert not any(f'"{code}"' in place for place in places)


def test_what_is_no_login_is_refused_without_repeating_it(access: Access) -> None:
    bodies = [
        {"company": "x", "login": "x"},
        {"company": "x", "login": "x", "password": "p" * 513},
        {"company": "x", "login": "x x", "password": "hunter2hunter2"},
        {"company": "x", "login": "x", "password": "hunter2hunter2", "code": "1"},
        {"company": "x", "login": "x", "password": ["hunter2hunter2"]},
        {"company": "x", "login": "x", "password": "hunter2hunter2", "remember": True},
    ]
    with access.client() as client:
        answers = [client.post("/v1/sessions", json=body) for body in bodies]
        answers += [
            client.post("/v1/sessions/refresh", json={"refresh_token": ""}),
            client.post("/v1/invitations/accept", json={"token": "x", "password": ""}),
            client.post("/v1/invitations/confirm", json={"token": "x", "code": "12345"}),
        ]
    assert {answer.status_code for answer in answers} == {422}
    assert not any("hunter2" in answer.text for answer in answers)
