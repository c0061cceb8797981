"""The service: its connections, its background work, its routes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from fastapi import FastAPI

from otokura.ingest import api, finding, notice
from otokura.ingest.call_keys import CallKeys
from otokura.ingest.connections.api import router as connections
from otokura.ingest.connections.lookup import Connections
from otokura.ingest.connections.sockets_api import router as sockets
from otokura.ingest.deliveries import Deliveries
from otokura.ingest.dialects.audiosocket import AudioSocketServer
from otokura.ingest.dialects.every import ROUTERS
from otokura.ingest.erasing import IngestPart
from otokura.ingest.handlers import GROUP, subscriptions
from otokura.ingest.limits import Limits
from otokura.ingest.listening import listen
from otokura.ingest.live_chunks import LiveChunks
from otokura.ingest.objects import check_bucket
from otokura.ingest.outlet import Outlet
from otokura.ingest.reconciling import reconcile
from otokura.ingest.replies import Replies
from otokura.ingest.sealing import Sealer
from otokura.ingest.settings import Settings
from otokura.ingest.spool import Spool
from otokura.ingest.state import State
from otokura.ingest.upkeep import clean_settled, sweep_idle
from otokura.ingest.uploads import api as uploads
from otokura.ingest.uploads.sealing import UploadSealer
from otokura.ingest.vendor_secrets import VendorSecrets
from otokura.ingest.webhooks.api import router as webhooks
from otokura.ingest.webhooks.delivery import deliver, keep_house
from otokura.ingest.wrapped_keys import TENANTS, WRAPPED_KEYS
from otokura.shared.audit import AuditWriter, read_signing_key
from otokura.shared.background import Supervisor
from otokura.shared.consumer import Consumer
from otokura.shared.database import Database, migrate
from otokura.shared.directory import Directory
from otokura.shared.erasing import Eraser
from otokura.shared.errors import Unavailable
from otokura.shared.events import Topic
from otokura.shared.health import Readiness
from otokura.shared.http import create_api
from otokura.shared.kafka import Producer, ensure_topics, producer
from otokura.shared.keys import key_provider
from otokura.shared.logs import get_logger
from otokura.shared.objects import ObjectStore
from otokura.shared.outbox import OutboxRelay
from otokura.shared.rewrapping import Rewrapper

log = get_logger(__name__)

TOPICS = (Topic.CALLS, Topic.LIVE, Topic.RECORDINGS, Topic.KEYS, Topic.ERASURES, Topic.AUDIT)
RETRY_SECONDS = 1.0
DRAIN_SECONDS = 3.0
"""How long the last entries of disclosures are waited for when the process ends."""


def create_app(settings: Settings) -> FastAPI:
    """The ASGI app; nothing connects before its lifespan begins."""
    return create_api(
        settings,
        title="Otokura ingest",
        lifespan=lifespan,
        routers=[
            api.router,
            finding.router,
            webhooks,
            uploads.router,
            connections,
            notice.router,
            sockets,
            *ROUTERS,
        ],
    )


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Open everything, run the background work, close everything in the opposite order.

    Calls are taken while the broker is away: what happens waits in the outbox.
    """
    settings: Settings = app.state.settings
    await migrate(settings.database_url, "otokura.ingest.migrations")
    async with AsyncExitStack() as stack:
        writer = await _audit_writer(stack, settings)
        state = _open(stack, settings, writer)
        events = producer(settings)
        stack.push_async_callback(events.stop)
        app.state.ingest = state
        app.state.authenticator = state.directory.authenticator(settings)
        supervisor = await stack.enter_async_context(Supervisor())
        _check(app.state.readiness, state, supervisor)
        _work(supervisor, state, writer, events)
        yield


async def _audit_writer(stack: AsyncExitStack, settings: Settings) -> AuditWriter:
    entries = producer(settings)
    stack.push_async_callback(entries.stop)
    writer = AuditWriter(entries, settings.service, read_signing_key(settings.audit_signing_key_file))
    await writer.start()
    stack.push_async_callback(writer.stop)
    return writer


