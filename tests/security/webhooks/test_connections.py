"""Webhooks connect to the address that was judged, whatever names, redirects and answers say."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from core import ENVIRONMENT
from otokura.ingest.settings import Settings
from otokura.ingest.webhooks.sending import Answer, Sender, SendError
from otokura.shared.dialling import SystemResolver
from webhook_endpoint import Endpoint, answers, endless, hangs, says

LOOPBACK = (ip_network("127.0.0.1/32"),)
BODY = b'{"type":"call.sealed"}'


def settings(**changes: Any) -> Settings:
    values: dict[str, Any] = {
        name.removeprefix("OTOKURA_").lower(): value for name, value in ENVIRONMENT.items()
    }
    return Settings(**{**values, "keyring_file": "/none", "webhook_timeout_seconds": 5.0, **changes})


class Names:
    """A name server that is asked once for each connection, and answers as it likes."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        del port
        self.asked.append(host)
        return list(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint().listening() as found:
        yield found


@asynccontextmanager
async def sender(names: Names | None = None, **changes: Any) -> AsyncIterator[Sender]:
    made = Sender(settings(**changes), names)
    try:
        yield made
    finally:
        await made.close()


async def sent(url: str, names: Names | None = None, **changes: Any) -> Answer:
    async with sender(names, **changes) as one:
        return await one.post(httpx.URL(url), {"webhook-id": "1"}, BODY)


async def test_an_allowed_address_is_reached_with_the_name_as_host(endpoint: Endpoint) -> None:
    names = Names(["127.0.0.1"])
    url = f"http://cti.example:{endpoint.port}/hook?a=b%20c"
    assert await sent(url, names, webhook_allowed_networks=LOOPBACK) == Answer(200)
    [request] = endpoint.received
    assert request.headers["host"] == f"cti.example:{endpoint.port}"
    assert request.headers["content-type"] == "application/json"
    assert (request.target, request.body) == ("/hook?a=b%20c", BODY)
    assert names.asked == ["cti.example"]


@pytest.mark.guarantee("A33")
@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["10.1.2.3"], ["169.254.169.254"], ["fd00::1"], ["::ffff:127.0.0.1"],
     ["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"], ["nonsense"], []],
)  # fmt: skip
async def test_a_name_with_any_private_address_is_never_connected_to(
    endpoint: Endpoint, addresses: list[str]
) -> None:
    answer = await sent(f"http://cti.example:{endpoint.port}/", Names(addresses))
    assert answer == Answer(error=SendError.ADDRESS)
    assert endpoint.received == []


@pytest.mark.guarantee("A33")
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1", "0x7f000001", "2130706433", "[::1]"])
async def test_this_machine_is_not_reached_by_any_of_its_names(endpoint: Endpoint, host: str) -> None:
    """By the system's own resolver, which takes all of these for 127.0.0.1 or ::1."""
    answer = await sent(f"http://{host}:{endpoint.port}/")
    assert answer == Answer(error=SendError.ADDRESS)
    assert endpoint.received == []


@pytest.mark.guarantee("A33")
async def test_a_name_that_changes_its_meaning_between_check_and_use_gains_nothing(
    endpoint: Endpoint,
) -> None:
    """DNS rebinding: permitted when first asked, this machine ever after. Each connection asks once."""
    names = Names(["192.0.2.1"], ["127.0.0.1"])
    changes = {"webhook_allowed_networks": (ip_network("192.0.2.0/24"),), "webhook_connect_seconds": 0.3}
    async with sender(names, **changes) as one:
        url = httpx.URL(f"http://rebind.example:{endpoint.port}/")
        first = await one.post(url, {}, BODY)
        assert first.error in (SendError.TIMEOUT, SendError.CONNECTION)
        assert names.asked == ["rebind.example"]
        assert await one.post(url, {}, BODY) == Answer(error=SendError.ADDRESS)
    assert endpoint.received == []


@pytest.mark.guarantee("A33")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(endpoint: Endpoint, status: int) -> None:
    async with Endpoint().listening() as private:
        endpoint.behave = answers(status, f"location: http://127.0.0.1:{private.port}/latest/meta-data")
        answer = await sent(endpoint.url, webhook_allowed_networks=LOOPBACK)
    assert answer == Answer(status)
    assert not answer.accepted
    assert private.received == []


