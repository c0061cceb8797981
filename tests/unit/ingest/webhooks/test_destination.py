"""Which URLs and addresses webhooks may go to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otokura.ingest.webhooks.destination import parse_url
from otokura.ingest.webhooks.errors import WebhookUrlRefused
from otokura.shared.destinations import AddressPolicy

PUBLIC = AddressPolicy()
NOT_PUBLIC = {
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],  # noqa: S104 - as somebody's answer
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"],
    "link-local": ["169.254.0.1", "fe80::1", "fe80::1%eth0", "febf::1"],
    "unique local": ["fc00::1", "fd12:3456:789a::1"],
    "shared by carriers": ["100.64.0.1", "100.127.255.255"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "192.0.0.1", "4000::1", "fec0::1"],
    "documentation and benchmarks": ["192.0.2.1", "198.18.0.1", "203.0.113.9", "2001:db8::1", "3fff::1"],
    "metadata": ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"],
    "IPv4 in IPv6": [
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::10.0.0.1",
        "64:ff9b:1::10.0.0.1", "2002:7f00:1::", "2001:0:7f00:1::",
    ],
    "no address": ["", "localhost", "127.1", "0x7f.0.0.1", "2130706433", "1.2.3.4:80"],
}  # fmt: skip


@pytest.mark.guarantee("A33")
@pytest.mark.parametrize("text", [text for texts in NOT_PUBLIC.values() for text in texts])
def test_what_is_not_public_is_refused(text: str) -> None:
    assert not PUBLIC.permits_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "8.8.8.8",
        "172.32.0.1",
        "100.128.0.1",
        "2606:4700::1111",
        "2001:200::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
    ],
)
def test_public_addresses_are_permitted(text: str) -> None:
    assert PUBLIC.permits_text(text)


@pytest.mark.guarantee("A33")
@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_the_standard_library_calls_nothing_private_that_is_permitted(
    address: IPv4Address | IPv6Address,
) -> None:
    """A second opinion: its tables are another's work."""
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert not PUBLIC.permits(address)


@given(st.ip_addresses(v=4))
def test_an_address_is_the_same_in_any_disguise(address: IPv4Address) -> None:
    disguises = [IPv6Address(f"::ffff:{address}"), IPv6Address(f"64:ff9b::{address}")]
    assert [PUBLIC.permits(disguise) for disguise in disguises] == [PUBLIC.permits(address)] * 2


def test_the_operator_may_allow_a_network_and_nothing_beside_it() -> None:
    policy = AddressPolicy([ip_network("10.20.0.0/16"), ip_network("fd00:20::/64")])
    for text in ("10.20.3.4", "::ffff:10.20.3.4", "fd00:20::7", "8.8.8.8"):
        assert policy.permits_text(text)
    for text in ("10.21.0.1", "fd00:21::7", "127.0.0.1"):
        assert not policy.permits_text(text)


@pytest.mark.parametrize(
    "url",
    [
        "https://cti.example.com",
        "https://cti.example.com/otokura?token=x",
        "https://cti.example.com:8443/",
        "https://cti.example.com:80/",
        "https://8.8.8.8/hook",
        "https://[2606:4700::1111]:1024/hook",
        "https://電話.example.jp/フック",
        "HTTPS://CTI.EXAMPLE.COM/",
    ],
)
def test_good_urls_are_taken(url: str) -> None:
    assert parse_url(url, PUBLIC, plain_http=False).scheme == "https"


GARBAGE = [
    "", " ", "cti.example.com", "//cti.example.com/", "https://", "https:///path", "https://:443/", "https://[::1",
    "https://exa mple.com/", "https://example.com:99999/", "https://example.com:abc/", "https://\x00/",
    "https://exa%20mple.com/", "https://a\\@b/", "javascript:alert(1)", "file:///etc/passwd", "ftp://example.com/",
    "gopher://example.com:6379/_x", "ws://example.com/", "unix:/run/x.sock",
    "https://example.com\r\nHost: x/",
]  # fmt: skip
FORBIDDEN = [
    "http://example.com/", "https://user@example.com/", "https://user:password@example.com/",
    "https://example.com/#fragment", "https://example.com:22/", "https://example.com:25/",
    "https://example.com:0/", "https://example.com:1023/", "https://127.0.0.1/", "https://[::1]/",
    "https://[::ffff:127.0.0.1]/", "https://169.254.169.254/latest/meta-data", "https://10.0.0.1:8443/",
]  # fmt: skip


@pytest.mark.guarantee("A33")
@pytest.mark.parametrize("url", [*GARBAGE, *FORBIDDEN])
def test_other_urls_are_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(WebhookUrlRefused) as refused:
        parse_url(url, PUBLIC, plain_http=False)
    assert not url.strip() or url not in str(refused.value)


@settings(max_examples=50)
@given(st.text())
def test_no_text_is_anything_but_a_url_or_refused(text: str) -> None:
    for url in (text, "https://" + text):
        try:
            parsed = parse_url(url, PUBLIC, plain_http=False)
        except WebhookUrlRefused:
            continue
        assert parsed.scheme == "https"
        assert parsed.host


def test_plain_http_is_taken_only_where_it_is_allowed() -> None:
    assert parse_url("http://cti.example.com/", PUBLIC, plain_http=True).scheme == "http"
    with pytest.raises(WebhookUrlRefused):
        parse_url("ftp://cti.example.com/", PUBLIC, plain_http=True)


@pytest.mark.guarantee("A33")
@pytest.mark.parametrize("host", ["localhost", "127.1", "0x7f000001", "2130706433", "internal.example"])
def test_a_name_is_left_to_the_connection_to_judge(host: str) -> None:
    """What the resolver makes of it is not known before; see the tests of connections."""
    assert parse_url(f"https://{host}/", PUBLIC, plain_http=False).host == host
