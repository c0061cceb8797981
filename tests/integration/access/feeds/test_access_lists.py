"""The broker's lists of a feed, on an Apache Kafka that keeps them: its reader, and nobody else."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError

import access_service
import servers
from feed_workshop import Workshop, workshop
from otokura.access.feeds import acls, repository
from otokura.access.feeds.models import FeedRecord
from otokura.access.feeds.provisioning import check_guarded
from otokura.cli.local.apache_kafka import ApacheKafkaServer
from otokura.shared.feeds import topic_of
from otokura.shared.topics import admin_client

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.s3,
    pytest.mark.kafka,
    pytest.mark.skipif(
        os.environ.get("OTOKURA_TEST_KAFKA") != "apache",
        reason="make test-kafka runs it: Tansu keeps no lists",
    ),
]
READERS = {"reader-a": "one-secret-word", "reader-b": "another-secret-word"}


@pytest.fixture(scope="module")
def guarded() -> Iterator[ApacheKafkaServer]:
    """An Apache Kafka with an authorizer, and two readers' credentials."""
    with servers.scratch_folder("guarded-kafka") as folder:
        server = servers.started(lambda port: ApacheKafkaServer(folder, port=port, readers=READERS))
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
async def shop(
    tmp_path: Path,
    database_url: str,
    object_store: servers.ObjectStoreSettings,
    guarded: ApacheKafkaServer,
) -> AsyncIterator[Workshop]:
    """Feeds as in production: without a broker's lists there would be none."""
    kafka = {**access_service.kafka_of(guarded), "development": False}
    async with workshop(tmp_path, database_url, object_store, kafka) as made:
        yield made


def credentials(server: ApacheKafkaServer, name: str) -> dict[str, Any]:
    """How a reader connects."""
    return {
        "bootstrap_servers": server.readers_bootstrap,
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": name,
        "sasl_plain_password": READERS[name],
    }


@asynccontextmanager
async def consuming(
    server: ApacheKafkaServer, name: str, topic: str, group: str
) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        topic, group_id=group, auto_offset_reset="earliest", **credentials(server, name)
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def read(server: ApacheKafkaServer, name: str, topic: str, group: str) -> bytes:
    """The key of the first record that a reader gets."""
    async with consuming(server, name, topic, group) as consumer, asyncio.timeout(60):
        record = await consumer.getone()
        return bytes(record.key)


async def two_feeds(shop: Workshop) -> tuple[FeedRecord, FeedRecord]:
    """Each of a tenant and a reader of its own, with a call."""
    made = [await shop.feed(await shop.tenant(), principals=[f"User:{name}"]) for name in READERS]
    for feed in made:
        await shop.call(feed.tenant_id)
    assert await shop.work() == len(made)
    return made[0], made[1]


@pytest.mark.guarantee("T66")
async def test_a_reader_gets_its_own_feed_and_no_other(shop: Workshop, guarded: ApacheKafkaServer) -> None:
    await check_guarded(shop.state.settings)
    feed, other = await two_feeds(shop)
    mine, theirs = (topic_of(one.tenant_id, one.id) for one in (feed, other))
    assert await read(guarded, "reader-a", mine, f"{mine}.loader") != b""
    with pytest.raises(TopicAuthorizationFailedError):
        await read(guarded, "reader-a", theirs, f"{mine}.loader")
    with pytest.raises(TopicAuthorizationFailedError):
        await read(guarded, "reader-b", mine, f"{theirs}.loader")
    with pytest.raises(GroupAuthorizationFailedError):
        await read(guarded, "reader-a", mine, "loader")


@pytest.mark.guarantee("T66")
async def test_a_reader_sees_no_other_topic_and_writes_none(
    shop: Workshop, guarded: ApacheKafkaServer
) -> None:
    feed, other = await two_feeds(shop)
    topic = topic_of(feed.tenant_id, feed.id)
    async with consuming(guarded, "reader-a", topic, f"{topic}.x") as consumer:
        seen = await consumer.topics()
    assert topic in seen
    assert not seen & {topic_of(other.tenant_id, other.id), "otokura.audit"}
    producer = AIOKafkaProducer(**credentials(guarded, "reader-a"))
    await producer.start()
    try:
        with pytest.raises(KafkaError):
            await producer.send_and_wait(topic, b"forged")
    finally:
        await producer.stop()
    assert len(await shop.told(feed)) == 1


@pytest.mark.guarantee("T66")
async def test_who_is_taken_off_a_feed_reads_it_no_more(shop: Workshop, guarded: ApacheKafkaServer) -> None:
    feed, _ = await two_feeds(shop)
    topic = topic_of(feed.tenant_id, feed.id)
    await shop.query(
        "UPDATE feeds SET principals = '{User:reader-b}', version = version + 1 WHERE id = :id", id=feed.id
    )
    assert await shop.provisioner.step()
    assert await read(guarded, "reader-b", topic, f"{topic}.x") != b""
    with pytest.raises(TopicAuthorizationFailedError):
        await read(guarded, "reader-a", topic, f"{topic}.y")


async def test_of_a_deleted_feed_nothing_is_left_on_the_broker(shop: Workshop) -> None:
    feed, _ = await two_feeds(shop)
    topic = topic_of(feed.tenant_id, feed.id)
    await shop.query("UPDATE feeds SET deleted_at = now(), version = version + 1 WHERE id = :id", id=feed.id)
    assert await shop.provisioner.step()
    async with admin_client(shop.state.settings) as client:
        assert await acls.existing(client, topic) == frozenset()
        assert topic not in await client.list_topics()
    async with shop.state.database.session() as session:
        assert await repository.feed(session, feed.tenant_id, feed.id) is None
