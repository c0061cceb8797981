"""Entering a consumer group and leaving it, so that whoever is told to stop can stop.

A group divides its partitions only when all of its members have answered, or are given up: that takes as long
as a dead member's session, or as a slow one may be between two polls, which is minutes. aiokafka waits for it
in `start` as in `stop`, which cannot be cut short from outside without leaving connections open. A process
that waits so is killed by its supervisor, and with it goes what stops after it: the audit log's last words.
"""

from __future__ import annotations

import asyncio

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IllegalStateError, KafkaError

from otokura.shared.background import uninterrupted

_CONNECT_SECONDS = 2.0
_LEAVE_SECONDS = 3.0

log = structlog.stdlib.get_logger(__name__)


async def join_group(consumer: AIOKafkaConsumer) -> None:
    """Starts a consumer that is subscribed, and waits until its group has divided the partitions.

    May be cancelled: connecting has some time to end then, the others are not waited for.

    Raises:
        KafkaError: the broker cannot be reached, or refuses.
    """
    await uninterrupted(consumer.start(), _CONNECT_SECONDS)


async def leave_group(consumer: AIOKafkaConsumer) -> None:
    """Stops a consumer, whether it was started or not; what goes wrong is logged."""
    stopping = asyncio.create_task(consumer.stop())
    try:
        await asyncio.wait({stopping}, timeout=_LEAVE_SECONDS)
        if not stopping.done():
            # It waits for the answer to its JoinGroup, which fails at once without a connection.
            log.info("consumer.left_while_joining")
            await consumer._client.close()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - no other way
            await asyncio.wait({stopping}, timeout=_LEAVE_SECONDS)
    finally:
        stopping.cancel()
        await asyncio.wait({stopping})
    try:
        await stopping
    except asyncio.CancelledError:
        log.warning("consumer.stop_failed", error="it does not end")
    except (KafkaError, IllegalStateError, OSError) as error:
        log.warning("consumer.stop_failed", error=repr(error))
