"""Which zones hold an address."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otokura.access.policy.zones import Zone, leaves_outside, parse_network, zones_holding

NOW = datetime(2026, 4, 1, 9, tzinfo=UTC)
OFFICE = Zone("office", ("203.0.113.0/28", "2001:db8:7::/48"))


@pytest.mark.parametrize("address", ["203.0.113.0", "203.0.113.15", "2001:db8:7::1"])
def test_a_zone_holds_the_addresses_of_its_networks(address: str) -> None:
    assert zones_holding([OFFICE], ip_address(address), NOW) == ("office",)


@pytest.mark.parametrize("address", ["203.0.113.16", "203.0.112.255", "2001:db8:8::1", "::ffff:203.0.113.1"])
def test_a_zone_holds_no_other_address(address: str) -> None:
    assert zones_holding([OFFICE], ip_address(address), NOW) == ()


@pytest.mark.guarantee("R2")
def test_an_unknown_address_is_in_no_zone() -> None:
    everything = Zone("halves", ("0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"))
    assert zones_holding([everything], None, NOW) == ()


@pytest.mark.guarantee("R2")
@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(min_value=1, max_value=32))
def test_a_zone_holds_exactly_what_shares_its_prefix(
    network: IPv4Address, address: IPv4Address, prefix: int
) -> None:
    zone = Zone("z", (str(IPv4Network((int(network), prefix), strict=False)),))
    same = int(network) >> (32 - prefix) == int(address) >> (32 - prefix)
    assert bool(zones_holding([zone], address, NOW)) is same


def test_a_zone_is_in_force_from_its_beginning_up_to_its_end() -> None:
    zone = Zone("fair", ("203.0.113.0/28",), NOW, NOW + timedelta(hours=8))
    held = [
        zones_holding([zone], IPv4Address("203.0.113.1"), NOW + timedelta(seconds=seconds))
        for seconds in (-1, 0, 8 * 3600 - 1, 8 * 3600)
    ]
    assert held == [(), ("fair",), ("fair",), ()]


def test_zones_are_named_in_order() -> None:
    zones = [Zone("b", ("10.0.0.0/8",)), Zone("a", ("10.1.0.0/16",)), Zone("c", ("10.2.0.0/16",))]
    assert zones_holding(zones, IPv4Address("10.1.2.3"), NOW) == ("a", "b")


def test_an_ipv4_mapped_network_is_the_ipv4_network() -> None:
    assert parse_network("::ffff:203.0.113.0/124") == IPv4Network("203.0.113.0/28")
    zone = Zone("office", ("::ffff:203.0.113.0/124",))
    assert zones_holding([zone], IPv4Address("203.0.113.7"), NOW) == ("office",)


@pytest.mark.parametrize("text", ["0.0.0.0/0", "::/0", "::ffff:0:0/96"])
def test_a_network_that_holds_everybody_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="every address"):
        parse_network(text)


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "office", "", "10.0.0", "fe80::%eth0/64"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_network(text)


def test_a_single_address_is_a_network() -> None:
    assert IPv6Address("2001:db8::1") in parse_network("2001:db8::1")


HERE = IPv4Address("203.0.113.1")
SOON, LATER = NOW + timedelta(minutes=1), NOW + timedelta(days=1)


def office(valid_from: datetime | None = None, valid_until: datetime | None = None) -> Zone:
    return Zone("office", OFFICE.networks, valid_from, valid_until)


def home(valid_from: datetime | None = None, valid_until: datetime | None = None) -> Zone:
    return Zone("home", ("203.0.113.1/32",), valid_from, valid_until)


ELSEWHERE = Zone("branch", ("198.51.100.0/24",))


@pytest.mark.guarantee("P18")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([office()], []),
        ([office()], [ELSEWHERE]),
        ([office()], [office(valid_until=NOW)]),
        ([office()], [office(valid_from=SOON)]),
        ([office()], [office(valid_until=SOON)]),
        ([office()], [office(valid_until=LATER), ELSEWHERE]),
        ([office(valid_until=LATER)], [office(valid_until=SOON)]),
        ([office(), home(valid_until=LATER)], [home(valid_until=LATER)]),
        ([office(), home(valid_until=SOON)], [office(valid_until=LATER), home(valid_until=SOON)]),
        # Another zone holds them again, but not at once.
        ([office(), home(valid_from=LATER)], [office(valid_until=SOON), home(valid_from=LATER)]),
        # They stand in the one that ends, and would have stood in the one that was to come.
        ([office(valid_until=SOON), home(valid_from=SOON)], [office(valid_until=SOON)]),
    ],
)
def test_a_change_leaves_somebody_outside_at_once_or_later(before: list[Zone], after: list[Zone]) -> None:
    assert leaves_outside(before, after, HERE, NOW)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([office()], [office()]),
        ([office(valid_until=SOON)], [office()]),
        ([office(valid_until=SOON)], [office(valid_until=LATER)]),
        ([office(), home()], [home()]),
        ([office(), home()], [office(valid_until=SOON), home()]),
        ([office(), home(valid_from=SOON)], [office(valid_until=SOON), home(valid_from=SOON)]),
        # It would have ended in any case.
        ([office(valid_until=SOON), ELSEWHERE], [office(valid_until=SOON)]),
        # They are outside already.
        ([ELSEWHERE], []),
        ([home(valid_from=SOON)], []),
    ],
)
def test_a_change_leaves_nobody_outside_who_is_held_as_long_as_before(
    before: list[Zone], after: list[Zone]
) -> None:
    assert not leaves_outside(before, after, HERE, NOW)


def test_a_change_leaves_nobody_outside_who_is_at_no_known_address() -> None:
    assert not leaves_outside([office()], [], None, NOW)
