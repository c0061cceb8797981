"""People and programs come with the tokens of a real OpenID provider, and are who it says they are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from access_service import Access, Tenant, once
from issuer_server import Issuer, header_of
from oidc_people import QUALITY, Trust, audience, becomes, later, trust

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


@pytest.mark.guarantee("P12")
def test_a_supervisor_hears_a_call_and_all_of_it_is_written_down(access: Access, trusted: Trust) -> None:
    call = trusted.tenant.call()
    token = trusted.person("hanako")
    with access.client(token) as client:
        for _ in range(2):
            answer = client.get(f"/v1/calls/{call.id}/audio", params=QUALITY)
            assert (answer.status_code, answer.content) == (200, call.audio)
    known = trusted.subjects()["hanako"]
    assert (known["name"], known["roles"], known["made"]) == ("山田 花子", ["supervisor"], True)
    who = {"tenant_id": str(trusted.tenant.id), "reader": known["principal_id"]}
    made = access.audit.entry(action="principal.created", **who)["detail"]
    came = access.audit.entry(action="token.accepted", **who)["detail"]
    for detail in (made, came):
        assert (detail["issuer"], detail["subject"]) == (trusted.issuer.url, "hanako")
        assert detail["address"] == "203.0.113.7"
    assert (came["roles"], came["clashing_roles"]) == (["supervisor"], False)
    opened = access.audit.entries(action="read.opened", **who)
    assert [entry["call_id"] for entry in opened] == [str(call.id)] * 2
    assert token not in access.log_text()
    assert "hanako@example.jp" not in access.log_text()


@pytest.mark.guarantee("P10")
@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_program_comes_by_client_credentials(issuer: Issuer, trusted: Trust, algorithm: str) -> None:
    issuer.rotate(algorithm)
    token = trusted.machine()
    assert (header_of(token)["alg"], header_of(token)["typ"]) == (algorithm, "at+jwt")
    # A key that is new is looked for at once only if none was just before.
    assert becomes(partial(trusted.status, token), 200)
    with trusted.admin() as client:
        [made] = [p for p in client.get("/v1/principals").json()["items"] if p["name"] == "machine"]
    assert (made["kind"], made["roles"]) == ("client", ["analyst"])


def test_an_id_token_is_accepted_where_the_tenant_says_so(
    access: Access, tenant: Tenant, issuer: Issuer
) -> None:
    trusted = trust(access, tenant, issuer, audience="console")
    token = issuer.tokens("hanako", audience(tenant))["id_token"]
    assert "typ" not in header_of(token)
    assert trusted.status(token) == 401
    assert trusted.change(access_tokens_only=False).status_code == 200
    assert trusted.status(token) == 200
    assert trusted.status(trusted.person("hanako")) == 401, "an access token for another audience"


@pytest.mark.guarantee("P13")
def test_an_agent_reads_their_own_calls_by_the_names_that_the_provider_tells(
    access: Access, trusted: Trust
) -> None:
    own, other = trusted.tenant.call(agent_id="2041"), trusted.tenant.call(agent_id="3000")
    token = trusted.person("taro")
    with access.client(token) as client:
        assert client.get(f"/v1/calls/{own.id}/audio", params=QUALITY).status_code == 200
        assert client.get(f"/v1/calls/{other.id}/audio", params=QUALITY).status_code == 404


@pytest.mark.guarantee("P13")
def test_nobody_takes_another_s_name_at_the_phone_system(access: Access, trusted: Trust) -> None:
    local = trusted.tenant.person("agent", agent_ids=["2041"])
    call = trusted.tenant.call(agent_id="2041")
    with access.client(trusted.person("taro")) as client:
        assert client.get(f"/v1/calls/{call.id}/audio", params=QUALITY).status_code == 404
    with access.client(local.token) as client:
        assert client.get(f"/v1/calls/{call.id}/audio", params=QUALITY).status_code == 200
    who = {"tenant_id": str(trusted.tenant.id), "reader": trusted.subjects()["taro"]["principal_id"]}
    assert access.audit.entry(action="token.accepted", **who)["detail"]["agent_ids_of_others"] == ["2041"]


@pytest.mark.guarantee("P13")
def test_the_newest_token_says_what_somebody_may_and_an_older_one_brings_nothing_back(
    trusted: Trust,
) -> None:
    old = trusted.person("hanako")
    assert trusted.status(old) == 200
    trusted.issuer.people["hanako"]["groups"] = ["compliance"]
    trusted.issuer.apply()
    new = later(trusted, "hanako", old)
    assert trusted.status(new) == 403
    assert trusted.status(old) == 403
    assert trusted.subjects()["hanako"]["roles"] == ["auditor"]


@pytest.mark.guarantee("P13")
@pytest.mark.parametrize("groups", [[], ["unknown"], ["compliance", "supervisors"]])
def test_without_a_role_or_with_clashing_ones_nothing_is_open(trusted: Trust, groups: list[str]) -> None:
    trusted.issuer.people["hanako"]["groups"] = groups
    trusted.issuer.apply()
    assert trusted.status(trusted.person("hanako")) == 403
    assert trusted.subjects()["hanako"]["roles"] == []


@pytest.mark.guarantee("P12")
def test_who_was_not_bound_is_not_made_unless_the_tenant_says_so(
    access: Access, tenant: Tenant, issuer: Issuer
) -> None:
    trusted = trust(access, tenant, issuer, provisioning=False, groups_claim=None, groups=[])
    token = trusted.person("hanako")
    assert [trusted.status(token) for _ in range(3)] == [401] * 3
    assert trusted.subjects() == {}
    denied = access.audit.entry(action="token.denied", tenant_id=str(tenant.id))
    assert (denied["reader"], denied["detail"]["why"]) == (None, "unknown")
    assert denied["detail"]["subject"] == "hanako"
    local = tenant.person("supervisor")
    body = {"subject": "hanako", "principal_id": str(local.id)}
    with trusted.admin() as client:
        bound = client.post(f"{trusted.path}/subjects", json=body, headers=once())
        assert (bound.status_code, bound.json()["made"]) == (201, False)
        for again in (body, body | {"subject": "other"}):
            refused = client.post(f"{trusted.path}/subjects", json=again, headers=once())
            assert refused.status_code == 409
    assert trusted.status(token) == 200
    assert trusted.subjects()["hanako"]["principal_id"] == str(local.id)
    with trusted.admin() as client:
        assert client.delete(f"{trusted.path}/subjects/{local.id}").status_code == 204
        assert client.delete(f"{trusted.path}/subjects/{local.id}").status_code == 404
    assert trusted.status(token) == 401
    assert trusted.status(local.token) == 401, "all tokens of theirs end"
    for action in ("subject.bound", "subject.unbound"):
        entry = access.audit.entry(action=action, tenant_id=str(tenant.id))
        assert entry["detail"]["issuer"]["principal"]["id"] == str(local.id)


@pytest.mark.guarantee("P12")
def test_one_subject_is_somebody_else_in_another_tenant(access: Access, trusted: Trust) -> None:
    other = trust(access, access.tenant(), trusted.issuer)
    here, there = trusted.person("hanako"), other.person("hanako")
    assert (trusted.status(here), other.status(there)) == (200, 200)
    call, elsewhere = trusted.tenant.call(), other.tenant.call()
    with access.client(here) as client:
        assert client.get(f"/v1/calls/{call.id}", params=QUALITY).status_code == 200
        assert client.get(f"/v1/calls/{elsewhere.id}", params=QUALITY).status_code == 404
    ids = {one.subjects()["hanako"]["principal_id"] for one in (trusted, other)}
    assert len(ids) == 2


def test_many_first_requests_at_once_make_one_person(access: Access, trusted: Trust) -> None:
    token = trusted.person("hanako")
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(trusted.status, [token] * 16)) == {200}
    assert set(trusted.subjects()) == {"hanako"}
    reader = trusted.subjects()["hanako"]["principal_id"]
    for action in ("principal.created", "token.accepted"):
        access.audit.entry(action=action, tenant_id=str(trusted.tenant.id), reader=reader)
