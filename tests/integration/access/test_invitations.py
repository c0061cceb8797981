"""Invitations: good once, for a time, for one person; and what they make new."""

from __future__ import annotations

from uuid import uuid4

import pytest

from access_people import (
    WRONG,
    Somebody,
    accept,
    app_code,
    confirm,
    invite,
    refresh,
    somebody,
    status,
)
from access_service import Access, Tenant, once

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


@pytest.fixture
def hanako(tenant: Tenant) -> Somebody:
    return somebody(tenant)


def test_who_logs_in_with_a_password_has_no_other_way_in(access: Access, tenant: Tenant) -> None:
    """The client secret, which the administrator saw, would be a way around the second factor."""
    created = tenant.create("supervisor").json()
    before = access.token(created)
    token = invite(tenant, created["id"], "taro").json()["token"]
    secret = accept(tenant, token).json()["secret"]
    assert confirm(tenant, token, app_code(secret)).status_code == 204
    form = {"grant_type": "client_credentials", **{k: created[k] for k in ("client_id", "client_secret")}}
    with access.client() as client:
        assert client.post("/oauth2/token", data=form).status_code == 401
    assert status(access, before) == 401
    with access.client(tenant.admin) as client:
        again = client.post(f"/v1/principals/{created['id']}/secret", json={}, headers=once())
    assert again.status_code == 409


@pytest.mark.guarantee("P1")
def test_an_invitation_is_good_once_for_a_time_and_until_the_next(access: Access, tenant: Tenant) -> None:
    person = tenant.create("agent").json()
    first, second = (invite(tenant, person["id"], "jiro").json()["token"] for _ in range(2))
    refused = [accept(tenant, first), accept(tenant, "x" * 43)]
    secret = accept(tenant, second).json()["secret"]
    newer = accept(tenant, second).json()["secret"]
    assert confirm(tenant, second, app_code(secret)).status_code == 422  # accepted again: another key
    assert confirm(tenant, second, app_code(newer)).status_code == 204
    refused += [accept(tenant, second), confirm(tenant, second, app_code(newer, 1))]
    late = invite(tenant, person["id"], "jiro").json()["token"]
    access.query("UPDATE invitations SET expires_at = now() WHERE accepted_at IS NULL")
    refused += [accept(tenant, late), confirm(tenant, late, "000000")]
    latest = invite(tenant, person["id"], "jiro").json()["token"]
    with access.client(tenant.admin) as client:
        assert client.delete(f"/v1/principals/{person['id']}").status_code == 204
    refused.append(accept(tenant, latest))
    assert {answer.status_code for answer in refused} == {404}
    assert len({(answer.json()["type"], answer.json()["detail"]) for answer in refused}) == 1
    assert access.audit.entry(action="invitation.accepted", reader=person["id"])


def test_a_login_belongs_to_one_person_of_a_company(access: Access, tenant: Tenant, hanako: Somebody) -> None:
    other = tenant.create("agent").json()["id"]
    assert invite(tenant, other, hanako.login).status_code == 409
    assert invite(tenant, other, "saburo").status_code == 201
    assert invite(tenant, tenant.create("agent").json()["id"], "saburo").status_code == 409
    assert invite(tenant, hanako.id, hanako.login).status_code == 201
    stranger = access.tenant()
    assert invite(stranger, stranger.create("agent").json()["id"], hanako.login).status_code == 201


def test_only_people_of_the_own_tenant_are_invited(access: Access, tenant: Tenant) -> None:
    client_id = tenant.create("vendor", kind="client").json()["id"]
    assert invite(tenant, client_id, "vendor").status_code == 409
    assert invite(tenant, uuid4(), "nobody").status_code == 404
    person = tenant.person("supervisor")
    assert invite(access.tenant(), person.id, "hanako").status_code == 404
    with access.client(person.token) as client:
        where = f"/v1/principals/{person.id}"
        answers = [
            client.post(f"{where}/invitation", json={"login": "me"}, headers=once()),
            client.post(f"{where}/second-factor/reset", headers=once()),
            client.get(f"{where}/sessions"),
            client.delete(f"{where}/sessions"),
        ]
    assert [answer.status_code for answer in answers] == [403] * 4


def test_an_invitation_is_shown_once(access: Access, tenant: Tenant) -> None:
    person, headers = tenant.create("agent").json()["id"], once()
    with access.client(tenant.admin) as client:
        path, body = f"/v1/principals/{person}/invitation", {"login": "shiro"}
        first, again = (client.post(path, json=body, headers=headers) for _ in range(2))
    assert first.json()["id"] == again.json()["id"]
    assert first.json()["token"]
    assert again.json()["token"] is None


@pytest.mark.parametrize(
    ("password", "told"),
    [("short", "12 to 128"), ("password1234", "tried first"), ("I am goro, you know", "your name")],
)
def test_a_password_that_is_easily_guessed_is_refused(tenant: Tenant, password: str, told: str) -> None:
    person = tenant.create("agent").json()["id"]
    token = invite(tenant, person, "goro@midori.example").json()["token"]
    refused = accept(tenant, token, password=password)
    assert (refused.status_code, told in refused.json()["detail"]) == (422, True)
    assert password not in refused.text


@pytest.mark.guarantee("P6")
def test_a_lost_second_factor_ends_at_once_and_takes_the_password_to_replace(
    access: Access, tenant: Tenant, hanako: Somebody
) -> None:
    tokens = hanako.session()
    with access.client(tenant.admin) as client:
        path = f"/v1/principals/{hanako.id}/second-factor/reset"
        reset = client.post(path, headers=once())
        nobody = client.post(f"/v1/principals/{uuid4()}/second-factor/reset", headers=once())
        without = tenant.create("agent").json()["id"]
        no_login = client.post(f"/v1/principals/{without}/second-factor/reset", headers=once())
    assert [answer.status_code for answer in (reset, nobody, no_login)] == [201, 404, 409]
    assert (reset.json()["login"], status(access, tokens["access_token"])) == (hanako.login, 401)
    assert refresh(access, tokens["refresh_token"]).status_code == 401
    assert hanako.log_in().status_code == 401
    assert hanako.log_in(code=None).status_code == 401
    token = reset.json()["token"]
    assert accept(tenant, token, **WRONG).status_code == 401
    secret = accept(tenant, token).json()["secret"]
    assert confirm(tenant, token, app_code(secret)).status_code == 204
    assert hanako.log_in().status_code == 401  # the code of the lost app
    hanako.secret = secret
    assert hanako.log_in().status_code == 201
    assert access.audit.entry(action="second-factor.reset", tenant_id=str(tenant.id))


def test_who_forgot_their_password_is_invited_again(access: Access, tenant: Tenant, hanako: Somebody) -> None:
    token = invite(tenant, hanako.id, "hanako-new").json()["token"]
    tokens = hanako.session()  # an invitation that nobody has accepted changes nothing
    new = "quite another long sentence"
    secret = accept(tenant, token, password=new).json()["secret"]
    assert confirm(tenant, token, app_code(secret)).status_code == 204
    assert status(access, tokens["access_token"]) == 401
    assert refresh(access, tokens["refresh_token"]).status_code == 401
    assert hanako.log_in().status_code == 401
    hanako.login, hanako.secret, hanako.password = "hanako-new", secret, new
    assert hanako.log_in().status_code == 201
