"""The one family of errors that Otokura raises on purpose.

HTTP: `otokura.shared.problems` turns any `OtokuraError` into an RFC 9457 problem.
Kafka: `otokura.shared.consumer` reads `Retryable` and `Poison`.
"""

from __future__ import annotations

from typing import Any, ClassVar


class OtokuraError(Exception):
    """An error whose text may be shown to the caller: never put secrets, audio or text into it.

    Args:
        detail: what was wrong and what to do about it, in one or two sentences.
        extensions: further members of the problem (RFC 9457 §3.2), JSON-serialisable.
        headers: response headers, such as `Retry-After`.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str = "", *, headers: dict[str, str] | None = None, **extensions: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.headers = headers or {}
        self.extensions = extensions


class BadRequest(OtokuraError):  # noqa: N818 - named after the HTTP status, as a caller knows it
    """The request cannot be understood."""

    status, code, title = 400, "bad-request", "Bad request"


class Unauthenticated(OtokuraError):  # noqa: N818
    """No valid credential came with the request."""

    status, code, title = 401, "unauthenticated", "Authentication needed"


class Forbidden(OtokuraError):  # noqa: N818
    """The caller is known, may know that the thing exists, and may not do this."""

    status, code, title = 403, "forbidden", "Not permitted"


class NotFound(OtokuraError):  # noqa: N818
    """The thing does not exist, or the caller may not know that it does."""

    status, code, title = 404, "not-found", "Not found"


class Conflict(OtokuraError):  # noqa: N818
    """The thing is in a state in which this cannot be done."""

    status, code, title = 409, "conflict", "Conflict"


class PreconditionFailed(OtokuraError):  # noqa: N818
    """An If-Match or If-None-Match did not hold."""

    status, code, title = 412, "precondition-failed", "Precondition failed"


class TooLarge(OtokuraError):  # noqa: N818
    """The body is larger than allowed."""

    status, code, title = 413, "too-large", "Body too large"


class UnsupportedMedia(OtokuraError):  # noqa: N818
    """The media cannot be opened, or is of a kind that is not accepted."""

    status, code, title = 415, "unsupported-media", "Unsupported media"


class RangeNotSatisfiable(OtokuraError):  # noqa: N818
    """The requested range lies outside the representation (RFC 9110 §15.5.17)."""

    status, code, title = 416, "range-not-satisfiable", "Range not satisfiable"


class Unprocessable(OtokuraError):  # noqa: N818
    """The request is well formed and its values are not acceptable."""

    status, code, title = 422, "unprocessable", "Unprocessable content"


class TooManyRequests(OtokuraError):  # noqa: N818
    """A limit was reached; `Retry-After` says when to come back."""

    status, code, title = 429, "too-many-requests", "Too many requests"


class Unavailable(OtokuraError):  # noqa: N818
    """Something that Otokura depends on is away. In a Kafka handler: wait and try again, without end."""

    status, code, title = 503, "unavailable", "Temporarily unavailable"


class IntegrityError(OtokuraError):
    """Stored data is not what was stored: tampering or corruption. Never retried, always loud."""

    status, code, title = 500, "integrity", "Stored data failed its integrity check"


class Retryable(OtokuraError):  # noqa: N818
    """A Kafka handler could not do its work now; try again with bounded backoff, then dead-letter."""


class Poison(OtokuraError):  # noqa: N818
    """A Kafka message can never be handled; dead-letter it at once."""
