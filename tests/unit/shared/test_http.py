from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, Request
from fastapi.responses import StreamingResponse
from structlog.testing import capture_logs

from core import app_of, client_of, settings
from otokura.shared import logs, metrics
from otokura.shared.address import ClientAddress
from otokura.shared.errors import Unavailable
from otokura.shared.http import body_limit, create_api, uvicorn_config

router = APIRouter()


@router.post("/json")
async def take_json(text: Annotated[str, Body(embed=True)]) -> int:
    return len(text)


@router.put("/stream")
async def take_stream(request: Request) -> int:
    return sum([len(chunk) async for chunk in request.stream()])


@router.put("/upload", dependencies=[Depends(body_limit(5000))])
async def take_upload(request: Request) -> int:
    return sum([len(chunk) async for chunk in request.stream()])


@router.get("/items/{item_id}")
async def item(item_id: int) -> int:
    return item_id


@router.get("/from")
async def whence(address: ClientAddress) -> str:
    return f"{address.address} {address.reason}"


@router.get("/id")
async def current_id() -> str | None:
    return logs.request_id.get()


@router.get("/half")
async def half() -> StreamingResponse:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"half"
        raise ZeroDivisionError

    return StreamingResponse(chunks())


app = app_of(router, max_body_bytes=1000, trusted_proxies="127.0.0.1/32")


async def chunked(*chunks: bytes) -> AsyncIterator[bytes]:
    """Without Content-Length, as Transfer-Encoding: chunked brings it."""
    for chunk in chunks:
        yield chunk


@pytest.mark.parametrize("path", ["/json", "/stream"])
@pytest.mark.parametrize("declared", [True, False], ids=["content-length", "chunked"])
@pytest.mark.parametrize(("size", "status"), [(1000, 200), (1001, 413), (50_000, 413)])
async def test_a_body_over_the_limit_is_refused(path: str, declared: bool, size: int, status: int) -> None:
    body = b'{"text":"' + b"a" * (size - 11) + b'"}'
    parts = [body[i : i + 300] for i in range(0, size, 300)]
    method = "POST" if path == "/json" else "PUT"
    async with client_of(app) as client:
        response = await client.request(
            method,
            path,
            content=body if declared else chunked(*parts),
            headers={"content-type": "application/json"},
        )
    assert response.status_code == status
    if status == 413:
        assert response.json()["type"] == "urn:otokura:problem:too-large"
        assert "1000" in response.json()["detail"]


@pytest.mark.parametrize(("size", "status"), [(5000, 200), (5001, 413)])
@pytest.mark.parametrize("declared", [True, False], ids=["content-length", "chunked"])
async def test_a_route_may_have_its_own_limit(size: int, status: int, declared: bool) -> None:
    content: Any = b"a" * size if declared else chunked(b"a" * (size - 1), b"a")
    async with client_of(app) as client:
        response = await client.put("/upload", content=content)
    assert response.status_code == status


async def test_a_declared_body_over_the_limit_is_refused_unread() -> None:
    sent: list[Any] = []
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "PUT", "path": "/stream",
        "raw_path": b"/stream", "query_string": b"", "root_path": "", "scheme": "http",
        "headers": [(b"content-length", b"1001")], "client": ("192.0.2.1", 1), "server": ("test", 80),
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        pytest.fail("the body was read")

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    assert sent[0]["status"] == 413


async def test_each_request_has_an_id_of_its_own() -> None:
    async with client_of(app) as client:
        responses = await asyncio.gather(*(client.get("/id") for _ in range(20)))
    for response in responses:
        assert response.json() == response.headers["x-request-id"]
    assert len({response.json() for response in responses}) == 20
    assert logs.request_id.get() is None


async def test_a_client_cannot_choose_the_id() -> None:
    async with client_of(app) as client:
        response = await client.get("/id", headers={"X-Request-Id": "mine"})
    assert response.json() != "mine"


