"""Errors as RFC 9457 problems (`application/problem+json`), from one place.

A problem says what was wrong and what to do. It never shows a stack trace, nor a value that the
caller sent: values may be somebody's secret, and the answer may be read by somebody else. `errors` says where
in the request it stands instead (`told`). Two problems name what is not there, in a member `unknown` that is
part of the API: purposes, which are public words of a fixed form, and ids of calls, which are UUIDs.
"""

from __future__ import annotations

import http
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from otokura.shared import errors, logs
from otokura.shared.errors import OtokuraError

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:otokura:problem:"

log = logs.get_logger(__name__)


class FieldError(BaseModel):
    """One thing that is wrong with a request."""

    location: str = Field(description="`body`, `query`, `path`, `header` or `cookie`.")
    pointer: str = Field(description="JSON Pointer (RFC 6901) to the value, as a URI fragment.")
    message: str


class Problem(BaseModel):
    """RFC 9457 §3.1. Errors may add members of their own."""

    model_config = ConfigDict(extra="allow")
    type: str = Field(examples=["urn:otokura:problem:not-found"])
    title: str
    status: int
    detail: str
    instance: str | None = Field(
        default=None, description="The id of the request, for whoever reads the logs."
    )
    errors: list[FieldError] | None = None


_BY_STATUS: dict[int, tuple[str, str]] = {
    kind.status: (kind.code, kind.title)
    for kind in (
        errors.BadRequest, errors.Unauthenticated, errors.Forbidden, errors.NotFound, errors.Conflict,
        errors.PreconditionFailed, errors.TooLarge, errors.UnsupportedMedia, errors.RangeNotSatisfiable,
        errors.Unprocessable, errors.TooManyRequests, OtokuraError, errors.Unavailable,
    )
}  # fmt: skip


