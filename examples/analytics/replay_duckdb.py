"""Replays a feed of Otokura from its beginning into DuckDB, and asks it some questions.

    pip install aiokafka duckdb
    python replay_duckdb.py BOOTSTRAP TOPIC [--database calls.duckdb] [--user NAME]

A replay needs no consumer group: it reads all that the topic still has. Of each call the newest transcript
counts, each event once, and nothing of a call that is erased.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import duckdb
from aiokafka import AIOKafkaConsumer
from consume import COMPLETED, ERASED, connection

TABLES = """
CREATE OR REPLACE TABLE events (
    id VARCHAR PRIMARY KEY, kind VARCHAR, call_id VARCHAR, told_at TIMESTAMPTZ, data JSON
);
CREATE OR REPLACE VIEW transcripts AS
    SELECT * EXCLUDE newest FROM (
        SELECT call_id, (data->>'version')::BIGINT AS version, data->>'language' AS language,
            (data->>'part')::BIGINT AS part, (data->>'duration_ms')::BIGINT AS duration_ms,
            data->>'$.call.agent_id' AS agent_id, data,
            max((data->>'version')::BIGINT) OVER (PARTITION BY call_id) AS newest
        FROM events WHERE kind = 'otokura.feed.transcript-completed.v1'
    )
    WHERE version = newest
        AND call_id NOT IN (SELECT call_id FROM events WHERE kind = 'otokura.call.erased.v1');
CREATE OR REPLACE VIEW turns AS
    SELECT call_id, turn->>'role' AS role, (turn->>'start_ms')::BIGINT AS start_ms,
        (turn->>'end_ms')::BIGINT AS end_ms, turn->>'text' AS text
    FROM (SELECT call_id, unnest(data->'$.turns[*]') AS turn FROM transcripts);
"""
QUESTIONS = {
    "calls by language": """
        SELECT language, count(*) AS calls, round(avg(duration_ms) / 1000) AS seconds
        FROM transcripts WHERE part = 1 GROUP BY language ORDER BY calls DESC""",
    "who speaks for how long": """
        SELECT role, count(*) AS turns, round(sum(end_ms - start_ms) / 1000, 1) AS seconds
        FROM turns GROUP BY role ORDER BY seconds DESC""",
    "what is redacted": r"""
        SELECT kind, count(*) AS times
        FROM (SELECT unnest(regexp_extract_all(text, '\[([a-z-]+)\]', 1)) AS kind FROM turns)
        GROUP BY kind ORDER BY times DESC, kind""",
}


async def replay(topic: str, **broker: Any) -> AsyncIterator[Any]:
    """Every record that the topic has at this moment."""
    # Without a group it is given all of the topic's partitions at once.
    consumer = AIOKafkaConsumer(
        topic, group_id=None, auto_offset_reset="earliest", enable_auto_commit=False, **broker
    )
    await consumer.start()
    try:
        left = set(consumer.assignment())
        while left:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    yield record
            for partition in list(left):
                end = consumer.highwater(partition)
                if end is not None and await consumer.position(partition) >= end:
                    left.discard(partition)
    finally:
        await consumer.stop()


async def load(arguments: argparse.Namespace, database: duckdb.DuckDBPyConnection) -> None:
    """The events as rows. One that comes again is there already."""
    async for record in replay(arguments.topic, **connection(arguments)):
        headers = {name: value.decode() for name, value in record.headers}
        if headers["ce_type"] in {COMPLETED, ERASED}:
            call = json.loads(record.value)["call_id"]
            row = (headers["ce_id"], headers["ce_type"], call, headers["ce_time"], record.value.decode())
            database.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", row)


def main() -> None:
    """Replays, asks, prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bootstrap", help="host:port of a broker")
    parser.add_argument("topic", help="of the feed, as its administrator sees it")
    parser.add_argument("--database", default=":memory:", help="a file to keep")
    parser.add_argument("--user", help="who you are to the broker (password: OTOKURA_FEED_PASSWORD)")
    parser.add_argument("--protocol", default="SASL_SSL", choices=["SASL_SSL", "SASL_PLAINTEXT"])
    arguments = parser.parse_args()
    with duckdb.connect(arguments.database) as database:
        database.execute(TABLES)
        asyncio.run(load(arguments, database))
        for title, question in QUESTIONS.items():
            print(f"\n{title}")
            print(database.sql(question))


if __name__ == "__main__":
    main()
