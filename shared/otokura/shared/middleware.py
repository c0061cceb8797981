"""The two ASGI middlewares around every service. Plain ASGI, since every read pays for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from fastapi import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from otokura.shared import logs, metrics, problems
from otokura.shared.ids import uuid7

log = logs.get_logger(__name__)

REQUEST_ID_HEADER = b"x-request-id"
_UNLOGGED = frozenset({"/healthz", "/readyz", "/metrics"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_LIMIT = "otokura.body_limit"


class RequestMiddleware:
    """Gives each request an id, logs and measures it, and answers for what nobody caught.

    An exception before the response began becomes a 500 problem, and on a WebSocket an error and close
    1011. After the response began it goes on to the server, which cuts the connection: a client must
    never take half a body for a whole one.
    """

    in_progress = 0

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one ASGI scope."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request_id = str(uuid7())
        token = logs.request_id.set(request_id)
        served = _Served(send, request_id.encode(), websocket=scope["type"] == "websocket")
        RequestMiddleware.in_progress += 1
        try:
            await self._app(scope, receive, served.send)
        except Exception as error:
            log.exception("request failed", method=scope.get("method"), path=scope["path"])
            if served.websocket and served.status is not None:
                await served.close(error)
            elif served.websocket or served.status is not None:
                raise
            else:
                await problems.response_of(error)(scope, receive, served.send)
        finally:
            RequestMiddleware.in_progress -= 1
            _record(scope, served)
            logs.request_id.reset(token)


# Read when asked for: a gauge's lock, twice a request, costs more than the number is worth.
metrics.HTTP_IN_PROGRESS.set_function(lambda: RequestMiddleware.in_progress)


class _Served:
    """What has been sent of one response."""

    __slots__ = ("_closed", "_request_id", "_send", "bytes", "started", "status", "websocket")

    def __init__(self, send: Send, request_id: bytes, *, websocket: bool) -> None:
        self._send = send
        self._request_id = request_id
        self.websocket = websocket
        self.started = time.perf_counter()
        self.status: int | None = None
        self.bytes = 0
        self._closed = False

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.body":
            self.bytes += len(message.get("body", b""))
        elif kind == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (REQUEST_ID_HEADER, self._request_id)]
        elif kind == "websocket.accept":
            self.status = 101
            message["headers"] = [*message.get("headers", ()), (REQUEST_ID_HEADER, self._request_id)]
        elif kind == "websocket.close":
            self._closed = True
        await self._send(message)

    async def close(self, error: Exception) -> None:
        """Tells an accepted WebSocket's client that the fault is ours, unless it has been told goodbye."""
        if not self._closed:
            await self.send({"type": "websocket.send", "text": problems.message_of(error)})
            await self.send({"type": "websocket.close", "code": problems.close_code(error)})


def _record(scope: Scope, served: _Served) -> None:
    """One line and one observation; the query is left out, since people put secrets there."""
    seconds = time.perf_counter() - served.started
    method = "WEBSOCKET" if served.websocket else scope["method"]
    known = method if served.websocket or method in _METHODS else "other"
    # No status: the peer hung up, or the socket was refused, before anything was answered.
    status = str(served.status or "none")
    _observer(known, _route(scope), status).observe(seconds)
    path = scope["path"]
    if path in _UNLOGGED:
        return
    client = scope.get("client")
    log.info(
        "request",
        method=method,
        path=path,
        status=served.status,
        sent=served.bytes,
        milliseconds=round(seconds * 1000, 3),
        peer=client[0] if client else None,
    )


def _route(scope: Scope) -> str:
    """The route's template; never the path, whose variety has no end."""
    return str(getattr(scope.get("route"), "path", "unmatched"))


_observers: dict[tuple[str, str, str], Any] = {}


def _observer(method: str, route: str, status: str) -> Any:
    """The histogram's child, without the lock and the checks of `labels()` on every request."""
    key = (method, route, status)
    child = _observers.get(key)
    if child is None:
        child = _observers[key] = metrics.HTTP_SECONDS.labels(*key)
    return child


class BodyLimitMiddleware:
    """Refuses bodies larger than the limit, told by Content-Length or counted as they come (413).

    The limit is looked up when the body is first read, so that a route can set its own (`body_limit`).
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one ASGI scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[_LIMIT] = self._limit
        await self._app(scope, _limited(scope, receive), send)


def _limited(scope: Scope, receive: Receive) -> Receive:
    received = 0

    async def limited() -> Message:
        nonlocal received
        limit: int = scope[_LIMIT]
        if received == 0 and _content_length(scope) > limit:
            raise _too_large(limit)
        message = await receive()
        if message["type"] == "http.request":
            received += len(message.get("body", b""))
            if received > limit:
                raise _too_large(limit)
        return message

    return limited


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _too_large(limit: int) -> HTTPException:
    # Not TooLarge: FastAPI turns any exception but HTTPException, raised while it reads a body, into a 400.
    return HTTPException(413, f"The body is larger than {limit} bytes, the most that this operation takes.")


def body_limit(limit: int) -> Callable[[Request], None]:
    """A dependency that sets a route's own limit, in bytes: `dependencies=[Depends(body_limit(n))]`.

    Only for routes that read the body themselves (`request.stream()`): FastAPI reads a body that is
    declared as a parameter before it runs dependencies.
    """

    def set_limit(request: Request) -> None:
        request.scope[_LIMIT] = limit

    return set_limit