async def test_a_request_is_logged_without_its_query() -> None:
    with capture_logs() as captured:
        async with client_of(app) as client:
            await client.get("/items/7?token=hunter2", headers={"Authorization": "Bearer hunter2"})
    (line,) = captured
    assert line["event"] == "request"
    assert (line["method"], line["path"], line["status"], line["sent"]) == ("GET", "/items/7", 200, 1)
    assert "hunter2" not in str(captured)


async def test_probes_and_scrapes_are_not_logged() -> None:
    with capture_logs() as captured:
        async with client_of(app) as client:
            for path in ("/healthz", "/readyz", "/metrics"):
                assert (await client.get(path)).status_code == 200
    assert captured == []


async def test_a_failure_after_the_response_began_cuts_it() -> None:
    """Half a body must never look like a whole one: the server has to see the exception."""
    async with client_of(app) as client:
        with pytest.raises(ZeroDivisionError):
            await client.get("/half")


async def test_the_forwarded_address_is_believed_behind_a_proxy_of_ours() -> None:
    async with client_of(app) as client:  # its peer is 127.0.0.1
        response = await client.get("/from", headers={"X-Forwarded-For": "203.0.113.9, 198.51.100.1"})
    assert response.json() == "198.51.100.1 forwarded"


async def test_the_forwarded_address_is_not_believed_elsewhere() -> None:
    async with client_of(app_of(router)) as client:
        response = await client.get("/from", headers={"X-Forwarded-For": "198.51.100.1"})
    assert response.json() == "127.0.0.1 direct"


def sample(lines: Iterable[str], start: str) -> float:
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(start))


async def test_requests_are_measured_by_route_never_by_path() -> None:
    name = "otokura_http_request_duration_seconds_count"
    labels = f'{name}{{method="GET",route="/items/{{item_id}}",status="200"}}'
    async with client_of(app) as client:
        before = sample(metrics.render().decode().splitlines(), labels)
        for number in (3133731337313371, 3133731337313372):
            await client.get(f"/items/{number}")
        await client.get("/nowhere/3133731337313373")
        await client.request("BREW", "/items/1")
        text = (await client.get("/metrics")).text
    assert sample(text.splitlines(), labels) == before + 2
    assert 'route="unmatched",status="404"' in text
    assert 'method="other"' in text
    assert "313373133731337" not in text
    assert "BREW" not in text


async def test_ready_when_every_check_passes() -> None:
    ready = app_of(router)

    async def well() -> None:
        return None

    async def ill() -> None:
        raise ConnectionRefusedError("hunter2")

    async with client_of(ready) as client:
        ready.state.readiness.add("database", well)
        response = await client.get("/readyz")
        assert (response.status_code, response.json()["checks"]) == (200, {"database": "ok"})
        ready.state.readiness.add("kafka", ill)
        response = await client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"status": "unready", "checks": {"database": "ok", "kafka": "failed"}}


async def test_alive_while_unready() -> None:
    async with client_of(app) as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}


def test_the_api_documents_its_credentials() -> None:
    schema = app.openapi()
    assert schema["security"] == [{"accessToken": []}, {"apiKey": []}]
    assert set(schema["components"]["securitySchemes"]) == {"accessToken", "apiKey"}
    assert not {"/healthz", "/readyz", "/metrics"} & schema["paths"].keys()


def test_the_server_believes_no_headers_and_names_no_software() -> None:
    config = uvicorn_config(app, settings())
    assert config.proxy_headers is False
    assert config.server_header is False
    assert config.access_log is False
    assert config.ws_max_size == settings().max_body_bytes


async def test_why_a_service_does_not_start_is_in_its_log() -> None:
    def open_database() -> None:
        raise Unavailable("The database cannot be reached; try again shortly.")

    @asynccontextmanager
    async def failing(_app: FastAPI) -> AsyncIterator[None]:
        open_database()
        yield

    broken = create_api(settings(), title="Test", lifespan=failing, routers=[])
    with capture_logs() as told, pytest.raises(Unavailable) as why:
        async with broken.router.lifespan_context(broken):
            pass
    [line] = told
    assert (line["log_level"], line["event"]) == ("critical", "service.failed")
    assert line["exc_info"] is why.value
