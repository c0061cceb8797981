"""What the tests of feeds start from: a broker of their own, and access's feeds in the test's own process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import access_service
import servers
from feed_workshop import Workshop, workshop


@pytest.fixture(scope="session")
def feed_broker() -> Iterator[servers.KafkaServer]:
    """A broker: topics come and go here, and others' tests need not see them."""
    with servers.kafka() as server:
        yield server


@pytest.fixture
async def shop(
    tmp_path: Path,
    database_url: str,
    object_store: servers.ObjectStoreSettings,
    feed_broker: servers.KafkaServer,
) -> AsyncIterator[Workshop]:
    """Feeds that work when the test says so."""
    kafka = access_service.kafka_of(feed_broker)
    async with workshop(tmp_path, database_url, object_store, kafka) as made:
        yield made
