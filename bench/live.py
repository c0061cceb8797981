"""How long after a word was said it can be read: one live call, and four at once, on one worker.

Starts its own servers (PostgreSQL, SeaweedFS, Tansu, transcribe with Whisper base) and streams the sample
calls at the speed of speech, in the chunks that ingest sends. A word of the script counts as read when a
partial that has come from Kafka reaches its end, and as final when a final turn does; words lie evenly in
their turns. Prints one JSON line; exits 1 when the p95 of a word's partial is 3 s or more with one call.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from aiokafka import AIOKafkaConsumer

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import live_calls
import servers
import speech
from live_calls import LiveCall
from otokura.shared.cloudevents import decode
from otokura.shared.events import Topic, TranscriptPartial
from otokura.shared.fetching import SHORTEST_WAIT_MS, FetchPatience
from otokura.shared.kafka import Producer, ensure_topics
from otokura.shared.kafka_settings import KafkaSettings
from otokura.shared.transcripts import PartialTranscript
from transcribe_service import TranscribeService

SECONDS = 60
AFTER_SECONDS = 35
"""Numerals are held back for up to half a minute."""
NEAR_MS = 200
"""An engine's idea of a word's end may be off by so much."""
BAR_SECONDS = 3.0


@dataclass
class Observer:
    """Hears all partials, and when they came."""

    settings: KafkaSettings
    found: list[tuple[float, TranscriptPartial]] = field(
        default_factory=list[tuple[float, TranscriptPartial]]
    )

    async def run(self) -> None:
        """Listens until it is cancelled."""
        consumer = AIOKafkaConsumer(
            str(Topic.TRANSCRIPTS),
            bootstrap_servers=self.settings.kafka_bootstrap,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=SHORTEST_WAIT_MS,
        )
        await consumer.start()
        patience = FetchPatience(consumer)
        try:
            while True:
                await patience.look()
                batches = await consumer.getmany(timeout_ms=50)
                at = asyncio.get_running_loop().time()
                envelopes = [decode(record) for records in batches.values() for record in records]
                self.found += [
                    (at, one.parse(TranscriptPartial))
                    for one in envelopes
                    if one.event_type == TranscriptPartial.TYPE
                ]
        finally:
            await consumer.stop()


def words(name: str) -> Iterator[tuple[int, float]]:
    """Channel and end (ms) of each word, of a Japanese call of every fourth character."""
    for turn in speech.script(name)["turns"]:
        parts = turn["text"].split() if name.startswith("en") else turn["text"][::4]
        each = (turn["end_ms"] - turn["start_ms"]) / len(parts)
        for n in range(len(parts)):
            end = turn["start_ms"] + (n + 1) * each
            if end <= SECONDS * 1000 - 1000:
                yield turn["channel"], end


def delays(
    call: LiveCall, partials: Sequence[tuple[float, PartialTranscript]], *, final: bool
) -> tuple[list[float], int]:
    """Seconds from the end of each word to its text, and how many words never became text."""
    began = call.sent_at[live_calls.CHUNK_MS] - live_calls.CHUNK_MS / 1000
    found: list[float] = []
    missed = 0
    for channel, end in words(call.name):
        reached = [
            at
            for at, partial in partials
            for turn in partial.turns
            if turn.channel == channel and turn.end_ms >= end - NEAR_MS and (turn.final or not final)
        ]
        if reached:
            found.append(max(0.0, min(reached) - began - end / 1000))
        else:
            missed += 1
    return found, missed


def figures(name: str, found: list[float]) -> dict[str, float | None]:
    """The median, the 95th percentile and the longest; None when next to nothing became text."""
    if len(found) < 2:
        return dict.fromkeys((f"{name}_p50", f"{name}_p95", f"{name}_max"))
    cuts = statistics.quantiles(found, n=20)
    return {
        f"{name}_p50": round(statistics.median(found), 2),
        f"{name}_p95": round(cuts[18], 2),
        f"{name}_max": round(max(found), 2),
    }


async def measure(
    service: TranscribeService, producer: Producer, observer: Observer, names: Sequence[str]
) -> dict[str, Any]:
    """Streams calls at once and gives the delays of their words."""
    calls = [LiveCall(name, service.keys) for name in names]
    for call in calls:
        await live_calls.send(producer, await call.key())
    await asyncio.gather(*(call.stream(producer, SECONDS) for call in calls))
    await asyncio.sleep(AFTER_SECONDS)
    partial: list[float] = []
    final: list[float] = []
    missed = 0
    for call in calls:
        mine = [(at, event) for at, event in observer.found if event.call_id == call.call_id]
        opened = call.opened([event for _, event in mine])
        heard = [(at, one) for (at, _), one in zip(mine, opened, strict=True)]
        first, lost = delays(call, heard, final=False)
        partial, missed = partial + first, missed + lost
        final += delays(call, heard, final=True)[0]
    total = len(partial) + missed
    return figures("partial", partial) | figures("final", final) | {"missed": round(missed / total, 3)}


async def main() -> int:
    """Runs both measurements; gives the exit status."""
    with (
        servers.postgres() as postgres,
        servers.s3() as store,
        servers.kafka(lasting=True) as broker,
        servers.scratch_folder("bench-live") as folder,
    ):
        settings = cast(
            "KafkaSettings",
            SimpleNamespace(
                kafka_bootstrap=broker.bootstrap,
                kafka_idempotence=broker.idempotence,
                kafka_replication=1,
                kafka_min_insync=1,
                kafka_partitions=1,
                development=True,
            ),
        )
        url = await postgres.create_database("bench_live", secrets.token_urlsafe(16))
        access = servers.object_store_settings(store, "transcribe")
        service = TranscribeService(folder, url, access, settings)
        await ensure_topics(settings, [Topic.LIVE, Topic.KEYS, Topic.TRANSCRIPTS])
        await service.start()
        producer, observer = Producer(settings), Observer(settings)
        watching = asyncio.create_task(observer.run())
        try:
            warm = LiveCall("en-support", service.keys)
            await live_calls.send(producer, await warm.key())
            await warm.stream(producer, 10)
            one = await measure(service, producer, observer, ["ja-support"])
            four = await measure(service, producer, observer, ["ja-support", "en-support"] * 2)
        finally:
            watching.cancel()
            await asyncio.wait({watching})
            await producer.stop()
            service.program.stop()
            sys.stderr.write(service.program.last_words())
    print(json.dumps({"bench": "live", "seconds": SECONDS, "one": one, "four": four}))
    reached = one["partial_p95"]
    return 0 if reached is not None and reached < BAR_SECONDS else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
