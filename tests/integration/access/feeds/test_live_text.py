"""Live text reaches the feeds that asked for it, under one entry for each call."""

from __future__ import annotations

from uuid import UUID

import pytest

from access_audit import read_topic
from access_calls import Call
from feed_workshop import Workshop
from otokura.shared.events import (
    CallStarted,
    ChannelRole,
    KeyWrapped,
    TranscriptPartial,
)
from otokura.shared.keys import KeyContext, KeyUse, WrappedDek
from otokura.shared.live_text import seal_partial
from otokura.shared.transcripts import PartialTranscript, PartialTurn

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]
PARTIAL = "otokura.feed.transcript-partial.v1"


async def spoken(shop: Workshop, call: Call, revision: int, text: str, epoch: int = 1) -> TranscriptPartial:
    """What transcribe tells while the call goes on."""
    tenant: UUID = call.manifest.tenant_id
    [key] = [event for event in call.events if isinstance(event, KeyWrapped)]
    dek = await shop.state.keys.unwrap(
        WrappedDek(key.kek_id, key.wrapped), KeyContext(tenant, call.id), KeyUse.TRANSCRIBE, "test"
    )
    turn = PartialTurn(
        channel=0, role=ChannelRole.AGENT, start_ms=0, end_ms=900, text=text, final=revision > 1
    )
    partial = PartialTranscript(
        call_id=call.id, epoch=epoch, revision=revision, final_through_ms=0, turns=[turn]
    )
    return seal_partial(dek, tenant, partial, language="en", since=0)


async def live_call(shop: Workshop, tenant: UUID) -> Call:
    """A call that has begun and has a key, and no more."""
    call = await shop.call(tenant, quiet=True)
    await shop.apply(*(event for event in call.events if isinstance(event, CallStarted | KeyWrapped)))
    return call


@pytest.mark.guarantee("T60")
async def test_live_text_comes_under_one_entry(shop: Workshop) -> None:
    tenant = await shop.tenant()
    feed, without = await shop.feed(tenant, partials=True), await shop.feed(tenant)
    call = await live_call(shop, tenant)
    for revision, text in enumerate(["good", "good morning"], start=1):
        await shop.apply(await spoken(shop, call, revision, text))
        assert await shop.work() == 1
    told = await shop.told(feed)
    assert [event.type for event in told] == [PARTIAL, PARTIAL]
    assert [event.data["turns"][0]["text"] for event in told] == ["good", "good morning"]
    assert [(event.data["revision"], event.data["redacted"]) for event in told] == [(1, True), (2, True)]
    [entry_id] = {event.data["entry_id"] for event in told}
    entries, _ = await read_topic(shop.bootstrap, "otokura.audit", 0)
    [opened] = [entry for entry in entries if entry.get("entry_id") == entry_id]
    assert (opened["action"], opened["detail"]["kind"], opened["call_id"]) == (
        "disclosure.opened",
        "partial",
        str(call.id),
    )
    assert await shop.told(without) == []


async def test_what_was_not_told_in_time_gives_way_and_what_is_late_is_dropped(shop: Workshop) -> None:
    feed = await shop.feed(await shop.tenant(), partials=True)
    call = await live_call(shop, feed.tenant_id)
    for revision, epoch in ((1, 1), (3, 2), (2, 1), (3, 2)):
        await shop.apply(await spoken(shop, call, revision, f"text {revision}", epoch))
    assert await shop.work() == 1
    assert [event.data["turns"][0]["text"] for event in await shop.told(feed)] == ["text 3"]


async def test_the_transcript_ends_the_live_text(shop: Workshop) -> None:
    feed = await shop.feed(await shop.tenant(), partials=True)
    call = await live_call(shop, feed.tenant_id)
    await shop.apply(await spoken(shop, call, 1, "good"))
    await shop.apply(*call.events)
    await shop.apply(await spoken(shop, call, 2, "good morning"))
    await shop.work()
    [event] = await shop.told(feed)
    assert event.type == "otokura.feed.transcript-completed.v1"
    assert (await shop.job(feed, call.id, "partial"))["announced"] is None


@pytest.mark.guarantee("T67")
async def test_live_text_needs_a_purpose_that_the_caller_was_told(shop: Workshop) -> None:
    feed = await shop.feed(await shop.tenant(), partials=True, purpose="training")
    call = await live_call(shop, feed.tenant_id)
    await shop.apply(await spoken(shop, call, 1, "good"))
    await shop.work()
    assert await shop.told(feed) == []
    job = await shop.job(feed, call.id, "partial")
    assert (job["state"], job["reason"]) == ("withheld", "purpose-not-disclosed")
