from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

import pytest
from fastapi import APIRouter, HTTPException, Query, WebSocket
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from core import app_of, client_of
from otokura.shared import errors, problems

router = APIRouter()


class Leg(BaseModel):
    role: Literal["agent", "customer"]


class NewCall(BaseModel):
    id: UUID
    channels: list[Leg] = Field(max_length=2)


@router.post("/calls")
async def make_call(call: NewCall, limit: Annotated[int, Query(le=10)] = 1) -> int:
    return limit + len(call.channels)


@router.get("/fails/{kind}")
async def fail(kind: str) -> None:
    if kind == "teapot":
        raise HTTPException(HTTPStatus.IM_A_TEAPOT)
    if kind == "bug":
        raise ZeroDivisionError("hunter2")
    raise getattr(errors, kind)("What was wrong, and what to do.", call_id="c1")


@router.post("/hung-up")
async def hung_up() -> None:
    raise ClientDisconnect


@router.websocket("/stream/{kind}")
async def stream(websocket: WebSocket, kind: str, rate: int = 8000) -> None:
    if kind.startswith("accepted-"):
        await websocket.accept()
    if kind == "accepted-closed":
        await websocket.close(1000)
    name = kind.removeprefix("accepted-")
    if name in ("bug", "closed"):
        raise ZeroDivisionError("hunter2")
    raise getattr(errors, name)("What was wrong.", rate=rate)


app = app_of(router)


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("BadRequest", 400, "bad-request"),
        ("Unauthenticated", 401, "unauthenticated"),
        ("Forbidden", 403, "forbidden"),
        ("NotFound", 404, "not-found"),
        ("Conflict", 409, "conflict"),
        ("PreconditionFailed", 412, "precondition-failed"),
        ("TooLarge", 413, "too-large"),
        ("UnsupportedMedia", 415, "unsupported-media"),
        ("RangeNotSatisfiable", 416, "range-not-satisfiable"),
        ("Unprocessable", 422, "unprocessable"),
        ("TooManyRequests", 429, "too-many-requests"),
        ("IntegrityError", 500, "integrity"),
        ("Unavailable", 503, "unavailable"),
    ],
)
async def test_an_error_is_told_as_the_problem_it_is(kind: str, status: int, code: str) -> None:
    async with client_of(app) as client:
        response = await client.get(f"/fails/{kind}")
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    members = response.json()
    assert members.pop("title")
    assert members == {
        "type": f"urn:otokura:problem:{code}",
        "status": status,
        "detail": "What was wrong, and what to do.",
        "instance": f"urn:uuid:{response.headers['x-request-id']}",
        "call_id": "c1",
    }
    assert problems.Problem.model_validate(response.json()).status == status


async def test_a_refusal_says_how_to_authenticate_and_an_outage_when_to_return() -> None:
    async with client_of(app) as client:
        assert (await client.get("/fails/Unauthenticated")).headers["www-authenticate"] == "Bearer"
        assert (await client.get("/fails/Unavailable")).headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("DELETE", "/calls", 405, "method-not-allowed"),
        ("GET", "/fails/teapot", 418, "i-m-a-teapot"),
        ("POST", "/hung-up", 400, "bad-request"),
        ("GET", "/calls/", 404, "not-found"),
    ],
)
async def test_the_frameworks_own_errors_are_problems(method: str, path: str, status: int, code: str) -> None:
    async with client_of(app) as client:
        response = await client.request(method, path)
    assert (response.status_code, response.json()["type"]) == (status, f"urn:otokura:problem:{code}")


@pytest.mark.guarantee("S2")
async def test_a_bug_is_a_500_without_a_trace() -> None:
    async with client_of(app) as client:
        response = await client.get("/fails/bug")
    assert response.status_code == 500
    assert response.json()["type"] == "urn:otokura:problem:internal"
    assert "hunter2" not in response.text
    assert "ZeroDivision" not in response.text
    assert "Traceback" not in response.text


