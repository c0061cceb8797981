"""Request bodies: bounded in bytes and time, JSON that means one thing only, and no U+0000 in a text.

All of it happens as the body is read, inside the app, so that whatever is wrong becomes a problem like any
other. FastAPI turns every exception but HTTPException, raised while it reads a body, into a 400 without
words: so these are HTTPExceptions.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, cast

from fastapi import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_RULES = "otokura.body_rules"
_ZERO = "\\u0000"
MAX_MEMBERS = 1000
"""Of one JSON object: no body of ours has so many, and each unknown one costs an error of its own."""


@dataclass(slots=True)
class _Rules:
    limit: int
    seconds: float | None
    received: Callable[[int], None] | None = None


class BodyMiddleware:
    """Refuses bodies that are too large (413) or too slow (408), and JSON bombs (400).

    The limit is looked up when the body is first read, so that a route can set its own (`body_limit`).

    Args:
        app: what is served.
        limit: the most bytes.
        seconds: the most time for all of a body.
    """

    def __init__(self, app: ASGIApp, limit: int, seconds: float) -> None:
        self._app = app
        self._limit = limit
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one ASGI scope."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[_RULES] = _Rules(self._limit, self._seconds)
        await self._app(scope, _Reading(scope, receive).next, send)


class _Reading:
    """One body as it is read."""

    __slots__ = ("_check", "_deadline", "_ended", "_kept", "_receive", "_received", "_scope")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        self._received = 0
        self._ended = False
        self._deadline: float | None = None
        self._check = _check_of(scope)
        self._kept: list[bytes] = []

    async def next(self) -> Message:
        if self._ended:  # only the end of the connection can come
            return await self._receive()
        rules: _Rules = self._scope[_RULES]
        if self._received == 0 and _content_length(self._scope) > rules.limit:
            raise _too_large(rules.limit)
        message = await self._in_time(rules)
        if message["type"] == "http.request":
            self._take(message, rules)
        return message

    async def _in_time(self, rules: _Rules) -> Message:
        if rules.seconds is None:
            return await self._receive()
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + rules.seconds
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._receive()
        except TimeoutError:
            detail = f"The body took longer than {rules.seconds:g} seconds: send it at once."
            raise HTTPException(408, detail, {"Connection": "close"}) from None

    def _take(self, message: Message, rules: _Rules) -> None:
        body: bytes = message.get("body", b"")
        self._received += len(body)
        if rules.received is not None and body:
            rules.received(len(body))
        if self._received > rules.limit:
            raise _too_large(rules.limit)
        self._ended = not message.get("more_body", False)
        if self._check is not None and rules.seconds is not None:
            self._kept.append(body)
            if self._ended:
                self._check(b"".join(self._kept))


def check_json(body: bytes) -> None:
    """Refuses JSON that could be read in two ways, or is made to exhaust its reader (RFC 8259 §4, §9).

    What is no JSON at all passes: whoever reads it next says so, and where.

    Raises:
        HTTPException: a member is named twice, there are too many, the nesting has no end, a number is none,
            or a string cannot be kept.
    """
    try:
        text = body.decode(json.detect_encoding(body), "surrogatepass")
        json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
        if _ZERO in text and _holds_zero(json.loads(text)):
            raise HTTPException(400, "A string in the JSON body holds U+0000, which is not kept.")
    except RecursionError:
        raise HTTPException(400, "The JSON body is nested too deeply.") from None
    except ValueError as error:
        # Python's own bound of the digits of an integer; all other errors of JSON are of a subclass.
        if type(error) is ValueError:
            raise HTTPException(400, "The JSON body holds a number with too many digits.") from None


def _holds_zero(value: object) -> bool:
    """Whether a string in it holds U+0000, which PostgreSQL can keep in no text."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return any(map(_holds_zero, members)) or any(map(_holds_zero, members.values()))
    return isinstance(value, list) and any(map(_holds_zero, cast("list[object]", value)))


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) > MAX_MEMBERS:
        raise HTTPException(400, f"An object in the JSON body has more than {MAX_MEMBERS} members.")
    if len(dict(pairs)) != len(pairs):
        raise HTTPException(400, "An object in the JSON body names a member twice.")


def _no_number(_name: str) -> NoReturn:
    raise HTTPException(400, "NaN and Infinity are no JSON numbers.")


def check_form(body: bytes) -> None:
    """Refuses a form that holds U+0000, in a name or a value.

    Raises:
        HTTPException: it does.
    """
    if b"%00" in body or b"\0" in body:
        raise HTTPException(400, "The form holds U+0000, which is not kept.")


def _check_of(scope: Scope) -> Callable[[bytes], None] | None:
    for name, value in scope["headers"]:
        if name == b"content-type":
            kind = value.partition(b";")[0].strip().lower()
            if kind == b"application/json" or kind.endswith(b"+json"):
                return check_json
            return check_form if kind == b"application/x-www-form-urlencoded" else None
    return None


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _too_large(limit: int) -> HTTPException:
    return HTTPException(413, f"The body is larger than {limit} bytes, the most that this operation takes.")


def body_limit(limit: int, received: Callable[[int], None] | None = None) -> Callable[[Request], None]:
    """A dependency that sets a route's own limit, in bytes: `dependencies=[Depends(body_limit(n))]`.

    Only for routes that read the body themselves (`request.stream()`), and watch its pace: FastAPI reads a
    body that is declared as a parameter before it runs dependencies.

    Args:
        limit: the most bytes.
        received: told how many bytes came, as they come.
    """

    def set_limit(request: Request) -> None:
        request.scope[_RULES] = _Rules(limit, None, received)

    return set_limit
