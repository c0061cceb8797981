"""One request to a vendor's server: guarded, bounded, and indifferent to what comes back but its status.

httpcore is used as it is, without httpx's client around it, because that client follows a proxy from the
environment, decompresses bodies, and has no public place where the address can be chosen.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

import httpcore
import httpx

from otokura.ingest.webhooks.settings import WebhookSettings
from otokura.shared.destinations import AddressPolicy
from otokura.shared.dialling import AddressRefusedError, GuardedBackend, Resolver, SystemResolver

USER_AGENT = "Otokura-Webhooks/1"
_SUCCESS = 2
"""The hundreds of a status."""
_DRAIN_BYTES = 16 * 1024
_DRAIN_SECONDS = 1.0
_KEEP_CONNECTION_SECONDS = 10.0
_LONGEST_RETRY_AFTER = 3600.0


class SendError(StrEnum):
    """Why there was no answer."""

    TIMEOUT = "timeout"
    CONNECTION = "connection-failed"
    TLS = "tls-failed"
    ADDRESS = "address-refused"
    MALFORMED = "malformed-response"
    URL = "url-refused"
    SECRET = "secret-unusable"  # noqa: S105 - a name, no secret


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one attempt.

    Attributes:
        status: the HTTP status, if one came.
        error: why none came.
        retry_after: seconds that the endpoint asks us to stay away (RFC 9110 §10.2.3), at most an hour.
    """

    status: int | None = None
    error: SendError | None = None
    retry_after: float | None = None

    @property
    def accepted(self) -> bool:
        """Whether the endpoint took it: any 2xx, and nothing else."""
        return self.status is not None and self.status // 100 == _SUCCESS

    @property
    def gone(self) -> bool:
        """Whether the endpoint wants nothing any more."""
        return self.status == HTTPStatus.GONE


class Sender:
    """Sends requests over a pool of guarded connections.

    Args:
        settings: limits, and the networks that are allowed.
        resolve: finds addresses; the system's resolver unless a test says otherwise.
    """

    def __init__(self, settings: WebhookSettings, resolve: Resolver | None = None) -> None:
        self._total = settings.webhook_timeout_seconds
        self._timeouts = {
            "connect": settings.webhook_connect_seconds,
            "read": self._total,
            "write": self._total,
            "pool": self._total,
        }
        self._system = SystemResolver()
        policy = AddressPolicy(settings.webhook_allowed_networks)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_tls(settings),
            max_connections=settings.webhook_slots,
            max_keepalive_connections=settings.webhook_slots,
            keepalive_expiry=_KEEP_CONNECTION_SECONDS,
            network_backend=GuardedBackend(resolve or self._system, policy),
        )

    async def post(self, url: httpx.URL, headers: dict[str, str], body: bytes) -> Answer:
        """Send one request and wait for its status; the rest of the answer is thrown away unread.

        A redirect is an answer like any other: it is not followed.
        """
        answer: Answer | None = None
        fixed = {"Host": url.netloc.decode(), "User-Agent": USER_AGENT, "Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(self._total),
                self._pool.stream(
                    "POST",
                    _target(url),
                    headers=[*fixed.items(), *headers.items()],
                    content=body,
                    extensions={"timeout": self._timeouts},
                ) as response,
            ):
                answer = Answer(response.status, retry_after=_retry_after(response))
                await _drain(response)
        except (TimeoutError, httpcore.TimeoutException):
            return answer or Answer(error=SendError.TIMEOUT)
        except AddressRefusedError:
            return Answer(error=SendError.ADDRESS)
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol):
            return answer or Answer(error=SendError.MALFORMED)
        except (httpcore.NetworkError, OSError) as error:
            return answer or Answer(error=_connection_error(error))
        return answer

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.aclose()
        self._system.close()


def _target(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


def _tls(settings: WebhookSettings) -> ssl.SSLContext:
    context = httpcore.default_ssl_context()
    if settings.webhook_ca_file is not None:
        context.load_verify_locations(settings.webhook_ca_file)
    return context


async def _drain(response: httpcore.Response) -> None:
    """Read the end of a short body, so that the connection can be used again; leave a long one."""
    seen = 0
    async with asyncio.timeout(_DRAIN_SECONDS):
        async for chunk in response.aiter_stream():
            seen += len(chunk)
            if seen > _DRAIN_BYTES:
                return


def _retry_after(response: httpcore.Response) -> float | None:
    for name, value in response.headers:
        if name.lower() == b"retry-after" and value.isdigit():
            return min(float(value[:9]), _LONGEST_RETRY_AFTER)
    return None


def _connection_error(error: BaseException) -> SendError:
    """TLS failures come wrapped, by anyio and again by httpcore."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return SendError.TLS
        cause = cause.__cause__ or cause.__context__
    return SendError.CONNECTION
