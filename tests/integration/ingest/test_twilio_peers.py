"""Twilio as others play it: streamdouble, a simulator of Media Streams, and Twilio's own SDK."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from streamdouble import api
from streamdouble.chaos import Impairments
from streamdouble.session import SessionConfig
from twilio.request_validator import RequestValidator
from twilio.twiml.voice_response import Start, VoiceResponse

from dialects.media_streams import Twilio
from dialects.outcome import Sealed, call_of, calls_of, sealed, speech
from dialects.websocket_wire import WebSocketWire
from ingest_service import Credentials, IngestService
from otokura.shared.ids import uuid7
from otokura.shared.media.g711 import decode_mulaw

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

PAGE = Path(__file__).parents[3] / "docs" / "integrate" / "twilio.md"
SECONDS = 2
FRAME = 160


def frames(seed: int) -> list[bytes]:
    """Two seconds of µ-law that repeat nowhere, in pieces of 20 ms."""
    codes = np.random.default_rng(seed).integers(0, 256, SECONDS * 8000, dtype=np.uint8).tobytes()
    return [codes[start : start + FRAME] for start in range(0, len(codes), FRAME)]


CUSTOMER, AGENT = frames(1), frames(2)


def samples_of(*tracks: list[bytes]) -> NDArray[np.int16]:
    return np.stack([decode_mulaw(b"".join(track)) for track in tracks], axis=1)


async def simulated(
    ingest: IngestService, client: httpx.AsyncClient, api_key: str, impairments: Impairments
) -> tuple[api.CallReport, Sealed]:
    """A call of the simulator, as `<Start><Stream track="both_tracks">` makes it; and what became of it."""
    external_id = str(uuid7())
    config = SessionConfig(
        fork=True,
        strict_fork=True,
        tracks=["inbound", "outbound"],
        agent_frames=AGENT,
        response_timeout_s=0.2,
        custom_parameters={"api_key": api_key, "external_id": external_id, "notice": "announced"},
        impairments=impairments,
    )
    url = ingest.url.replace("http", "ws") + "/v1/streams/twilio"
    report = await api.call(url, frames=CUSTOMER, config=config)
    return report, await sealed(ingest, client, external_id)


@pytest.mark.guarantee("A50")
async def test_a_simulated_call_is_sealed_as_it_was_spoken(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """Both tracks, sample for sample; and a recorder says nothing that Twilio would not take."""
    report, outcome = await simulated(ingest, client, credentials.api_key, Impairments())
    assert report.violations == []
    assert report.audio_received == b""
    assert outcome.unlike(samples_of(CUSTOMER, AGENT)) == ""
    assert [channel.role for channel in outcome.manifest.channels] == ["customer", "agent"]
    assert outcome.manifest.gaps == []


@pytest.mark.guarantee("A51")
async def test_what_a_simulated_network_loses_is_a_gap(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """A tenth of the customer's frames never comes: no more and no less is missing, each in its place."""
    report, outcome = await simulated(ingest, client, credentials.api_key, Impairments(loss=0.1))
    lost = np.zeros((len(outcome.samples), 2), bool)
    for gap in outcome.manifest.gaps:
        assert gap.reason == "lost"
        assert gap.channel == 0
        lost[gap.start_sample : gap.start_sample + gap.samples, 0] = True
    assert lost.sum() == report.result.frames_dropped * FRAME > 0
    wanted = samples_of(CUSTOMER, AGENT)
    assert np.array_equal(outcome.samples[~lost], wanted[~lost])


def test_the_twiml_of_our_page_is_what_twilios_sdk_makes() -> None:
    """Element for element, so that whoever copies it gets what Twilio takes."""
    [shown] = re.findall(r"```xml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    response, start = VoiceResponse(), Start()
    stream = start.stream(
        name="otokura", url="wss://ingest.example.com/v1/streams/twilio", track="both_tracks"
    )
    parsed = ET.fromstring(shown)  # noqa: S314 - our own page
    for parameter in parsed.iter("Parameter"):
        stream.parameter(**parameter.attrib)
    response.append(start)
    response.dial("+815012345678")
    canonical = (ET.canonicalize(xml, strip_text=True) for xml in (shown, str(response)))
    assert next(canonical) == next(canonical)


@pytest.fixture
def auth_token() -> str:
    return secrets.token_hex(16)


@pytest.fixture
async def registered(client: httpx.AsyncClient, auth_token: str) -> None:
    """The vendor's account token, with which Twilio signs."""
    body = {"auth_token": auth_token, "defaults": {"notice": {"given": "attested"}}}
    answer = await client.put("/v1/connections/twilio", json=body)
    assert answer.is_success, answer.text


async def signed_stream(
    ingest: IngestService, credentials: Credentials, external_id: str, signature: str | None
) -> WebSocketWire:
    """A stream whose handshake carries this signature."""
    twilio = Twilio()
    wire = await twilio.connect(ingest, {} if signature is None else {"X-Twilio-Signature": signature})
    for message in twilio.opening(credentials.api_key, external_id, {}):
        await wire.send(message)
    return wire


@pytest.mark.usefixtures("registered")
async def test_twilios_own_signature_opens_a_stream(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, auth_token: str
) -> None:
    """As Twilio's SDK computes it over the address in the TwiML; the connection's defaults are the call's."""
    external_id, twilio = str(uuid7()), Twilio()
    address = f"wss://127.0.0.1:{ingest.port}/v1/streams/twilio"
    signature = RequestValidator(auth_token).compute_signature(address, {})
    wire = await signed_stream(ingest, credentials, external_id, signature)
    await twilio.send(wire, speech(twilio, 0.5))
    await twilio.end(wire)
    outcome = await sealed(ingest, client, external_id)
    assert outcome.manifest.notice.given == "attested"
    assert await call_of(ingest, external_id) == outcome.view["id"]


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("wrong", ["none", "another token", "another address"])
async def test_without_twilios_signature_a_registered_account_records_nothing(
    ingest: IngestService, credentials: Credentials, auth_token: str, wrong: str
) -> None:
    """Whoever knows the API key alone is not Twilio."""
    address = f"wss://127.0.0.1:{ingest.port}/v1/streams/twilio"
    signature = {
        "none": None,
        "another token": RequestValidator(secrets.token_hex(16)).compute_signature(address, {}),
        "another address": RequestValidator(auth_token).compute_signature(address + "?x", {}),
    }[wrong]
    external_id = str(uuid7())
    wire = await signed_stream(ingest, credentials, external_id, signature)
    assert await wire.closed() == 4401
    assert await calls_of(ingest, external_id) == []
