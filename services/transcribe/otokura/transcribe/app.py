"""The service: its connections, its background work; its only routes are health and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from otokura.shared.audit import AuditWriter, read_signing_key
from otokura.shared.background import Supervisor
from otokura.shared.consumer import Consumer
from otokura.shared.database import Database, migrate
from otokura.shared.directory import Directory
from otokura.shared.erasing import Eraser
from otokura.shared.errors import Unavailable
from otokura.shared.events import Topic
from otokura.shared.http import create_api
from otokura.shared.kafka import ensure_topics, producer
from otokura.shared.keys import KeyProvider, key_provider
from otokura.shared.logs import get_logger
from otokura.shared.objects import ObjectStore
from otokura.shared.outbox import OutboxRelay
from otokura.shared.rewrapping import Rewrapper
from otokura.transcribe import instruments, repository
from otokura.transcribe.again import repository as again
from otokura.transcribe.again.service import tell_progress
from otokura.transcribe.choice import choose
from otokura.transcribe.engine_process import EngineProcess
from otokura.transcribe.erasing import TranscribePart
from otokura.transcribe.handlers import GROUP, subscriptions
from otokura.transcribe.insight.service import Insight
from otokura.transcribe.live.running import run_live
from otokura.transcribe.settings import Settings
from otokura.transcribe.transcriber import Transcriber
from otokura.transcribe.worker import Worker
from otokura.transcribe.wrapped_keys import TENANTS, WRAPPED_KEYS

log = get_logger(__name__)

TOPICS = (Topic.TRANSCRIPTS, Topic.ERASURES, Topic.AUDIT)
RETRY_SECONDS = 1.0
COUNT_SECONDS = 5.0


def create_app(settings: Settings) -> FastAPI:
    """The ASGI app; nothing connects before its lifespan begins."""
    return create_api(settings, title="Otokura transcribe", lifespan=lifespan, routers=[])


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Opens everything, runs the background work, closes everything in the opposite order."""
    settings: Settings = app.state.settings
    options = await asyncio.to_thread(choose, settings)
    await migrate(settings.database_url, "otokura.transcribe.migrations")
    async with AsyncExitStack() as stack:
        database = Database(settings.database_url, application_name="otokura-transcribe")
        stack.push_async_callback(database.close)
        store = ObjectStore.from_settings(settings)
        stack.push_async_callback(store.close)
        events, entries = producer(settings), producer(settings)
        stack.push_async_callback(events.stop)
        stack.push_async_callback(entries.stop)
        writer = AuditWriter(entries, settings.service, read_signing_key(settings.audit_signing_key_file))
        await writer.start()
        stack.push_async_callback(writer.stop)
        engine = EngineProcess(options, timeout=settings.window_timeout_seconds)
        stack.push_async_callback(engine.close)
        insight = Insight.from_settings(settings)
        stack.push_async_callback(insight.close)
        keys = key_provider(settings)
        worker = _worker(settings, database, store, keys, engine, insight)
        supervisor = await stack.enter_async_context(Supervisor())
        app.state.readiness.add("database", database.ping)
        app.state.readiness.add("audit", writer.check)
        app.state.readiness.add("engine", engine.ready)
        app.state.readiness.add("work", supervisor.check)
        supervisor.start("audit-writer", writer.failed)
        supervisor.start("outbox", OutboxRelay(database, events, writer, writer.source).run)
        part = TranscribePart(settings.transcripts_bucket)
        supervisor.start("consumer", lambda: _consume(settings, database, part))
        supervisor.start("erasing", Eraser(database, store, part).run)
        supervisor.start("house", lambda: _keep_house(database, worker))
        supervisor.start("worker", worker.run)
        rewrapper = Rewrapper(database, keys, "transcribe", WRAPPED_KEYS, TENANTS, settings.rewrap_settle)
        supervisor.start("rewrapping", rewrapper.run)
        run_live(stack, supervisor, settings, database, keys, options, engine)
        yield


def _worker(
    settings: Settings,
    database: Database,
    store: ObjectStore,
    keys: KeyProvider,
    engine: EngineProcess,
    insight: Insight,
) -> Worker:
    transcriber = Transcriber(
        store,
        keys,
        Directory(database),
        engine,
        insight=insight,
        bucket=settings.transcripts_bucket,
        window_seconds=settings.window_seconds,
    )
    return Worker(database, transcriber, settings)


async def _consume(settings: Settings, database: Database, part: TranscribePart) -> None:
    while True:
        try:
            await ensure_topics(settings, TOPICS)
            break
        except Unavailable as error:
            log.warning("kafka is away", error=error)
            await asyncio.sleep(RETRY_SECONDS)
    await Consumer(settings, GROUP, database, subscriptions(part)).run()


async def _keep_house(database: Database, worker: Worker) -> None:
    """Keeps the queue's depth in the metrics, says that the worker lives, and how far requests have come."""
    while True:
        try:
            async with database.session() as session:
                if worker.models:
                    await again.say_alive(session, worker.id, worker.models)
                await tell_progress(session)
            async with database.session() as session:
                instruments.show(await repository.depths(session))
                models = await again.models_at_work(session)
                instruments.UNSERVED.set(await again.unserved(session, models))
        except Unavailable as error:
            log.warning("jobs not counted", error=error)
        await asyncio.sleep(COUNT_SECONDS)
