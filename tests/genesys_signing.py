"""Signing as Genesys does, by an implementation that nobody here wrote: PyPI's http-message-signatures."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from http_message_signatures import (
    HTTPMessageSigner,
    HTTPSignatureComponentResolver,
    HTTPSignatureKeyResolver,
)
from http_message_signatures.algorithms import HMAC_SHA256

COVERED = (
    "@request-target",
    "@authority",
    "audiohook-organization-id",
    "audiohook-session-id",
    "audiohook-correlation-id",
    "x-api-key",
)


@dataclass
class _OneKey(HTTPSignatureKeyResolver):
    key: bytes

    def resolve_private_key(self, key_id: str) -> bytes:
        del key_id
        return self.key

    def resolve_public_key(self, key_id: str) -> bytes:
        del key_id
        return self.key


@dataclass
class Signer:
    """One AudioHook integration: its API key and its client secret."""

    api_key: str
    secret: bytes = field(repr=False)
    covered: tuple[str, ...] = COVERED

    def headers(
        self,
        url: str,
        session_id: str,
        organization_id: str,
        *,
        created: datetime | None = None,
        nonce: str | None = None,
        correlation_id: str = "e160e428-53e2-487c-977d-96989bf5c99d",
    ) -> dict[str, str]:
        """The header fields of a signed upgrade request."""
        moment = created or datetime.now(UTC)
        headers = {
            "Audiohook-Organization-Id": organization_id,
            "Audiohook-Session-Id": session_id,
            "Audiohook-Correlation-Id": correlation_id,
            "X-API-KEY": self.api_key,
        }
        message: Any = SimpleNamespace(method="GET", url=url, headers=headers)
        HTTPMessageSigner(
            signature_algorithm=HMAC_SHA256,
            key_resolver=_OneKey(self.secret),
            component_resolver_class=HTTPSignatureComponentResolver,
        ).sign(
            message,
            key_id=self.api_key,
            created=moment,
            expires=moment + timedelta(seconds=10),
            nonce=nonce or secrets.token_urlsafe(24),
            label="sig1",
            covered_component_ids=self.covered,
        )
        return headers
