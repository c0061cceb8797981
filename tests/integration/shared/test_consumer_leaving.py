"""A consumer that is told to stop while its group waits for somebody: it goes, and leaves nothing open."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from messaging import Broker, record_effect
from messaging_process import process
from otokura.shared.consumer import Consumer, Subscription
from otokura.shared.database import Database
from otokura.shared.errors import Unavailable
from otokura.shared.events import CallEnded
from otokura.shared.kafka import ensure_topics

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]


@pytest.mark.guarantee("E10")
async def test_a_consumer_whose_group_waits_for_a_dead_member_stops_when_it_is_told_to(
    broker: Broker, database: Database
) -> None:
    await ensure_topics(broker, [CallEnded.TOPIC])
    group = f"test-{uuid4()}"
    with process("member", broker, group=group) as dead:
        dead.kill()
        dead.wait()
    consumer = Consumer(broker, group, database, [Subscription(CallEnded, record_effect)])
    running = asyncio.create_task(consumer.run())
    await asyncio.sleep(3)  # the group waits for the dead one far longer
    with pytest.raises(Unavailable, match="has not reached"):
        await consumer.check()
    running.cancel()
    _, waits = await asyncio.wait({running}, timeout=12)
    assert not waits, "it would be killed, and what stops after it would not stop in order"
