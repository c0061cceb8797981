"""Who may open an AudioHook stream: whoever signs with the registered client secret, now, and once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from dialects.audiohook import ORGANIZATION, PATH, AudioHookWire, Genesys, open_parameters
from dialects.outcome import calls_of
from genesys_signing import COVERED, Signer
from ingest_service import Credentials, IngestService, MakeIngest
from otokura.ingest.connections.lookup import MAX_AGE
from otokura.ingest.dialects.audiohook import REFUSAL_SECONDS
from otokura.shared.api_keys import new_api_key
from otokura.shared.ids import uuid7

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]

SESSION = "30b0e395-84d3-4570-ac13-9a62d8f514c0"
PROXY, STRANGER = "127.0.0.1", "127.0.0.2"
FORWARDED_HOST = "X-Forwarded-Host"


@pytest.fixture
async def genesys(ingest: IngestService, credentials: Credentials) -> AsyncIterator[Genesys]:
    """An integration that is registered."""
    found = Genesys(ingest, credentials)
    await found.register()
    yield found
    await found.leave()


async def knock(genesys: Genesys, headers: dict[str, str], session_id: str = SESSION) -> AudioHookWire:
    """A socket with these header fields, on which `open` was said at once, as Genesys does."""
    wire = await genesys.connect(headers, session_id)
    await wire.say("open", open_parameters(str(uuid4())))
    return wire


def signed(genesys: Genesys, signer: Signer | None = None, **options: Any) -> dict[str, str]:
    return (signer or genesys.signer).headers(genesys.url, SESSION, ORGANIZATION, **options)


async def refused(wire: AudioHookWire) -> dict[str, Any]:
    """What it is told: it must be the refusal, and nothing else before it."""
    assert await wire.closed() == 4401
    [told, *farewell] = wire.heard
    assert [one["type"] for one in farewell] in ([], ["closed"])
    assert (told["type"], told["seq"]) == ("disconnect", 1)
    assert told["parameters"]["reason"] == "unauthorized"
    parameters: dict[str, Any] = told["parameters"]
    return parameters


async def test_a_good_signature_opens(genesys: Genesys) -> None:
    """The control for all that follows."""
    wire = await knock(genesys, signed(genesys))
    await wire.wait_for("opened")


def without(genesys: Genesys, *names: str) -> dict[str, str]:
    return {name: value for name, value in signed(genesys).items() if name not in names}


def other_secret(genesys: Genesys) -> dict[str, str]:
    return signed(genesys, Signer(genesys.credentials.api_key, hashlib.sha256(b"x").digest()))


def other_key(genesys: Genesys) -> dict[str, str]:
    return signed(genesys, Signer(new_api_key(uuid7()), genesys.secret))


def less_covered(genesys: Genesys) -> dict[str, str]:
    covered = tuple(name for name in COVERED if name != "@authority")
    return signed(genesys, Signer(genesys.credentials.api_key, genesys.secret, covered))


def aged(genesys: Genesys, seconds: float) -> dict[str, str]:
    return signed(genesys, created=datetime.now(UTC) - timedelta(seconds=seconds))


WRONG: dict[str, Callable[[Genesys], dict[str, str]]] = {
    "another secret": other_secret,
    "no signature": lambda genesys: without(genesys, "Signature", "Signature-Input"),
    "unknown key": other_key,
    "no key": lambda genesys: without(genesys, "X-API-KEY"),
    "too old": lambda genesys: aged(genesys, 11),
    "in the future": lambda genesys: aged(genesys, -8),
    "changed organization": lambda genesys: {**signed(genesys), "Audiohook-Organization-Id": str(uuid4())},
    "changed session": lambda genesys: {**signed(genesys), "Audiohook-Session-Id": str(uuid4())},
    "changed path": lambda genesys: genesys.signer.headers(f"{genesys.url}/x", SESSION, ORGANIZATION),
    "host left out": less_covered,
    "short nonce": lambda genesys: signed(genesys, nonce="x" * 21),
    "session that is none": lambda genesys: {**signed(genesys), "Audiohook-Session-Id": "me"},
    "nothing at all": lambda _: {},
}


@pytest.mark.guarantee("A56")
@pytest.mark.parametrize("forge", WRONG.values(), ids=WRONG.keys())
async def test_any_other_is_refused_alike(
    genesys: Genesys, forge: Callable[[Genesys], dict[str, str]]
) -> None:
    """The same words in the same order whatever is wrong, and neither key nor secret in what is logged."""
    headers = forge(genesys)
    session_id = headers.get("Audiohook-Session-Id", "")
    wire = await knock(genesys, headers, session_id if len(session_id) == 36 else str(uuid4()))
    told = await refused(wire)
    assert told["info"] == "The request is not signed with a client secret that is registered here."
    assert (
        await genesys.ingest.query(
            "SELECT id FROM calls WHERE tenant_id = :tenant", tenant=genesys.credentials.tenant_id
        )
        == []
    )
    log = genesys.ingest.log_text()
    assert genesys.credentials.api_key not in log
    assert genesys.secret.hex() not in log


@pytest.mark.guarantee("A56")
async def test_a_handshake_opens_once(genesys: Genesys) -> None:
    """The very same request again is somebody who listened."""
    headers = signed(genesys)
    first = await knock(genesys, headers)
    await first.wait_for("opened")
    await refused(await knock(genesys, headers))


async def test_refusals_that_nobody_waits_for_do_no_harm(genesys: Genesys) -> None:
    """Fifty at once, each gone before its answer: the next good one opens."""
    for _ in range(50):
        await (await genesys.connect({}, SESSION)).abort()
    await asyncio.sleep(REFUSAL_SECONDS)
    await (await knock(genesys, signed(genesys))).wait_for("opened")


async def test_the_organization_in_open_must_be_the_signed_one(genesys: Genesys) -> None:
    wire = await genesys.handshake()
    conversation = str(uuid4())
    await wire.say("open", open_parameters(conversation, organizationId=str(uuid4())))
    told = await refused(wire)
    assert "organization" in told["info"]
    assert await calls_of(genesys.ingest, conversation) == []


async def test_another_organization_than_the_registered_is_refused(
    ingest: IngestService, credentials: Credentials
) -> None:
    genesys = Genesys(ingest, credentials)
    await genesys.register(organization_id=str(uuid4()))
    await refused(await knock(genesys, signed(genesys)))
    await genesys.leave()


@pytest.mark.guarantee("A55")
async def test_a_removed_registration_opens_nothing(genesys: Genesys) -> None:
    """Within a second, and without touching the streams that are open."""
    open_wire = await knock(genesys, signed(genesys))
    await open_wire.wait_for("opened")
    await genesys.remove()
    await asyncio.sleep(MAX_AGE)
    await refused(await knock(genesys, signed(genesys)))
    await open_wire.say("ping", {})
    await open_wire.wait_for("pong")


@pytest.fixture(scope="module")
def proxied(make_ingest: MakeIngest) -> IngestService:
    """An ingest behind one proxy, whose address is written as IPv6."""
    return make_ingest(trusted_proxies=f"::ffff:{PROXY}/128")


HOSTS: dict[str, tuple[bool, str, list[tuple[str, str]]]] = {
    "the proxy": (True, PROXY, [(FORWARDED_HOST, "Recorder.Example.com")]),
    "the proxy, which names none": (False, PROXY, []),
    "the proxy, which passes on two": (False, PROXY, [(FORWARDED_HOST, "recorder.example.com")] * 2),
    "the proxy, which passes on garbage": (False, PROXY, [(FORWARDED_HOST, "recorder.example.com, x")]),
    "somebody else": (False, STRANGER, [(FORWARDED_HOST, "recorder.example.com")]),
    "somebody else who says to be the proxy": (
        False,
        STRANGER,
        [(FORWARDED_HOST, "recorder.example.com"), ("X-Forwarded-For", PROXY)],
    ),
}
"""Whether it opens, whence the socket comes, and what it says beside what is signed for another host."""


@pytest.mark.guarantee("W2")
@pytest.mark.parametrize(("opens", "peer", "said"), HOSTS.values(), ids=HOSTS.keys())
async def test_the_host_is_believed_only_of_a_trusted_proxy(
    proxied: IngestService, opens: bool, peer: str, said: list[tuple[str, str]]
) -> None:
    """X-Forwarded-Host takes the place of Host where the peer is a configured proxy, and where it is one."""
    genesys = Genesys(proxied, await proxied.add_tenant())
    await genesys.register()
    headers = genesys.signer.headers(f"wss://recorder.example.com:443{PATH}", SESSION, ORGANIZATION)
    wire = await genesys.connect([*headers.items(), *said], SESSION, peer)
    await wire.say("open", open_parameters(str(uuid4())))
    if opens:
        await wire.wait_for("opened")
    else:
        await refused(wire)
    await genesys.leave()
