"""The local servers keep what they acknowledged, and let in only who may."""

from __future__ import annotations

import io
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from minio import Minio
from minio.error import S3Error

import servers
from otokura.cli.local.ports import free_ports
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.program import StartError
from otokura.cli.local.seaweedfs import Identity, SeaweedServer


def _dsn(url: str) -> str:
    return url.replace("+asyncpg", "")


@pytest.mark.postgres
async def test_a_database_refuses_another_services_role(
    postgres_server: PostgresServer, database_url: str
) -> None:
    other = await postgres_server.create_database("test_other", "secret")
    try:
        name = database_url.rpartition("/")[2]
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(_dsn(other).rpartition("/")[0] + f"/{name}")
    finally:
        await postgres_server.drop_database("test_other")


@pytest.mark.postgres
async def test_a_database_refuses_a_wrong_password(database_url: str) -> None:
    user, _, rest = _dsn(database_url).removeprefix("postgresql://").partition(":")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://{user}:wrong@{rest.partition('@')[2]}")


@pytest.mark.s3
def test_a_service_reaches_only_its_own_buckets(s3_server: SeaweedServer) -> None:
    settings = servers.object_store_settings(s3_server, "ingest")
    client = Minio(
        settings.endpoint.removeprefix("http://"),
        access_key=settings.access_key,
        secret_key=settings.secret_key,
        secure=False,
        region=settings.region,
    )
    name = f"test-{uuid4()}"
    client.put_object("recordings", name, io.BytesIO(b"x"), 1)
    assert [item.object_name for item in client.list_objects("recordings", prefix=name)] == [name]
    for bucket in ("transcripts", "audit-log", "tansu"):
        with pytest.raises(S3Error, match="AccessDenied"):
            list(client.list_objects(bucket))


class DiesWhileItStarts(SeaweedServer):
    """Is killed when its buckets are made, before every write to them is synced."""

    def _make_buckets(self) -> None:
        super()._make_buckets()
        self.program.kill()


@pytest.mark.s3
def test_a_store_that_dies_while_it_starts_is_not_waited_for() -> None:
    """Whoever supervises it hears of it, and can start it again."""
    with servers.scratch_folder("dying") as folder:
        admin = Identity("admin", "admin", "secret-of-admin", ["Admin"])
        about: dict[str, Any] = {
            "port": free_ports(1)[0],
            "identities": [admin],
            "buckets": {"kept": False},
            "synced": ["kept"],
        }
        with pytest.raises(StartError, match="not set up"):
            DiesWhileItStarts(folder, **about).start()
        again = SeaweedServer(folder, **about)
        again.start()
        again.kill()


@pytest.mark.kafka
async def test_the_broker_gives_back_what_it_acknowledged(kafka_bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("test.servers", 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, acks="all")
    await producer.start()
    await producer.send_and_wait("test.servers", b"kept")
    await producer.stop()
    consumer = AIOKafkaConsumer(
        "test.servers", bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest", group_id=None
    )
    await consumer.start()
    record = await consumer.getone()
    await consumer.stop()
    assert record.value == b"kept"
