"""A time-stamping authority (RFC 3161): its signed word that a manifest existed at a time that it names.

It is told a hash and nothing else. That it cannot be had breaks no evidence, unless an installation says so:
then the bundle says plainly that there is none.
"""

from __future__ import annotations

from hmac import compare_digest
from http import HTTPStatus
from pathlib import Path

import aiohttp
from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from otokura.shared import logs, metrics
from otokura.shared.errors import Unavailable

log = logs.get_logger(__name__)

FAILURES = metrics.counter(
    "otokura_access_timestamps_failed_total",
    "Timestamps that the authority did not give, or that were no good.",
)
_MOST_BYTES = 1 << 20
_QUERY, _REPLY = "application/timestamp-query", "application/timestamp-reply"


class Authority:
    """One authority.

    Args:
        url: where it answers HTTP (RFC 3161 §3.4).
        required: whether there is no evidence without it.
        roots: certificates (PEM) that its certificate must lead to; None: its answers are checked for what
            they are about, and who verifies the bundle says whom they believe.
        seconds: for the whole of one question.
    """

    def __init__(self, url: str, *, required: bool, roots: Path | None, seconds: float) -> None:
        self.url = url
        self.required = required
        self._roots = [] if roots is None else x509.load_pem_x509_certificates(roots.read_bytes())
        self._timeout = aiohttp.ClientTimeout(total=seconds)

    async def check(self) -> None:
        """Where it is required: that it answers now, before anything is opened or sent.

        Raises:
            Unavailable: it does not.
        """
        if self.required and await self.stamp(b"otokura.evidence-probe.v1") is None:
            raise _away()

    async def stamp(self, data: bytes) -> bytes | None:
        """The response (`TimeStampResp`, DER) about SHA-256 of `data`; None when none can be had."""
        request = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256).build()
        try:
            body = await self._ask(request.as_bytes())
            response = decode_timestamp_response(body)
            builder = VerifierBuilder.from_request(request)
            for root in self._roots:
                builder = builder.add_root_certificate(root)
            if self._roots:
                builder.build().verify_message(response, data)
            else:
                _check_about(response, request.nonce, request.message_imprint.message)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, VerificationError) as error:
            FAILURES.inc()
            log.warning("no timestamp", authority=self.url, why=type(error).__name__)
            return None
        return body

    async def must(self, data: bytes) -> bytes | None:
        """The same; where it is required, there is one.

        Raises:
            Unavailable: there is none, though it is required.
        """
        made = await self.stamp(data)
        if made is None and self.required:
            raise _away()
        return made

    async def _ask(self, request: bytes) -> bytes:
        headers = {"Content-Type": _QUERY, "Accept": _REPLY, "Accept-Encoding": "identity"}
        async with (
            aiohttp.ClientSession(timeout=self._timeout, trust_env=False) as session,
            session.post(self.url, data=request, headers=headers, allow_redirects=False) as response,
        ):
            body = bytearray()
            async for chunk in response.content.iter_chunked(1 << 14):
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise ValueError("the answer is too long")
            if response.status != HTTPStatus.OK or response.content_type != _REPLY:
                raise ValueError("the answer is no timestamp")
            return bytes(body)


def _check_about(response: TimeStampResponse, nonce: int | None, digest: bytes) -> None:
    """It was granted, and is about what was asked now. Whether its signature is good is not known here."""
    info = response.tst_info if response.status == PKIStatus.GRANTED else None
    if info is None or info.nonce != nonce or not compare_digest(info.message_imprint.message, digest):
        raise ValueError("not granted, or about something else")


def _away() -> Unavailable:
    return Unavailable("The time-stamping authority gives no timestamp now, and no evidence is made without.")
