"""The service: its connections, its background work, its routes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI

from otokura.audit import alerts_api, api, certificates, custody, exports, public, questions
from otokura.audit.erasing import AuditPart
from otokura.audit.guard import Guard
from otokura.audit.handlers import LogConsumer
from otokura.audit.kept import Kept
from otokura.audit.measuring import Measuring
from otokura.audit.notes import Signer, read_verifier_keys
from otokura.audit.openings import opener
from otokura.audit.progress import Progress
from otokura.audit.publisher import Publisher
from otokura.audit.reconciler import Reconciler
from otokura.audit.retaining import Retaining
from otokura.audit.settings import Settings
from otokura.audit.shelf import Shelf
from otokura.audit.siem import Sending
from otokura.audit.siem_receivers import read_receivers
from otokura.audit.source_keys import SourceKeys
from otokura.audit.state import State
from otokura.audit.watch import Watch
from otokura.audit.witnesses import read_witnesses
from otokura.audit.witnessing import Patience, Witnessing
from otokura.shared import erasing
from otokura.shared.audit import AuditWriter, read_signing_key
from otokura.shared.background import Supervisor
from otokura.shared.consumer import Consumer
from otokura.shared.database import Database, migrate
from otokura.shared.directory import Directory, handlers
from otokura.shared.erasing import Eraser
from otokura.shared.health import Readiness
from otokura.shared.http import create_api
from otokura.shared.kafka import producer
from otokura.shared.objects import ObjectStore
from otokura.shared.outbox import OutboxRelay

GROUP = "otokura-audit"
"""Of the consumer of tenants and erasures; the log's has a group of its own, `handlers.GROUP`."""


def create_app(settings: Settings) -> FastAPI:
    """The ASGI app; nothing connects before its lifespan begins."""
    routers = [
        api.router,
        alerts_api.router,
        questions.router,
        exports.router,
        certificates.router,
        custody.router,
        public.router,
    ]
    return create_api(settings, title="Otokura audit", lifespan=lifespan, routers=routers)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Opens everything, runs the background work, closes everything in the opposite order."""
    settings: Settings = app.state.settings
    await migrate(settings.database_url, "otokura.audit.migrations")
    async with AsyncExitStack() as stack:
        entries, events = producer(settings), producer(settings)
        stack.push_async_callback(entries.stop)
        stack.push_async_callback(events.stop)
        key = read_signing_key(settings.audit_signing_key_file)
        state = _open(stack, settings, AuditWriter(entries, settings.service, key), key)
        await state.writer.start()
        stack.push_async_callback(state.writer.stop)
        app.state.audit = state
        app.state.authenticator = state.directory.authenticator(settings)
        receivers = read_receivers(settings.siem_file, development=settings.development)
        # Apart from the others: receivers that are all slow at once must not take the log's connections.
        sending = Database(
            settings.database_url, pool_size=max(1, len(receivers)), application_name="otokura-audit-siem"
        )
        stack.push_async_callback(sending.close)
        supervisor = await stack.enter_async_context(Supervisor())
        _work(
            supervisor,
            app.state.readiness,
            state,
            OutboxRelay(state.database, events, state.writer, state.writer.source),
            [Sending(sending, receiver, settings.log_origin) for receiver in receivers],
        )
        yield


def _open(stack: AsyncExitStack, settings: Settings, writer: AuditWriter, key: Ed25519PrivateKey) -> State:
    database = Database(settings.database_url, application_name="otokura-audit")
    stack.push_async_callback(database.close)
    store = ObjectStore.from_settings(settings)
    stack.push_async_callback(store.close)
    shelf = Shelf(store, settings.log_bucket, timedelta(days=settings.lock_days))
    kept = Kept(database)
    return State(settings, database, Directory(database), shelf, kept, signer_of(settings), writer, key)


def signer_of(settings: Settings) -> Callable[[int], Signer]:
    """The signer of each shard: one key (two in a hand-over), a name for each year."""
    key = read_signing_key(settings.log_signing_key_file)
    second = settings.log_second_signing_key_file
    second_key = None if second is None else read_signing_key(second)
    others = settings.log_other_keys_file
    other_keys = [] if others is None else read_verifier_keys(others)

    @cache
    def signer(year: int) -> Signer:
        return Signer(f"{settings.log_origin}/{year}", key, second=second_key, others=other_keys)

    return signer


def _work(
    supervisor: Supervisor,
    readiness: Readiness,
    state: State,
    relay: OutboxRelay,
    sendings: Sequence[Sending],
) -> None:
    settings, database = state.settings, state.database
    progress = Progress()
    publisher = Publisher(database, state.shelf, state.signer, settings.publish_interval_seconds)
    consumer = _consumer(state, progress, publisher.wake)
    watch = Watch(
        database,
        progress,
        patience=timedelta(seconds=settings.gap_seconds),
        silence=timedelta(seconds=settings.silence_seconds),
    )
    supervisor.start("audit-writer", state.writer.failed)
    supervisor.start("outbox", relay.run)
    part = AuditPart()
    told = [*handlers(), *erasing.subscriptions(part)]
    supervisor.start("tenants", Consumer(settings, GROUP, database, told).run)
    supervisor.start("erasing", Eraser(database, None, part).run)
    supervisor.start("log", consumer.run)
    supervisor.start("publisher", publisher.run)
    supervisor.start("watch", watch.run)
    if asking := _witnessing(state):
        supervisor.start("witnessing", asking.run)
    supervisor.start("guard", Guard(database, state.shelf, settings.guard_seconds).run)
    supervisor.start("reconciler", Reconciler(database).run)
    retaining = Retaining(database, progress, settings.detail_days, settings.details_look_seconds)
    supervisor.start("details", retaining.run)
    for sending in sendings:
        supervisor.start(f"siem-{sending.receiver.name}", sending.run)
    measuring = Measuring(database, progress, [sending.receiver for sending in sendings])
    supervisor.start("measuring", measuring.run)
    readiness.add("database", database.ping)
    readiness.add("store", state.shelf.check)
    readiness.add("entries", state.writer.check)
    readiness.add("log", consumer.check)
    readiness.add("publisher", publisher.check)
    readiness.add("work", supervisor.check)


def _witnessing(state: State) -> Witnessing | None:
    """What asks the witnesses, if there are any.

    Raises:
        ValueError: their file, or the quorum of them, cannot be right.
    """
    settings = state.settings
    witnesses = read_witnesses(settings.witnesses_file, development=settings.development)
    if not witnesses:
        return None
    quorum = settings.witness_quorum or len(witnesses) // 2 + 1
    if quorum > len(witnesses):
        raise ValueError(f"OTOKURA_WITNESS_QUORUM: {quorum} of {len(witnesses)} witnesses is no quorum")
    patience = Patience(
        settings.witness_interval_seconds,
        settings.witness_answer_seconds,
        timedelta(seconds=settings.witness_silence_seconds),
    )
    return Witnessing(state.database, state.shelf, state.signer, witnesses, quorum, patience)


def _consumer(state: State, progress: Progress, sequenced: Callable[[], None]) -> LogConsumer:
    settings = state.settings
    return LogConsumer(
        settings,
        state.database,
        SourceKeys.read(settings.source_keys_file),
        progress,
        sequenced,
        opening=opener(settings.log_origin, state.certificate_key),
        ahead=timedelta(seconds=settings.clock_seconds),
        late=timedelta(seconds=settings.late_seconds),
    )
