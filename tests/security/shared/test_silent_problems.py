"""No answer repeats what the caller sent, nor shows how the service is made."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from fastapi import APIRouter, Header, Query
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AwareDatetime, Base64Bytes, BaseModel, Field, HttpUrl, ValidationInfo, field_validator

from core import app_of, client_of

CANARY = "kanariya"


class Colour(StrEnum):
    RED = "red"


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Everything(BaseModel, extra="forbid"):
    """One field of every kind whose error message might quote the input."""

    number: int = 0
    fraction: float = 0
    id: UUID = UUID(int=0)
    at: AwareDatetime | None = None
    when: datetime | None = None
    colour: Colour = Colour.RED
    name: str = Field(default="a", pattern=r"^[a-z]$", max_length=3)
    url: HttpUrl | None = None
    network: IPv4Network | None = None
    blob: Base64Bytes = b""
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    either: int | bool | None = None
    by_name: dict[str, int] = Field(default_factory=dict[str, int])
    checked: str = ""

    @field_validator("checked")
    @classmethod
    def _quotes_the_input(cls, value: str, info: ValidationInfo) -> str:
        if value:
            raise ValueError(f"{info.field_name} is {value}")
        return value


router = APIRouter()


@router.post("/everything/{number}")
async def everything(
    number: int, body: Everything, limit: Annotated[int, Query()] = 1, x_count: Annotated[int, Header()] = 1
) -> int:
    return number + limit + x_count + body.number


app = app_of(router)
FIELDS = sorted(set(Everything.model_fields) - {"pet"})


async def answer(path: str = "/everything/1", **request: Any) -> str:
    async with client_of(app) as client:
        response = await client.post(path, **request)
    assert response.status_code == 422
    assert response.json()["errors"]
    return response.text + str(response.headers)


@pytest.mark.guarantee("S2")
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "value", [f"{CANARY}!a", [CANARY], {f"+{CANARY}": CANARY}, {"a": {"+81 90 1234 5678": CANARY}}], ids=str
)
async def test_no_field_is_quoted(field: str, value: object) -> None:
    shown = await answer(json={field: value})
    assert CANARY not in shown
    assert "1234 5678" not in shown


@pytest.mark.guarantee("S2")
@pytest.mark.parametrize(
    "body",
    [
        {"pet": {"kind": CANARY}},
        {"pet": {"name": CANARY}},
        {"id": "01234567-89ab-cdef-0123-4567" + CANARY},
        {"at": f"2026-01-01T00:00:00{CANARY}"},
        {"number": "9" * 5000},
        [CANARY],
        CANARY,
    ],
    ids=str,
)
async def test_no_body_is_quoted(body: object) -> None:
    shown = await answer(json=body)
    assert CANARY not in shown
    assert "9" * 20 not in shown


@pytest.mark.guarantee("S2")
@pytest.mark.parametrize(
    "content", [f'{{"number": {CANARY}', f'"{CANARY}', f"{CANARY}", '{"number": NaN}', "\ud83d"], ids=repr
)
async def test_no_broken_json_is_quoted(content: str) -> None:
    raw = content.encode("utf-8", "surrogatepass")
    async with client_of(app) as client:
        response = await client.post(
            "/everything/1", content=raw, headers={"content-type": "application/json"}
        )
    assert response.status_code in (400, 422)
    assert CANARY not in response.text


@pytest.mark.guarantee("S2")
async def test_no_path_query_or_header_is_quoted() -> None:
    assert CANARY not in await answer(f"/everything/{CANARY}", json={})
    assert CANARY not in await answer(params={"limit": CANARY}, json={})
    assert CANARY not in await answer(headers={"X-Count": CANARY}, json={})


@given(field=st.sampled_from(FIELDS), junk=st.text(alphabet="abcxyz0189:-+/.% ", min_size=6, max_size=40))
async def test_no_junk_is_quoted(field: str, junk: str) -> None:
    value = f"~{junk}~"
    async with client_of(app) as client:
        response = await client.post("/everything/1", json={field: value})
    assert value not in response.text


@pytest.mark.parametrize("field", ["blob", "by_name", CANARY])
async def test_names_that_only_the_caller_chose_are_shown_as_far_as_they_are_names(field: str) -> None:
    """`extra_forbidden` without the name would not say what to correct; a name that is a value is hidden."""
    async with client_of(app) as client:
        response = await client.post("/everything/1", json={field: 1, "+81 90 1234 5678": 1})
    pointers = [error["pointer"] for error in response.json()["errors"]]
    assert pointers[-1] == "#/?"
    assert f"#/{field}" in pointers
