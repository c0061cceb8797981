"""A rotation as access keeps it: begun once, followed by what services tell, ended when the keys are gone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

import servers
from access_audit import run
from access_calls import context_of
from access_service import Access, Tenant, kafka_of, once, running
from otokura.access.rotations import handlers
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer
from otokura.shared.events import KeyHolder, KeysRewrapped
from otokura.shared.keyring import add_kek, destroy_keks, read_keyring

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
ROTATIONS = "/v1/key-rotations"


@pytest.fixture(scope="module")
def access(postgres_server: PostgresServer, s3_server: SeaweedServer) -> Iterator[Access]:
    """One whose rotations are the test's own: there is one at a time."""
    with (
        servers.kafka() as broker,
        running(
            postgres_server, s3_server, kafka_of(broker), OTOKURA_REWRAP_SETTLE_SECONDS="3600"
        ) as process,
    ):
        yield process


@pytest.fixture
def operator(access: Access) -> Iterator[httpx.Client]:
    with access.client(access.operator()) as client:
        yield client


@pytest.fixture(autouse=True)
def between(access: Access) -> Iterator[None]:
    """Whatever a test left is over."""
    yield
    over = "UPDATE key_rotations SET rewrapped_at = now(), destroyed_at = now() WHERE destroyed_at IS NULL"
    access.query(over)


def begin(access: Access, operator: httpx.Client) -> dict[str, Any]:
    response = operator.post(ROTATIONS, json={"kek_id": add_kek(access.keyring)}, headers=once())
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


def tell(access: Access, rotation: str, service: KeyHolder, version: int = 1, **about: Any) -> None:
    values = {"remaining": 0, "unreadable": 0, "finished": True, **about}
    event = KeysRewrapped(
        rotation_id=UUID(rotation), service=service, version=version, at=datetime.now(UTC), **values
    )

    async def apply() -> None:
        async with access.database() as database, database.session() as session:
            await handlers.keys_rewrapped(session, event, context_of(event))

    run(apply())


@pytest.mark.guarantee("S25")
def test_a_rotation_is_begun_followed_and_ended(
    access: Access, tenant: Tenant, operator: httpx.Client
) -> None:
    del tenant
    rotation = begin(access, operator)
    where = f"{ROTATIONS}/{rotation['id']}"
    old = [kek_id for kek_id in read_keyring(access.keyring)[0].keks if kek_id != rotation["kek_id"]]
    assert (rotation["state"], rotation["retiring"]) == ("rewrapping", sorted(old))
    assert rotation["services"] == {"ingest": None, "transcribe": None, "access": None}
    entry = access.audit.entry(action="keys.rotated")
    assert entry["detail"]["rotation_id"] == rotation["id"]
    assert access.query("SELECT 1 FROM outbox WHERE type = 'otokura.keys.rotated.v1'")
    tell(access, rotation["id"], "ingest", remaining=7, finished=False)
    assert operator.get(where).json()["services"]["ingest"]["remaining"] == 7
    for service in ("ingest", "transcribe"):
        tell(access, rotation["id"], service, version=2)
    assert operator.get(where).json()["state"] == "rewrapping"
    early = operator.post(f"{where}/completion")
    assert (early.status_code, early.json()["type"]) == (409, "urn:otokura:problem:keys-in-use")
    assert "Not every service has finished" in early.json()["detail"]
    tell(access, rotation["id"], "access", version=9)
    assert operator.get(where).json()["state"] == "rewrapped"
    kept = operator.post(f"{where}/completion")
    assert (kept.status_code, "still has" in kept.json()["detail"]) == (409, True)
    destroy_keks(access.keyring, old)
    for _ in range(2):
        done = operator.post(f"{where}/completion")
        assert (done.status_code, done.json()["state"]) == (200, "done")
    entry = access.audit.entry(action="keys.destroyed")
    assert (entry["detail"]["rotation_id"], entry["detail"]["destroyed"]) == (rotation["id"], len(old))
    assert operator.get(ROTATIONS).json()["items"][0]["id"] == rotation["id"]


@pytest.mark.guarantee("S25")
def test_keys_that_were_destroyed_too_early_are_not_told_of_as_an_end(
    access: Access, operator: httpx.Client
) -> None:
    """That they are gone does not show that nothing needed them: an erasure would be called final."""
    rotation = begin(access, operator)
    destroy_keks(access.keyring, rotation["retiring"])
    for service in ("ingest", "access"):
        tell(access, rotation["id"], service)
    early = operator.post(f"{ROTATIONS}/{rotation['id']}/completion")
    assert (early.status_code, early.json()["type"]) == (409, "urn:otokura:problem:keys-in-use")
    assert operator.get(f"{ROTATIONS}/{rotation['id']}").json()["destroyed_at"] is None
    tell(access, rotation["id"], "transcribe")
    assert operator.post(f"{ROTATIONS}/{rotation['id']}/completion").json()["state"] == "done"


def test_one_rotation_is_open_at_a_time(access: Access, operator: httpx.Client) -> None:
    first = begin(access, operator)
    second = operator.post(ROTATIONS, json={"kek_id": first["kek_id"]}, headers=once())
    assert second.status_code == 409
    assert second.json()["rotation_id"] == first["id"]


def test_a_repeated_request_begins_one(access: Access, operator: httpx.Client) -> None:
    headers, body = once(), {"kek_id": add_kek(access.keyring)}
    answers = [operator.post(ROTATIONS, json=body, headers=headers).json() for _ in range(2)]
    assert answers[0]["id"] == answers[1]["id"]


def test_what_comes_late_or_twice_changes_nothing(access: Access, operator: httpx.Client) -> None:
    rotation = begin(access, operator)["id"]
    tell(access, rotation, "ingest", version=5)
    tell(access, rotation, "ingest", version=4, remaining=9, finished=False)
    tell(access, str(uuid4()), "ingest")
    told = operator.get(f"{ROTATIONS}/{rotation}").json()["services"]["ingest"]
    assert (told["remaining"], told["finished"]) == (0, True)


def test_a_key_that_access_does_not_know_begins_nothing(
    access: Access, tenant: Tenant, operator: httpx.Client
) -> None:
    """Its copy of the keyring may be older: 503, to be tried again."""
    del access, tenant
    unknown = operator.post(ROTATIONS, json={"kek_id": "0123456789abcdef"}, headers=once())
    assert (unknown.status_code, "not known here" in unknown.json()["detail"]) == (503, True)
    assert all(item["state"] == "done" for item in operator.get(ROTATIONS).json()["items"])


@pytest.mark.parametrize(
    "body", [{}, {"kek_id": None}, {"kek_id": ""}, {"kek_id": "a b"}, {"kek_id": 7}, {"kek": "x"}]
)
def test_a_body_that_is_none_is_refused(operator: httpx.Client, body: dict[str, Any]) -> None:
    assert operator.post(ROTATIONS, json=body, headers=once()).status_code == 422


def test_only_operators_rotate(access: Access, tenant: Tenant) -> None:
    supervisor = tenant.person("supervisor")
    for token in (tenant.admin, supervisor.token):
        with access.client(token) as client:
            assert client.get(ROTATIONS).status_code == 403
            assert client.post(ROTATIONS, json={}, headers=once()).status_code == 403
            assert client.post(f"{ROTATIONS}/{uuid4()}/completion").status_code == 403


def test_a_rotation_that_is_not_there(operator: httpx.Client) -> None:
    assert operator.get(f"{ROTATIONS}/{uuid4()}").status_code == 404
    assert operator.post(f"{ROTATIONS}/{uuid4()}/completion").status_code == 404
