"""A call that a stream started is found by the phone system's own id."""

from __future__ import annotations

import httpx
import pytest

from ingest_service import IngestService, client_of, start_call

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


async def found(client: httpx.AsyncClient, external_id: str) -> list[str]:
    response = await client.get("/v1/calls", params={"external_id": external_id})
    assert response.status_code == 200, response.text
    return [str(call["id"]) for call in response.json()["items"]]


async def test_the_newest_call_of_an_id_comes_first_whatever_became_of_the_others(
    client: httpx.AsyncClient,
) -> None:
    first = (await start_call(client, external_id="line-7"))["id"]
    await client.post(f"/v1/calls/{first}/end")
    second = (await start_call(client, external_id="line-7"))["id"]
    await start_call(client, external_id="line-8")
    assert await found(client, "line-7") == [second, first]
    assert await found(client, "nobody") == []


async def test_another_client_finds_nothing(ingest: IngestService, client: httpx.AsyncClient) -> None:
    """Two vendors may call different things alike."""
    await start_call(client, external_id="line-9")
    async with client_of(ingest.url, await ingest.add_tenant()) as stranger:
        assert await found(stranger, "line-9") == []


async def test_without_an_id_there_is_no_list(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/calls")).status_code == 422
