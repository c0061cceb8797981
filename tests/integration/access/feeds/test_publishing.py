"""What reaches a feed, when, and with what before it."""

from __future__ import annotations

from pathlib import Path

import pytest

import access_service
import servers
from access_audit import read_topic
from access_calls import transcript_of
from access_feeds import CARD, SHOWN
from feed_workshop import Workshop, workshop
from otokura.access.feeds.disclosure import NOT_REDACTED
from otokura.cli.local.ports import free_ports
from otokura.shared.events import TranscriptCompleted

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]
COMPLETED = "otokura.feed.transcript-completed.v1"


@pytest.mark.guarantee("T61")
async def test_a_completed_transcript_comes_redacted(shop: Workshop) -> None:
    feed = await shop.feed(await shop.tenant())
    call = await shop.call(feed.tenant_id)
    assert await shop.work() == 1
    [event] = await shop.told(feed)
    assert (event.type, event.key, event.data["redacted"]) == (COMPLETED, str(call.id), True)
    [turn] = event.data["turns"]
    assert turn["text"] == SHOWN
    assert [word["text"] for word in turn["words"]] == SHOWN.split()
    assert [place["kind"] for place in turn["redactions"]] == ["card-number"]
    assert CARD not in str(event.data)
    assert event.data["call"]["agent_id"] == "2041"
    assert (event.data["engine"], event.data["model"], event.data["version"]) == ("test", "none", 1)


@pytest.mark.guarantee("T60")
async def test_an_event_names_the_entry_that_was_there_before_it(shop: Workshop) -> None:
    feed = await shop.feed(await shop.tenant())
    call = await shop.call(feed.tenant_id)
    await shop.work()
    [event] = await shop.told(feed)
    entries, _ = await read_topic(shop.bootstrap, "otokura.audit", 0)
    [opened] = [entry for entry in entries if entry.get("entry_id") == event.data["entry_id"]]
    assert (opened["action"], opened["call_id"]) == ("disclosure.opened", str(call.id))
    assert opened["reader"] == f"feed/{feed.id}"
    detail = opened["detail"]
    assert (detail["purpose"], detail["redacted"], detail["fields"]) == (
        "quality",
        True,
        ["call", "turns", "words"],
    )
    assert detail["policies"] == ["feed-redacted"]
    [closed] = await shop.query("SELECT data::json AS data FROM outbox WHERE data LIKE '%disclosure.closed%'")
    assert closed["data"]["detail"]["opened"] == event.data["entry_id"]
    assert closed["data"]["detail"]["outcome"] == "complete"


@pytest.mark.guarantee("T60")
async def test_without_the_logs_acknowledgement_nothing_is_published(
    tmp_path: Path,
    database_url: str,
    object_store: servers.ObjectStoreSettings,
    feed_broker: servers.KafkaServer,
) -> None:
    """The broker of the feed is there; the one that the entries go to is not."""
    kafka = access_service.kafka_of(feed_broker)
    nobody = f"127.0.0.1:{free_ports(1)[0]}"
    async with workshop(tmp_path, database_url, object_store, kafka, audit_bootstrap=nobody) as shop:
        feed = await shop.feed(await shop.tenant())
        call = await shop.call(feed.tenant_id)
        assert await shop.worker.step()
        assert await shop.told(feed) == []
        job = await shop.job(feed, call.id)
        assert (job["state"], job["attempts"], job["failures"]) == ("queued", 1, 0)
        assert await shop.query("SELECT * FROM feed_calls") == []


@pytest.mark.guarantee("T61")
async def test_a_transcript_that_nobody_has_searched_stays_here_until_it_is_made_again(
    shop: Workshop,
) -> None:
    feed = await shop.feed(await shop.tenant())
    call = await shop.call(feed.tenant_id, transcript_of)
    await shop.work()
    assert await shop.told(feed) == []
    job = await shop.job(feed, call.id)
    assert (job["state"], job["reason"]) == ("withheld", NOT_REDACTED)
    [completed] = [event for event in call.events if isinstance(event, TranscriptCompleted)]
    await shop.apply(completed.model_copy(update={"version": 2}))
    assert (await shop.job(feed, call.id))["state"] == "queued"