def problem(
    status: int, code: str, title: str, detail: str, extensions: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The members of a problem; `instance` is the id of the request being served."""
    current = logs.request_id.get()
    return {
        "type": TYPE_PREFIX + code,
        "title": title,
        "status": status,
        "detail": detail,
        **({"instance": f"urn:uuid:{current}"} if current else {}),
        **(extensions or {}),
    }


def problem_of(error: Exception) -> dict[str, Any]:
    """The problem that an exception is told as; what is not ours is told as an internal error."""
    if isinstance(error, OtokuraError):
        return problem(error.status, error.code, error.title, error.detail, error.extensions)
    if isinstance(error, RequestValidationError | WebSocketRequestValidationError):
        found = [field.model_dump() for field in field_errors(error.errors())]
        code, title = _BY_STATUS[422]
        detail = "The request does not have the form that this operation takes; see errors."
        return problem(422, code, title, detail, {"errors": found})
    if isinstance(error, HTTPException):
        code, title = _named(error.status_code)
        return problem(error.status_code, code, title, str(error.detail) or title)
    return problem(
        500, OtokuraError.code, OtokuraError.title, "Something went wrong on our side; it is logged."
    )


def response_of(error: Exception) -> Response:
    """The HTTP response that an exception is told as."""
    members = problem_of(error)
    status = int(members["status"])
    headers = dict(cast("Mapping[str, str] | None", getattr(error, "headers", None)) or {})
    if status == http.HTTPStatus.UNAUTHORIZED:
        headers.setdefault("WWW-Authenticate", "Bearer")
    if status == http.HTTPStatus.SERVICE_UNAVAILABLE:
        headers.setdefault("Retry-After", "1")
    headers["Cache-Control"] = "no-store"
    body = json.dumps(members, ensure_ascii=False, default=str).encode()
    return Response(body, status, headers, media_type=MEDIA_TYPE)


def close_code(error: Exception) -> int:
    """The WebSocket close code for an exception: 4000 + status for the caller's errors, else 1011."""
    status = int(problem_of(error)["status"])
    return 4000 + status if status < http.HTTPStatus.INTERNAL_SERVER_ERROR else 1011


def message_of(error: Exception) -> str:
    """The WebSocket message that an exception is told as: `{"type":"error","problem":{…}}`."""
    return json.dumps({"type": "error", "problem": problem_of(error)}, ensure_ascii=False, default=str)


async def close_with(websocket: WebSocket, error: Exception) -> None:
    """Tells a WebSocket's client what went wrong (`message_of`), and closes.

    A socket not yet accepted is accepted first: clients cannot see a refusal's body, but can see this.
    """
    if websocket.application_state is WebSocketState.CONNECTING:
        await websocket.accept()
    if WebSocketState.DISCONNECTED in (websocket.application_state, websocket.client_state):
        return
    await websocket.send_text(message_of(error))
    await websocket.close(close_code(error))


def install(app: FastAPI) -> None:
    """Makes every error of the app a problem."""
    for kind in (OtokuraError, HTTPException, RequestValidationError, WebSocketRequestValidationError):
        # Starlette's type wants one function for HTTP and another for WebSocket; it calls this for both.
        app.add_exception_handler(kind, cast("Any", _handle))
    app.add_exception_handler(ClientDisconnect, cast("Any", _gone))
    app.add_exception_handler(WebSocketDisconnect, cast("Any", _hung_up))


async def _handle(connection: Request | WebSocket, error: Exception) -> Response | None:
    status = int(problem_of(error)["status"])
    if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request failed", status=status, exc_info=error)
    if isinstance(connection, WebSocket):
        await close_with(connection, error)
        return None
    return response_of(error)


async def _gone(_request: Request, _error: Exception) -> Response:
    """Nobody reads this answer; it keeps a client that hung up from looking like a fault of ours."""
    return response_of(errors.BadRequest("The connection ended before the body did."))


async def _hung_up(_websocket: WebSocket, _error: Exception) -> None:
    """A socket that its client closed is the usual end of it."""


_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")
_MESSAGES = {
    # pydantic's own words for these quote the input.
    "uuid_parsing": "Input should be a valid UUID",
    "union_tag_invalid": "Input is of none of the expected kinds",
    "json_invalid": "The body is not valid JSON",
}
_SHORT = 4
_MOST_TOLD = 100
"""Errors of one request: who has more will not read them all at once."""


def field_errors(found: Sequence[Any]) -> list[FieldError]:
    """Pydantic's errors without the input: neither values nor member names that only the caller chose."""
    return [_field_error(cast("dict[str, Any]", one)) for one in found[:_MOST_TOLD]]


def told(location: str, message: str, *path: str | int) -> dict[str, str]:
    """A member of `errors` for what only the database knows to be wrong: where it stands, and not what it is.

    Args:
        location: `body`, `query`, `path`, `header` or `cookie`.
        message: what is wrong.
        path: names of our own and positions, from there.
    """
    pointer = "#" + "".join(f"/{part}" for part in path)
    return FieldError(location=location, pointer=pointer, message=message).model_dump()


def _field_error(found: dict[str, Any]) -> FieldError:
    location, *path = found["loc"]
    parts = [str(part) if isinstance(part, int) or _NAME.match(part) else "?" for part in path]
    message = _MESSAGES.get(found["type"], str(found["msg"]))
    given = found.get("input")
    if isinstance(given, str) and len(given) >= _SHORT and given in message:
        message = "Input is not valid"
    if found["type"] == "json_invalid":
        parts = []
    return FieldError(
        location=str(location), pointer="#" + "".join(f"/{part}" for part in parts), message=message
    )


def _named(status: int) -> tuple[str, str]:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    phrase = http.HTTPStatus(status).phrase
    return re.sub(r"[^a-z0-9]+", "-", phrase.lower()).strip("-"), phrase


def responses(*kinds: type[OtokuraError]) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses=`: the problems that it answers with, for OpenAPI."""
    return {
        kind.status: {
            "model": Problem,
            "description": kind.title,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for kind in kinds
    }


_PROBLEM = "#/components/schemas/Problem"
_VALIDATION = ("HTTPValidationError", "ValidationError")
_ADDRESS = (errors.BadRequest,)
_BODY = (*_ADDRESS, errors.TooLarge)


def _is_own(about: Mapping[str, Any]) -> bool:
    """Whether a form is neither that of problems nor FastAPI's own for what is not valid."""
    name = str(about.get("schema", {}).get("$ref", "")).rpartition("/")[2]
    return name not in ("", "Problem", *_VALIDATION)


def describe(openapi: dict[str, Any]) -> None:
    """Says of every error answer in an OpenAPI document that it is a problem, unless its route says its form.

    FastAPI says of each that it is the JSON of a success, and of 422 that it has FastAPI's own form. What an
    address, or a body, may be refused for before any route sees it is said of every operation.
    """
    schemas: dict[str, Any] = openapi.setdefault("components", {}).setdefault("schemas", {})
    for name in _VALIDATION:
        schemas.pop(name, None)
    operations = [one for path in openapi["paths"].values() for one in path.values()]
    for operation in operations:
        kinds = _BODY if "requestBody" in operation else _ADDRESS
        operation["responses"] = {
            str(kind.status): {"description": kind.title} for kind in kinds
        } | operation["responses"]
    for status, answer in (pair for one in operations for pair in one["responses"].items()):
        if status >= "400":
            # A form of its own, such as OAuth's (RFC 6749 §5.2), stays; a body may be refused before it.
            own = {media: about for media, about in answer.get("content", {}).items() if _is_own(about)}
            answer["content"] = own | {MEDIA_TYPE: {"schema": {"$ref": _PROBLEM}}}
        if status == str(errors.Unprocessable.status):
            answer["description"] = errors.Unprocessable.title
    if "Problem" not in schemas:
        ref = "#/components/schemas/{model}"
        problem = Problem.model_json_schema(ref_template=ref)
        schemas |= problem.pop("$defs", {}) | {"Problem": problem}
