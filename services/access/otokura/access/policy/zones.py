"""Zones as a pure decision: which of a tenant's zones hold an address at a moment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from ipaddress import ip_network

from otokura.shared.address import Address, Network, unmap_network


@dataclass(frozen=True, slots=True)
class Zone:
    """A named set of networks, in force from `valid_from` (inclusive) to `valid_until` (exclusive)."""

    name: str
    networks: tuple[str, ...]
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def holds(self, address: Address, now: datetime) -> bool:
        """Whether the address is in one of the networks and the zone is in force at `now`."""
        if self.valid_from is not None and now < self.valid_from:
            return False
        if self.valid_until is not None and now >= self.valid_until:
            return False
        return any(address in parse_network(network) for network in self.networks)


@lru_cache(maxsize=4096)
def parse_network(text: str) -> Network:
    """Read a network in CIDR notation; IPv4-mapped IPv6 becomes IPv4, as addresses do.

    Raises:
        ValueError: it is not a network, has bits set beyond its prefix, or holds every address.
    """
    if "%" in text:
        raise ValueError("it names an interface, and a reader's address names none")
    try:
        network = unmap_network(ip_network(text.strip()))
    except ValueError:
        # ipaddress says what it was given, and a problem never shows what the caller sent.
        raise ValueError("it is no network in CIDR notation, or has bits set beyond its prefix") from None
    if network.prefixlen == 0:
        raise ValueError("it holds every address: a zone must keep somebody out")
    return network


def leaves_outside(
    before: Sequence[Zone], after: Sequence[Zone], address: Address | None, now: datetime
) -> bool:
    """Whether a change puts an address that is in a zone now outside all of them, at once or later.

    What the change has no part in is not asked about: where it would be outside in any case.
    """
    if not zones_holding(before, address, now):
        return False
    times = (time for zone in (*before, *after) for time in (zone.valid_from, zone.valid_until))
    # Between these moments nothing begins or ends.
    moments = [now, *(time for time in times if time is not None and time > now)]
    return any(
        zones_holding(before, address, moment) and not zones_holding(after, address, moment)
        for moment in moments
    )


def zones_holding(zones: Iterable[Zone], address: Address | None, now: datetime) -> tuple[str, ...]:
    """The names of the zones that hold the address, sorted; none when the address is not known."""
    if address is None:
        return ()
    return tuple(sorted(zone.name for zone in zones if zone.holds(address, now)))