@pytest.mark.guarantee("T67")
async def test_nothing_is_published_for_a_purpose_that_the_caller_was_not_told(shop: Workshop) -> None:
    feed = await shop.feed(await shop.tenant(), purpose="training")
    call = await shop.call(feed.tenant_id)
    await shop.work()
    assert await shop.told(feed) == []
    job = await shop.job(feed, call.id)
    assert (job["state"], job["reason"]) == ("withheld", "purpose-not-disclosed")
    [denied] = await shop.query("SELECT data::json AS data FROM outbox WHERE data LIKE '%disclosure.denied%'")
    assert denied["data"]["detail"]["why"] == ["purpose-not-disclosed"]
    assert denied["data"]["call_id"] == str(call.id)


@pytest.mark.guarantee("T62")
async def test_a_feed_gets_the_calls_of_its_own_tenant_only(shop: Workshop) -> None:
    feeds = [await shop.feed(await shop.tenant()) for _ in range(2)]
    calls = [await shop.call(feed.tenant_id) for feed in feeds]
    # Even a job that should not be there gives nothing away.
    await shop.query(
        "UPDATE feed_jobs SET call_id = :call WHERE feed_id = :feed", call=calls[1].id, feed=feeds[0].id
    )
    await shop.work()
    told = [await shop.told(feed) for feed in feeds]
    assert [[event.key for event in one] for one in told] == [[], [str(calls[1].id)]]


@pytest.mark.guarantee("T64")
async def test_a_disabled_feed_gets_nothing(shop: Workshop) -> None:
    """Neither what was queued before, nor what comes afterwards."""
    feed = await shop.feed(await shop.tenant())
    before = await shop.call(feed.tenant_id)
    await shop.query("UPDATE feeds SET enabled = false WHERE id = :id", id=feed.id)
    await shop.call(feed.tenant_id)
    await shop.work()
    assert await shop.told(feed) == []
    assert (await shop.job(feed, before.id))["reason"] == "the feed is disabled"
    [count] = await shop.query("SELECT count(*) AS n FROM feed_jobs")
    assert count["n"] == 1


@pytest.mark.guarantee("T64")
async def test_a_feed_whose_readers_change_waits_until_the_broker_knows(shop: Workshop) -> None:
    feed = await shop.feed(await shop.tenant())
    await shop.query("UPDATE feeds SET version = version + 1 WHERE id = :id", id=feed.id)
    await shop.call(feed.tenant_id)
    assert await shop.work() == 0
    assert await shop.provisioner.step()
    assert await shop.work() == 1
    assert len(await shop.told(feed)) == 1


@pytest.mark.guarantee("T63")
async def test_a_repeat_is_published_once_and_a_newer_version_again(shop: Workshop) -> None:
    feed = await shop.feed(await shop.tenant())
    call = await shop.call(feed.tenant_id)
    await shop.work()
    await shop.apply(*call.events)
    assert await shop.work() == 0
    # A worker that died after sending: the same event is sent again, under the same id.
    await shop.query("UPDATE feed_jobs SET state = 'queued', finished_at = NULL, not_before = now()")
    assert await shop.work() == 1
    first, second = await shop.told(feed)
    assert first.id == second.id
    assert first.data | {"entry_id": None} == second.data | {"entry_id": None}


async def test_what_is_damaged_is_not_published_and_not_tried_for_ever(shop: Workshop) -> None:
    feed = await shop.feed(await shop.tenant())
    call = await shop.call(feed.tenant_id)
    [completed] = [event for event in call.events if isinstance(event, TranscriptCompleted)]
    name = completed.object
    sealed = await shop.store.get("transcripts", name)
    await shop.store.put("transcripts", name, sealed[:-1] + bytes([sealed[-1] ^ 1]))
    await shop.work()
    assert await shop.told(feed) == []
    assert (await shop.job(feed, call.id))["state"] == "failed"


async def test_a_transcript_whose_call_is_not_known_yet_waits(shop: Workshop) -> None:
    feed = await shop.feed(await shop.tenant())
    call = await shop.call(feed.tenant_id)
    await shop.query("DELETE FROM calls WHERE call_id = :id", id=call.id)
    assert await shop.worker.step()
    job = await shop.job(feed, call.id)
    assert (job["state"], job["failures"]) == ("queued", 0)
    await shop.apply(*call.events)
    await shop.query("UPDATE feed_jobs SET not_before = now()")
    assert await shop.work() == 1
    assert len(await shop.told(feed)) == 1
