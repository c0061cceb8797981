"""A broker that keeps no access lists gets no feeds in production."""

from __future__ import annotations

from pathlib import Path

import pytest

import access_service
import servers
from feed_workshop import Workshop, workshop
from otokura.access.errors import BrokerUnguarded
from otokura.access.feeds.provisioning import check_guarded

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]


@pytest.mark.guarantee("T66")
async def test_without_access_lists_there_are_no_feeds_in_production(shop: Workshop) -> None:
    """Neither Tansu has any, nor an Apache Kafka without an authorizer."""
    await check_guarded(shop.state.settings)
    production = shop.state.settings.model_copy(update={"development": False})
    with pytest.raises(BrokerUnguarded):
        await check_guarded(production)


@pytest.mark.guarantee("T66")
async def test_a_broker_that_lost_its_lists_is_given_nothing_more(
    tmp_path: Path,
    database_url: str,
    object_store: servers.ObjectStoreSettings,
    feed_broker: servers.KafkaServer,
) -> None:
    kafka = {**access_service.kafka_of(feed_broker), "development": False}
    async with workshop(tmp_path, database_url, object_store, kafka) as shop:
        feed = await shop.feed(await shop.tenant())
        await shop.call(feed.tenant_id)
        assert await shop.work() == 0
        assert await shop.told(feed) == []
        [row] = await shop.query("SELECT provisioned_version, problem FROM feeds")
        assert row["provisioned_version"] == 0
        assert "keeps no access lists" in row["problem"]
