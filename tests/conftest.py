"""Fixtures of every test: real servers once a worker; databases and buckets fresh for each test."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import settings

import servers
from otokura.cli.local import ports
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer
from whole import Whole, whole_system

# A slow machine is no failure: no test asserts on time.
settings.register_profile("otokura", deadline=None)
settings.load_profile("otokura")

MOST_WORKERS = 8


def pytest_configure() -> None:
    """Gives each of pytest-xdist's workers ports of its own: what one has chosen no other takes."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % MOST_WORKERS
    for choices in ("PUBLIC", "INTERNAL"):
        every: range = getattr(ports, choices)
        setattr(ports, choices, every[worker::MOST_WORKERS])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with slow tests come first: what takes long must not begin when all else is done."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL."""
    with servers.postgres() as server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[SeaweedServer]:
    """A running S3 store with the buckets `recordings`, `transcripts` and `audit-log` (Object Lock)."""
    with servers.s3() as server:
        yield server


@pytest.fixture(scope=servers.broker_scope)
def kafka_server() -> Iterator[servers.KafkaServer]:
    """A running broker: Tansu, its records in memory, or Apache Kafka with `OTOKURA_TEST_KAFKA=apache`."""
    with servers.kafka() as server:
        yield server


@pytest.fixture
async def database_url(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """An empty database with a role of its own, as `postgresql+asyncpg://…`; dropped after the test."""
    name = f"test_{secrets.token_hex(6)}"
    yield await postgres_server.create_database(name, secrets.token_urlsafe(16))
    await postgres_server.drop_database(name)


@pytest.fixture
def object_store(s3_server: SeaweedServer) -> servers.ObjectStoreSettings:
    """How to reach the store as the identity `test`, which may do everything."""
    return servers.object_store_settings(s3_server, "test")


@pytest.fixture
def bucket(s3_server: SeaweedServer) -> Iterator[str]:
    """An empty bucket without Object Lock; removed with all it holds after the test."""
    name = f"test-{secrets.token_hex(6)}"
    client = s3_server.client()
    client.make_bucket(name)
    yield name
    for item in client.list_objects(name, recursive=True):
        client.remove_object(name, str(item.object_name))
    client.remove_bucket(name)


@pytest.fixture
def kafka_bootstrap(kafka_server: servers.KafkaServer) -> str:
    """Kafka's `bootstrap.servers`."""
    return kafka_server.bootstrap


@pytest.fixture
def kafka_settings(kafka_server: servers.KafkaServer) -> dict[str, object]:
    """The Kafka part of `ServiceSettings` for the broker under test."""
    return {
        "kafka_bootstrap": kafka_server.bootstrap,
        "kafka_idempotence": kafka_server.idempotence,
        "kafka_replication": 1,
        "kafka_min_insync": 1,
        "kafka_partitions": 1,
        "development": True,
    }


@pytest.fixture(scope="session")
def whole() -> Iterator[Whole]:
    """The whole of Otokura, with its demo tenant."""
    with whole_system() as system:
        yield system
