from __future__ import annotations

import ast
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from otokura.shared.address import (
    ClientAddressResolver,
    Reason,
    from_scope,
    parse_address,
    unmap_network,
)

ROOT = Path(__file__).parents[3]
PROXIES: list[IPv4Network | IPv6Network] = [IPv4Network("10.0.0.0/8"), IPv6Network("fd00::/8")]
RESOLVER = ClientAddressResolver(PROXIES)

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", IPv4Address("192.0.2.1")),
        ("::ffff:192.0.2.1", IPv4Address("192.0.2.1")),
        ("::FFFF:c000:201", IPv4Address("192.0.2.1")),
        ("fe80::1%eth0", IPv6Address("fe80::1")),
        ("2001:db8::1", IPv6Address("2001:db8::1")),
        # Anything that is not exactly one address is none: guessing is how a lie gets in.
        ("192.0.2.1:443", None),
        ("[2001:db8::1]", None),
        ("192.0.2.01", None),
        ("192.0.2.1/32", None),
        ("localhost", None),
        ("unknown", None),
        ("", None),
        ("1" * 10_000, None),
    ],
)
def test_an_address_is_read_in_one_form_or_not_at_all(
    text: str, expected: IPv4Address | IPv6Address | None
) -> None:
    assert parse_address(text) == expected


def test_a_mapped_network_covers_the_ipv4_addresses_it_means() -> None:
    assert unmap_network(IPv6Network("::ffff:10.0.0.0/104")) == IPv4Network("10.0.0.0/8")
    assert unmap_network(IPv6Network("::/0")) == IPv6Network("::/0")


@pytest.mark.guarantee("W2")
@pytest.mark.parametrize(
    ("peer", "headers", "address", "reason"),
    [
        ("192.0.2.1", [], "192.0.2.1", Reason.DIRECT),
        ("192.0.2.1", ["198.51.100.1"], "192.0.2.1", Reason.DIRECT),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1", Reason.FORWARDED),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1", Reason.FORWARDED),
        ("10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1", Reason.FORWARDED),
        ("fd00::1", ["fe80::2%en0"], "fe80::2", Reason.FORWARDED),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.1"], "198.51.100.1", Reason.FORWARDED),
        ("10.0.0.1", ["203.0.113.9", "198.51.100.1\t, 10.0.0.2"], "198.51.100.1", Reason.FORWARDED),
        ("10.0.0.1", ["garbage, 198.51.100.1"], "198.51.100.1", Reason.FORWARDED),
        ("10.0.0.1", ["198.51.100.1, garbage"], None, Reason.UNPARSABLE),
        ("10.0.0.1", ["198.51.100.1,"], None, Reason.UNPARSABLE),
        ("10.0.0.1", [""], None, Reason.UNPARSABLE),
        ("10.0.0.1", [], None, Reason.ALL_TRUSTED),
        ("10.0.0.1", ["10.0.0.3, ::ffff:10.0.0.2"], None, Reason.ALL_TRUSTED),
        ("testclient", ["198.51.100.1"], None, Reason.UNPARSABLE),
        (None, ["198.51.100.1"], None, Reason.NO_PEER),
    ],
)
def test_the_client_is_the_first_from_the_right_that_no_proxy_of_ours_is(
    peer: str | None, headers: list[str], address: str | None, reason: Reason
) -> None:
    resolved = RESOLVER.resolve(peer, headers)
    assert resolved.address == (None if address is None else ip_address(address))
    assert resolved.reason is reason


@pytest.mark.guarantee("W2")
@given(peer=ADDRESSES, headers=st.lists(st.text()))
def test_without_proxies_no_header_changes_the_client(
    peer: IPv4Address | IPv6Address, headers: list[str]
) -> None:
    resolved = ClientAddressResolver([]).resolve(str(peer), headers)
    assert resolved.address == parse_address(str(peer))


@pytest.mark.guarantee("W2")
@given(seen=ADDRESSES, forged=st.lists(st.one_of(st.text(), ADDRESSES.map(str))))
def test_what_a_client_writes_left_of_its_address_changes_nothing(
    seen: IPv4Address | IPv6Address, forged: list[str]
) -> None:
    honest = RESOLVER.resolve("10.0.0.1", [str(seen)])
    assume(honest.reason is Reason.FORWARDED)  # what a proxy of ours writes is believed: that is the point
    assert RESOLVER.resolve("10.0.0.1", [*forged, str(seen)]).address == honest.address


@pytest.mark.guarantee("W2")
@given(headers=st.lists(st.text(alphabet="0123456789.:,abcdef% "), max_size=5))
def test_the_client_is_never_a_proxy_of_ours(headers: list[str]) -> None:
    address = RESOLVER.resolve("10.0.0.1", headers).address
    assert address is None or not any(address in network for network in PROXIES)


def test_a_scope_gives_its_peer_and_all_its_headers() -> None:
    scope = {
        "type": "http",
        "client": ("10.0.0.1", 5),
        "headers": [
            (b"x-forwarded-for", b"203.0.113.9"),
            (b"host", b"x"),
            (b"x-forwarded-for", b"192.0.2.7"),
        ],
    }
    resolved = from_scope(scope, RESOLVER)
    assert resolved.address == IPv4Address("192.0.2.7")
    assert resolved.peer == "10.0.0.1"
    assert resolved.chain == ("203.0.113.9", "192.0.2.7")


def test_a_unix_socket_has_no_address() -> None:
    assert from_scope({"type": "http", "client": None, "headers": []}, RESOLVER).reason is Reason.NO_PEER


@pytest.mark.guarantee("W2")
def test_nothing_else_reads_the_header() -> None:
    """Requests, WebSockets, grants: who wants to know whence asks here, so that no two answers differ."""
    reading = {
        path.name
        for part in ("shared", "services")
        for path in (ROOT / part).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and said(node.value) == "x-forwarded-for"
    }
    assert reading == {"address.py"}


def said(constant: object) -> str:
    """A text or bytes of a source, in lower case."""
    return (constant.decode("latin-1") if isinstance(constant, bytes) else str(constant)).lower()
