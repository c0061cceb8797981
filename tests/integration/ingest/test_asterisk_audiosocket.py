"""A real Asterisk over AudioSocket, with the dialplan that `docs/integrate/asterisk-audiosocket.md` shows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

import servers
from asterisk_server import Asterisk
from dialects.audiosocket import register
from dialects.outcome import sealed
from ingest_service import Credentials, IngestService, start_call
from otokura.shared.ids import uuid7

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.s3,
    pytest.mark.kafka,
    pytest.mark.any_broker,
    pytest.mark.asterisk,
]

RATE = 8000
PAGE = Path(__file__).parents[3] / "docs" / "integrate" / "asterisk-audiosocket.md"
CUSTOMER, AGENT = (
    np.random.default_rng(seed).integers(-8000, 8000, 2 * RATE, dtype=np.int16) for seed in (1, 2)
)
"""What the two say: no two seconds of it are alike."""


def dialplan_of_page() -> str:
    """The dialplan as the page shows it."""
    _, _, after = PAGE.read_text().partition("```ini\n")
    return after.partition("```")[0]


def dialplan(folder: Path, url: str, key: str) -> str:
    """The page's, with this test's address and key, and a customer and an agent to call with."""
    shown = dialplan_of_page().replace("https://ingest.example.com", url).replace("otk_…", key)
    return f"""\
{shown.replace("PJSIP/agent", "Local/agent@people")}

[people]
exten => prompt,1,Answer()
same => n,Playback({folder}/customer)
same => n,Hangup()

exten => customer,1,Answer()
same => n,Wait(1)
same => n,Playback({folder}/customer)
same => n,Wait(1)
same => n,Hangup()

exten => agent,1,Answer()
same => n,Wait(1.5)
same => n,Playback({folder}/agent)
same => n,Wait(10)
"""


@pytest.fixture
def asterisk(ingest: IngestService, credentials: Credentials) -> Iterator[Asterisk]:
    """An Asterisk with the page's dialplan."""
    with servers.scratch_folder("pbx") as folder:
        for name, samples in (("customer", CUSTOMER), ("agent", AGENT)):
            (folder / f"{name}.sln").write_bytes(samples.astype("<i2").tobytes())
        files = {"extensions.conf": dialplan(folder, ingest.url, credentials.api_key)}
        server = Asterisk(folder, files)
        server.start()
        yield server
        server.program.stop()


@pytest.mark.guarantee("A59")
async def test_what_asterisk_plays_over_audiosocket_is_what_is_sealed(
    client: httpx.AsyncClient, ingest: IngestService, asterisk: Asterisk
) -> None:
    """Sample for sample; its hangup, which is a closed socket, ends the call."""
    external_id = f"pbx-{uuid7()}"
    call = await start_call(client, external_id=external_id, channels=[{"role": "mixed"}])
    known = await register(client, call["id"])
    where = f"AudioSocket/{known['address']}/{known['uuid']}/c(slin)"
    asterisk.say(f"channel originate {where} extension prompt@people")
    outcome = await sealed(ingest, client, external_id)
    assert np.array_equal(outcome.samples[:, 0], CUSTOMER)
    assert outcome.manifest.gaps == []


@pytest.mark.guarantee("A59")
async def test_the_dialplan_of_our_page_records_both_legs_apart(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, asterisk: Asterisk
) -> None:
    """The customer in the first channel, the agent in the second; each hears nothing of the other."""
    asterisk.say("channel originate Local/customer@people extension 0120000000@incoming")
    outcome = await sealed(ingest, client, await only_call(ingest, credentials))
    assert [channel.role for channel in outcome.manifest.channels] == ["customer", "agent"]
    assert outcome.manifest.purposes == ["quality"]
    for channel, said, not_said in ((0, CUSTOMER, AGENT), (1, AGENT, CUSTOMER)):
        heard = outcome.samples[:, channel]
        assert share(heard, said) > 0.6
        assert share(heard, not_said) == 0


async def only_call(ingest: IngestService, credentials: Credentials) -> str:
    """The external id of the tenant's one call, once it is there."""
    async with asyncio.timeout(30):
        while True:
            query = "SELECT external_id FROM calls WHERE tenant_id = :tenant"
            found = await ingest.query(query, tenant=credentials.tenant_id)
            if found:
                [row] = found
                return str(row.external_id)
            await asyncio.sleep(0.05)


def share(heard: NDArray[np.int16], said: NDArray[np.int16]) -> float:
    """How many of the tenths of a second that were said are heard somewhere, of all of them.

    Asterisk itself drops and inserts frames between channels when the machine is busy.
    """
    pieces = said.astype(float).reshape(-1, RATE // 10)
    return float(np.mean([_is_in(heard.astype(float), piece) for piece in pieces]))


def _is_in(heard: NDArray[np.float64], piece: NDArray[np.float64]) -> bool:
    products = np.correlate(heard, piece, "valid")
    at = int(products.argmax())
    level = np.linalg.norm(piece) * np.linalg.norm(heard[at : at + len(piece)])
    return bool(products[at] > 0.9 * level > 0)
