"""Every operation, by every role, on the own tenant's things, another's, and such as are not there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx
import pytest

import servers
from access_matrix import OPERATIONS, Operation
from access_public import PUBLIC, PublicOperation
from access_service import Access
from access_sites import Ids, Site, site
from otokura.shared.events import Role

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]

OWN = [pytest.param(operation, id=f"{number}-{operation}") for number, operation in enumerate(OPERATIONS)]
NAMING = [param for param, operation in zip(OWN, OPERATIONS, strict=True) if operation.names]
DENIED = {403, 404}


@dataclass(frozen=True)
class World:
    """Two tenants, and the operator who made them."""

    access: Access
    ours: Site
    theirs: Site
    operator: str

    def token(self, role: Role) -> str:
        """Of the reader of ours who has the role."""
        return self.operator if role is Role.OPERATOR else self.ours.people[role].token

    def ask(self, operation: Operation, role: Role, ids: Ids, etag: str | None = None) -> httpx.Response:
        """The answer that a reader of ours gets."""
        with self.access.client(self.token(role)) as client:
            return operation.ask(client, ids, etag)


@pytest.fixture(scope=servers.broker_scope)
def world(access: Access) -> World:
    """Made once: nothing that a test needs again is used up."""
    return World(access, site(access), site(access), access.operator())


def test_every_operation_of_the_openapi_stands_in_the_table(access: Access) -> None:
    """And each is one that somebody may: the two tests below get a 2xx of every one, so none is left out."""
    assert all(operation.may | operation.across for operation in OPERATIONS)
    paths = json.loads(httpx.get(f"{access.url}/openapi.json").text)["paths"]
    served = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    listed = {str(operation) for operation in OPERATIONS if operation.method != "HEAD"}
    assert served == listed | set(map(str, PUBLIC))


@pytest.mark.guarantee("R14")
@pytest.mark.parametrize("operation", OWN)
def test_each_role_may_do_exactly_what_the_table_says(world: World, operation: Operation) -> None:
    """Whoever may gets a 2xx, so that the others are not denied for a fault of the request."""
    done: dict[Role, int] = {}
    for role in Role:
        ids: dict[str, UUID | str] = {**world.ours.ids}
        if operation.renewed is not None and role in operation.may:
            ids |= operation.renewed(world.ours.tenant)
        done[role] = world.ask(operation, role, ids, etag_for(world, operation, ids)).status_code
    may = operation.may | operation.across
    served = {role for role, status in done.items() if status < 300}
    assert served == may, done
    assert {status for role, status in done.items() if role not in may} <= DENIED, done


@pytest.mark.parametrize("operation", [pytest.param(one, id=str(one)) for one in PUBLIC])
def test_what_asks_for_no_role_serves_who_asks_rightly(world: World, operation: PublicOperation) -> None:
    answer = operation.ask(world.ours.tenant)
    assert 200 <= answer.status_code < 300, answer.text


@pytest.mark.guarantee("R14")
@pytest.mark.parametrize("operation", NAMING)
def test_what_is_another_tenants_is_answered_like_what_is_not_there(
    world: World, operation: Operation
) -> None:
    absent = {name: uuid4() for name in world.theirs.ids}
    for role in set(Role) - operation.across:
        etag = etag_for(world, operation, world.ours.ids)
        stranger = world.ask(operation, role, world.theirs.ids, etag)
        nobody = world.ask(operation, role, absent, etag)
        if not operation.body_names:
            assert stranger.status_code in DENIED, (role, stranger.text)
        assert told(stranger, world.theirs.ids) == told(nobody, absent), role
        assert not any(secret in stranger.text for secret in named_by_nobody(world, operation)), role


@pytest.mark.guarantee("R14")
def test_no_list_shows_anything_of_another_tenant(access: Access) -> None:
    """Of tenants who never asked about each other's things: who named something is shown what they named."""
    world = World(access, site(access), site(access), access.operator())
    secrets = world.theirs.secrets()
    lists = [operation for operation in OPERATIONS if operation.method == "GET" and not operation.names]
    for operation in lists:
        for role in set(Role) - {Role.OPERATOR}:
            answer = world.ask(operation, role, world.ours.ids)
            assert not any(secret in answer.text for secret in secrets), (str(operation), role)
    assert len(lists) > 5


def etag_for(world: World, operation: Operation, ids: Ids) -> str | None:
    """What stands in the If-Match of a change."""
    if not operation.matching:
        return None
    with world.access.client(world.ours.tenant.admin) as client:
        return client.get(operation.path.format(**ids)).headers["ETag"]


def told(answer: httpx.Response, ids: Ids) -> tuple[int, str]:
    """The answer without the names that the request brought, and those that each answer has anew."""
    text = answer.text
    for name, value in ids.items():
        text = text.replace(str(value), f"<{name}>")
    fresh = {"id", "requested_at", "request_id", "instance"}
    if answer.headers.get("Content-Type", "").startswith("application/") and text:
        body = json.loads(text)
        text = json.dumps({name: value for name, value in body.items() if name not in fresh})
    return answer.status_code, text


def named_by_nobody(world: World, operation: Operation) -> frozenset[str]:
    """Their secrets, but those that the request itself names."""
    ids = world.theirs.ids
    asked = operation.path.format(**ids) + json.dumps(operation.request(ids), default=str)
    return frozenset(secret for secret in world.theirs.secrets() if secret not in asked)
