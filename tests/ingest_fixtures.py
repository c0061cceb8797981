"""Fixtures of ingest's tests: one process a module; those that kill or reconfigure it start their own."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

import servers
from ingest_service import Credentials, IngestService, MakeIngest, client_of
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer


@contextmanager
def starting_ingest(
    postgres_server: PostgresServer, s3_server: SeaweedServer, kafka_server: servers.KafkaServer
) -> Generator[MakeIngest]:
    """Starts ingest processes, each on a database of its own; ends them after the block."""
    kafka = {
        "kafka_bootstrap": kafka_server.bootstrap,
        "kafka_idempotence": kafka_server.idempotence,
        "kafka_replication": 1,
        "kafka_min_insync": 1,
        "kafka_partitions": 1,
        "development": True,
    }
    with ExitStack() as stack:

        def make(**overrides: object) -> IngestService:
            folder = stack.enter_context(servers.scratch_folder("ingest"))
            name = f"test_{secrets.token_hex(6)}"
            url = asyncio.run(postgres_server.create_database(name, secrets.token_urlsafe(16)))
            stack.callback(lambda: asyncio.run(postgres_server.drop_database(name)))
            environment = {f"OTOKURA_{key.upper()}": str(value) for key, value in overrides.items()}
            store = servers.object_store_settings(s3_server, "ingest")
            service = IngestService(folder, url, store, kafka, environment)
            asyncio.run(service.prepare())
            service.start()
            stack.callback(service.program.stop)
            return service

        yield make


@pytest.fixture(scope="module")
def make_ingest(
    postgres_server: PostgresServer, s3_server: SeaweedServer, kafka_server: servers.KafkaServer
) -> Iterator[MakeIngest]:
    """Starts ingest processes, each on a database of its own; ends them after the module."""
    with starting_ingest(postgres_server, s3_server, kafka_server) as make:
        yield make


@pytest.fixture(scope="module")
def ingest(make_ingest: MakeIngest) -> IngestService:
    """An ingest process with short waits."""
    return make_ingest(lease_seconds=3, flush_seconds=1.0)


@pytest.fixture(autouse=True)
def complaints(ingest: IngestService) -> Iterator[None]:
    """Shows what the service complained of during a test that fails."""
    before = len(ingest.log_text())
    yield
    for line in ingest.log_text()[before:].splitlines():
        if '"level":"info"' not in line.replace(" ", ""):
            sys.stdout.write(line + "\n")


@pytest.fixture
async def credentials(ingest: IngestService) -> Credentials:
    """A tenant of the test's own, and its vendor's client."""
    return await ingest.add_tenant()


@pytest.fixture
async def client(ingest: IngestService, credentials: Credentials) -> AsyncIterator[httpx.AsyncClient]:
    """The vendor's HTTP client."""
    async with client_of(ingest.url, credentials) as found:
        yield found
