"""A phone system that says nothing: a connection waits for it as long as it is told to, and not for ever."""

from __future__ import annotations

import httpx
import pytest

from dialects.audiohook import AudioHook, Genesys
from dialects.audiosocket import AudioSocket
from dialects.dialect import Dialect
from dialects.every import SOCKETS
from dialects.outcome import accepted, call_of, speech
from dialects.websocket_wire import WebSocketDialect
from ingest_service import Credentials, IngestService, MakeIngest

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


@pytest.fixture(scope="module")
def ingest(make_ingest: MakeIngest) -> IngestService:
    """One that waits for nobody."""
    return make_ingest(
        lease_seconds=3, flush_seconds=1.0, stream_start_seconds=2.0, stream_silence_seconds=2.0
    )


@pytest.mark.guarantee("A53")
@pytest.mark.parametrize("dialect", SOCKETS, ids=lambda dialect: dialect.name)
async def test_a_stream_that_never_starts_is_closed(
    ingest: IngestService, credentials: Credentials, dialect: WebSocketDialect
) -> None:
    """Whoever says nothing gets no more than the time that a start may take; the reason is said."""
    wire = await dialect.connect(ingest, dialect.headers(credentials.api_key))
    assert await wire.closed() == 4408
    assert wire.socket.close_reason == "The stream did not start"


@pytest.mark.guarantee("A53")
@pytest.mark.parametrize("dialect", SOCKETS, ids=lambda dialect: dialect.name)
async def test_a_stream_that_falls_silent_is_closed_and_its_call_stays(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, dialect: WebSocketDialect
) -> None:
    """It ends no call: what it said is accepted, and another connection may go on."""
    assert await closed_for_silence(ingest, credentials, client, dialect) == 4408


@pytest.mark.guarantee("A53")
@pytest.mark.parametrize("dialect", [AudioHook(), AudioSocket()], ids=lambda dialect: dialect.name)
async def test_silence_closes_and_ends_no_call_where_the_dialect_has_words_of_its_own(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, dialect: Dialect
) -> None:
    """AudioHook is told to disconnect, AudioSocket just closed; what was said is accepted."""
    await closed_for_silence(ingest, credentials, client, dialect)


async def closed_for_silence(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, dialect: Dialect
) -> int | None:
    """The code with which a stream that falls silent is closed; what it said is accepted, its call lasts."""
    external_id, audio = dialect.new_id(), speech(dialect, 0.5)
    wire = await dialect.open(ingest, credentials, external_id, notice="announced")
    await dialect.send(wire, audio)
    code = await wire.closed()
    call_id = await call_of(ingest, external_id)
    await accepted(client, call_id, dialect.rate // 2)
    assert (await client.get(f"/v1/calls/{call_id}")).json()["state"] == "live"
    return code


@pytest.mark.guarantee("A53")
async def test_an_audiohook_session_that_never_opens_is_told_and_closed(
    ingest: IngestService, credentials: Credentials
) -> None:
    genesys = Genesys(ingest, credentials)
    await genesys.register()
    wire = await genesys.handshake()
    assert (await wire.wait_for("disconnect"))["parameters"]["reason"] == "error"
    assert await wire.closed() == 4408
