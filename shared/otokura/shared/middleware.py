"""The ASGI middleware around every service. Plain ASGI, since every read pays for it."""

from __future__ import annotations

import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from otokura.shared import logs, metrics, problems
from otokura.shared.errors import BadRequest
from otokura.shared.ids import uuid7

log = logs.get_logger(__name__)

REQUEST_ID_HEADER = b"x-request-id"
_UNLOGGED = frozenset({"/healthz", "/readyz", "/metrics"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_MORE_HEADERS = "otokura.response_headers"


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
        served = _Served(send, request_id.encode(), scope)
        RequestMiddleware.in_progress += 1
        try:
            if _names_zero(scope):
                await _refuse_zero(scope, receive, served)
            else:
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


def _names_zero(scope: Scope) -> bool:
    """Whether path or query hold U+0000: PostgreSQL keeps it in no text, and no entry could say it."""
    return b"%00" in scope["query_string"] or "\0" in scope["path"]


async def _refuse_zero(scope: Scope, receive: Receive, served: _Served) -> None:
    error = BadRequest("The address holds U+0000, which is not kept.")
    if served.websocket:
        await served.send({"type": "websocket.close", "code": problems.close_code(error)})
    else:
        await problems.response_of(error)(scope, receive, served.send)


# Read when asked for: a gauge's lock, twice a request, costs more than the number is worth.
metrics.HTTP_IN_PROGRESS.set_function(lambda: RequestMiddleware.in_progress)


class _Served:
    """What has been sent of one response."""

    __slots__ = ("_closed", "_request_id", "_scope", "_send", "bytes", "started", "status", "websocket")

    def __init__(self, send: Send, request_id: bytes, scope: Scope) -> None:
        self._send = send
        self._request_id = request_id
        self._scope = scope
        self.websocket = scope["type"] == "websocket"
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
            more = self._scope.get(_MORE_HEADERS, ())
            message["headers"] = [*message.get("headers", ()), (REQUEST_ID_HEADER, self._request_id), *more]
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


def add_response_header(scope: Scope, name: str, value: str) -> None:
    """For dependencies: a header of whatever answer this request gets, also one that a route makes itself."""
    scope.setdefault(_MORE_HEADERS, []).append((name.lower().encode(), value.encode()))