@pytest.mark.guarantee("A33")
async def test_a_proxy_in_the_environment_is_not_used(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{endpoint.port}")
    assert await sent("http://cti.example/", Names(["127.0.0.1"])) == Answer(error=SendError.ADDRESS)
    assert endpoint.received == []


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def authority_file(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


def server_tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.mark.guarantee("A33")
async def test_tls_verifies_the_name_although_the_address_is_dialled(
    authority: trustme.CA, authority_file: Path
) -> None:
    changes = {"webhook_allowed_networks": LOOPBACK, "webhook_ca_file": authority_file}
    async with Endpoint().listening(server_tls(authority, "cti.example")) as endpoint:
        for host, expected in (
            ("cti.example", Answer(200)),
            ("other.example", Answer(error=SendError.TLS)),
            ("127.0.0.1", Answer(error=SendError.TLS)),
        ):
            assert await sent(f"https://{host}:{endpoint.port}/", Names(["127.0.0.1"]), **changes) == expected
        assert len(endpoint.received) == 1


async def test_an_authority_that_nobody_configured_is_not_trusted(authority: trustme.CA) -> None:
    async with Endpoint().listening(server_tls(authority, "cti.example")) as endpoint:
        url = f"https://cti.example:{endpoint.port}/"
        answer = await sent(url, Names(["127.0.0.1"]), webhook_allowed_networks=LOOPBACK)
    assert answer == Answer(error=SendError.TLS)
    assert endpoint.received == []


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (says(b""), Answer(error=SendError.MALFORMED)),
        (says(b"HTTP/1.1 200 OK\r\ncontent-le"), Answer(error=SendError.MALFORMED)),
        (says(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"), Answer(200)),
        (says(b"SSH-2.0-OpenSSH_9.2\r\n"), Answer(error=SendError.MALFORMED)),
        (says(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 300_000), Answer(error=SendError.MALFORMED)),
        (says(b"HTTP/1.1 99999 OK\r\n\r\n"), Answer(error=SendError.MALFORMED)),
        (says(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3 + b"HTTP/1.1 204 No\r\n\r\n"), Answer(204)),
        (endless, Answer(200)),
        (answers(503, "retry-after: 30"), Answer(503, retry_after=30.0)),
        (answers(503, "retry-after: 99999999999999"), Answer(503, retry_after=3600.0)),
        (answers(503, "retry-after: Tue, 24 Nov 2026 00:00:00 GMT"), Answer(503)),
        (answers(410), Answer(410)),
    ],
)
async def test_of_any_answer_only_the_status_counts(
    endpoint: Endpoint, behaviour: Any, expected: Answer
) -> None:
    """Cut off, endless, oversized or no HTTP at all: nothing of it is read further than need be."""
    endpoint.behave = behaviour
    assert await sent(endpoint.url, webhook_allowed_networks=LOOPBACK) == expected


@pytest.mark.parametrize("behaviour", [hangs, says(b"")])
async def test_an_endpoint_that_does_not_answer_is_left_after_a_time(
    endpoint: Endpoint, behaviour: Any
) -> None:
    endpoint.behave = behaviour
    answer = await sent(endpoint.url, webhook_allowed_networks=LOOPBACK, webhook_timeout_seconds=0.3)
    assert answer.error in (SendError.TIMEOUT, SendError.MALFORMED)


async def test_a_port_where_nobody_listens_is_said_so() -> None:
    async with Endpoint().listening() as gone:
        url = gone.url
    assert await sent(url, webhook_allowed_networks=LOOPBACK) == Answer(error=SendError.CONNECTION)


async def test_connections_are_used_again(endpoint: Endpoint) -> None:
    names = Names(["127.0.0.1"])
    async with sender(names, webhook_allowed_networks=LOOPBACK) as one:
        for _ in range(3):
            assert (await one.post(httpx.URL(f"http://cti.example:{endpoint.port}/"), {}, BODY)).accepted
    assert names.asked == ["cti.example"]


async def test_the_system_resolver_finds_this_machine_and_not_what_does_not_exist() -> None:
    resolve = SystemResolver()
    try:
        assert "127.0.0.1" in await resolve("localhost", 80)
        assert await resolve("does-not-exist.invalid", 80) == []
        assert await resolve("a" * 300, 80) == []
    finally:
        resolve.close()
    await asyncio.sleep(0)
