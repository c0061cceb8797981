"""Who may send calls: a vendor of a tenant that is known and not disabled, and nobody else."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from websockets.asyncio.client import connect

from ingest_service import ISSUER, Credentials, IngestService, call_body, start_call
from otokura.shared.api_keys import new_api_key
from otokura.shared.events import Role
from otokura.shared.ids import uuid7
from phone_system import told

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]

Forge = Callable[[IngestService, Credentials], str]


def claims(credentials: Credentials, **changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    good = {
        "iss": ISSUER,
        "aud": "otokura",
        "sub": str(credentials.client_id),
        "jti": str(uuid7()),
        "iat": now,
        "exp": now + timedelta(minutes=5),
        "tenant": str(credentials.tenant_id),
        "roles": ["vendor"],
        "kind": "client",
        "agent_ids": [],
        "team": None,
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not ...}


def signed(ingest: IngestService, credentials: Credentials, **changes: Any) -> str:
    headers = {"kid": "test-key", "typ": "at+jwt"}
    return jwt.encode(claims(credentials, **changes), ingest.token_key, "EdDSA", headers)


def forged(_ingest: IngestService, credentials: Credentials) -> str:
    """By a key that nobody told ingest of, under the name of one that is known."""
    headers = {"kid": "test-key", "typ": "at+jwt"}
    return jwt.encode(claims(credentials), Ed25519PrivateKey.generate(), "EdDSA", headers)


def unsigned(_ingest: IngestService, credentials: Credentials) -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value, default=str).encode()).rstrip(b"=").decode()

    times = {"iat": 1, "exp": int(datetime.now(UTC).timestamp()) + 300}
    return f"{part({'alg': 'none', 'kid': 'test-key'})}.{part({**claims(credentials), **times})}."


def confused(ingest: IngestService, credentials: Credentials) -> str:
    """HMAC with the public key as its secret (CVE-2015-9235 and its heirs)."""
    public = ingest.token_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return jwt.encode(claims(credentials), public, "HS256", {"kid": "test-key", "typ": "at+jwt"})


def stretched(ingest: IngestService, credentials: Credentials) -> str:
    """A good token of another tenant's client, its claims replaced."""
    header, _, signature = signed(ingest, credentials).split(".")
    body = signed(ingest, credentials, tenant=str(uuid7())).split(".")[1]
    return f"{header}.{body}.{signature}"


HOUR = timedelta(hours=1)
BAD_TOKENS: dict[str, Forge] = {
    "forged": forged,
    "alg none": unsigned,
    "HMAC with the public key": confused,
    "changed claims": stretched,
    "no token": lambda _i, _c: "nonsense",
    "expired": lambda i, c: signed(i, c, iat=datetime.now(UTC) - HOUR, exp=datetime.now(UTC) - HOUR / 2),
    "wrong audience": lambda i, c: signed(i, c, aud="another"),
    "wrong issuer": lambda i, c: signed(i, c, iss="https://evil.test"),
    "without end": lambda i, c: signed(i, c, exp=...),
    "without subject": lambda i, c: signed(i, c, sub=...),
    "unknown tenant": lambda i, c: signed(i, c, tenant=str(uuid7())),
}


async def over_http(ingest: IngestService, headers: dict[str, str]) -> httpx.Response:
    async with httpx.AsyncClient(base_url=ingest.url, timeout=30) as client:
        return await client.post(
            "/v1/calls", json=call_body(), headers={**headers, "Idempotency-Key": str(uuid7())}
        )


async def over_websocket(
    ingest: IngestService, call_id: str, headers: dict[str, str]
) -> tuple[int | None, dict[str, Any]]:
    """Close code and first message."""
    url = ingest.url.replace("http", "ws")
    query = "encoding=pcm_s16le&rate=8000&channels=2"
    where = f"{url}/v1/calls/{call_id}/stream?{query}"
    async with connect(where, additional_headers=headers, close_timeout=1) as socket:
        message = await told(socket)
        if message["type"] == "error":
            await socket.wait_closed()
        return socket.close_code, message


async def test_a_good_token_opens_both_ways(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """The control for all that follows."""
    headers = {"Authorization": f"Bearer {ingest.token(credentials)}"}
    assert (await over_http(ingest, headers)).status_code == 201
    call = await start_call(client)
    assert (await over_websocket(ingest, call["id"], headers))[1]["type"] == "ready"


@pytest.mark.parametrize("forge", BAD_TOKENS.values(), ids=BAD_TOKENS.keys())
async def test_a_bad_token_opens_nothing(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, forge: Forge
) -> None:
    """401 over HTTP, 4401 over WebSocket, with words, and the token in no answer and no log."""
    token = forge(ingest, credentials)
    headers = {"Authorization": f"Bearer {token}"}
    response = await over_http(ingest, headers)
    assert response.status_code == 401, response.text
    assert response.headers["www-authenticate"].startswith("Bearer")
    call = await start_call(client)
    code, message = await over_websocket(ingest, call["id"], headers)
    assert (code, message["problem"]["status"]) == (4401, 401)
    assert token not in response.text + json.dumps(message) + ingest.log_text()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic dmVuZG9yOnNlY3JldA=="},
        {"X-API-Key": "otk_nonsense"},
        {"X-API-Key": new_api_key(uuid7())},
    ],
    ids=["none", "basic", "malformed key", "unknown key"],
)
async def test_other_credentials_open_nothing(ingest: IngestService, headers: dict[str, str]) -> None:
    response = await over_http(ingest, headers)
    assert response.status_code == 401
    assert (await over_websocket(ingest, str(uuid7()), headers))[0] == 4401


async def test_another_secret_of_a_known_client_opens_nothing(
    ingest: IngestService, credentials: Credentials
) -> None:
    wrong = new_api_key(credentials.client_id)
    assert (await over_http(ingest, {"X-API-Key": wrong})).status_code == 401


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.VENDOR, Role.OPERATOR)])
async def test_other_roles_send_no_calls(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, role: Role
) -> None:
    """Readers, auditors and administrators have no business here, and see no call."""
    headers = {"Authorization": f"Bearer {ingest.token(credentials, role)}"}
    assert (await over_http(ingest, headers)).status_code == 403
    call = await start_call(client)
    code, _ = await over_websocket(ingest, call["id"], headers)
    assert code == 4403
    async with httpx.AsyncClient(base_url=ingest.url, headers=headers) as reader:
        assert (await reader.get(f"/v1/calls/{call['id']}")).status_code == 403


async def test_a_disabled_tenant_sends_no_calls(ingest: IngestService) -> None:
    """Its good key and its good token are worth nothing."""
    credentials = await ingest.add_tenant()
    await ingest.disable(credentials)
    assert (await over_http(ingest, credentials.headers)).status_code == 401
    bearer = {"Authorization": f"Bearer {ingest.token(credentials)}"}
    assert (await over_http(ingest, bearer)).status_code == 401
