"""A real ingest process for tests, and what a test may know of it: its database, its store, its keys."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import OKPAlgorithm
from sqlalchemy import insert, text, update

import forked
import servers
from otokura.cli.local.ports import free_ports
from otokura.cli.local.program import Program, accepts
from otokura.shared.api_keys import hash_api_key, new_api_key
from otokura.shared.audit import verify_signature
from otokura.shared.audit_events import AuditRecorded
from otokura.shared.database import Database, migrate
from otokura.shared.directory_tables import clients, issuer_keys, tenants
from otokura.shared.events import Role, TenantSettings
from otokura.shared.ids import uuid7
from otokura.shared.keys import KeyContext, KeyUse, LocalKeyProvider, WrappedDek, create_keyring
from otokura.shared.manifest import Manifest
from otokura.shared.objects import ObjectStore
from otokura.shared.sealed_objects import open_recording
from otokura.shared.tokens import Principal, TokenIssuer

ISSUER = "https://access.test"
PURPOSES = [{"name": "quality", "label_ja": "応対品質の向上", "label_en": "Quality of service"}]


@dataclass(frozen=True)
class Credentials:
    """A vendor's client of one tenant."""

    tenant_id: UUID
    client_id: UUID
    api_key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"X-API-Key": self.api_key}


@dataclass
class IngestService:
    """One ingest process on its own database; it can be killed and started again."""

    folder: Path
    database_url: str
    store_settings: servers.ObjectStoreSettings
    kafka: dict[str, object]
    overrides: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        self.port = free_ports(1)[0]
        self._keyring = self.folder / "keyring.json"
        create_keyring(self._keyring)
        self._signing_key = self.folder / "audit.pem"
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._signing_key.write_bytes(pem)
        self._public_key = key.public_key()
        self.token_key = Ed25519PrivateKey.generate()
        self.tokens = TokenIssuer(self.token_key, "test-key", ISSUER, "otokura")
        self.keys = LocalKeyProvider(self._keyring)
        self.program = self._program("ingest", self.port)

    def _program(self, name: str, port: int) -> Program:
        spool = {"OTOKURA_SPOOL_FOLDER": str(self.folder / f"{name}-spool")}
        env = {**spool, **self.environment(port)}
        return forked.program("ingest", env=env, log=self.folder / f"{name}.log")

    def environment(self, port: int) -> dict[str, str]:
        kafka = {f"OTOKURA_{name.upper()}": str(value) for name, value in self.kafka.items()}
        return {
            **servers.inherited_environment(),
            "OTOKURA_PORT": str(port),
            "OTOKURA_AUDIOSOCKET_PORT": str(free_ports(1)[0]),
            "OTOKURA_DATABASE_URL": self.database_url,
            "OTOKURA_S3_ENDPOINT": self.store_settings.endpoint,
            "OTOKURA_S3_ACCESS_KEY": self.store_settings.access_key,
            "OTOKURA_S3_SECRET_KEY": self.store_settings.secret_key,
            "OTOKURA_ISSUER": ISSUER,
            "OTOKURA_AUDIT_SIGNING_KEY_FILE": str(self._signing_key),
            "OTOKURA_KEYRING_FILE": str(self._keyring),
            **kafka,
            **self.overrides,
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.program.start()
        self.program.wait_until(lambda: accepts(self.port))

    async def restart(self) -> None:
        """Start again after a kill, while the test's other tasks go on."""
        self.program.start()
        async with asyncio.timeout(60):
            while not accepts(self.port):
                assert self.program.running, self.program.last_words()
                await asyncio.sleep(0.05)

    @contextmanager
    def another(self) -> Iterator[str]:
        """A second instance on the same database; its address."""
        port = free_ports(1)[0]
        program = self._program("ingest-2", port)
        program.start()
        try:
            program.wait_until(lambda: accepts(port))
            yield f"http://127.0.0.1:{port}"
        finally:
            program.kill()

    def signed(self, entry: AuditRecorded) -> bool:
        """Whether this service's key signed the entry."""
        return verify_signature(entry, self._public_key)

    def log_text(self) -> str:
        return "".join(path.read_text() for path in self.folder.glob("ingest*.log"))

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        database = Database(self.database_url, pool_size=2)
        try:
            yield database
        finally:
            await database.close()

    @asynccontextmanager
    async def store(self) -> AsyncIterator[ObjectStore]:
        where = self.store_settings
        store = ObjectStore(where.endpoint, where.access_key, where.secret_key)
        try:
            yield store
        finally:
            await store.close()

    def token(self, credentials: Credentials, *roles: Role) -> str:
        """An access token as access would issue it."""
        principal = Principal(
            credentials.client_id, credentials.tenant_id, frozenset(roles or (Role.VENDOR,)), "client"
        )
        return self.tokens.issue(principal, timedelta(minutes=15))

    async def prepare(self) -> None:
        """Make the tables before the service starts, so that tenants can be put into them."""
        await migrate(self.database_url, "otokura.ingest.migrations")
        async with self.database() as database, database.session() as session:
            public = OKPAlgorithm.to_jwk(self.token_key.public_key(), as_dict=True)
            jwks = {"keys": [{**public, "kid": "test-key", "alg": "EdDSA", "use": "sig"}]}
            values = {"issuer": ISSUER, "version": 1, "jwks": jwks}
            await (await session.connection()).execute(insert(issuer_keys).values(values))

    async def add_tenant(self, **settings: Any) -> Credentials:
        """A tenant with one vendor's client, as if access had told of them."""
        tenant_id, client_id = uuid7(), uuid7()
        key = new_api_key(client_id)
        known = TenantSettings.model_validate({"purposes": PURPOSES, **settings}).model_dump(mode="json")
        async with self.database() as database, database.session() as session:
            connection = await session.connection()
            tenant = {"tenant_id": tenant_id, "version": 1, "name": "Test", "disabled": False}
            await connection.execute(insert(tenants).values(**tenant, settings=known))
            client = {"client_id": client_id, "tenant_id": tenant_id, "version": 1, "name": "CTI"}
            await connection.execute(
                insert(clients).values(
                    **client, roles=["vendor"], api_key_sha256=hash_api_key(key), disabled=False
                )
            )
        return Credentials(tenant_id, client_id, key)

    async def limit(self, credentials: Credentials, **limits: int) -> None:
        """What the administrator lets the client use; it is known at once to who has not asked before."""
        async with self.database() as database, database.session() as session:
            statement = update(clients).where(clients.c.client_id == credentials.client_id)
            await (await session.connection()).execute(statement.values(limits=limits))

    async def disable(self, credentials: Credentials) -> None:
        async with self.database() as database, database.session() as session:
            statement = update(tenants).where(tenants.c.tenant_id == credentials.tenant_id)
            await (await session.connection()).execute(statement.values(disabled=True))

    async def query(self, statement: str, **values: Any) -> list[Any]:
        async with self.database() as database, database.session() as session:
            result = await (await session.connection()).execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

    async def until_changed(self, statement: str, before: list[Any], **values: Any) -> None:
        """Wait until a query no longer finds what it found before."""
        async with asyncio.timeout(60):
            while await self.query(statement, **values) == before:  # noqa: ASYNC110 - only asking tells
                await asyncio.sleep(0.05)

    async def outbox(self, call_id: str) -> list[tuple[str, dict[str, Any]]]:
        """Type (or the word `audit`) and data of everything told about a call, in order."""
        rows = await self.query("SELECT kind, type, data FROM outbox ORDER BY id")
        told = [(row.type if row.kind == "event" else "audit", json.loads(row.data)) for row in rows]
        return [(kind, data) for kind, data in told if data.get("call_id") == call_id]

    async def dek(self, call_id: str) -> bytes:
        [row] = await self.query(
            "SELECT tenant_id, kek_id, wrapped_dek FROM calls WHERE id = CAST(:id AS uuid)", id=call_id
        )
        context = KeyContext(row.tenant_id, UUID(call_id))
        wrapped = WrappedDek(row.kek_id, row.wrapped_dek)
        return await self.keys.unwrap(wrapped, context, KeyUse.READ, "test")

    async def recording(self, call_id: str) -> tuple[Manifest, bytes]:
        """The manifest and the decrypted bytes of a sealed call."""
        [row] = await self.query("SELECT manifest FROM calls WHERE id = CAST(:id AS uuid)", id=call_id)
        manifest = Manifest.model_validate(row.manifest)
        async with self.store() as store:
            source = open_recording(store, manifest, await self.dek(call_id))
            return manifest, b"".join([piece async for piece in source.stream()])

    async def objects(self, prefix: str) -> list[str]:
        async with self.store() as store:
            return [item.name async for item in store.list("recordings", prefix)]

    async def until_no_objects(self, prefix: str) -> None:
        """Wait until cleaning has removed them."""
        async with asyncio.timeout(60):
            while True:
                if not await self.objects(prefix):
                    return
                await asyncio.sleep(0.1)


MakeIngest = Callable[..., IngestService]
"""Starts an ingest process; keyword arguments are settings."""


@asynccontextmanager
async def client_of(url: str, credentials: Credentials) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=url, headers=credentials.headers, timeout=60, verify=servers.PLAIN
    ) as client:
        yield client


def call_body(**changes: Any) -> dict[str, Any]:
    """A good body for `POST /v1/calls`."""
    return {
        "external_id": "cti-1",
        "direction": "inbound",
        "caller": "+81312345678",
        "callee": "+81120000000",
        "agent_id": "a-17",
        "channels": [{"role": "customer"}, {"role": "agent"}],
        "notice": {"given": "announced", "version": "2026-04"},
        "purposes": ["quality"],
        "language": "ja",
        **changes,
    }


async def start_call(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    response = await client.post(
        "/v1/calls", json=call_body(**changes), headers={"Idempotency-Key": str(uuid7())}
    )
    assert response.status_code == 201, response.text
    body: dict[str, Any] = response.json()
    return body


async def settled(client: httpx.AsyncClient, call_id: str, patience: float = 60.0) -> dict[str, Any]:
    """The call once it has its final state."""
    async with asyncio.timeout(patience):
        while True:
            body: dict[str, Any] = (await client.get(f"/v1/calls/{call_id}")).json()
            if body["state"] in ("sealed", "failed", "empty"):
                return body
            await asyncio.sleep(0.05)
