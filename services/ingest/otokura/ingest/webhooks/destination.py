"""Where webhooks may go: which URLs, and which addresses behind their names.

A vendor chooses the URL, and Otokura's network can reach things that the vendor may not. So only public
addresses are connected to, unless the operator allows more; and it is the address about to be connected to
that is judged, whatever a name meant a moment before (see `connecting.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import httpx

from otokura.ingest.webhooks.errors import WebhookUrlRefused
from otokura.shared.address import Address, Network, parse_address

_HOST = re.compile(rb"[a-z0-9._-]{1,253}|[0-9a-f:.]+")
"""A name as DNS has it (IDNA encoded), or an IPv6 address."""
_HTTP, _HTTPS = 80, 443
_FIRST_UNPRIVILEGED = 1024
_LAST_PORT = 65535

# IANA IPv4 Special-Purpose Address Registry (RFC 6890), what it does not call globally reachable, and:
# multicast, the relays of 6to4, and the address at which Azure answers its machines' questions.
_CLOSED_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
# Of IPv6 only what IANA gave out as global unicast is open: no ULA, link-local, site-local, multicast,
# loopback, or IPv4 in a disguise of old. Inside of it: protocol assignments (Teredo among them),
# documentation, and 6to4, which carries any IPv4 address.
_OPEN_V6 = IPv6Network("2000::/3")
_CLOSED_V6 = tuple(IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
_NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052 §2.1: the last 32 bits are an IPv4 address. In a network without IPv4, names resolve to these."""


@dataclass(frozen=True)
class AddressPolicy:
    """Which addresses may be connected to.

    Attributes:
        allowed: networks that are open although they are not public.
    """

    allowed: Sequence[Network] = ()

    def permits(self, address: Address) -> bool:
        """Whether the address is public, or one that the operator allows."""
        address = _unwrapped(address)
        return any(address in network for network in self.allowed) or _is_public(address)

    def permits_text(self, text: str) -> bool:
        """The same of an address as text; what is no address is not permitted."""
        address = parse_address(text)
        return address is not None and self.permits(address)


def _unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 address leads to, if it is of such a kind."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _CLOSED_V4)
    return address in _OPEN_V6 and not any(address in network for network in _CLOSED_V6)


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
