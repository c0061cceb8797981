"""Keys, numbers and audio inside the dialects' own messages: none of it is ever logged."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress

import pytest
from websockets.exceptions import InvalidStatus

from dialects.every import EVERY
from dialects.outcome import call_of, speech
from dialects.websocket_wire import WebSocketDialect
from ingest_service import Credentials, IngestService, MakeIngest
from otokura.shared.ids import uuid7

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]

SOCKETS = [one for one in EVERY if isinstance(one, WebSocketDialect)]
NUMBERS = {"caller": "+815011112222", "callee": "+815033334444"}
IN_ADDRESS = {"asterisk-plain"}
"""Say what they say of a call in the address, where numbers are not taken."""


@pytest.fixture(scope="module")
def ingest(make_ingest: MakeIngest) -> IngestService:
    """One that tells everything that it ever would."""
    return make_ingest(log_level="DEBUG")


@pytest.mark.guarantee("S1")
@pytest.mark.parametrize("dialect", SOCKETS, ids=lambda dialect: dialect.name)
async def test_a_stream_leaves_no_secret_in_the_log(
    ingest: IngestService, credentials: Credentials, dialect: WebSocketDialect
) -> None:
    """A good one, one with a wrong key, and one that goes wrong in the middle."""
    told = {} if dialect.name in IN_ADDRESS else NUMBERS
    wrong = Credentials(credentials.tenant_id, credentials.client_id, credentials.api_key[:-6] + "wrong!")
    audio = speech(dialect, 0.2)
    external_id = f"{dialect.name}-{uuid7()}"
    wire = await dialect.open(ingest, credentials, external_id, notice="announced", **told)
    await dialect.send(wire, audio)
    await dialect.end(wire)
    await call_of(ingest, external_id)
    for message, _ in dialect.wrong().values():
        wire = await dialect.open(ingest, credentials, f"{dialect.name}-{uuid7()}", **told)
        await wire.send(message)
        await wire.closed()
    with suppress(InvalidStatus):
        wire = await dialect.open(ingest, wrong, external_id, **told)
        await wire.closed()
    log = ingest.log_text()
    assert '"stream.closed"' in log, "the log says that something was wrong"
    for secret in (credentials.api_key, wrong.api_key, credentials.api_key[-43:], *NUMBERS.values()):
        assert secret not in log
        assert b64encode(secret.encode()).decode()[:40] not in log
    assert b64encode(audio[0][:160]).decode() not in log
