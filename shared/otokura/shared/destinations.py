"""Which addresses a service may connect to when somebody else names the host.

A vendor's webhook, a tenant's identity provider: they choose the URL, and Otokura's network can reach things
that they may not. So only public addresses are connected to, unless the operator allows more; and it is the
address about to be connected to that is judged, whatever a name meant a moment before
(`otokura.shared.dialling`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from otokura.shared.address import Address, Network, parse_address

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
