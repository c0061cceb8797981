"""A real access process for tests, tenants in it, and calls as ingest and transcribe would leave them."""

from __future__ import annotations

import secrets
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast
from uuid import UUID

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import text

import forked
import servers
from access_audit import AuditTopic, run
from access_calls import FEED_HANDLERS, HANDLERS, SEARCH_HANDLERS, Call, context_of, seal_call
from otokura.cli.local.ports import free_ports
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer
from otokura.shared.database import Database
from otokura.shared.events import CallEvent, Topic
from otokura.shared.ids import uuid7
from otokura.shared.kafka import KafkaSettings, ensure_topics
from otokura.shared.keys import (
    LocalKeyProvider,
    create_keyring,
)
from otokura.shared.objects import ObjectStore

T = TypeVar("T")

ISSUER = "https://access.test"
PROXY = "127.0.0.1"
"""The peer whose X-Forwarded-For access believes in these tests."""
OFFICE = "203.0.113.7"
OFFICE_ZONE = "203.0.113.0/28"
ELSEWHERE = "198.51.100.9"
PURPOSES = [
    {"name": "quality", "label_ja": "応対品質の向上", "label_en": "Quality of service"},
    {"name": "training", "label_ja": "研修", "label_en": "Training"},
]


def private_key_file(path: Path) -> Path:
    """A new Ed25519 key, PKCS8 PEM."""
    key = Ed25519PrivateKey.generate()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


