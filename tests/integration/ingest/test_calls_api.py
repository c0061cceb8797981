"""Starting, showing and ending calls over HTTP."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import httpx
import pytest

from ingest_service import Credentials, IngestService, call_body, client_of, start_call
from otokura.shared.cipher import decrypt
from otokura.shared.events import CallStarted, KeyWrapped
from otokura.shared.ids import uuid7
from otokura.shared.keys import Kind, associated_data, check_commitment, derive
from phone_system import end_stream, send_all, speechlike, stream, told

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


async def post(client: httpx.AsyncClient, body: Any, key: str | None = None) -> httpx.Response:
    return await client.post("/v1/calls", json=body, headers={"Idempotency-Key": key or str(uuid7())})


async def test_a_started_call_is_shown(client: httpx.AsyncClient) -> None:
    """201 with a location; the same view is there to get; the numbers are nowhere in it."""
    response = await post(client, call_body())
    assert response.status_code == 201
    view = response.json()
    assert response.headers["location"] == f"/v1/calls/{view['id']}"
    assert view["state"] == "live"
    assert view["accepted_ms"] == {"0": 0, "1": 0}
    assert view["notice"]["at"] is not None
    assert "+81312345678" not in response.text
    shown = await client.get(response.headers["location"])
    assert shown.json() == view
    assert shown.headers["etag"] == response.headers["etag"]


async def test_an_unchanged_call_is_not_sent_again(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """The ETag holds while nothing changes, and changes with what is accepted."""
    call = await start_call(client)
    where = f"/v1/calls/{call['id']}"
    tag = (await client.get(where)).headers["etag"]
    assert (await client.get(where, headers={"If-None-Match": tag})).status_code == 304
    async with stream(ingest.url, call["id"], credentials) as socket:
        await told(socket)
        await send_all(socket, speechlike(1, 8000, 2))
        await end_stream(socket)
    assert (await client.get(where, headers={"If-None-Match": tag})).status_code == 200


async def test_numbers_travel_as_ciphertext_and_the_key_wrapped(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """Whoever may unwrap the call's key can read them; nothing else holds them."""
    call = await start_call(client)
    call_id, tenant_id = UUID(call["id"]), credentials.tenant_id
    (_, key_data), (_, started_data) = await ingest.outbox(call["id"])
    started, key = CallStarted.model_validate(started_data), KeyWrapped.model_validate(key_data)
    dek = await ingest.dek(call["id"])
    check_commitment(dek, call_id, key.commitment)
    assert started.personal is not None
    plain = decrypt(
        derive(dek, Kind.EVENT, call_id), started.personal, associated_data(tenant_id, call_id, Kind.EVENT)
    )
    assert json.loads(plain) == {"caller": "+81312345678", "callee": "+81120000000"}
    [row] = await ingest.query("SELECT calls::text AS all FROM calls WHERE id = :id", id=call_id)
    assert "81312345678" not in row.all + json.dumps(started_data)
    assert "81312345678" not in ingest.log_text()


async def test_a_repeated_start_starts_once(ingest: IngestService, client: httpx.AsyncClient) -> None:
    """The second answer is the first one; there is one call and one event."""
    key = str(uuid7())
    first, second = await post(client, call_body(), key), await post(client, call_body(), key)
    assert second.status_code == 201
    assert second.json() == first.json()
    assert len(await ingest.outbox(first.json()["id"])) == 2


async def test_one_idempotency_key_means_one_body(client: httpx.AsyncClient) -> None:
    key = str(uuid7())
    assert (await post(client, call_body(), key)).status_code == 201
    other = await post(client, call_body(external_id="cti-2"), key)
    assert other.status_code == 422
    assert "Idempotency-Key" in other.json()["detail"]


