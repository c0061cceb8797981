"""What a vendor's client may use, and that no limit cuts a call that is being recorded."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from websockets.exceptions import ConnectionClosed

from flac_decoding import decoded
from ingest_service import Credentials, IngestService, call_body, client_of, settled, start_call
from otokura.ingest.limits import CALLS_LOCK
from otokura.shared.ids import uuid7
from phone_system import end_stream, send_all, speechlike, stream, told

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


async def try_to_start(client: httpx.AsyncClient, key: str | None = None) -> httpx.Response:
    headers = {"Idempotency-Key": key or str(uuid7())}
    return await client.post("/v1/calls", json=call_body(), headers=headers)


def reached(response: httpx.Response) -> str:
    """Which limit the answer says is reached; it says so in full."""
    problem = response.json()
    assert (response.status_code, problem["type"]) == (429, "urn:otokura:problem:limit-reached")
    assert response.headers["Content-Type"] == "application/problem+json"
    assert int(response.headers["Retry-After"]) == problem["retry_after"] >= 1
    return str(problem["limit"])


@pytest.mark.guarantee("A20")
async def test_starts_that_come_together_never_exceed_the_calls_at_once(
    ingest: IngestService, credentials: Credentials
) -> None:
    """Forty starts on two instances, for five places, of which one is taken."""
    await ingest.limit(credentials, calls=5)
    with ingest.another() as other:
        async with client_of(ingest.url, credentials) as here, client_of(other, credentials) as there:
            first = await start_call(here)
            answers = await asyncio.gather(*(try_to_start(one) for one in [here, there] * 20))
    assert Counter(answer.status_code for answer in answers) == {201: 4, 429: 36}
    assert {reached(answer) for answer in answers if answer.status_code == 429} == {"calls"}
    [row] = await ingest.query(
        "SELECT count(*) AS live, count(*) FILTER (WHERE id = CAST(:first AS uuid)) AS first FROM calls"
        " WHERE client_id = :client AND state = 'live'",
        first=first["id"],
        client=credentials.client_id,
    )
    assert (row.live, row.first) == (5, 1)


@pytest.mark.guarantee("A20")
async def test_starts_that_wait_leave_the_database_to_the_calls_that_are_recorded(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """Sixty starts, four times as many as there are connections, wait while another instance has the turn."""
    await ingest.limit(credentials, calls=100)
    call = await start_call(client)
    async with ingest.database() as database, database.session() as session:
        lock = func.pg_advisory_xact_lock(CALLS_LOCK, func.hashtext(str(credentials.client_id)))
        await (await session.connection()).execute(select(lock))
        starts = [asyncio.create_task(try_to_start(client)) for _ in range(60)]
        for _ in range(5):
            paused = await client.post(f"/v1/calls/{call['id']}/pause")
            assert paused.status_code == 200, paused.text
            await asyncio.sleep(0.1)
        assert not any(start.done() for start in starts)
    assert {answer.status_code for answer in await asyncio.gather(*starts)} == {201}


@pytest.mark.guarantee("A20")
async def test_a_call_that_ends_makes_room_for_another(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    await ingest.limit(credentials, calls=1)
    key = str(uuid7())
    call = (await try_to_start(client, key)).json()
    assert reached(await try_to_start(client)) == "calls"
    again = await try_to_start(client, key)
    assert (again.status_code, again.json()["id"]) == (201, call["id"])
    await client.post(f"/v1/calls/{call['id']}/end")
    assert (await try_to_start(client)).status_code == 201


async def test_a_client_that_may_have_no_calls_starts_none(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    await ingest.limit(credentials, calls=0)
    assert reached(await try_to_start(client)) == "calls"


@pytest.mark.guarantee("A21")
async def test_a_call_goes_on_when_its_clients_bytes_are_used_up(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """New calls and uploads are refused meanwhile; the call pauses, reconnects, ends, and lacks nothing."""
    await ingest.limit(credentials, upload_bytes_per_hour=50_000)
    call, waiting = await start_call(client), await start_call(client)
    pcm = speechlike(14, 8000, 2)
    half = len(pcm) // 2
    async with stream(ingest.url, call["id"], credentials) as socket:
        await told(socket)
        await send_all(socket, pcm[:half])
        await end_stream(socket)
    assert reached(await try_to_start(client)) == "bytes"
    refused = await client.put(f"/v1/calls/{waiting['id']}/audio", content=b"x" * 40_000)
    assert reached(refused) == "bytes"
    for step in ("pause", "resume"):
        assert (await client.post(f"/v1/calls/{call['id']}/{step}")).status_code == 200
    async with stream(ingest.url, call["id"], credentials) as socket:
        assert (await told(socket))["accepted_samples"] == half // 4
        await send_all(socket, pcm[half:])
        await end_stream(socket)
    assert (await client.post(f"/v1/calls/{call['id']}/end")).is_success
    await settled(client, call["id"])
    _, flac = await ingest.recording(call["id"])
    assert decoded(flac, 2) == pcm


async def test_uploads_count_as_they_come(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """One that is larger than an hour's bytes may come when none have been used, and is not cut."""
    await ingest.limit(credentials, upload_bytes_per_hour=100_000)
    first, second = await start_call(client), await start_call(client)
    large = await client.put(f"/v1/calls/{first['id']}/audio", content=b"x" * 150_000)
    assert large.status_code == 415
    assert reached(await client.put(f"/v1/calls/{second['id']}/audio", content=b"x" * 10_000)) == "bytes"