@dataclass
class Access:
    """One access process and everything it stands on."""

    folder: Path
    database_url: str
    store_settings: servers.ObjectStoreSettings
    seal_settings: servers.ObjectStoreSettings
    kafka: Mapping[str, object]
    overrides: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        self.port = free_ports(1)[0]
        self.bootstrap_token = secrets.token_urlsafe(24)
        self.keyring = self.folder / "keyring.json"
        create_keyring(self.keyring)
        self.keys = LocalKeyProvider(self.keyring)
        self.token_key_file = private_key_file(self.folder / "token.pem")
        self.audit_key_file = private_key_file(self.folder / "audit.pem")
        log = self.folder / "access.log"
        self.program = forked.program("access", env=self.environment(), log=log)
        self._operator: dict[str, Any] | None = None
        self.audit = AuditTopic(str(self.kafka["kafka_bootstrap"]))

    def environment(self) -> dict[str, str]:
        kafka = {f"OTOKURA_{name.upper()}": str(value) for name, value in self.kafka.items()}
        return {
            **servers.inherited_environment(),
            "OTOKURA_PORT": str(self.port),
            "OTOKURA_DATABASE_URL": self.database_url,
            "OTOKURA_S3_ENDPOINT": self.store_settings.endpoint,
            "OTOKURA_S3_ACCESS_KEY": self.store_settings.access_key,
            "OTOKURA_S3_SECRET_KEY": self.store_settings.secret_key,
            "OTOKURA_ISSUER": ISSUER,
            "OTOKURA_AUDIT_SIGNING_KEY_FILE": str(self.audit_key_file),
            "OTOKURA_TOKEN_SIGNING_KEY_FILE": str(self.token_key_file),
            "OTOKURA_KEYRING_FILE": str(self.keyring),
            "OTOKURA_BOOTSTRAP_TOKEN": self.bootstrap_token,
            "OTOKURA_TRUSTED_PROXIES": PROXY,
            "OTOKURA_RECHECK_SECONDS": "0.2",
            "OTOKURA_FEED_LEASE_SECONDS": "10",
            **kafka,
            **self.overrides,
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.program.start()
        self.program.wait_until(self._is_up)
        self.audit.skip()

    def _is_up(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", verify=servers.PLAIN).status_code == 200
        except httpx.TransportError:
            return False

    def log_text(self) -> str:
        return self.program.log.read_text()

    def client(
        self, token: str | None = None, *, address: str | None = OFFICE, peer: str = PROXY
    ) -> httpx.Client:
        """A client that comes from `peer`, which says that it forwards for `address`."""
        headers = {"X-Forwarded-For": address} if address else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        transport = httpx.HTTPTransport(local_address=peer, verify=servers.PLAIN)
        return httpx.Client(base_url=self.url, headers=headers, transport=transport, timeout=30)

    def token(self, credentials: Mapping[str, Any]) -> str:
        """A token for a secret, from the office: people are given none elsewhere."""
        form = {"grant_type": "client_credentials"} | {
            name: str(credentials[name]) for name in ("client_id", "client_secret")
        }
        with self.client() as client:
            response = client.post("/oauth2/token", data=form)
        assert response.status_code == 200, response.text
        return str(response.json()["access_token"])

    def operator(self) -> str:
        """A new token of the operator, who is made at the first call: one service may outlive many tokens."""
        if self._operator is None:
            body = {"token": self.bootstrap_token, "name": "Operations"}
            response = httpx.post(f"{self.url}/v1/bootstrap", json=body, verify=servers.PLAIN)
            assert response.status_code == 201, response.text
            self._operator = response.json()
        return self.token(self._operator)

    def tenant(self) -> Tenant:
        """A new tenant with an office zone and two purposes."""
        with self.client(self.operator()) as client:
            created = client.post("/v1/tenants", json={"name": f"T {uuid7()}"}, headers=once())
            assert created.status_code == 201, created.text
        tenant = Tenant(self, UUID(created.json()["tenant"]["id"]), self.token(created.json()["admin"]))
        with self.client(tenant.admin) as client:
            zone = {"name": "office", "networks": [OFFICE_ZONE]}
            assert client.post("/v1/zones", json=zone, headers=once()).status_code == 201
            settings = client.get("/v1/settings")
            changed = settings.json() | {"purposes": PURPOSES}
            match = {"If-Match": settings.headers["ETag"]}
            assert client.put("/v1/settings", json=changed, headers=match).status_code == 200
        return tenant

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        database = Database(self.database_url, pool_size=2)
        try:
            yield database
        finally:
            await database.close()

    @asynccontextmanager
    async def store(self) -> AsyncIterator[ObjectStore]:
        where = self.seal_settings
        store = ObjectStore(where.endpoint, where.access_key, where.secret_key)
        try:
            yield store
        finally:
            await store.close()

    async def _apply(self, *events: CallEvent) -> None:
        async with self.database() as database:
            for event in events:
                async with database.session() as session:
                    for handlers in (HANDLERS, FEED_HANDLERS, SEARCH_HANDLERS):
                        if (handler := handlers.get(type(event))) is not None:
                            await handler(session, event, context_of(event))

    def apply(self, *events: CallEvent) -> None:
        """Hands events to the handlers, as the consumer would."""
        run(self._apply(*events))

    async def _query(self, statement: str, values: Mapping[str, Any]) -> list[Any]:
        async with self.database() as database, database.session() as session:
            result = await (await session.connection()).execute(text(statement), dict(values))
            return list(result.all()) if result.returns_rows else []

    def query(self, statement: str, **values: Any) -> list[Any]:
        return run(self._query(statement, values))

    def replace_object(self, name: str, change: Callable[[bytes], bytes], bucket: str = "recordings") -> None:
        """Tampers with a stored object."""

        async def replace() -> None:
            async with self.store() as store:
                await store.put(bucket, name, change(await store.get(bucket, name)))

        run(replace())


def once() -> dict[str, str]:
    """Headers of a request that creates."""
    return {"Idempotency-Key": str(uuid7())}


def told(access: Access, kind: str) -> list[dict[str, Any]]:
    """The data of the events of a type that wait in the outbox or were sent, oldest first."""
    rows = access.query("SELECT data::json AS data FROM outbox WHERE type = :kind ORDER BY id", kind=kind)
    return [row.data for row in rows]


def secrets_of(credentials: Mapping[str, Any]) -> dict[str, str]:
    """What the token endpoint is told of credentials."""
    return {name: credentials[name] for name in ("client_id", "client_secret")}


@dataclass(frozen=True)
class Person:
    """A principal with its credentials and a token."""

    id: UUID
    credentials: dict[str, Any]
    token: str


@dataclass(frozen=True)
class Tenant:
    """A tenant and a token of its administrator."""

    access: Access
    id: UUID
    admin: str

    def create(self, role: str, **more: Any) -> httpx.Response:
        body = {"name": f"{role} 花子", "kind": "person", "roles": [role], **more}
        with self.access.client(self.admin) as client:
            return client.post("/v1/principals", json=body, headers=once())

    def person(self, role: str, **more: Any) -> Person:
        response = self.create(role, **more)
        assert response.status_code == 201, response.text
        created = response.json()
        return Person(UUID(created["id"]), created, self.access.token(created))

    def call(self, audio: bytes | None = None, **about: Any) -> Call:
        """A sealed and transcribed call, put where ingest and transcribe would put it."""
        content = audio if audio is not None else secrets.token_bytes(200_000)
        call = run(self._seal(content, about))
        self.access.apply(*call.events)
        return call

    async def _seal(self, audio: bytes, about: Mapping[str, Any]) -> Call:
        async with self.access.store() as store:
            return await seal_call(store, self.access.keys, self.id, audio, **about)


@contextmanager
def running(
    postgres: PostgresServer,
    store: SeaweedServer,
    kafka: Mapping[str, object],
    **overrides: str,
) -> Iterator[Access]:
    """An access process on a database of its own; what it logged is shown when a test fails."""
    name = f"access_{secrets.token_hex(6)}"
    url = run(postgres.create_database(name, secrets.token_urlsafe(16)))
    with servers.scratch_folder("access") as folder:
        access = Access(
            folder,
            url,
            servers.object_store_settings(store, "access"),
            servers.object_store_settings(store, "test"),
            kafka,
            overrides,
        )
        # Its first entry is sent at once. A broker that makes topics by itself makes as many partitions as
        # it likes, and tests read the first one.
        run(ensure_topics(cast("KafkaSettings", SimpleNamespace(**kafka)), [Topic.AUDIT]))
        try:
            access.start()
            yield access
        finally:
            access.program.stop()
            sys.stderr.write(access.program.last_words())
    run(postgres.drop_database(name))


def kafka_of(server: servers.KafkaServer) -> dict[str, object]:
    """The Kafka part of access's settings."""
    return {
        "kafka_bootstrap": server.bootstrap,
        "kafka_idempotence": server.idempotence,
        "kafka_replication": 1,
        "kafka_min_insync": 1,
        "kafka_partitions": 1,
        "development": True,
    }
