from __future__ import annotations

from typing import Annotated
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from starlette.testclient import TestClient

from core import Issuer, app_of, client_of, principal
from otokura.shared import api_keys
from otokura.shared.authentication import Authenticated, Authenticator, require
from otokura.shared.events import Role
from otokura.shared.ids import uuid7
from otokura.shared.tokens import Principal

TENANT = uuid7()


class Accounts:
    """Accounts in memory, as `otokura.shared.authentication.Accounts` asks for them."""

    def __init__(self) -> None:
        self.active = {TENANT}
        self.client = principal(TENANT)
        self.key = api_keys.new_api_key(self.client.subject)

    async def principal_by_api_key(self, key: str) -> Principal | None:
        return self.client if key == self.key else None

    async def is_active(self, tenant_id: UUID) -> bool:
        return tenant_id in self.active


router = APIRouter()


@router.get("/me")
async def me(who: Authenticated) -> UUID:
    return who.subject


@router.get("/audit")
async def audit(who: Annotated[Principal, Depends(require(Role.AUDITOR, Role.ADMIN))]) -> UUID:
    return who.subject


@router.websocket("/stream")
async def stream(websocket: WebSocket, who: Authenticated) -> None:
    await websocket.accept()
    await websocket.send_text(str(who.subject))
    await websocket.close()


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def accounts() -> Accounts:
    return Accounts()


@pytest.fixture
def app(issuer: Issuer, accounts: Accounts) -> FastAPI:
    app = app_of(router)
    app.state.authenticator = Authenticator(issuer.verifier, accounts)
    return app


async def get(app: FastAPI, path: str = "/me", *headers: tuple[str, str]) -> httpx.Response:
    async with client_of(app) as client:
        return await client.get(path, headers=list(headers))


async def test_a_token_or_a_key_says_who_asks(app: FastAPI, issuer: Issuer, accounts: Accounts) -> None:
    who = principal(TENANT)
    for scheme in ("Bearer", "bearer", "BEARER"):
        response = await get(app, "/me", ("Authorization", f"{scheme} {issuer.issue(who)}"))
        assert response.json() == str(who.subject)
    response = await get(app, "/me", ("X-API-Key", accounts.key))
    assert response.json() == str(accounts.client.subject)


async def test_without_one_good_credential_nobody_asks(
    app: FastAPI, issuer: Issuer, accounts: Accounts
) -> None:
    bearer = ("Authorization", f"Bearer {issuer.issue(principal(TENANT))}")
    key = ("X-API-Key", accounts.key)
    refused = [
        (),
        (("Authorization", "Bearer"),),
        (("Authorization", "Bearer  "),),
        (("Authorization", "Basic dXNlcjpwYXNz"),),
        (("Authorization", bearer[1].removeprefix("Bearer ")),),
        (("X-API-Key", accounts.key[:-1]),),
        (("X-API-Key", ""),),
        (bearer, bearer),
        (key, key),
        (bearer, key),
    ]
    for headers in refused:
        response = await get(app, "/me", *headers)
        assert response.status_code == 401, headers
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert accounts.key not in response.text


async def test_a_disabled_or_unknown_tenant_is_nobody(
    app: FastAPI, issuer: Issuer, accounts: Accounts
) -> None:
    stranger = issuer.issue(principal(uuid7()))
    assert (await get(app, "/me", ("Authorization", f"Bearer {stranger}"))).status_code == 401
    accounts.active.clear()
    assert (await get(app, "/me", ("X-API-Key", accounts.key))).status_code == 401


async def test_an_operator_needs_no_tenant(app: FastAPI, issuer: Issuer) -> None:
    operator = Principal(uuid7(), None, frozenset({Role.OPERATOR}), "person")
    token = ("Authorization", f"Bearer {issuer.issue(operator)}")
    assert (await get(app, "/me", token)).status_code == 200
    assert (await get(app, "/audit", token)).status_code == 403


async def test_one_of_the_roles_is_enough(app: FastAPI, issuer: Issuer) -> None:
    auditor = principal(TENANT, roles=frozenset({Role.AUDITOR, Role.VENDOR}))
    vendor = principal(TENANT)
    allowed = await get(app, "/audit", ("Authorization", f"Bearer {issuer.issue(auditor)}"))
    denied = await get(app, "/audit", ("Authorization", f"Bearer {issuer.issue(vendor)}"))
    assert allowed.status_code == 200
    assert denied.status_code == 403
    assert "admin or auditor" in denied.json()["detail"]


def test_a_websocket_is_authenticated_the_same_way(app: FastAPI, accounts: Accounts) -> None:
    with TestClient(app) as client:
        with client.websocket_connect("/stream", headers={"X-API-Key": accounts.key}) as websocket:
            assert websocket.receive_text() == str(accounts.client.subject)
        with client.websocket_connect("/stream", headers={"X-API-Key": "wrong"}) as websocket:
            assert websocket.receive_json()["problem"]["status"] == 401
