"""Access and audit together, with calls whose sealing and transcription stand in the log."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import access_service
import servers
from access_audit import run
from access_calls import Call
from access_service import Access, Person, Tenant
from audit_service import AuditService, public_text, until
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer
from otokura.cli.verify.evidence import Evidence, verify_evidence
from otokura.shared.audit import AuditWriter, read_signing_key
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.database import migrate
from otokura.shared.events import TranscriptCompleted
from otokura.shared.kafka import KafkaSettings, Producer
from redacted_calls import Samples, flac, noise, recorded

SAID = noise(3)
REASON = "東京地方裁判所 令和8年(ワ)第123号"


@dataclass
class Site:
    """Both services; `keys` are the other services' own."""

    access: Access
    audit: AuditService
    keys: dict[str, Ed25519PrivateKey] = field(default_factory=dict[str, Ed25519PrivateKey])

    @property
    def source_keys(self) -> dict[str, str]:
        """As verifiers have them."""
        return self.audit.source_keys()

    def tenant(self) -> Tenant:
        """A new tenant, of which audit knows too."""
        tenant = self.access.tenant()

        async def known() -> bool:
            found = await self.audit.query("SELECT 1 FROM tenants WHERE tenant_id = :id", id=tenant.id)
            return bool(found)

        run(until(known))
        return tenant

    def write(self, service: str, *drafts: AuditDraft) -> None:
        """Entries of another service, as it would write them."""

        async def written() -> None:
            producer = Producer(cast("KafkaSettings", SimpleNamespace(**self.audit.kafka)))
            writer = AuditWriter(producer, service, self.keys[service])
            await writer.start()
            try:
                for draft in drafts:
                    await writer.write(draft)
            finally:
                await writer.stop()
                await producer.stop()

        run(written())

    def call(self, tenant: Tenant, samples: Samples = SAID, *, hidden: bool = True, **about: Any) -> Call:
        """A call that was sealed and transcribed, and of which the log says so."""
        stretch = [(1, 1000, 2000)] if hidden else None
        call = recorded(tenant, flac(samples), stretch, samples=len(samples), **about)
        self.seal(call)
        return call

    def seal(self, call: Call) -> None:
        """What the log says of its sealing and its transcription."""
        mine = {"tenant_id": call.manifest.tenant_id, "call_id": call.id}
        sealed = {
            "manifest_sha256": call.manifest.sha256(),
            "plaintext_sha256": call.manifest.recording.plaintext_sha256,
        }
        [told] = [event for event in call.events if isinstance(event, TranscriptCompleted)]
        said = {"plaintext_sha256": told.plaintext_sha256}
        self.write("ingest", AuditDraft(action=Action.RECORDING_SEALED, detail=sealed, **mine))
        self.write("transcribe", AuditDraft(action=Action.RECORDING_TRANSCRIBED, detail=said, **mine))

    def make(self, officer: Person, call: Call, reason: str = REASON, **options: Any) -> httpx.Response:
        """The answer to a request for evidence."""
        with self.access.client(officer.token, **options) as client:
            return client.post(f"/v1/calls/{call.id}/evidence", json={"reason": reason})

    def keep_what_comes(self, officer: Person, call: Call, path: Path) -> None:
        """What is sent of a bundle that breaks off."""
        with self.access.client(officer.token) as client, path.open("wb") as file:
            request = client.build_request("POST", f"/v1/calls/{call.id}/evidence", json={"reason": REASON})
            response = client.send(request, stream=True)
            assert response.status_code == 200, response.read()
            chunks = response.iter_raw()
            with pytest.raises(httpx.RemoteProtocolError):
                file.writelines(chunks)
            response.close()

    def verified(self, path: Path, **more: Any) -> Evidence:
        """What the verifier says."""
        return verify_evidence(path, [self.audit.vkey], self.source_keys, **more)


@contextmanager
def running(
    postgres: PostgresServer, store: SeaweedServer, broker: servers.KafkaServer, **settings: str
) -> Iterator[Site]:
    """Both, on databases of their own; `settings` are of access."""
    kafka = access_service.kafka_of(broker)
    name = f"audit_{secrets.token_hex(6)}"
    url = run(postgres.create_database(name, secrets.token_urlsafe(16)))
    with ExitStack() as stack:
        stack.callback(lambda: run(postgres.drop_database(name)))
        folder = stack.enter_context(servers.scratch_folder("audit"))
        identity = servers.object_store_settings(store, "test")
        audit = AuditService(folder, url, identity, kafka, f"log-{secrets.token_hex(6)}")
        settings = {"OTOKURA_AUDIT_URL": audit.url, **settings}
        access = stack.enter_context(access_service.running(postgres, store, kafka, **settings))
        site = Site(access, audit, {it: Ed25519PrivateKey.generate() for it in ("ingest", "transcribe")})
        mine = read_signing_key(access.audit_key_file).public_key().public_bytes_raw()
        others = {service: public_text(key) for service, key in site.keys.items()}
        keys = audit.source_keys() | others | {"access": base64.b64encode(mine).decode()}
        folder.joinpath("sources.json").write_text(json.dumps(keys))
        asyncio.run(migrate(url, "otokura.audit.migrations"))
        audit.start()
        stack.callback(audit.program.stop)
        yield site
