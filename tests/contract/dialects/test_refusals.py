"""What a phone system, or somebody in its name, can do wrong; and what stays of what it did right."""

from __future__ import annotations

import asyncio
from typing import cast

import httpx
import numpy as np
import pytest
from websockets.exceptions import InvalidStatus

from dialects.dialect import Dialect
from dialects.every import EVERY, SOCKETS
from dialects.outcome import calls_of, expected, sealed, speech
from dialects.websocket_wire import WebSocketDialect, WebSocketWire
from ingest_service import Credentials, IngestService
from otokura.shared.ids import uuid7

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

WRONG = [(one, name) for one in EVERY for name in one.wrong()]


async def refusal(
    dialect: WebSocketDialect,
    ingest: IngestService,
    credentials: Credentials,
    external_id: str,
    **fields: str,
) -> tuple[int, str]:
    """With which HTTP status a stream is refused, and the words: in the handshake, or as it is closed."""
    try:
        wire = await dialect.open(ingest, credentials, external_id, **fields)
    except InvalidStatus as refused:
        return refused.response.status_code, (refused.response.body or b"").decode()
    code = await wire.closed()
    return (code or 0) - 4000, str(cast("WebSocketWire", wire).socket.close_reason)


@pytest.mark.guarantee("A53")
@pytest.mark.parametrize(("dialect", "wrong"), WRONG, ids=[f"{one.name}: {name}" for one, name in WRONG])
async def test_a_wrong_message_costs_the_connection_and_no_audio(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, dialect: Dialect, wrong: str
) -> None:
    """What came before it is sealed, and the next connection goes on with the same call."""
    message, code = dialect.wrong()[wrong]
    external_id, audio = dialect.new_id(), speech(dialect, 0.5)
    wire = await dialect.open(ingest, credentials, external_id, notice="announced")
    await dialect.send(wire, audio)
    await wire.send(message)
    assert await wire.closed() == code
    again = await dialect.open(ingest, credentials, external_id, notice="announced")
    await dialect.send(again, audio)
    await dialect.end(again)
    outcome = await sealed(ingest, client, external_id)
    half = dialect.rate // 2
    assert np.array_equal(outcome.samples[:half], expected(dialect, audio))
    assert np.array_equal(outcome.samples[-half:], expected(dialect, audio))


@pytest.mark.guarantee("A53")
@pytest.mark.parametrize("dialect", SOCKETS, ids=lambda dialect: dialect.name)
async def test_a_wrong_key_opens_nothing(
    ingest: IngestService, credentials: Credentials, dialect: WebSocketDialect
) -> None:
    """By an HTTP answer where the key is in the handshake, else by the close code; no call is made."""
    external_id = dialect.new_id()
    wrong = Credentials(credentials.tenant_id, credentials.client_id, credentials.api_key[:-4] + "AAAA")
    status, words = await refusal(dialect, ingest, wrong, external_id)
    assert status == 401
    assert "Authentication needed" in words
    assert await calls_of(ingest, external_id) == []


@pytest.mark.parametrize("dialect", SOCKETS, ids=lambda dialect: dialect.name)
async def test_a_wrong_field_is_refused_and_starts_no_call(
    ingest: IngestService, credentials: Credentials, dialect: WebSocketDialect
) -> None:
    external_id = dialect.new_id()
    status, words = await refusal(dialect, ingest, credentials, external_id, direction="sideways")
    assert status == 422
    assert "sideways" not in words
    assert await calls_of(ingest, external_id) == []


async def test_roles_for_other_channels_than_come_are_refused(
    ingest: IngestService, credentials: Credentials
) -> None:
    """Nobody's words are written down as another's."""
    [jambonz] = [one for one in SOCKETS if one.name == "jambonz"]
    external_id = f"jambonz-{uuid7()}"
    status, words = await refusal(jambonz, ingest, credentials, external_id, channels="agent")
    assert (status, words) == (422, "Wrong number of channels")
    assert await calls_of(ingest, external_id) == []


async def test_secrets_and_numbers_are_not_taken_from_the_address(
    ingest: IngestService, credentials: Credentials
) -> None:
    """Addresses are logged on their way: whoever puts a key there is told where it belongs."""
    [asterisk] = [one for one in SOCKETS if one.name == "asterisk"]
    headers = asterisk.headers(credentials.api_key)
    for told in (f"api_key={credentials.api_key}", "caller=%2B815000000001"):
        with pytest.raises(InvalidStatus) as refused:
            await asterisk.connect(ingest, headers, f"?{told}")
        assert refused.value.response.status_code == 400
        assert b"channel variables" in (refused.value.response.body or b"")


async def test_purposes_that_the_tenant_does_not_disclose_are_left_out_rather_than_the_call(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient
) -> None:
    """The recording is made, and nobody may read it for a purpose that it does not have; the log says so."""
    [twilio] = [one for one in SOCKETS if one.name == "twilio"]
    external_id, audio = f"twilio-{uuid7()}", speech(twilio, 0.5)
    wire = await twilio.open(ingest, credentials, external_id, purposes=["quality", "marketing"])
    await twilio.send(wire, audio)
    await twilio.end(wire)
    outcome = await sealed(ingest, client, external_id)
    assert outcome.manifest.purposes == ["quality"]
    await asyncio.sleep(0)
    assert '"call.purposes-not-disclosed"' in ingest.log_text()
