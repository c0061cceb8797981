"""An issuer's documents come from the address that was judged, within bounds, and from nowhere else."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import trustme

from oidc_support import PRIVATE, jwks, settings
from otokura.access.oidc.documents import Keys
from otokura.access.oidc.errors import FetchError
from otokura.access.oidc.fetching import Documents
from webhook_endpoint import Behaviour, Endpoint, answers, endless, hangs, says

LOOPBACK = (ip_network("127.0.0.1/32"),)
NAME = "id.example"


class Names:
    """A name server that answers as it likes, once for each connection."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)

    async def __call__(self, host: str, port: int) -> list[str]:
        del host, port
        return list(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])


def http(body: bytes | dict[str, Any], *headers: str) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = ["HTTP/1.1 200 OK", f"content-length: {len(content)}", "connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + content


@asynccontextmanager
async def issuer(authority: trustme.CA) -> AsyncIterator[Endpoint]:
    """One over TLS that publishes what it should."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME).configure_cert(context)
    endpoint = Endpoint()
    async with endpoint.listening(context):
        endpoint.behave = publishing(endpoint)
        yield endpoint


def url_of(endpoint: Endpoint) -> str:
    return f"https://{NAME}:{endpoint.port}"


def publishing(endpoint: Endpoint, keys: Behaviour | None = None, **metadata: Any) -> Behaviour:
    """The metadata, changed as asked, and the keys, answered as asked."""
    url = url_of(endpoint)

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if endpoint.received[-1].target.startswith("/.well-known/"):
            told = {"issuer": url, "jwks_uri": f"{url}/jwks", **metadata}
            await says(http(told))(reader, writer)
        else:
            await (keys or says(http(jwks(rsa=PRIVATE["rsa"]))))(reader, writer)

    return behave


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA, tmp_path: Path) -> dict[str, Any]:
    """Settings that let the issuer of these tests be reached."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return {
        "oidc_allowed_networks": LOOPBACK,
        "oidc_ca_file": tmp_path / "ca.pem",
        "oidc_timeout_seconds": 2.0,
    }


async def fetched(url: str, names: Names | None = None, **changes: Any) -> Keys:
    documents = Documents(settings(**changes), names or Names(["127.0.0.1"]))
    try:
        return await documents.keys(url)
    finally:
        await documents.close()


async def refusal(url: str, names: Names | None = None, **changes: Any) -> str:
    with pytest.raises(FetchError) as caught:
        await fetched(url, names, **changes)
    return caught.value.why


async def test_keys_are_fetched_by_way_of_the_metadata(
    authority: trustme.CA, trusting: dict[str, Any]
) -> None:
    async with issuer(authority) as endpoint:
        found = await fetched(url_of(endpoint), **trusting)
    assert ("rsa", "RS256") in found
    assert [one.target for one in endpoint.received] == ["/.well-known/openid-configuration", "/jwks"]
    assert {one.headers["host"] for one in endpoint.received} == {f"{NAME}:{endpoint.port}"}


@pytest.mark.guarantee("P11")
@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.1.2.3"],
        ["169.254.169.254"],
        ["fd00::1"],
        ["::ffff:127.0.0.1"],
        ["8.8.8.8", "127.0.0.1"],
        [],
    ],
)
async def test_an_issuer_at_a_private_address_is_never_connected_to(
    authority: trustme.CA, trusting: dict[str, Any], addresses: list[str]
) -> None:
    async with issuer(authority) as endpoint:
        why = await refusal(url_of(endpoint), Names(addresses), **{**trusting, "oidc_allowed_networks": ()})
        assert "address" in why
        assert endpoint.received == []


@pytest.mark.guarantee("P11")
async def test_neither_is_one_whose_keys_are_there(authority: trustme.CA, trusting: dict[str, Any]) -> None:
    """The first name may be public, and the second lead inside."""
    async with issuer(authority) as endpoint:
        assert "address" in await refusal(url_of(endpoint), Names(["127.0.0.1"], ["10.0.0.1"]), **trusting)
        assert len(endpoint.received) == 1


@pytest.mark.guarantee("P11")
async def test_the_certificate_must_be_the_issuer_s(authority: trustme.CA, trusting: dict[str, Any]) -> None:
    async with issuer(authority) as endpoint:
        assert await refusal(f"https://other.example:{endpoint.port}", **trusting)
        assert await refusal(url_of(endpoint), **{**trusting, "oidc_ca_file": None})
        assert endpoint.received == []


@pytest.mark.guarantee("P11")
@pytest.mark.parametrize("status", [301, 302, 307, 308, 204, 401, 404, 500])
async def test_no_redirect_is_followed_and_no_error_read(
    authority: trustme.CA, trusting: dict[str, Any], status: int
) -> None:
    async with issuer(authority) as endpoint, Endpoint().listening() as inside:
        endpoint.behave = answers(status, f"location: http://127.0.0.1:{inside.port}/latest/meta-data")
        assert str(status) in await refusal(url_of(endpoint), **trusting)
        assert inside.received == []


@pytest.mark.guarantee("P11")
@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://other.example"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "http://id.example/jwks"},
    ],
)
async def test_metadata_that_lie_lead_nowhere(
    authority: trustme.CA, trusting: dict[str, Any], metadata: dict[str, Any]
) -> None:
    async with issuer(authority) as endpoint:
        endpoint.behave = publishing(endpoint, **metadata)
        assert await refusal(url_of(endpoint), **trusting)
        assert len(endpoint.received) == 1


@pytest.mark.guarantee("P11")
@pytest.mark.parametrize(
    "behaviour",
    [
        hangs,
        endless,
        says(b""),
        says(b"SSH-2.0-OpenSSH_9.2\r\n"),
        says(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}"),
        says(http(b"[]")),
        says(http(b'{"keys":[],"keys":[]}')),
        says(http(b'{"keys":' + b"[" * 100_000)),
        says(http(b'{"x":"' + b"x" * 600_000 + b'"}')),
        says(http({"keys": []}, "content-encoding: gzip")),
        says(http({"keys": {}})),
    ],
    ids=[
        "hangs",
        "endless",
        "nothing",
        "ssh",
        "half",
        "list",
        "twice",
        "deep",
        "large",
        "compressed",
        "no set",
    ],
)
async def test_an_answer_that_is_none_costs_a_bounded_time_and_memory(
    authority: trustme.CA, trusting: dict[str, Any], behaviour: Behaviour
) -> None:
    async with issuer(authority) as endpoint:
        endpoint.behave = publishing(endpoint, behaviour)
        assert await refusal(url_of(endpoint), **trusting)


async def test_plain_http_is_for_development_on_this_machine_alone() -> None:
    async with Endpoint().listening() as endpoint:
        url = f"http://127.0.0.1:{endpoint.port}"
        assert "https" in await refusal(url)
        assert endpoint.received == []
        assert "404" in await _status(endpoint, url, 404)


async def _status(endpoint: Endpoint, url: str, status: int) -> str:
    endpoint.behave = answers(status)
    return await refusal(url, development=True)
