"""Where a request comes from: the one place that turns a peer and X-Forwarded-For into an address.

The header is believed only behind a configured proxy, and read from the right: each proxy appends the
address it saw, so everything left of the first address that no proxy of ours wrote may be a lie.
`None` means that the address is not known, and whoever decides by address must deny.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import HTTPConnection

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_MAPPED = IPv6Network("::ffff:0:0/96")
_CACHE = 4096
_LONGEST = 64
"""Characters; longer text is no address, and is not kept in the cache."""


class Reason(StrEnum):
    """How the address was found, or why it was not."""

    DIRECT = "direct"
    FORWARDED = "forwarded"
    NO_PEER = "no-peer"
    UNPARSABLE = "unparsable"
    ALL_TRUSTED = "all-trusted"


@dataclass(frozen=True, slots=True)
class ResolvedAddress:
    """The client's address and everything it was found from, for the log.

    Attributes:
        address: the client; None when it cannot be known, and then nothing may be allowed by address.
        peer: the other end of the TCP connection, as the server saw it.
        chain: the X-Forwarded-For elements as they came, leftmost first; anybody may have written them.
        reason: how `address` came about.
    """

    address: Address | None
    peer: str | None
    chain: tuple[str, ...]
    reason: Reason


def unmap_network(network: Network) -> Network:
    """The IPv4 network inside an IPv4-mapped IPv6 network (RFC 4291 §2.5.5.2), else the network itself."""
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        mapped = network.network_address.ipv4_mapped
        return IPv4Network((int(mapped or 0), network.prefixlen - 96))
    return network


def parse_address(text: str) -> Address | None:
    """An address as zones compare it: IPv4-mapped unmapped, zone ids dropped; None if the text is none."""
    return _parse(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=_CACHE)
def _parse(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.scope_id is not None:
            return IPv6Address(int(address))
    return address


class ClientAddressResolver:
    """Resolves client addresses behind the given proxies.

    Args:
        trusted: networks of the proxies whose X-Forwarded-For is believed. Name exact proxies: an address
            in here is never taken for a client.
    """

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = tuple(unmap_network(network) for network in trusted)
        self._is_trusted = lru_cache(maxsize=_CACHE)(self._in_trusted_network)

    def resolve(self, peer: str | None, forwarded_for: Sequence[str]) -> ResolvedAddress:
        """Finds the client's address.

        Args:
            peer: address of the other end of the connection, without its port; None on a Unix socket.
            forwarded_for: values of all X-Forwarded-For headers, in the order in which they came.
        """
        chain = tuple(part.strip(" \t") for value in forwarded_for for part in value.split(","))
        address, reason = self._resolve(peer, chain)
        return ResolvedAddress(address, peer, chain, reason)

    def trusts(self, address: Address) -> bool:
        """Whether the address is that of a configured proxy, whose forwarded headers are believed."""
        return self._is_trusted(address)

    def _resolve(self, peer: str | None, chain: tuple[str, ...]) -> tuple[Address | None, Reason]:
        if peer is None:
            return None, Reason.NO_PEER
        address = parse_address(peer)
        if address is None:
            return None, Reason.UNPARSABLE
        if not self._is_trusted(address):
            return address, Reason.DIRECT
        for text in reversed(chain):
            address = parse_address(text)
            if address is None:
                return None, Reason.UNPARSABLE
            if not self._is_trusted(address):
                return address, Reason.FORWARDED
        return None, Reason.ALL_TRUSTED

    def _in_trusted_network(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def from_scope(scope: Mapping[str, Any], resolver: ClientAddressResolver) -> ResolvedAddress:
    """The client's address of an ASGI `http` or `websocket` scope (ASGI 3, `client` and `headers`)."""
    client = scope.get("client")
    forwarded = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return resolver.resolve(client[0] if client else None, forwarded)


def client_address(connection: HTTPConnection) -> ResolvedAddress:
    """The client's address of a request or WebSocket, by the resolver that `create_api` made."""
    return from_scope(connection.scope, connection.app.state.address_resolver)


async def _client_address(connection: HTTPConnection) -> ResolvedAddress:
    """As a dependency: FastAPI runs one that is no coroutine in a thread, which costs more than this does."""
    return client_address(connection)


ClientAddress = Annotated[ResolvedAddress, Depends(_client_address)]
"""The client's address in the signature of a route."""