def _open(stack: AsyncExitStack, settings: Settings, writer: AuditWriter) -> State:
    database = Database(settings.database_url, application_name="otokura-ingest")
    stack.push_async_callback(database.close)
    store = ObjectStore.from_settings(settings)
    stack.push_async_callback(store.close)
    outlet = Outlet(
        database,
        store,
        settings.recordings_bucket,
        _spool(stack, settings),
        settings.lease_seconds,
        asyncio.Event(),
    )
    deliveries = Deliveries(outlet)
    deliveries.recover()
    stack.push_async_callback(deliveries.close)
    replies = Replies(settings, database, writer)
    stack.push_async_callback(replies.drain, DRAIN_SECONDS)
    provider = key_provider(settings)
    secrets = VendorSecrets(provider)
    rewrapper = Rewrapper(database, provider, "ingest", WRAPPED_KEYS, TENANTS, settings.rewrap_settle)
    directory = Directory(database)
    return State(
        settings,
        database,
        store,
        CallKeys(provider),
        secrets,
        Connections(database, secrets),
        directory,
        deliveries,
        Limits(settings, directory),
        asyncio.Semaphore(settings.decoders),
        _live_chunks(stack, settings),
        replies,
        rewrapper,
    )


def _live_chunks(stack: AsyncExitStack, settings: Settings) -> LiveChunks:
    sender = producer(settings)
    stack.push_async_callback(sender.stop)
    source = f"otokura/{settings.service}"
    return LiveChunks(sender, source, settings.live_chunk_ms, settings.live_queue_bytes)


def _spool(stack: AsyncExitStack, settings: Settings) -> Spool:
    folder = settings.spool_folder
    if folder is None:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="otokura-spool-")))
        log.warning("spool.temporary", hint="set OTOKURA_SPOOL_FOLDER to a folder that outlives the process")
    spool = Spool(folder, settings.spool_bytes)
    stack.callback(spool.close)
    return spool


def _check(readiness: Readiness, state: State, supervisor: Supervisor) -> None:
    readiness.add("database", state.database.ping)
    readiness.add("store", lambda: check_bucket(state.store, state.settings.recordings_bucket))
    readiness.add("work", supervisor.check)


def _work(supervisor: Supervisor, state: State, writer: AuditWriter, events: Producer) -> None:
    part = IngestPart(state.settings.recordings_bucket)
    consumer = Consumer(state.settings, GROUP, state.database, subscriptions(part))
    relay = OutboxRelay(state.database, events, writer, writer.source)
    supervisor.start("audit-writer", writer.failed)
    supervisor.start("outbox", relay.run)
    supervisor.start("topics", lambda: _make_topics(state.settings))
    supervisor.start("tenants", consumer.run)
    supervisor.start("listening", lambda: listen(state))
    supervisor.start("live-chunks", state.live_chunks.run)
    supervisor.start("replies", state.replies.run)
    supervisor.start("ticking", state.streams.tick)
    supervisor.start("reconciling", lambda: reconcile(state))
    supervisor.start("idle", lambda: sweep_idle(state))
    supervisor.start("cleaning", lambda: clean_settled(state))
    supervisor.start("rewrapping", state.rewrapper.run)
    supervisor.start("erasing", Eraser(state.database, state.store, part).run)
    supervisor.start("webhooks", lambda: deliver(state))
    supervisor.start("webhooks-upkeep", lambda: keep_house(state))
    for number in range(state.settings.sealers):
        supervisor.start(f"sealer-{number}", Sealer(state).run)
    if state.settings.audiosocket_port is not None:
        supervisor.start("audiosocket", AudioSocketServer(state).run)
    for number in range(state.settings.upload_sealers):
        supervisor.start(f"upload-sealer-{number}", UploadSealer(state).run)


async def _make_topics(settings: Settings) -> None:
    """Make the topics that this service writes, as soon as the broker is there; then rest."""
    while True:
        try:
            await ensure_topics(settings, TOPICS)
        except Unavailable:
            log.warning("kafka.away")
            await asyncio.sleep(RETRY_SECONDS)
        else:
            await asyncio.Event().wait()
