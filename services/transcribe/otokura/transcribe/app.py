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
from otokura.shared.errors import Unavailable
from otokura.shared.events import Topic
from otokura.shared.http import create_api
from otokura.shared.kafka import ensure_topics, producer
from otokura.shared.keys import key_provider
from otokura.shared.logs import get_logger
from otokura.shared.objects import ObjectStore
from otokura.shared.outbox import OutboxRelay
from otokura.transcribe import instruments, repository
from otokura.transcribe.engine_process import EngineProcess
from otokura.transcribe.handlers import GROUP, subscriptions
from otokura.transcribe.settings import Settings
from otokura.transcribe.transcriber import Transcriber
from otokura.transcribe.weights import ensure_model
from otokura.transcribe.worker import Worker

log = get_logger(__name__)

TOPICS = (Topic.TRANSCRIPTS, Topic.AUDIT)
RETRY_SECONDS = 1.0
COUNT_SECONDS = 5.0


def create_app(settings: Settings) -> FastAPI:
    """The ASGI app; nothing connects before its lifespan begins."""
    return create_api(settings, title="Otokura transcribe", lifespan=lifespan, routers=[])


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Opens everything, runs the background work, closes everything in the opposite order."""
    settings: Settings = app.state.settings
    await asyncio.to_thread(ensure_model, settings.model_dir)
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
        worker = _worker(stack, settings, database, store)
        supervisor = await stack.enter_async_context(Supervisor())
        app.state.readiness.add("database", database.ping)
        app.state.readiness.add("audit", writer.check)
        app.state.readiness.add("work", supervisor.check)
        supervisor.start("audit-writer", writer.failed)
        supervisor.start("outbox", OutboxRelay(database, events, writer, writer.source).run)
        supervisor.start("consumer", lambda: _consume(settings, database))
        supervisor.start("job-counts", lambda: _count(database))
        supervisor.start("worker", worker.run)
        yield


def _worker(stack: AsyncExitStack, settings: Settings, database: Database, store: ObjectStore) -> Worker:
    engine = EngineProcess(
        settings.model_dir, threads=settings.engine_threads, timeout=settings.window_timeout_seconds
    )
    stack.push_async_callback(engine.close)
    transcriber = Transcriber(
        store,
        key_provider(settings),
        Directory(database),
        engine,
        bucket=settings.transcripts_bucket,
        window_seconds=settings.window_seconds,
    )
    return Worker(database, transcriber, settings)


async def _consume(settings: Settings, database: Database) -> None:
    while True:
        try:
            await ensure_topics(settings, TOPICS)
            break
        except Unavailable as error:
            log.warning("kafka is away", error=error)
            await asyncio.sleep(RETRY_SECONDS)
    await Consumer(settings, GROUP, database, subscriptions()).run()


async def _count(database: Database) -> None:
    """Keeps the queue's depth in the metrics."""
    while True:
        try:
            async with database.session() as session:
                for state, number in (await repository.counts(session)).items():
                    instruments.JOBS.labels(state).set(number)
        except Unavailable as error:
            log.warning("jobs not counted", error=error)
        await asyncio.sleep(COUNT_SECONDS)
