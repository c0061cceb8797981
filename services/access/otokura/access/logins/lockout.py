"""How often somebody may fail to log in: guessing is hopeless, and the owner is never locked out. Pure.

Failures count where they come from: a device that this very person has logged in from before and that shows
so, else a network. Those that the person came from have a budget of their own: whatever others do elsewhere,
and even in the same network, the owner gets in from where they usually are. All other networks share one
budget for the account, so that a thousand addresses have no more tries than one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, ip_network

from otokura.access.identity.secrets import hash_secret
from otokura.shared.address import Address

WINDOW = timedelta(minutes=15)
"""In which failures count."""
HERE, ELSEWHERE = 5, 20
"""Failures within a window: from one origin; from all together that the person never came from."""
DAY = timedelta(days=1)
ELSEWHERE_A_DAY = 100
"""Failures within a day from origins that the person never came from: who has the password and guesses codes
has one chance in thousands (NIST SP 800-63B-4 §3.2.2 permits a hundred)."""
KNOWN = timedelta(days=90)
"""For how long a network or a device is remembered after a log-in."""


@dataclass(frozen=True, slots=True)
class Failures:
    """What went wrong lately.

    Attributes:
        here: within the window, from this origin.
        unknown: within the window, from all origins that the person did not come from lately.
        known: whether the person came from this one lately.
        unknown_today: as `unknown`, within a day.
    """

    here: int
    unknown: int
    known: bool
    unknown_today: int = 0


def may_try(failures: Failures) -> bool:
    """Whether another try is looked at at all."""
    if failures.here >= HERE:
        return False
    return failures.known or (failures.unknown < ELSEWHERE and failures.unknown_today < ELSEWHERE_A_DAY)


def network_of(address: Address | None) -> str:
    """What one customer of a provider has: an IPv4 address, or a /64 (RFC 6177)."""
    if address is None:
        return "unknown"
    bits = 32 if isinstance(address, IPv4Address) else 64
    return str(ip_network((address, bits), strict=False))


def device_of(token: str) -> str:
    """A device, by the hash of the token that it was given at a log-in."""
    return f"device:{hash_secret(token)}"
