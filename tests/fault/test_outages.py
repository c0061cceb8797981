"""Store, broker and database go away under live calls, and ingest dies: no accepted second is lost."""

from __future__ import annotations

import asyncio
import random
import secrets
import sys
from collections.abc import Sequence

import pytest

from fault.history import audio_violations
from fault.lines import CHANNELS, RawLine, TwilioLine
from fault.shaky import SETTLE_SECONDS, Shaky, shaky
from flac_decoding import decoded
from ingest_service import Credentials, call_body, client_of
from otokura.cli.local.seaweedfs import SeaweedServer

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.slow]

AWAY_SECONDS = 60.0


async def started(shaken: Shaky, credentials: Credentials, count: int, seconds: float) -> list[RawLine]:
    lines = [RawLine(shaken.ingest, credentials, seed, seconds) for seed in range(count)]
    async with client_of(shaken.ingest.url, credentials) as client:
        for line in lines:
            await line.start(client)
    return lines


async def check(shaken: Shaky, credentials: Credentials, lines: Sequence[RawLine]) -> None:
    """The history checker: what was accepted is sealed, and all of it was accepted in the end."""
    contents = {line.call_id: await shaken.sealed(credentials, line.call_id) for line in lines}
    wrong = list(audio_violations([line.journal for line in lines], contents))
    assert not wrong, "\n".join(wrong)


async def check_whole(shaken: Shaky, line: TwilioLine) -> None:
    """The dialect ended the call by itself; its recording is everything that was said."""
    async with asyncio.timeout(SETTLE_SECONDS):
        while True:
            query = "SELECT id, state FROM calls WHERE external_id = :id"
            [call] = await shaken.ingest.query(query, id=line.external_id)
            if call.state in ("sealed", "failed", "empty"):
                break
            await asyncio.sleep(0.2)
    assert call.state == "sealed"
    manifest, audio = await shaken.ingest.recording(str(call.id))
    assert manifest.gaps == []
    assert decoded(audio, CHANNELS) == line.pcm


@pytest.mark.guarantee("A14")
@pytest.mark.guarantee("A15")
async def test_store_and_broker_away_for_a_minute_and_the_database_restarted_under_fifty_calls(
    s3_server: SeaweedServer,
) -> None:
    """25 calls that can send again and 25 that cannot: all of them are sealed whole, sample for sample.

    The store and the broker are away for a minute each, half of it together; then PostgreSQL dies. Meanwhile
    a new call is refused, and what waits lies encrypted in the spool, which is empty in the end.
    """
    async with shaky(s3_server) as shaken:
        credentials = await shaken.ingest.add_tenant()
        raw = await started(shaken, credentials, 25, AWAY_SECONDS + 35)
        twilio = [TwilioLine(shaken.ingest, credentials, 100 + seed, AWAY_SECONDS + 35) for seed in range(25)]
        lines: list[RawLine | TwilioLine] = [*raw, *twilio]
        calls = [asyncio.create_task(line.call()) for line in lines]
        await asyncio.sleep(5)
        shaken.store.cut()
        await asyncio.sleep(AWAY_SECONDS / 4)
        async with client_of(shaken.ingest.url, credentials) as client:
            refused = await client.post("/v1/calls", json=call_body(), headers={"Idempotency-Key": "new"})
        assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
        await asyncio.sleep(AWAY_SECONDS / 4)
        shaken.broker.kill()
        await asyncio.sleep(AWAY_SECONDS / 2)
        shaken.store.mend()
        await asyncio.sleep(10)
        shaken.postgres.kill()
        await asyncio.sleep(3)
        shaken.postgres.start()
        await asyncio.sleep(AWAY_SECONDS / 2 - 13)
        shaken.broker.start()
        await asyncio.gather(*calls)
        assert all(line.spooled for line in raw), "the clients were not told of the spool"
        await check(shaken, credentials, raw)
        for line in twilio:
            await check_whole(shaken, line)
        assert not list(shaken.ingest.folder.glob("*-spool/*.spooled"))
        sys.stdout.write(f"connections: {sum(line.connections for line in raw)} for {len(raw)} calls\n")


@pytest.mark.guarantee("A14")
async def test_kill_9_under_a_hundred_calls(s3_server: SeaweedServer) -> None:
    """Two kills at random times: what was accepted is sealed, and the clients sent the rest again."""
    seed = secrets.randbelow(1 << 32)
    sys.stdout.write(f"seed {seed}\n")
    moments = random.Random(seed)
    async with shaky(s3_server) as shaken:
        credentials = await shaken.ingest.add_tenant()
        lines = await started(shaken, credentials, 100, 24)
        calls = [asyncio.create_task(line.call()) for line in lines]
        for _ in range(2):
            await asyncio.sleep(moments.uniform(4, 9))
            shaken.ingest.program.kill()
            await shaken.ingest.restart()
        await asyncio.gather(*calls)
        await check(shaken, credentials, lines)
