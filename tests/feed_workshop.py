"""Access's feeds without its process: the work of publishing, step by step, in the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

import servers
from access_calls import FEED_HANDLERS, HANDLERS, SEARCH_HANDLERS, Call, context_of, seal_call
from access_feeds import Event, read_feed, searched
from access_service import ISSUER, private_key_file
from otokura.access.evidence.custody import Custody
from otokura.access.evidence.workshop import Workshop as EvidenceWorkshop
from otokura.access.feeds.disclosure import Disclosures
from otokura.access.feeds.models import FeedRecord
from otokura.access.feeds.provisioning import Provisioner
from otokura.access.feeds.worker import FeedWorker
from otokura.access.identity.signing import SigningKeys
from otokura.access.identity.throttle import RefusalThrottle
from otokura.access.oidc.fetching import Documents
from otokura.access.oidc.keys import IssuerKeys
from otokura.access.oidc.verifier import OidcVerifier
from otokura.access.reads.closing import Closings
from otokura.access.search.keys import IndexKeys
from otokura.access.settings import Settings
from otokura.access.signals.watch import Watch
from otokura.access.state import AccessState
from otokura.access.tenancy.models import Tenant
from otokura.shared.audit import AuditWriter
from otokura.shared.database import Database, migrate
from otokura.shared.events import CallEvent
from otokura.shared.feeds import topic_of
from otokura.shared.ids import uuid7
from otokura.shared.kafka import Producer
from otokura.shared.keys import LocalKeyProvider, create_keyring, key_provider
from otokura.shared.objects import ObjectStore
from otokura.shared.policy.engine import PolicyEngine
from otokura.shared.sealed_objects import HeaderCache
from otokura.shared.tokens import TokenIssuer


@dataclass
class Workshop:
    """Access's feeds without its process: each step is taken when the test says so."""

    state: AccessState
    store: ObjectStore
    worker: FeedWorker
    provisioner: Provisioner
    bootstrap: str
    events: Producer

    async def tenant(self) -> UUID:
        """A new tenant."""
        row = Tenant(id=uuid7(), name=f"T {uuid7()}", version=1, settings={}, created_at=await self.now())
        async with self.state.database.session() as session:
            session.add(row)
        return row.id

    async def now(self) -> Any:
        """The database's clock."""
        [row] = await self.query("SELECT now() AS at")
        return row["at"]

    async def feed(self, tenant_id: UUID, *, ready: bool = True, **about: Any) -> FeedRecord:
        """A feed; ready when nothing else is asked for."""
        at = await self.now()
        values: dict[str, Any] = {
            "name": f"F {uuid7()}",
            "purpose": "quality",
            "fields": ["call", "turns", "words"],
            "redaction": "redacted",
            "partials": False,
            "principals": ["User:reader"],
            "enabled": True,
            "version": 1,
        }
        moments = {"retry_at": at, "created_at": at, "changed_at": at}
        record = FeedRecord(id=uuid7(), tenant_id=tenant_id, **moments, **(values | about))
        async with self.state.database.session() as session:
            session.add(record)
        if ready:
            assert await self.provisioner.step()
        return record

    async def call(self, tenant_id: UUID, said: Any = searched, *, quiet: bool = False, **about: Any) -> Call:
        """A call that is recorded and transcribed; told to access, unless `quiet`."""
        keys = self.state.keys
        assert isinstance(keys, LocalKeyProvider)
        call = await seal_call(self.store, keys, tenant_id, b"audio" * 100, said=said, **about)
        if not quiet:
            await self.apply(*call.events)
        return call

    async def apply(self, *events: CallEvent) -> None:
        """Hands events to the handlers, as the consumer would."""
        for event in events:
            async with self.state.database.session() as session:
                for handlers in (HANDLERS, FEED_HANDLERS, SEARCH_HANDLERS):
                    if (handler := handlers.get(type(event))) is not None:
                        await handler(session, event, context_of(event))

    async def work(self) -> int:
        """Works until nothing is due; how many jobs that were."""
        steps = 0
        while await self.worker.step():
            steps += 1
        return steps

    async def told(self, feed: FeedRecord) -> list[Event]:
        """What the feed's topic holds now."""
        return await read_feed(self.bootstrap, topic_of(feed.tenant_id, feed.id), 400)

    async def job(self, feed: FeedRecord, call_id: UUID, kind: str = "completed") -> dict[str, Any]:
        """The row of a job."""
        [row] = await self.query(
            "SELECT * FROM feed_jobs WHERE feed_id = :feed AND call_id = :call AND kind = :kind",
            feed=feed.id,
            call=call_id,
            kind=kind,
        )
        return row

    async def query(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        """Rows of access's database."""
        async with self.state.database.session() as session:
            result = await (await session.connection()).execute(text(statement), values)
            return [dict(row) for row in result.mappings()] if result.returns_rows else []


@asynccontextmanager
async def workshop(
    folder: Path,
    database_url: str,
    store: servers.ObjectStoreSettings,
    kafka: Mapping[str, object],
    *,
    audit_bootstrap: str | None = None,
    **changes: Any,
) -> AsyncIterator[Workshop]:
    """A workshop on a database of its own.

    Args:
        folder: for its keys.
        database_url: empty; it is migrated here.
        store: with the rights of a test.
        kafka: the broker.
        audit_bootstrap: where audit entries are sent instead.
        changes: of the settings.
    """
    create_keyring(folder / "keyring.json")
    values: dict[str, Any] = {
        "port": 1,
        "database_url": database_url,
        "s3_endpoint": store.endpoint,
        "s3_access_key": store.access_key,
        "s3_secret_key": store.secret_key,
        "issuer": ISSUER,
        "audit_signing_key_file": private_key_file(folder / "audit.pem"),
        "token_signing_key_file": private_key_file(folder / "token.pem"),
        "keyring_file": folder / "keyring.json",
        **kafka,
    }
    settings = Settings(**(values | changes))
    await migrate(database_url, "otokura.access.migrations")
    async with AsyncExitStack() as stack:
        yield await _open(stack, settings, store, audit_bootstrap)


async def _open(
    stack: AsyncExitStack,
    settings: Settings,
    where: servers.ObjectStoreSettings,
    audit_bootstrap: str | None,
) -> Workshop:
    database = Database(settings.database_url, pool_size=4)
    stack.push_async_callback(database.close)
    store = ObjectStore(where.endpoint, where.access_key, where.secret_key)
    stack.push_async_callback(store.close)
    to = settings.model_copy(update={"kafka_bootstrap": audit_bootstrap or settings.kafka_bootstrap})
    entries, events = Producer(to), Producer(settings)
    stack.push_async_callback(entries.stop)
    stack.push_async_callback(events.stop)
    key = Ed25519PrivateKey.generate()
    audit = AuditWriter(entries, "access", key)
    await audit.start()
    stack.push_async_callback(audit.stop, 0.5)
    signing = SigningKeys(database, key, ISSUER)
    documents = Documents(settings)
    stack.push_async_callback(documents.close)
    keys = key_provider(settings)
    issuer = TokenIssuer(key, signing.kid, ISSUER, settings.audience)
    state = AccessState(
        settings=settings,
        database=database,
        audit=audit,
        policies=PolicyEngine(),
        keys=keys,
        store=store,
        signing=signing,
        issuer=issuer,
        oidc=OidcVerifier(database, audit, IssuerKeys(documents.keys, settings), RefusalThrottle()),
        closings=Closings(audit),
        headers=HeaderCache(),
        watch=Watch(database),
        index_keys=IndexKeys(keys),
        evidence=EvidenceWorkshop(key, Custody(None, issuer)),
    )
    worker = FeedWorker(database, Disclosures(state, events), settings)
    provisioner = Provisioner(settings, database)
    return Workshop(state, store, worker, provisioner, settings.kafka_bootstrap, events)
