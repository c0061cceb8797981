"""An issuer's documents over HTTP: guarded, bounded, no redirect followed.

httpcore is used as it is, as for webhooks: its connections go to the address that was judged
(`otokura.shared.dialling`), and no proxy, cookie or compression comes in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

import httpcore

from otokura.access.oidc.documents import LOOPBACK, Keys, check_url, keys_url, metadata_url, read_keys
from otokura.access.oidc.errors import FetchError
from otokura.access.oidc.settings import OidcSettings
from otokura.access.oidc.strict_json import strict_object
from otokura.shared.destinations import AddressPolicy
from otokura.shared.dialling import AddressRefusedError, GuardedBackend, Resolver, SystemResolver

_MAX_BYTES = 512 * 1024
_OK = 200
_HEADERS = [
    ("User-Agent", "Otokura-Access/1"),
    ("Accept", "application/json"),
    ("Accept-Encoding", "identity"),
]


class Documents:
    """Fetches metadata and keys.

    Args:
        settings: limits, and the networks that are allowed.
        resolve: finds addresses; the system's resolver unless a test says otherwise.
    """

    def __init__(self, settings: OidcSettings, resolve: Resolver | None = None) -> None:
        self._seconds = settings.oidc_timeout_seconds
        self._development = settings.development
        self._system = SystemResolver()
        allowed = settings.oidc_allowed_networks
        if settings.development:
            allowed = (*allowed, ip_network(f"{LOOPBACK}/32"))
        tls = httpcore.default_ssl_context()
        if settings.oidc_ca_file is not None:
            tls.load_verify_locations(settings.oidc_ca_file)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=16,
            max_keepalive_connections=0,
            network_backend=GuardedBackend(resolve or self._system, AddressPolicy(allowed)),
        )

    async def keys(self, issuer: str) -> Keys:
        """The keys of an issuer, by way of its metadata.

        Raises:
            FetchError: they cannot be had within the bounds, or are not what they must be.
        """
        check_url(issuer, development=self._development)
        try:
            async with asyncio.timeout(self._seconds):
                metadata = await self._object(metadata_url(issuer))
                return read_keys(
                    await self._object(keys_url(issuer, metadata, development=self._development))
                )
        except (TimeoutError, httpcore.TimeoutException):
            raise FetchError("it takes too long") from None
        except AddressRefusedError:
            raise FetchError("its host has no address that may be connected to") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError):
            raise FetchError("no connection, or no HTTP over TLS") from None

    async def _object(self, url: str) -> Mapping[str, Any]:
        async with self._pool.stream("GET", url, headers=_HEADERS) as response:
            if response.status != _OK:
                raise FetchError(f"it answers with the status {response.status}")
            if any(name.lower() == b"content-encoding" for name, _ in response.headers):
                raise FetchError("its answer is compressed")
            body = bytearray()
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) > _MAX_BYTES:
                    raise FetchError("its answer is too long")
        try:
            return strict_object(bytes(body))
        except ValueError:
            raise FetchError("its answer is no JSON object, or could be read in two ways") from None

    async def close(self) -> None:
        """Closes every connection."""
        await self._pool.aclose()
        self._system.close()
