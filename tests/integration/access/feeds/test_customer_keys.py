"""A call whose customer alone holds its key reaches no feed, and no feed waits for it."""

from __future__ import annotations

import pytest

import customer
from feed_workshop import Workshop

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]


@pytest.mark.guarantee("S26")
async def test_a_feed_is_given_nothing_and_goes_on(shop: Workshop) -> None:
    feed = await shop.feed(await shop.tenant())
    await shop.call(feed.tenant_id, customer_key=customer.public_pem())
    assert await shop.work() == 1
    other = await shop.call(feed.tenant_id)
    assert await shop.work() == 1
    [event] = await shop.told(feed)
    assert event.key == str(other.id)
