"""A real Asterisk streams to a real ingest, with the configuration that `docs/integrate` shows."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

import servers
from asterisk_server import Asterisk
from dialects.outcome import sealed
from ingest_service import Credentials, IngestService
from otokura.shared.ids import uuid7
from otokura.shared.media.g711 import decode_mulaw

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.s3,
    pytest.mark.kafka,
    pytest.mark.any_broker,
    pytest.mark.asterisk,
]

SECONDS = 2
CODES = np.random.default_rng(1).integers(0, 256, 8000 * SECONDS, dtype=np.uint8).tobytes()
"""What is played: no two seconds of it are alike."""

PAGE = Path(__file__).parents[3] / "docs" / "integrate" / "asterisk-websocket.md"

CALLS = """\
[default]
exten => prompt,1,Answer()
same => n,Playback({folder}/prompt)
same => n,Hangup()

exten => customer,1,Answer()
same => n,Wait(0.5)
same => n,Playback({folder}/prompt)
same => n,Wait(0.5)
same => n,Hangup()

exten => agent,1,Answer()
same => n,Wait(10)

"""


def page(port: int, key: str, folder: Path) -> dict[str, str]:
    """The files that our page shows, with the address, the key and the agent of the test in their places."""
    client, dialplan = re.findall(r"```ini\n(.*?)```", PAGE.read_text(), re.DOTALL)
    told = {"wss://ingest.example.com": f"ws://127.0.0.1:{port}", "otk_…": key, "tls_enabled = yes": ""}
    for shown, ours in told.items():
        assert shown in client
        client = client.replace(shown, ours)
    assert "PJSIP/agent" in dialplan
    return {
        "websocket_client.conf": client + client.replace("[otokura]", "[wrong]").replace(key, "otk_wrong"),
        "extensions.conf": CALLS.format(folder=folder)
        + dialplan.replace("PJSIP/agent", "Local/agent@default"),
    }


@pytest.fixture
def asterisk(ingest: IngestService, credentials: Credentials) -> Iterator[Asterisk]:
    """An Asterisk that knows the ingest of the test and the key of its tenant."""
    with servers.scratch_folder("pbx") as folder:
        (folder / "prompt.ulaw").write_bytes(CODES)
        server = Asterisk(folder, page(ingest.port, credentials.api_key, folder))
        server.start()
        yield server
        server.program.stop()


@pytest.mark.guarantee("A50")
@pytest.mark.parametrize("form", ["c(ulaw)f(json)", "c(slin)f(plain-text)"])
async def test_what_asterisk_plays_is_what_is_sealed(
    ingest: IngestService, client: httpx.AsyncClient, asterisk: Asterisk, form: str
) -> None:
    """Sample for sample, in µ-law and in signed linear, whether its events are text or JSON."""
    external_id = str(uuid7())
    where = f"WebSocket/otokura/{form}v(external_id={external_id},notice=announced)"
    asterisk.say(f"channel originate {where} extension prompt@default")
    outcome = await sealed(ingest, client, external_id)
    wanted = decode_mulaw(CODES)
    assert np.array_equal(outcome.samples[:, 0], wanted)
    assert outcome.manifest.gaps == []
    assert [channel.role for channel in outcome.manifest.channels] == ["mixed"]
    assert outcome.manifest.notice.given == "announced"


async def test_the_dialplan_of_our_page_records_a_call_between_two(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, asterisk: Asterisk
) -> None:
    """One line more in somebody's dialplan; the hangup seals the call under the phone system's own id."""
    asterisk.say("channel originate Local/customer@default extension 0120000000@default")
    external_id = await only_call(ingest, credentials)
    outcome = await sealed(ingest, client, external_id)
    assert f'ChanSpy,"{external_id},uqSE"' in asterisk.log(), "the unique id of the channel that is heard"
    assert outcome.manifest.purposes == ["quality"]
    places = whole_pieces(outcome.samples[:, 0])
    assert places == sorted(places)
    assert len(places) >= 90, "of a hundred: where Asterisk is late itself it may leave a piece out"


def whole_pieces(heard: NDArray[np.int16]) -> list[int]:
    """Of the pieces of 20 ms that were played those that are heard, sample for sample: at which byte."""
    played, sound = decode_mulaw(CODES), heard.tobytes()
    pieces = [played[at : at + 160].tobytes() for at in range(0, len(played), 160)]
    return [sound.find(piece) for piece in pieces if piece in sound]


async def test_a_wrong_key_is_told_to_asterisk(
    ingest: IngestService, credentials: Credentials, asterisk: Asterisk
) -> None:
    """The handshake is refused with 401, which Asterisk logs; no call is made."""
    asterisk.say("channel originate WebSocket/wrong/c(ulaw) extension prompt@default")
    asterisk.program.wait_until(lambda: "WebSocket connection failed to wrong" in asterisk.log())
    assert "Unauthorized" in asterisk.log()
    assert await calls_of_tenant(ingest, credentials) == []


async def calls_of_tenant(ingest: IngestService, credentials: Credentials) -> list[str]:
    query = "SELECT external_id FROM calls WHERE tenant_id = :tenant"
    return [str(row.external_id) for row in await ingest.query(query, tenant=credentials.tenant_id)]


async def only_call(ingest: IngestService, credentials: Credentials) -> str:
    """The external id of the tenant's one call, once it is there."""
    async with asyncio.timeout(30):
        while True:
            found = await calls_of_tenant(ingest, credentials)
            if found:
                [external_id] = found
                return external_id
            await asyncio.sleep(0.05)
