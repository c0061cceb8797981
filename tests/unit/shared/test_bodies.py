"""JSON bombs and slow bodies, at the door of every service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, Depends, HTTPException, Request
from hypothesis import given
from hypothesis import strategies as st

from core import app_of, client_of
from otokura.shared.bodies import body_limit, check_json

router = APIRouter()
received: list[int] = []


@router.post("/json")
async def take_json(value: Annotated[Any, Body()]) -> Any:
    return value


@router.post("/form")
async def take_form(request: Request) -> int:
    return len(await request.body())


@router.put("/upload", dependencies=[Depends(body_limit(5000, received.append))])
async def take_upload(request: Request) -> int:
    return sum([len(chunk) async for chunk in request.stream()])


text = st.text(st.characters(exclude_characters="\0", exclude_categories=()))

app = app_of(router, body_seconds=0.2)
JSON = {"Content-Type": "application/json"}


@pytest.mark.guarantee("A25")
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"a":1,"a":2}', "twice"),
        (b'{"a":{"b":[{"c":1,"d":0,"c":2}]}}', "twice"),
        (b'{"a":1,"\\u0061":2}', "twice"),
        (b"[" * 100_000, "nested"),
        (b'{"a":' * 100_000, "nested"),
        (b"[" * 100_000 + b"]" * 100_000, "nested"),
        (b'{"a":NaN}', "Infinity"),
        (b"[-Infinity]", "Infinity"),
        (b'{"a":' + b"9" * 10_000 + b"}", "digits"),
        (b'{"a":[1,{"b":"x\\u0000"}]}', "U+0000"),
        (b'{"a\\u0000":1}', "U+0000"),
        ('["\\u0000"]'.encode("utf-16"), "U+0000"),
        (json.dumps({f"m{number}": 0 for number in range(1001)}).encode(), "1000"),
    ],
    ids=[
        "twice",
        "twice below",
        "twice, escaped",
        "arrays",
        "objects",
        "closed",
        "nan",
        "infinity",
        "digits",
        "zero",
        "zero in a name",
        "zero in UTF-16",
        "members",
    ],
)
@pytest.mark.parametrize("kind", ["application/json", "application/problem+json; charset=utf-8"])
async def test_json_bombs_are_refused_in_words(body: bytes, said: str, kind: str) -> None:
    async with client_of(app) as client:
        response = await client.post("/json", content=body, headers={"Content-Type": kind})
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    assert said in response.json()["detail"]


@pytest.mark.guarantee("A25")
@pytest.mark.parametrize("body", [b"a=1&b=x%00", b"a%00=1", b"a=\0"])
async def test_a_zero_in_a_form_is_refused(body: bytes) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    async with client_of(app) as client:
        response = await client.post("/form", content=body, headers=form)
        assert (response.status_code, response.json()["detail"][:8]) == (400, "The form")
        assert (await client.post("/form", content=b"a=%2500", headers=form)).text == "7"


async def test_what_only_looks_like_a_zero_passes() -> None:
    async with client_of(app) as client:
        response = await client.post("/json", content=b'{"a":"\\\\u0000"}', headers=JSON)
    assert (response.status_code, response.json()) == (200, {"a": "\\u0000"})


async def test_a_bomb_in_pieces_is_refused_too() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b'{"a":1', b',"a"', b":2}"):
            yield piece

    async with client_of(app) as client:
        response = await client.post("/json", content=pieces(), headers=JSON)
    assert response.status_code == 400


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | text,
        lambda inner: st.lists(inner) | st.dictionaries(text, inner),
    )
)
def test_json_that_means_one_thing_passes(value: Any) -> None:
    check_json(json.dumps(value).encode())


@given(st.binary())
def test_nothing_else_is_ever_raised(body: bytes) -> None:
    with suppress(HTTPException):
        check_json(body)


async def slowly(chunks: int) -> AsyncIterator[bytes]:
    for _ in range(chunks):
        yield b"1" * 10
        await asyncio.sleep(0.05)


async def test_a_body_that_takes_too_long_is_refused() -> None:
    """Each piece comes soon after the one before; all of it together does not."""
    async with client_of(app) as client:
        response = await client.post("/json", content=slowly(1000), headers=JSON)
    assert response.status_code == 408
    assert response.headers["Connection"] == "close"
    assert response.json()["type"] == "urn:otokura:problem:request-timeout"


async def test_a_route_that_has_its_own_limit_watches_its_own_pace() -> None:
    received.clear()
    async with client_of(app) as client:
        response = await client.put("/upload", content=slowly(10))
    assert (response.status_code, response.json()) == (200, 100)
    assert received == [10] * 10
