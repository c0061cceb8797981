"""Nobody forges where they come from, over HTTP or a WebSocket: one resolver answers for both."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from websockets.asyncio.client import connect

from core_process import Server, serving

PROXY, STRANGER = "127.0.0.1", "127.0.0.2"
CLIENT, FORGED = "203.0.113.9", "198.51.100.1"
BELIEVED = f"{CLIENT} forwarded"
UNKNOWN = "None unparsable"

CHAINS: dict[str, tuple[list[str], str]] = {
    "one": ([CLIENT], BELIEVED),
    "forged on the left": ([f"{FORGED}, {CLIENT}"], BELIEVED),
    "forged in a header before": ([FORGED, CLIENT], BELIEVED),
    "garbage on the left": ([f"garbage, <script>, {CLIENT}"], BELIEVED),
    "a proxy behind it": ([f"{CLIENT}, {PROXY}"], BELIEVED),
    "the proxy in a header of its own": ([CLIENT, PROXY], BELIEVED),
    "IPv4-mapped": ([f"::ffff:{CLIENT}"], BELIEVED),
    "IPv4-mapped, in hexadecimal": (["::ffff:cb00:7109"], BELIEVED),
    "a proxy, IPv4-mapped, behind it": ([f"{CLIENT}, ::ffff:{PROXY}"], BELIEVED),
    "garbage on the right": ([f"{CLIENT}, garbage"], UNKNOWN),
    "garbage in a header behind": ([CLIENT, "unknown"], UNKNOWN),
    "an empty header behind": ([CLIENT, ""], UNKNOWN),
    "a comma at the end": ([f"{CLIENT},"], UNKNOWN),
    "with a port": ([f"{CLIENT}:443"], UNKNOWN),
    "in brackets": ([f"[::ffff:{CLIENT}]"], UNKNOWN),
    "no ASCII": (["203.0.113.\u00b2"], UNKNOWN),
    "very long": (["1" * 5000], UNKNOWN),
    "proxies alone": ([f"{PROXY}, {PROXY}"], "None all-trusted"),
    "none": ([], "None all-trusted"),
}
"""What a proxy passes on, header by header; and who it is then."""


@pytest.fixture(params=["127.0.0.1/32", "::ffff:127.0.0.1/128"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """Behind one proxy, which is configured in either form."""
    async with serving(OTOKURA_TRUSTED_PROXIES=request.param) as running:
        yield running


async def over_http(server: Server, peer: str, headers: list[tuple[str, str]]) -> str:
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    transport = httpx.AsyncHTTPTransport(local_address=peer)
    async with httpx.AsyncClient(transport=transport) as client:
        answer = await client.get(f"http://127.0.0.1:{server.port}/from", headers=httpx.Headers(encoded))
    return str(answer.json())


async def over_a_websocket(server: Server, peer: str, headers: list[tuple[str, str]]) -> str:
    where = f"ws://127.0.0.1:{server.port}/from"
    async with connect(where, additional_headers=headers, local_addr=(peer, 0), proxy=None) as socket:
        return str(await socket.recv())


WAYS = [over_http, over_a_websocket]


def forwarded(values: list[str]) -> list[tuple[str, str]]:
    """As X-Forwarded-For, beside headers of others that mean the same and are not asked."""
    others = [("X-Real-IP", FORGED), ("Forwarded", f"for={FORGED}"), ("X-Client-IP", FORGED)]
    return [*others, *(("X-Forwarded-For", value) for value in values)]


async def answers(server: Server, peer: str) -> dict[str, list[str]]:
    """Who it is, each way, by what is passed on."""
    return {
        name: [await way(server, peer, forwarded(values)) for way in WAYS]
        for name, (values, _) in CHAINS.items()
    }


@pytest.mark.guarantee("W2")
async def test_a_proxy_is_believed_from_the_right_over_both(server: Server) -> None:
    expected = {name: [who, who] for name, (_, who) in CHAINS.items()}
    assert expected == await answers(server, PROXY)


@pytest.mark.guarantee("W2")
async def test_anybody_else_is_who_they_are_whatever_they_write(server: Server) -> None:
    expected = {name: [f"{STRANGER} direct"] * 2 for name in CHAINS}
    assert expected == await answers(server, STRANGER)
