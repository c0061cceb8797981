from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel
from sqlalchemy import func, insert, select, update

from core import Issuer, app_of, client_of, principal
from otokura.shared.authentication import Authenticator
from otokura.shared.database import Database
from otokura.shared.errors import Conflict
from otokura.shared.idempotency import Created, Idempotency, idempotency_keys, idempotency_metadata
from otokura.shared.ids import uuid7
from otokura.shared.tokens import Principal

pytestmark = pytest.mark.postgres

TENANT = uuid7()


class Thing(BaseModel):
    id: str
    secret: str | None = None


class Accounts:
    """Every tenant is active; there are no API keys."""

    async def principal_by_api_key(self, key: str) -> Principal | None:  # noqa: ARG002
        return None

    async def is_active(self, tenant_id: Any) -> bool:  # noqa: ARG002
        return True


class Service:
    """A service that makes things, and counts how many it made."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.made = 0
        self.fails = False
        self.started, self.may_go_on = asyncio.Event(), asyncio.Event()
        self.may_go_on.set()
        self.issuer = Issuer()
        self.app = self._app()

    def _app(self) -> FastAPI:
        router = APIRouter()

        @router.post("/things")
        async def make(name: dict[str, Any], idempotency: Idempotency) -> Any:
            async with self.database.session() as session:
                return await idempotency.run(session, lambda: self._create(name))

        @router.post("/others")
        async def make_other(name: dict[str, Any], idempotency: Idempotency) -> Any:
            async with self.database.session() as session:
                return await idempotency.run(session, lambda: self._create(name))

        app = app_of(router)
        app.state.authenticator = Authenticator(self.issuer.verifier, Accounts())
        return app

    async def _create(self, name: dict[str, Any]) -> Created:
        self.started.set()
        await self.may_go_on.wait()
        if self.fails:
            raise Conflict("Not now.")
        self.made += 1
        thing = Thing(id=f"{name['n']}-{self.made}")
        if not name.get("secret"):
            return Created(thing, headers={"ETag": '"1"', "Location": f"/things/{thing.id}"})
        return Created(thing.model_copy(update={"secret": "hunter2"}), replay=thing)

    async def post(
        self, who: Principal, key: str | None, body: dict[str, Any], path: str = "/things"
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.issuer.issue(who)}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        async with client_of(self.app) as client:
            return await client.post(path, json=body, headers=headers)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    async with database.engine.begin() as connection:
        await connection.run_sync(idempotency_metadata.create_all)
    yield database
    await database.close()


@pytest.fixture
def service(database: Database) -> Service:
    return Service(database)


@pytest.fixture
def who() -> Principal:
    return principal(TENANT)


@pytest.mark.guarantee("W3")
async def test_a_repeat_creates_nothing_and_is_answered_the_same(service: Service, who: Principal) -> None:
    first = await service.post(who, "k", {"n": "a"})
    again = await service.post(who, "k", {"n": "a"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert (again.headers["etag"], again.headers["location"]) == ('"1"', "/things/a-1")
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert service.made == 1


@pytest.mark.guarantee("W3")
async def test_a_key_with_another_body_is_refused(service: Service, who: Principal) -> None:
    await service.post(who, "k", {"n": "a"})
    other = await service.post(who, "k", {"n": "b"})
    assert (other.status_code, service.made) == (422, 1)


@pytest.mark.guarantee("W3")
async def test_a_repeat_while_the_first_is_served_is_told_so(service: Service, who: Principal) -> None:
    service.may_go_on.clear()
    first = asyncio.create_task(service.post(who, "k", {"n": "a"}))
    await service.started.wait()
    meanwhile = await service.post(who, "k", {"n": "a"})
    service.may_go_on.set()
    assert (meanwhile.status_code, meanwhile.headers["retry-after"]) == (409, "1")
    assert (await first).status_code == 201
    assert (await service.post(who, "k", {"n": "a"})).content == (await first).content
    assert service.made == 1


@pytest.mark.guarantee("W3")
async def test_of_many_at_once_one_creates(service: Service, who: Principal) -> None:
    answers = await asyncio.gather(*(service.post(who, "k", {"n": "a"}) for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert service.made == 1


async def test_a_failure_is_not_kept(service: Service, who: Principal) -> None:
    service.fails = True
    assert (await service.post(who, "k", {"n": "a"})).status_code == 409
    service.fails = False
    assert (await service.post(who, "k", {"n": "a"})).status_code == 201


async def test_keys_of_others_never_meet(service: Service, who: Principal) -> None:
    colleague, stranger = principal(TENANT), principal(uuid7(), subject=who.subject)
    for asking, path in [(who, "/things"), (colleague, "/things"), (stranger, "/things"), (who, "/others")]:
        answer = await service.post(asking, "k", {"n": "a"}, path)
        assert (answer.status_code, "idempotent-replayed" in answer.headers) == (201, False)
    assert service.made == 4


async def test_a_secret_is_shown_once_and_not_kept(
    service: Service, who: Principal, database: Database
) -> None:
    first = await service.post(who, "k", {"n": "a", "secret": True})
    again = await service.post(who, "k", {"n": "a", "secret": True})
    assert (first.json()["secret"], again.json()["secret"]) == ("hunter2", None)
    async with database.engine.connect() as connection:
        rows = (await connection.execute(select(idempotency_keys))).all()
    assert len(rows) == 1
    assert "hunter2" not in str(rows)


@pytest.mark.parametrize("key", [None, "", "a b", "a" * 129, "\x7f"])
async def test_a_key_is_needed_and_has_a_form(service: Service, who: Principal, key: str | None) -> None:
    answer = await service.post(who, key, {"n": "a"})
    assert (answer.status_code, service.made) == (400, 0)


async def test_after_a_day_a_key_is_new_again_and_old_answers_go(
    service: Service, who: Principal, database: Database
) -> None:
    await service.post(who, "k", {"n": "a"})
    await service.post(who, "old", {"n": "a"})
    old = func.now() - timedelta(hours=25)
    async with database.engine.begin() as connection:
        await connection.execute(update(idempotency_keys).values(created_at=old))
        values = {
            "scope": "x",
            "body_sha256": "",
            "status": 201,
            "headers": {},
            "body": "",
            "created_at": old,
        }
        for number in range(150):
            await connection.execute(insert(idempotency_keys).values(key=str(number), **values))
    answer = await service.post(who, "k", {"n": "b"})
    assert (answer.status_code, answer.json()["id"]) == (201, "b-3")
    await service.post(who, "k2", {"n": "b"})
    async with database.engine.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(idempotency_keys)) == 2
