"""A real audit process for tests, and sources that write to it over a real broker."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast
from uuid import UUID

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import OKPAlgorithm
from sqlalchemy import insert, text

import forked
import servers
from otokura.cli.local.ports import free_ports
from otokura.cli.local.program import accepts
from otokura.cli.verify import make_vkey
from otokura.shared.audit import HEARTBEAT_SECONDS, AuditWriter
from otokura.shared.audit_entries import AuditDraft
from otokura.shared.database import Database, migrate
from otokura.shared.directory_tables import issuer_keys, tenants
from otokura.shared.events import Role, TenantSettings, Topic
from otokura.shared.ids import uuid7
from otokura.shared.kafka import KafkaSettings, Producer, Record, ensure_topics
from otokura.shared.tokens import Principal, TokenIssuer

ISSUER = "https://access.test"
ORIGIN = "audit.example.jp/log"

T = TypeVar("T")


async def until(look: Callable[[], Awaitable[T | None]], patience: float = 60.0) -> T:
    """What `look` finds, once it finds something."""
    async with asyncio.timeout(patience):
        while True:
            if found := await look():
                return found
            await asyncio.sleep(0.05)


def public_text(key: Ed25519PrivateKey) -> str:
    """Base64 of the raw public key."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


@dataclass
class AuditService:
    """One audit process on its own database and bucket; it can be killed and started again."""

    folder: Path
    database_url: str
    store_settings: servers.ObjectStoreSettings
    kafka: dict[str, object]
    bucket: str
    overrides: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        self.port = free_ports(1)[0]
        self.token_key = Ed25519PrivateKey.generate()
        self.tokens = TokenIssuer(self.token_key, "test-key", ISSUER, "otokura")
        self.source_key = self._write_key("access.pem")
        self._log_key = self._write_key("log.pem")
        own = self._write_key("audit.pem")
        keys = {"access": public_text(self.source_key), "audit": public_text(own)}
        self.folder.joinpath("sources.json").write_text(json.dumps(keys))
        log = self.folder / "audit.log"
        self.program = forked.program("audit", env=self._environment(), log=log)

    def twin(self) -> AuditService:
        """Another instance: the same keys, database, bucket and broker, and an address of its own."""
        return replace(self)

    def _write_key(self, name: str) -> Ed25519PrivateKey:
        path = self.folder / name
        if path.exists():
            return cast("Ed25519PrivateKey", load_pem_private_key(path.read_bytes(), None))
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(pem)
        return key

    def _environment(self) -> dict[str, str]:
        settings: dict[str, object] = {
            **self.kafka,
            "port": self.port,
            "database_url": self.database_url,
            "s3_endpoint": self.store_settings.endpoint,
            "s3_access_key": self.store_settings.access_key,
            "s3_secret_key": self.store_settings.secret_key,
            "issuer": ISSUER,
            "audit_signing_key_file": self.folder / "audit.pem",
            "log_signing_key_file": self.folder / "log.pem",
            "log_origin": self.origin,
            "log_bucket": self.bucket,
            "source_keys_file": self.folder / "sources.json",
            "lock_days": 1,
            "publish_interval_seconds": 0.1,
            **self.overrides,
        }
        return {
            **servers.inherited_environment(),
            **{f"OTOKURA_{name.upper()}": str(value) for name, value in settings.items()},
        }

    @property
    def origin(self) -> str:
        """The log's name, without the year."""
        return self.overrides.get("log_origin", ORIGIN)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def year(self) -> int:
        return datetime.now(UTC).year

    @property
    def log_url(self) -> str:
        """The address of the current log."""
        return f"{self.url}/log/{self.year}"

    @property
    def vkey(self) -> str:
        """The current log's public key, from its private one: not from the log."""
        return self.vkey_of(self.year)

    def vkey_of(self, year: int) -> str:
        """That of the log of a year."""
        return make_vkey(f"{self.origin}/{year}", self._log_key.public_key().public_bytes_raw())

    def source_keys(self) -> dict[str, str]:
        """By service, the public key with which it signs, as verifiers have them."""
        keys: dict[str, str] = json.loads(self.folder.joinpath("sources.json").read_text())
        return keys

    def start(self) -> None:
        self.program.start()
        self.program.wait_until(lambda: accepts(self.port), timeout=60)

    async def prepare(self) -> None:
        """Makes the tables before the service starts, so that a token's key can be put into them."""
        await migrate(self.database_url, "otokura.audit.migrations")
        public = OKPAlgorithm.to_jwk(self.token_key.public_key(), as_dict=True)
        jwks = {"keys": [{**public, "kid": "test-key", "alg": "EdDSA", "use": "sig"}]}
        await self._insert(issuer_keys, {"issuer": ISSUER, "version": 1, "jwks": jwks})

    async def add_tenant(self) -> UUID:
        """A tenant, as if access had told of it."""
        tenant_id = uuid7()
        settings = TenantSettings().model_dump(mode="json")
        row = {"tenant_id": tenant_id, "version": 1, "name": "T", "disabled": False, "settings": settings}
        await self._insert(tenants, row)
        return tenant_id

    async def _insert(self, table: Any, row: dict[str, Any]) -> None:
        async with self.database() as database, database.session() as session:
            await (await session.connection()).execute(insert(table).values(row))

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        database = Database(self.database_url, pool_size=2)
        try:
            yield database
        finally:
            await database.close()

    async def query(self, statement: str, **values: Any) -> list[Any]:
        """Runs SQL on the service's database, behind its back."""
        async with self.database() as database, database.session() as session:
            result = await (await session.connection()).execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

    @asynccontextmanager
    async def client(self, tenant_id: UUID, *roles: Role) -> AsyncIterator[httpx.AsyncClient]:
        """An HTTP client with a token of the tenant; an auditor's if no roles are given."""
        principal = Principal(uuid7(), tenant_id, frozenset(roles or (Role.AUDITOR,)), "person")
        token = self.tokens.issue(principal, timedelta(minutes=15))
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(
            base_url=self.url, headers=headers, timeout=60, verify=servers.PLAIN
        ) as client:
            yield client

    def _producer(self) -> Producer:
        return Producer(cast("KafkaSettings", SimpleNamespace(**self.kafka)))

    @asynccontextmanager
    async def source(
        self, service: str = "access", *, heartbeat_seconds: float = HEARTBEAT_SECONDS
    ) -> AsyncIterator[AuditWriter]:
        """A source with a known key: a real writer."""
        producer = self._producer()
        writer = AuditWriter(producer, service, self.source_key, heartbeat_seconds=heartbeat_seconds)
        await writer.start()
        try:
            yield writer
        finally:
            await writer.stop()
            await producer.stop()

    async def write(self, writer: AuditWriter, drafts: Sequence[AuditDraft]) -> list[UUID]:
        """Writes entries one after another; returns their ids once they are in the log."""
        ids = [await writer.write(draft) for draft in drafts]

        async def look() -> bool:
            rows = await self.query("SELECT 1 FROM entries WHERE entry_id = ANY(:ids)", ids=ids)
            return len(rows) == len(ids)

        await until(look)
        return ids

    async def send(self, *records: Record) -> None:
        """Sends records as they are."""
        producer = self._producer()
        topics = [Topic.AUDIT, Topic.ERASURES]
        await ensure_topics(cast("KafkaSettings", SimpleNamespace(**self.kafka)), topics)
        try:
            await producer.send(*records)
        finally:
            await producer.stop()

    async def sequenced(self, source: str, count: int) -> list[Any]:
        """The rows of a source's entries, once there are so many."""

        async def look() -> list[Any] | None:
            rows = await self.query(
                "SELECT * FROM entries WHERE source = :source ORDER BY seq", source=source
            )
            return rows if len(rows) >= count else None

        return await until(look)

    async def alerts(self, source: str, count: int = 1) -> list[Any]:
        """The alerts about a source, once there are so many."""

        async def look() -> list[Any] | None:
            rows = await self.query("SELECT * FROM alerts WHERE source = :source ORDER BY at", source=source)
            return rows if len(rows) >= count else None

        return await until(look)

    async def published(self, size: int = 1) -> int:
        """The published size of the current log, once it is as large."""

        async def look() -> int | None:
            rows = await self.query("SELECT published_size FROM log_shards ORDER BY shard DESC LIMIT 1")
            return rows[0].published_size if rows and rows[0].published_size >= size else None

        return await until(look)

    async def covered(self, entry_id: UUID) -> None:
        """Returns once a checkpoint covers an entry of the log: before, its receipt may be a conflict."""
        [row] = await self.query('SELECT "index" FROM entries WHERE entry_id = :id', id=entry_id)
        await self.published(row.index + 1)
