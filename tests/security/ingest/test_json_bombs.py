"""Bodies of POST /v1/calls that are made to break their reader: each gets a 4xx in words."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest_service import IngestService, call_body, client_of, start_call
from otokura.shared.ids import uuid7

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]

GOOD = json.dumps(call_body())
DEEP = 200_000


def with_member(text: str) -> str:
    """A good body with one more member, as text."""
    return f"{GOOD[:-1]}, {text}}}"


async def post(client: httpx.AsyncClient, body: str | bytes) -> httpx.Response:
    headers = {"Idempotency-Key": str(uuid7()), "Content-Type": "application/json"}
    content = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
    return await client.post("/v1/calls", content=content, headers=headers)


BOMBS: dict[str, tuple[str | bytes, int]] = {
    "arrays without end": ("[" * DEEP, 400),
    "objects without end": ('{"a":' * DEEP, 400),
    "arrays that do end": (with_member(f'"x": {"[" * DEEP}{"]" * DEEP}'), 400),
    "a known member twice": (with_member('"external_id": "another"'), 400),
    "an unknown member twice": (with_member('"x": 1, "x": 2'), 400),
    "a member twice, escaped": (with_member('"\\u0065xternal_id": "another"'), 400),
    "twice, inside": (GOOD.replace('"given": "announced"', '"given": "announced", "given": "none"'), 400),
    "a number of a million digits": (with_member(f'"x": {"9" * 900_000}'), 400),
    "a number beyond all": (with_member('"x": 1e999999999'), 422),
    "a number for a name": (GOOD.replace('"cti-1"', "9" * 4000), 422),
    "NaN": (with_member('"x": NaN'), 400),
    "minus infinity": (with_member('"x": -Infinity'), 400),
    "a name of a megabyte": (GOOD.replace("cti-1", "a" * 1_000_000), 422),
    "a body of megabytes": (GOOD.replace("cti-1", "a" * 5_000_000), 413),
    "a member whose name is a megabyte": (with_member(f'"{"a" * 1_000_000}": 1'), 422),
    "a hundred thousand members": (with_member(", ".join(f'"m{n}": 0' for n in range(70_000))), 400),
    "a thousand members": (with_member(", ".join(f'"m{n}": 0' for n in range(900))), 422),
    "a hundred thousand purposes": (GOOD.replace('["quality"]', json.dumps(["a"] * 100_000)), 422),
    "a hundred thousand channels": (
        GOOD.replace('"channels": [', '"channels": [' + '{"role": "agent"}, ' * 50_000), 422,
    ),
    "a zero byte in a name": (GOOD.replace("cti-1", "a\\u0000b"), 400),
    "a zero byte in the notice": (GOOD.replace("2026-04", "2026\\u0000"), 400),
    "half a surrogate pair": (GOOD.replace("cti-1", "\\ud800"), 422),
    "half a surrogate pair in the notice": (GOOD.replace("2026-04", "\\ud800"), 422),
    "half a surrogate pair, not escaped": (GOOD.replace("cti-1", "\ud800"), 422),
    "no UTF-8": (GOOD.encode().replace(b"cti-1", b"\xff\xfe"), 400),
    "a time before all time": (GOOD.replace('"ver', '"at": "0001-01-01T00:00:00+14:00", "ver'), 422),
    "a time after all time": (GOOD.replace('"ver', '"at": "9999-12-31T23:59:59-14:00", "ver'), 422),
    "a time that is a number": (GOOD.replace('"version"', '"at": 1e300, "version"'), 422),
    "nothing": ("", 422),
    "null": ("null", 422),
    "a string": ('"x"', 422),
    "two bodies": (GOOD + GOOD, 422),
}  # fmt: skip


@pytest.mark.guarantee("A25")
@pytest.mark.parametrize("name", BOMBS)
async def test_a_bomb_is_refused_in_words(client: httpx.AsyncClient, name: str) -> None:
    body, status = BOMBS[name]
    response = await post(client, body)
    assert (response.status_code, response.headers["Content-Type"]) == (status, "application/problem+json")
    problem = response.json()
    assert problem["detail"]
    assert len(response.content) < 20_000


@pytest.mark.guarantee("A25")
async def test_bombs_cost_nothing_that_was_accepted(ingest: IngestService, client: httpx.AsyncClient) -> None:
    call = await start_call(client)
    for body, _ in BOMBS.values():
        await post(client, body)
    assert (await client.get(f"/v1/calls/{call['id']}")).json() == call
    errors = [line for line in ingest.log_text().splitlines() if '"level":"error"' in line.replace(" ", "")]
    assert errors == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.guarantee("A25")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.sampled_from(sorted(call_body())), json_values, max_size=3))
async def test_no_value_of_any_member_is_our_fault(
    ingest: IngestService, credentials: Any, changes: dict[str, Any]
) -> None:
    async with client_of(ingest.url, credentials) as client:
        response = await post(client, json.dumps(call_body() | changes))
    assert response.status_code in (201, 400, 422)