async def test_a_start_needs_an_idempotency_key(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/calls", json=call_body())
    assert response.status_code == 400
    assert "Idempotency-Key" in response.json()["detail"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"external_id": ""}, "#/external_id"),
        ({"external_id": "x" * 129}, "#/external_id"),
        ({"external_id": "a\nb"}, "#/external_id"),
        ({"direction": "sideways"}, "#/direction"),
        ({"channels": []}, "#/channels"),
        ({"channels": [{"role": "agent"}] * 3}, "#/channels"),
        ({"channels": [{"role": "pope"}]}, "#/channels/0/role"),
        ({"caller": "9" * 65}, "#/caller"),
        ({"notice": {"given": "whispered"}}, "#/notice/given"),
        ({"notice": {"given": "announced", "at": "2026-11-24T09:00:00"}}, "#/notice/at"),
        ({"purposes": ["Not A Name"]}, "#/purposes/0"),
        ({"language": "japanese"}, "#/language"),
        ({"colour": "blue"}, "#/colour"),
    ],
)
async def test_a_bad_body_is_refused_where_it_is_bad(
    client: httpx.AsyncClient, changes: dict[str, Any], pointer: str
) -> None:
    response = await post(client, call_body(**changes))
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


async def test_an_undisclosed_purpose_is_refused(client: httpx.AsyncClient) -> None:
    response = await post(client, call_body(purposes=["quality", "marketing"]))
    assert response.status_code == 422
    assert response.json()["type"] == "urn:otokura:problem:unknown-purpose"
    assert response.json()["unknown"] == ["marketing"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"call"', b"\xff\xfe"])
async def test_what_is_no_object_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    headers = {"Idempotency-Key": str(uuid7()), "Content-Type": "application/json"}
    response = await client.post("/v1/calls", content=body, headers=headers)
    assert response.status_code in (400, 422)
    assert response.headers["content-type"] == "application/problem+json"


async def test_an_oversize_body_is_refused(client: httpx.AsyncClient) -> None:
    response = await post(client, call_body(external_id="x" * (2 << 20)))
    assert response.status_code == 413


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("POST", "/end"), ("PUT", "/audio"), ("PUT", "/notice")]
)
async def test_an_unknown_call_and_another_tenants_look_the_same(
    ingest: IngestService, client: httpx.AsyncClient, method: str, path: str
) -> None:
    """A denial looks like absence, word for word but for the id that was asked for."""
    other = await ingest.add_tenant()
    async with client_of(ingest.url, other) as stranger:
        theirs = (await start_call(stranger))["id"]
    nobodys = str(uuid7())
    answers: list[str] = []
    for call_id in (theirs, nobodys):
        body = {"given": "announced"} if path == "/notice" else None
        response = await client.request(method, f"/v1/calls/{call_id}{path}", json=body)
        assert response.status_code == 404, response.text
        problem = {**response.json(), "instance": None}
        answers.append(json.dumps(problem).replace(call_id, "ID"))
    assert answers[0] == answers[1]


async def test_ending_twice_is_ending_once(ingest: IngestService, client: httpx.AsyncClient) -> None:
    call = await start_call(client)
    for _ in range(3):
        response = await client.post(f"/v1/calls/{call['id']}/end")
        assert response.status_code in (200, 202)
    told_of = [kind for kind, _ in await ingest.outbox(call["id"])]
    assert told_of.count("otokura.call.ended.v1") == 1


@pytest.mark.guarantee("A7")
async def test_no_audio_before_the_caller_is_told(ingest: IngestService) -> None:
    """Where the tenant demands it, both ways in are shut until the notice is given; then they open."""
    strict = await ingest.add_tenant(require_notice=True)
    async with client_of(ingest.url, strict) as client:
        call = await start_call(client, notice={"given": "none"})
        refused = await client.put(f"/v1/calls/{call['id']}/audio", content=b"RIFF")
        assert refused.status_code == 409
        assert refused.json()["type"] == "urn:otokura:problem:notice-needed"
        async with stream(ingest.url, call["id"], strict) as socket:
            error = await told(socket)
            assert error["problem"]["type"] == "urn:otokura:problem:notice-needed"
            await socket.wait_closed()
            assert socket.close_code == 4409
        told_now = await client.put(
            f"/v1/calls/{call['id']}/notice", json={"given": "announced", "version": "2026-04"}
        )
        assert told_now.json()["notice"]["given"] == "announced"
        async with stream(ingest.url, call["id"], strict) as socket:
            assert (await told(socket))["type"] == "ready"
    started = [data for kind, data in await ingest.outbox(call["id"]) if kind == "otokura.call.started.v1"]
    assert [data["notice"]["given"] for data in started] == ["none", "announced"]
    assert started[1]["version"] > started[0]["version"]
