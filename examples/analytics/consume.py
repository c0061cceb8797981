"""Reads a feed of Otokura for ever: copy this, and put your own work where it says so.

    python consume.py BOOTSTRAP TOPIC [--user NAME]      (the password: OTOKURA_FEED_PASSWORD)

At least once: an event may come again, under the same `ce_id`. Offsets are committed after the work. What was
handled is remembered here in memory; remember it where your results are, in the same transaction.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from typing import Any

from aiokafka import AIOKafkaConsumer

COMPLETED = "otokura.feed.transcript-completed.v1"
PARTIAL = "otokura.feed.transcript-partial.v1"
ERASED = "otokura.call.erased.v1"


def connection(arguments: argparse.Namespace) -> dict[str, Any]:
    """How to reach the broker: with a user by SASL; TLS (`SASL_SSL`) wherever there is a network between."""
    if not arguments.user:
        return {"bootstrap_servers": arguments.bootstrap}
    return {
        "bootstrap_servers": arguments.bootstrap,
        "security_protocol": arguments.protocol,
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": arguments.user,
        "sasl_plain_password": os.environ["OTOKURA_FEED_PASSWORD"],
    }


def handle(kind: str, event: dict[str, Any]) -> None:
    """Your own work. It must not mind an event of a kind that it does not know."""
    call = event["call_id"]
    if kind == COMPLETED:
        print(f"{call}  version {event['version']}, {event['language']}, by {event['model']}")
        for turn in event["turns"] or []:
            print(f"  {turn['start_ms'] / 1000:7.2f}  {turn['role']:<8}  {turn['text']}")
    elif kind == PARTIAL:
        final = [turn["text"] for turn in event["turns"] if turn["final"]]
        print(f"{call}  so far: {' / '.join(final)}")
    elif kind == ERASED:
        print(f"{call}  is erased: delete what you have of it, and what you made from it")


async def consume(arguments: argparse.Namespace) -> None:
    """One event after the other, for ever; or so many, if that is asked for."""
    consumer = AIOKafkaConsumer(
        arguments.topic,
        group_id=f"{arguments.topic}.{arguments.group}",  # the broker lets you use no other beginning
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **connection(arguments),
    )
    seen: set[str] = set()
    await consumer.start()
    try:
        while arguments.count is None or len(seen) < arguments.count:
            batches = await consumer.getmany(timeout_ms=1000)
            for records in batches.values():
                for record in records:
                    headers = {name: value.decode() for name, value in record.headers}
                    if headers["ce_id"] not in seen:
                        handle(headers["ce_type"], json.loads(record.value))
                        seen.add(headers["ce_id"])
            if batches:
                await consumer.commit()
    finally:
        await consumer.stop()


def main() -> None:
    """Reads the arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bootstrap", help="host:port of a broker")
    parser.add_argument("topic", help="of the feed, as its administrator sees it")
    parser.add_argument("--group", default="consume", help="goes on where it was; another begins anew")
    parser.add_argument("--user", help="who you are to the broker")
    parser.add_argument("--protocol", default="SASL_SSL", choices=["SASL_SSL", "SASL_PLAINTEXT"])
    parser.add_argument("--count", type=int, help="end after so many events")
    asyncio.run(consume(parser.parse_args()))


if __name__ == "__main__":
    main()
