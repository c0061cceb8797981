"""One way to ask a service, and to say what it answered when that was an error."""

from __future__ import annotations

import contextlib
import functools
import json
from types import TracebackType
from typing import Any, Self, cast

import httpx

_TIMEOUT = httpx.Timeout(30.0, read=300.0)
_trust = functools.cache(httpx.create_ssl_context)
"""The authorities that certify servers: read once, as that takes 50 ms."""


class ApiError(Exception):
    """A service refused: the text is its own words (RFC 9457 `detail`).

    Attributes:
        status: of the answer.
        detail: the words.
        code: of the problem, such as `call-closed`; empty where the answer was no problem document.
        retry_after: seconds, if the service says when to come back.
    """

    def __init__(
        self, status: int, title: str, detail: str, *, code: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(f"{status} {title}: {detail}" if detail else f"{status} {title}")
        self.status = status
        self.detail = detail or title
        self.code = code
        self.retry_after = retry_after


class Api:
    """A service at an address.

    Args:
        url: its address, without a path.
        auth: puts a credential into each request.
        source: the local address that requests come from, when it must be a certain one.
    """

    def __init__(self, url: str, *, auth: httpx.Auth | None = None, source: str | None = None) -> None:
        self.url = url.rstrip("/")
        # A proxy of the environment would hide where we come from, which is what zones are about.
        transport = httpx.HTTPTransport(verify=_trust(), local_address=source, retries=1)
        self._client = httpx.Client(base_url=self.url, auth=auth, transport=transport, timeout=_TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Ask; the arguments are httpx's.

        Raises:
            ApiError: the answer is an error.
            httpx.TransportError: there is no answer.
        """
        response = self._client.request(method, path, **arguments)
        if response.is_error:
            raise error_of(response)
        return response

    def stream(
        self, method: str, path: str, **arguments: Any
    ) -> contextlib.AbstractContextManager[httpx.Response]:
        """Ask for what is too large to hold; an answer that is an error is the caller's to read."""
        return self._client.stream(method, path, **arguments)

    def json(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        """Ask, and give the JSON object that is the answer."""
        answer: dict[str, Any] = self.request(method, path, **arguments).json()
        return answer


def error_of(response: httpx.Response) -> ApiError:
    """The error in an answer: a problem document, an OAuth2 error, or just its status."""
    problem: dict[str, Any] = {}
    with contextlib.suppress(json.JSONDecodeError):
        body: object = json.loads(response.read())
        problem = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    title = str(problem.get("title") or problem.get("error") or response.reason_phrase)
    detail = str(problem.get("detail") or problem.get("error_description") or "")
    for fault in problem.get("errors", []):
        detail += f" {fault.get('pointer', '')} {fault.get('message', '')}.".rstrip()
    code = str(problem.get("type") or "").rpartition(":")[2]
    after = response.headers.get("retry-after", "")
    retry_after = float(after) if after.isdigit() else None
    return ApiError(response.status_code, title, detail, code=code, retry_after=retry_after)
