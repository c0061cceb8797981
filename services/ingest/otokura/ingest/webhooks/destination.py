"""Where webhooks may go: which URLs; which addresses is `otokura.shared.destinations`' to say."""

from __future__ import annotations

import re

import httpx

from otokura.ingest.webhooks.errors import WebhookUrlRefused
from otokura.shared.address import parse_address
from otokura.shared.destinations import AddressPolicy

_HOST = re.compile(rb"[a-z0-9._-]{1,253}|[0-9a-f:.]+")
"""A name as DNS has it (IDNA encoded), or an IPv6 address."""
_HTTP, _HTTPS = 80, 443
_FIRST_UNPRIVILEGED = 1024
_LAST_PORT = 65535


def parse_url(text: str, policy: AddressPolicy, *, plain_http: bool) -> httpx.URL:
    """The URL of an endpoint, if webhooks may be sent to such a one.

    A name is judged by its addresses, and only when a connection is made: here it is not looked up.

    Args:
        text: what the vendor gave.
        policy: judges a host that is an address.
        plain_http: whether `http` is accepted beside `https`.

    Raises:
        WebhookUrlRefused: it says why, without a part of the URL, which may hold a secret.
    """
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        raise WebhookUrlRefused("This is not a URL. Give one like https://cti.example.com/otokura.") from None
    if url.scheme not in (("https", "http") if plain_http else ("https",)):
        raise WebhookUrlRefused("The URL must begin with https://.")
    if url.userinfo:
        raise WebhookUrlRefused("The URL may not hold a name or password: verify the signature instead.")
    if url.fragment:
        raise WebhookUrlRefused("The URL may not have a fragment (#…): it would never be sent.")
    if not _HOST.fullmatch(url.raw_host):
        raise WebhookUrlRefused("The URL has no host, or one that cannot be the name of any.")
    if not _port_is_open(url.port):
        raise WebhookUrlRefused("The port must be 443, 80, or between 1024 and 65535.")
    if parse_address(url.host) is not None and not policy.permits_text(url.host):
        raise WebhookUrlRefused("The host is a private or reserved address. Give a public one.")
    return url


def _port_is_open(port: int | None) -> bool:
    """Well-known ports belong to protocols that could take an HTTP request for something else."""
    return port is None or port in (_HTTP, _HTTPS) or _FIRST_UNPRIVILEGED <= port <= _LAST_PORT
