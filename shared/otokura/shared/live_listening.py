"""Hears partials, in every instance that gives live text away: who gets it may be connected to any of them.

No group and no database: what is missed is repeated by the partials that follow, and after a start the last
of each partition are read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from aiokafka import AIOKafkaConsumer, TopicPartition

from otokura.shared.cloudevents import KafkaRecord, decode, read_type
from otokura.shared.errors import Poison, Unavailable
from otokura.shared.events import Topic, TranscriptCompleted, TranscriptFailed, TranscriptPartial
from otokura.shared.fetching import SHORTEST_WAIT_MS, FetchPatience
from otokura.shared.kafka_settings import KafkaSettings
from otokura.shared.live_hub import Hub
from otokura.shared.logs import get_logger
from otokura.shared.offsets import end_offsets, partitions_of, plain_consumer

log = get_logger(__name__)

LOOK_BACK = 500
"""Records of each partition that are read again at the start: some minutes of the calls that last."""
_POLL_MS = 200
_RETRY_SECONDS = 1.0
_MODELS = (TranscriptPartial, TranscriptCompleted, TranscriptFailed)


class PartialsListener:
    """Feeds the hub.

    Args:
        settings: the broker.
        hub: what is fed.
        wants: of a record's key, which names the call: whether its text is wanted here; None: all is.
    """

    def __init__(
        self, settings: KafkaSettings, hub: Hub, wants: Callable[[bytes | None], bool] | None = None
    ) -> None:
        self._settings = settings
        self._hub = hub
        self._wants = wants
        self._next: dict[TopicPartition, int] = {}

    async def run(self) -> None:
        """Listens until it is cancelled; a broker that is away is waited for."""
        while True:
            try:
                async with plain_consumer(self._settings, fetch_wait_ms=SHORTEST_WAIT_MS) as consumer:
                    await self._listen(consumer)
            except Unavailable as error:
                log.warning("live text: not listening", error=error)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _listen(self, consumer: AIOKafkaConsumer) -> None:
        partitions = await partitions_of(self._settings, [str(Topic.TRANSCRIPTS)])
        if not partitions:
            return  # nobody has written anything yet
        ends = await end_offsets(consumer, dict.fromkeys(partitions, 0))
        for partition, end in ends.items():
            consumer.seek(partition, self._next.get(partition, max(0, end - LOOK_BACK)))
        patience = FetchPatience(consumer)
        while True:
            batches = cast(
                "dict[TopicPartition, list[KafkaRecord]]", await consumer.getmany(timeout_ms=_POLL_MS)
            )
            for partition, records in batches.items():
                for record in records:
                    self._take(record)
                self._next[partition] = records[-1].offset + 1
            await patience.look()

    def _take(self, record: KafkaRecord) -> None:
        if self._wants is not None and not self._wants(record.key):
            return
        kind = read_type(record.headers)
        model = next((model for model in _MODELS if kind == model.TYPE), None)
        if model is None:
            return
        try:
            event = decode(record).parse(model)
        except Poison as error:
            # The service's own consumer dead-letters what is not to be passed over.
            log.warning("live text: record passed over", offset=record.offset, error=error)
            return
        if isinstance(event, TranscriptPartial):
            self._hub.add(event)
        else:
            self._hub.settled(event.call_id)
