"""Fixtures of the tests that run the log on real servers; a conftest imports those it needs."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

import servers
from audit_service import AuditService
from otokura.audit import repository, sequencer
from otokura.audit.leaves import Prepared
from otokura.audit.models import Shard
from otokura.audit.notes import Signer
from otokura.audit.publisher import Publisher
from otokura.audit.shelf import Shelf
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer
from otokura.shared.database import Database, migrate
from otokura.shared.objects import ObjectStore

MakeAudit = Callable[..., AuditService]

YEAR = 2026
ORIGIN = "audit.example.jp/log"


class NoBroker:
    """Settings of a broker that is never asked."""

    kafka_bootstrap = "127.0.0.1:1"
    kafka_idempotence = False
    kafka_replication = 1
    kafka_min_insync = 1
    kafka_partitions = 1
    development = True


@dataclass
class Log:
    """The log on a real database and a real bucket, without its broker."""

    database: Database
    store: ObjectStore
    bucket: str
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def __post_init__(self) -> None:
        self.sign_with(lambda year: Signer(f"{ORIGIN}/{year}", self.key))

    def sign_with(self, signer_of: Callable[[int], Signer]) -> None:
        """From here on another process publishes, which has these signers."""
        self._signer_of = signer_of
        self.shelf = self.new_shelf()
        self.publisher = self.new_publisher()

    def signer(self, year: int = YEAR) -> Signer:
        return self._signer_of(year)

    def new_shelf(self) -> Shelf:
        """As another process would have it."""
        return Shelf(self.store, self.bucket, timedelta(days=1))

    def new_publisher(self) -> Publisher:
        """As another process would have it."""
        return Publisher(self.database, self.shelf, self.signer, 0.01)

    async def append(self, prepared: Sequence[Prepared], year: int = YEAR) -> int:
        async with self.database.session() as session:
            return await sequencer.append(session, year, prepared)

    async def publish(self) -> None:
        """Publishes until nothing is left."""
        await self.shelf.open()
        while await self.publisher.publish_all():
            pass

    async def shard(self, year: int = YEAR) -> Shard:
        async with self.database.session() as session:
            return await repository.shard(session, year)

    async def execute(self, statement: str, **parameters: object) -> int:
        """Runs SQL behind the service's back; how many rows it touched."""
        async with self.database.session() as session:
            result = await (await session.connection()).execute(text(statement), parameters)
            return int(result.rowcount)

    async def rows(self, statement: str, **parameters: object) -> list[tuple[Any, ...]]:
        """What SQL finds, behind the service's back."""
        async with self.database.session() as session:
            result = await (await session.connection()).execute(text(statement), parameters)
            return [tuple(row) for row in result.all()]

    async def alerts(self) -> list[tuple[str, str, dict[str, object]]]:
        """Kind, source and detail of each alert raised, in order."""
        async with self.database.session() as session:
            rows = await (await session.connection()).execute(
                text("SELECT kind, source, detail FROM alerts ORDER BY at")
            )
            return [(row.kind, row.source, row.detail) for row in rows]

    async def names(self, prefix: str = "", *, versions: bool = False) -> list[str]:
        """The objects in the bucket."""
        return [item.name async for item in self.store.list(self.bucket, prefix, versions=versions)]

    async def download(self, folder: Path, year: int = YEAR) -> Path:
        """Copies a shard's files into a folder, as anybody can."""
        for name in await self.names(f"{year}/"):
            target = folder / name.removeprefix(f"{year}/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(await self.store.get(self.bucket, name))
        return folder


@pytest.fixture(scope="module")
def make_audit(
    postgres_server: PostgresServer, s3_server: SeaweedServer, kafka_server: servers.KafkaServer
) -> Iterator[MakeAudit]:
    """Starts audit processes, each on a database and bucket of its own; ends them after the module."""
    kafka: dict[str, object] = {
        "kafka_bootstrap": kafka_server.bootstrap,
        "kafka_idempotence": kafka_server.idempotence,
        "kafka_replication": 1,
        "kafka_min_insync": 1,
        "kafka_partitions": 1,
        "development": True,
    }
    with ExitStack() as stack:

        def make(**overrides: object) -> AuditService:
            folder = stack.enter_context(servers.scratch_folder("audit"))
            name = f"test_{secrets.token_hex(6)}"
            url = asyncio.run(postgres_server.create_database(name, secrets.token_urlsafe(16)))
            stack.callback(lambda: asyncio.run(postgres_server.drop_database(name)))
            store = servers.object_store_settings(s3_server, "test")
            changed = {key: str(value) for key, value in overrides.items()}
            service = AuditService(folder, url, store, kafka, f"log-{secrets.token_hex(6)}", changed)
            asyncio.run(service.prepare())
            service.start()
            stack.callback(service.program.stop)
            return service

        yield make


@pytest.fixture(scope="module")
def audit(make_audit: MakeAudit) -> AuditService:
    """A running audit service."""
    return make_audit()


@pytest.fixture
async def tenant_id(audit: AuditService) -> UUID:
    """A tenant of the test's own."""
    return await audit.add_tenant()


@pytest.fixture
async def auditor(audit: AuditService, tenant_id: UUID) -> AsyncIterator[httpx.AsyncClient]:
    """The HTTP client of the tenant's auditor."""
    async with audit.client(tenant_id) as client:
        yield client


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with the audit service's tables."""
    await migrate(database_url, "otokura.audit.migrations")
    found = Database(database_url)
    yield found
    await found.close()


@pytest.fixture
async def store(object_store: servers.ObjectStoreSettings) -> AsyncIterator[ObjectStore]:
    found = ObjectStore(object_store.endpoint, object_store.access_key, object_store.secret_key)
    yield found
    await found.close()


@pytest.fixture
def hour(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """The hour that it is, and stays: one that ends in a test would have one more checkpoint kept."""
    lasting = datetime.now(UTC)

    class Standing(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(lasting.timestamp(), tz)

    monkeypatch.setattr("otokura.audit.shelf.datetime", Standing)
    return lasting


@pytest.fixture
async def log(database: Database, store: ObjectStore) -> Log:
    """An empty log; its bucket has Object Lock and goes with the server."""
    return Log(database, store, f"log-{secrets.token_hex(6)}")


@pytest.fixture
async def open_log(database: Database, store: ObjectStore, bucket: str) -> Log:
    """An empty log in a bucket without Object Lock."""
    return Log(database, store, bucket)
