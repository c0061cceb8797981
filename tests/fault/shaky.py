"""One ingest process on servers of its own, each of which a test can take away and give back."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import servers
from fault.history import Content
from flac_decoding import decoded
from ingest_service import Credentials, IngestService, client_of, settled
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer
from tcp_line import TcpLine, tcp_line

SETTLE_SECONDS = 120.0
MANY = {
    "OTOKURA_LEASE_SECONDS": "5",
    "OTOKURA_STREAM_START_SECONDS": "60",
    "OTOKURA_CLIENT_CALLS": "1000",
    "OTOKURA_CLIENT_REQUESTS_PER_MINUTE": "100000",
    "OTOKURA_CLIENT_UPLOAD_BYTES_PER_HOUR": str(2**40),
}


@dataclass
class Shaky:
    """What stands, and how to take it away."""

    ingest: IngestService
    postgres: PostgresServer
    broker: servers.KafkaServer
    store: TcpLine

    async def sealed(self, credentials: Credentials, call_id: str, channels: int = 2) -> Content:
        """End a call and open its recording."""
        async with client_of(self.ingest.url, credentials) as client:
            await client.post(f"/v1/calls/{call_id}/end")
            call = await settled(client, call_id, SETTLE_SECONDS)
        assert call["state"] == "sealed", call
        _, audio = await self.ingest.recording(call_id)
        return Content(audio, decoded(audio, channels), b"")


@asynccontextmanager
async def shaky(s3_server: SeaweedServer, **settings: object) -> AsyncIterator[Shaky]:
    """Start everything; the store is reached over a line that can be cut."""
    async with AsyncExitStack() as stack:
        postgres = stack.enter_context(servers.postgres())
        broker = stack.enter_context(servers.kafka(lasting=True))
        store = servers.object_store_settings(s3_server, "ingest")
        line = stack.enter_context(tcp_line(urlsplit(store.endpoint).port or 0))
        url = await postgres.create_database(f"test_{secrets.token_hex(6)}", secrets.token_urlsafe(16))
        folder = stack.enter_context(servers.scratch_folder("shaky"))
        kafka = {
            "kafka_bootstrap": broker.bootstrap,
            "kafka_idempotence": broker.idempotence,
            "kafka_replication": 1,
            "kafka_min_insync": 1,
            "kafka_partitions": 1,
            "development": True,
        }
        environment = {f"OTOKURA_{name.upper()}": str(value) for name, value in settings.items()}
        there = replace(store, endpoint=f"http://127.0.0.1:{line.port}")
        ingest = IngestService(folder, url, there, kafka, {**MANY, **environment})
        await ingest.prepare()
        ingest.start()
        stack.callback(ingest.program.kill)
        yield Shaky(ingest, postgres, broker, line)