@pytest.mark.guarantee("A21")
async def test_polling_cannot_use_up_what_a_live_call_needs(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    await ingest.limit(credentials, requests_per_minute=6)
    call = await start_call(client)
    where = f"/v1/calls/{call['id']}"
    answers = [await client.get(where) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert answers[0].headers["RateLimit-Policy"] == '"requests";q=6;w=60'
    remaining = [answer.headers["RateLimit"].partition(";t=")[0] for answer in answers]
    assert remaining == [f'"requests";r={left}' for left in (4, 3, 2, 1, 0)]
    assert reached(await client.get(where)) == "requests"
    assert reached(await try_to_start(client)) == "requests"
    async with stream(ingest.url, call["id"], credentials) as socket:
        assert (await told(socket))["type"] == "ready"
    notice = {"given": "announced"}
    ended = [await client.put(f"{where}/notice", json=notice), await client.post(f"{where}/end")]
    assert [answer.is_success for answer in ended] == [True, True]


async def test_a_client_has_one_budget_whatever_its_credential(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    await ingest.limit(credentials, requests_per_minute=4)
    call = await start_call(client)
    where = f"/v1/calls/{call['id']}"
    bearer = {"Authorization": f"Bearer {ingest.token(credentials)}"}
    async with httpx.AsyncClient(base_url=ingest.url, headers=bearer) as by_token:
        answers = [await one.get(where) for one in (client, by_token, client, by_token)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    other = await ingest.add_tenant()
    async with client_of(ingest.url, other) as another:
        await start_call(another)


async def test_streams_that_are_opened_too_often_are_told_so_and_closed(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    await ingest.limit(credentials, requests_per_minute=3)
    call = await start_call(client)
    messages: list[dict[str, Any]] = []
    for _ in range(4):
        async with stream(ingest.url, call["id"], credentials) as socket:
            messages.append(await told(socket))
            if messages[-1]["type"] == "error":
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
                assert socket.close_code == 4429
    assert [message["type"] for message in messages] == ["ready"] * 3 + ["error"]
    problem = messages[-1]["problem"]
    assert (problem["status"], problem["limit"]) == (429, "live")
    assert 1 <= problem["retry_after"] <= 20


async def test_only_a_known_client_is_counted(ingest: IngestService, credentials: Credentials) -> None:
    """Whoever guesses keys uses up nobody's requests."""
    await ingest.limit(credentials, requests_per_minute=1)
    async with httpx.AsyncClient(base_url=ingest.url) as nobody:
        forged = {"X-API-Key": credentials.api_key[:-1] + ("A" if credentials.api_key[-1] != "A" else "B")}
        answers = [await nobody.get(f"/v1/calls/{uuid7()}", headers=forged) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401] * 5
    async with client_of(ingest.url, credentials) as client:
        assert (await client.get(f"/v1/calls/{uuid7()}")).status_code == 404
