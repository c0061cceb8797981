"""What tests of the services' common core start from: settings, an app, a token issuer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from fastapi import APIRouter, FastAPI

from otokura.shared.events import Role
from otokura.shared.http import create_api
from otokura.shared.ids import uuid7
from otokura.shared.settings import ServiceSettings
from otokura.shared.tokens import Principal, TokenIssuer, TokenVerifier

ISSUER = "https://access.example"
AUDIENCE = "otokura"

ENVIRONMENT = {
    "OTOKURA_PORT": "8001",
    "OTOKURA_DATABASE_URL": "postgresql+asyncpg://user:hunter2@db.example:5432/otokura",
    "OTOKURA_KAFKA_BOOTSTRAP": "kafka.example:9092",
    "OTOKURA_S3_ENDPOINT": "http://s3.example:9000",
    "OTOKURA_S3_ACCESS_KEY": "access",
    "OTOKURA_S3_SECRET_KEY": "hunter3",
    "OTOKURA_ISSUER": ISSUER,
    "OTOKURA_AUDIT_SIGNING_KEY_FILE": "/etc/otokura/audit.pem",
}
"""The least that a service needs to start."""


class Settings(ServiceSettings):
    """Settings of a service that is only a test."""

    service: ClassVar[str] = "test"


def settings(**changes: Any) -> Settings:
    """Settings that point nowhere, changed as asked."""
    values: dict[str, Any] = {
        name.removeprefix("OTOKURA_").lower(): value for name, value in ENVIRONMENT.items()
    }
    return Settings(**{**values, **changes})


@asynccontextmanager
async def nothing(_app: FastAPI) -> AsyncIterator[None]:
    """A lifespan that does nothing."""
    yield


def app_of(router: APIRouter, **changes: Any) -> FastAPI:
    """An app with the routes."""
    return create_api(settings(**changes), title="Test", lifespan=nothing, routers=[router])


def client_of(app: FastAPI) -> httpx.AsyncClient:
    """A client that talks to the app without a network."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


def principal(tenant_id: UUID | None = None, **changes: Any) -> Principal:
    """A vendor's client."""
    values: dict[str, Any] = {
        "subject": uuid7(),
        "tenant_id": tenant_id or uuid7(),
        "roles": frozenset({Role.VENDOR}),
        "kind": "client",
    }
    return Principal(**{**values, **changes})


class Issuer:
    """An issuer of tokens, and a verifier that knows its key."""

    def __init__(self) -> None:
        self.private_key = Ed25519PrivateKey.generate()
        self.keys: dict[str, Ed25519PublicKey] = {"k1": self.private_key.public_key()}
        self.revoked: set[str] = set()
        self.verifier = TokenVerifier(ISSUER, AUDIENCE, self._key, self._is_revoked)

    def issue(
        self,
        who: Principal,
        lifetime: timedelta = timedelta(minutes=5),
        *,
        kid: str = "k1",
        names: dict[str, str] | None = None,
    ) -> str:
        """A token, by default one that the verifier accepts."""
        named = {"issuer": ISSUER, "audience": AUDIENCE, **(names or {})}
        return TokenIssuer(self.private_key, kid, **named).issue(who, lifetime)

    async def _key(self, kid: str) -> Ed25519PublicKey | None:
        return self.keys.get(kid)

    async def _is_revoked(self, who: Principal) -> bool:
        return who.jti in self.revoked