async def test_bad_input_is_pointed_at() -> None:
    body = {"id": "kanariya", "channels": [{"role": "agent"}, {"role": "kanariya"}]}
    async with client_of(app) as client:
        response = await client.post("/calls", params={"limit": 99}, json=body)
    assert response.status_code == 422
    assert response.json()["type"] == "urn:otokura:problem:unprocessable"
    assert response.json()["errors"] == [
        {"location": "query", "pointer": "#/limit", "message": "Input should be less than or equal to 10"},
        {"location": "body", "pointer": "#/id", "message": "Input should be a valid UUID"},
        {
            "location": "body",
            "pointer": "#/channels/1/role",
            "message": "Input should be 'agent' or 'customer'",
        },
    ]


async def test_what_is_not_json_is_said_to_be_so() -> None:
    headers = {"content-type": "application/json"}
    async with client_of(app) as client:
        response = await client.post("/calls", content=b'{"id": "kana', headers=headers)
    assert response.json()["errors"] == [
        {"location": "body", "pointer": "#", "message": "The body is not valid JSON"}
    ]


@pytest.mark.parametrize("accepted", ["", "accepted-"])
@pytest.mark.parametrize(
    ("kind", "code"),
    [("NotFound", 4404), ("Conflict", 4409), ("Unauthenticated", 4401), ("Unavailable", 1011)],
)
def test_a_websocket_is_told_the_problem_and_closed(accepted: str, kind: str, code: int) -> None:
    with (
        TestClient(app) as client,
        client.websocket_connect(f"/stream/{accepted}{kind}") as websocket,
    ):
        message = websocket.receive_json()
        with pytest.raises(WebSocketDisconnect) as closed:
            websocket.receive_json()
    assert message["type"] == "error"
    assert message["problem"]["detail"] == "What was wrong."
    assert message["problem"]["rate"] == 8000
    assert closed.value.code == code


def test_bad_input_to_a_websocket_is_pointed_at() -> None:
    with TestClient(app) as client, client.websocket_connect("/stream/NotFound?rate=fast") as websocket:
        message = websocket.receive_json()
        with pytest.raises(WebSocketDisconnect) as closed:
            websocket.receive_json()
    assert message["problem"]["errors"][0]["pointer"] == "#/rate"
    assert closed.value.code == 4422


def test_a_bug_closes_a_websocket_with_1011_and_no_trace() -> None:
    with TestClient(app) as client, client.websocket_connect("/stream/accepted-bug") as websocket:
        message = websocket.receive_text()
        with pytest.raises(WebSocketDisconnect) as closed:
            websocket.receive_text()
    assert "hunter2" not in message
    assert closed.value.code == 1011


def test_a_bug_after_the_close_changes_nothing() -> None:
    with TestClient(app) as client, client.websocket_connect("/stream/accepted-closed") as websocket:
        with pytest.raises(WebSocketDisconnect) as closed:
            websocket.receive_text()
        assert closed.value.code == 1000


def test_routes_document_their_problems() -> None:
    documented = APIRouter()

    @documented.get("/x", responses=problems.responses(errors.NotFound, errors.Forbidden))
    async def endpoint() -> int:
        return 1

    schema = app_of(documented).openapi()
    answers = schema["paths"]["/x"]["get"]["responses"]
    assert {"403", "404"} <= answers.keys()
    assert "application/problem+json" in answers["404"]["content"]
    assert "Problem" in schema["components"]["schemas"]


@pytest.mark.guarantee("S2")
def test_what_the_database_knows_to_be_wrong_is_pointed_at() -> None:
    error = errors.Unprocessable("See errors.", errors=[problems.told("body", "There is none.", "zones", 3)])
    told = problems.Problem.model_validate(problems.problem_of(error))
    assert told.errors == [
        problems.FieldError(location="body", pointer="#/zones/3", message="There is none.")
    ]


def test_a_form_of_its_own_stays_in_the_openapi_beside_the_problem() -> None:
    """OAuth's errors are no problems; those that come before the route are."""
    own = {"application/json": {"schema": {"$ref": "#/components/schemas/OAuthProblem"}}}
    plain = {"application/json": {"schema": {"$ref": "#/components/schemas/HTTPValidationError"}}}
    answers = {"400": {"content": own}, "422": {"content": plain}}
    problems.describe({"paths": {"/x": {"post": {"responses": answers}}}})
    assert set(answers["400"]["content"]) == {"application/json", problems.MEDIA_TYPE}
    assert set(answers["422"]["content"]) == {problems.MEDIA_TYPE}
