"""Access is killed while it publishes: every transcript reaches every feed, under one id."""

from __future__ import annotations

import random
import time
from collections import defaultdict

import pytest

import access_service
import servers
from access_feeds import Event, Feed, searched
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.slow]
CALLS, KILLS = 6, 2


@pytest.mark.guarantee("T63")
def test_every_transcript_reaches_every_feed_though_access_is_killed(
    postgres_server: PostgresServer, s3_server: SeaweedServer, feed_broker: servers.KafkaServer
) -> None:
    kafka, chance = access_service.kafka_of(feed_broker), random.Random(7)
    with access_service.running(postgres_server, s3_server, kafka, OTOKURA_FEED_LEASE_SECONDS="5") as access:
        tenant = access.tenant()
        feeds = [Feed.create(tenant) for _ in range(2)]
        expected = set()
        for _ in range(KILLS):
            expected |= {str(tenant.call(b"audio", said=searched).id) for _ in range(CALLS // KILLS)}
            time.sleep(chance.uniform(0.0, 0.3))
            access.program.kill()
            access.start()
        for feed in feeds:
            ids: dict[str, set[str]] = defaultdict(set)

            def all_there(events: list[Event]) -> bool:
                return {event.key for event in events} >= expected

            for event in feed.wait_for(all_there):
                ids[event.key].add(event.id)
            assert ids.keys() == expected
            assert {len(one) for one in ids.values()} == {1}
        Feed.wait_until(lambda: {state for feed in feeds for state, _ in feed.jobs().values()} == {"done"})
