"""An erased call: whoever may have had something of it is told, and nothing of it follows."""

from __future__ import annotations

import pytest

from access_calls import Call
from erasures import requested
from feed_workshop import Workshop
from otokura.shared.events import ErasureRequested

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]
ERASED = "otokura.call.erased.v1"


def erased(call: Call) -> ErasureRequested:
    return requested(call.id, call.manifest.tenant_id)


@pytest.mark.guarantee("T65")
async def test_every_feed_that_had_the_call_is_told_and_no_other(shop: Workshop) -> None:
    tenant = await shop.tenant()
    had, disabled = await shop.feed(tenant), await shop.feed(tenant)
    never = await shop.feed(tenant, purpose="training")
    elsewhere = await shop.feed(await shop.tenant())
    call = await shop.call(tenant)
    await shop.work()
    await shop.query("UPDATE feeds SET enabled = false WHERE id = :id", id=disabled.id)
    await shop.apply(erased(call), erased(call))
    await shop.work()
    for feed in (had, disabled):
        told = await shop.told(feed)
        assert [event.type for event in told][1:] == [ERASED]
        assert (told[1].key, told[1].data["call_id"]) == (str(call.id), str(call.id))
        assert "turns" not in told[1].data
    assert await shop.told(never) == []
    assert await shop.told(elsewhere) == []


@pytest.mark.guarantee("T65")
async def test_nothing_of_an_erased_call_is_published_any_more(shop: Workshop) -> None:
    feed = await shop.feed(await shop.tenant())
    call = await shop.call(feed.tenant_id)
    await shop.apply(erased(call))
    await shop.apply(*call.events)
    await shop.work()
    assert await shop.told(feed) == []
    assert (await shop.job(feed, call.id))["reason"] == "erased"


@pytest.mark.guarantee("T65")
async def test_the_news_waits_for_a_transcript_that_is_under_way(shop: Workshop) -> None:
    """The feed may be given it at this moment: the erasure must not come before it."""
    feed = await shop.feed(await shop.tenant())
    call = await shop.call(feed.tenant_id)
    await shop.query(
        "UPDATE feed_jobs SET state = 'running', lease_id = gen_random_uuid(),"
        " lease_until = now() + interval '1 h'"
    )
    await shop.apply(erased(call))
    assert (await shop.job(feed, call.id, "erased"))["state"] == "queued"
    assert await shop.work() == 0
    await shop.query("UPDATE feed_jobs SET lease_until = now() WHERE kind = 'completed'")
    assert await shop.work() == 2
    assert [event.type for event in await shop.told(feed)] == [ERASED]
