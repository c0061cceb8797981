"""The examples that a data engineer copies read a feed as they stand."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

import servers
from access_feeds import CARD, SHOWN
from erasures import requested
from feed_workshop import Workshop
from otokura.access.feeds.models import FeedRecord
from otokura.shared.feeds import topic_of

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]
EXAMPLES = Path(__file__).parents[4] / "examples" / "analytics"


async def output(name: str, shop: Workshop, feed: FeedRecord, *more: str) -> str:
    """What an example prints about a feed."""
    topic = topic_of(feed.tenant_id, feed.id)
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / name),
        shop.bootstrap,
        topic,
        *more,
        env=servers.inherited_environment() | {"PYTHONDONTWRITEBYTECODE": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(120):
        told, _ = await program.communicate()
    assert program.returncode == 0, told.decode()
    return told.decode()


async def told(shop: Workshop) -> tuple[FeedRecord, str, str]:
    """A feed with two calls, the first of them twice and the second erased."""
    feed = await shop.feed(await shop.tenant())
    first, second = [await shop.call(feed.tenant_id) for _ in range(2)]
    await shop.work()
    again = "UPDATE feed_jobs SET state = 'queued', finished_at = NULL WHERE call_id = :id"
    await shop.query(again, id=first.id)
    await shop.apply(requested(second.id, feed.tenant_id))
    assert await shop.work() == 2
    return feed, str(first.id), str(second.id)


async def test_the_consumer_tells_each_event_once_and_goes_on_where_it_was(shop: Workshop) -> None:
    feed, first, second = await told(shop)
    shown = await output("consume.py", shop, feed, "--count", "3")
    assert (shown.count(f"{first}  version 1"), shown.count(f"{second}  version 1")) == (1, 1)
    assert shown.count(SHOWN) == 2
    assert f"{second}  is erased" in shown
    assert CARD not in shown
    third = await shop.call(feed.tenant_id)
    await shop.work()
    shown = await output("consume.py", shop, feed, "--count", "1")
    assert (str(third.id) in shown, first in shown) == (True, False)


async def test_the_replay_counts_each_call_once_and_no_erased_one(shop: Workshop) -> None:
    feed, _, _ = await told(shop)
    shown = await output("replay_duckdb.py", shop, feed)
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")] for line in shown.splitlines() if "│" in line
    ]
    assert ["en", "1", "60.0"] in rows
    assert ["customer", "1", "0.7"] in rows
    assert ["card-number", "1"] in rows
