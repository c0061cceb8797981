"""Vault in the place of the keyring, and then away: what is refused, and what goes on."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

import servers
from access_service import Access, kafka_of
from access_service import running as running_access
from flac_decoding import decoded
from ingest_fixtures import starting_ingest
from ingest_service import IngestService, call_body, client_of, settled, start_call
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer
from otokura.shared.ids import uuid7
from phone_system import end_stream, send_all, speechlike, stream, told
from vault_server import VaultServer

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]


@pytest.fixture(scope="module")
def ingest(
    vault: VaultServer,
    postgres_server: PostgresServer,
    s3_server: SeaweedServer,
    kafka_server: servers.KafkaServer,
) -> Iterator[IngestService]:
    """Ingest with a token of its own policy."""
    chosen = {name.removeprefix("OTOKURA_"): value for name, value in vault.environment("ingest").items()}
    with starting_ingest(postgres_server, s3_server, kafka_server) as make:
        service = make(**{name.lower(): value for name, value in chosen.items()}, flush_seconds=1.0)
        service.keys = vault.provider()  # type: ignore[assignment] # tests open what it wrapped
        yield service


@pytest.mark.guarantee("S22")
async def test_a_call_under_way_is_recorded_while_vault_is_away_and_a_new_one_refused(
    ingest: IngestService, vault: VaultServer
) -> None:
    credentials = await ingest.add_tenant()
    first, second = speechlike(2.0, 8000, 2, 1), speechlike(3.0, 8000, 2, 2)
    async with client_of(ingest.url, credentials) as client:
        call = await start_call(client)
        async with stream(ingest.url, call["id"], credentials) as socket:
            await told(socket)
            await send_all(socket, first)
            with vault.away():
                await send_all(socket, second)
                final = await end_stream(socket)
                assert final["accepted_samples"] == (len(first) + len(second)) // 4
                refused = await client.post(
                    "/v1/calls", json=call_body(), headers={"Idempotency-Key": str(uuid7())}
                )
                assert (refused.status_code, refused.json()["title"]) == (503, "Temporarily unavailable")
                assert "key provider" in refused.json()["detail"]
                await client.post(f"/v1/calls/{call['id']}/end")
                assert (await client.get(f"/v1/calls/{call['id']}")).json()["state"] == "sealing"
        assert (await settled(client, call["id"]))["state"] == "sealed"
        _, flac = await ingest.recording(call["id"])
        assert decoded(flac, 2) == first + second
        await start_call(client)


@pytest.fixture(scope="module")
def access(vault: VaultServer, postgres_server: PostgresServer, s3_server: SeaweedServer) -> Iterator[Access]:
    """Access with a token of its own policy."""
    with (
        servers.kafka() as broker,
        running_access(
            postgres_server, s3_server, kafka_of(broker), **vault.environment("access")
        ) as process,
    ):
        process.keys = vault.provider()  # type: ignore[assignment] # as ingest would wrap
        yield process


@pytest.mark.guarantee("S22")
def test_no_read_while_vault_is_away(access: Access, vault: VaultServer) -> None:
    """503, not one byte; the entry says how it ended, and the next read is served."""
    tenant = access.tenant()
    call, supervisor = tenant.call(), tenant.person("supervisor")
    with access.client(supervisor.token) as client:

        def read(what: str) -> httpx.Response:
            return client.get(f"/v1/calls/{call.id}/{what}", params={"purpose": "quality"})

        assert read("audio").content == call.audio
        with vault.away():
            for what in ("audio", "transcript"):
                refused = read(what)
                assert refused.status_code == 503
                assert refused.headers["Content-Type"] == "application/problem+json"
            assert client.get(f"/v1/calls/{call.id}").status_code == 200
        assert read("audio").content == call.audio
    opened = [entry["entry_id"] for entry in access.audit.entries(action="read.opened")]
    outcomes = [access.audit.closed(entry_id)["detail"]["outcome"] for entry_id in opened]
    assert outcomes == ["complete", "unavailable", "unavailable", "complete"]


@pytest.mark.guarantee("S22")
def test_no_read_while_vault_refuses_the_token(access: Access, vault: VaultServer) -> None:
    tenant = access.tenant()
    call, supervisor = tenant.call(), tenant.person("supervisor")
    policy = vault.root.sys.read_policy("otokura-access")["data"]["rules"]
    vault.root.sys.create_or_update_policy("otokura-access", 'path "none" { capabilities = ["read"] }')
    try:
        with access.client(supervisor.token) as client:
            refused = client.get(f"/v1/calls/{call.id}/audio", params={"purpose": "quality"})
    finally:
        vault.root.sys.create_or_update_policy("otokura-access", policy)
    assert (refused.status_code, "refuses this service" in refused.json()["detail"]) == (503, True)
    assert vault.address not in refused.text
    assert "vault.refused" in access.log_text()
