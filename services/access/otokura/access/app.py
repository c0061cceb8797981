"""The service: its connections, its background work, its routes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from otokura.access.break_glass import api as break_glass
from otokura.access.console import api as console
from otokura.access.evidence import api as evidence
from otokura.access.evidence.custody import Custody
from otokura.access.evidence.timestamp import Authority
from otokura.access.evidence.workshop import Workshop
from otokura.access.feeds import api as feeds
from otokura.access.feeds import handlers as feed_handlers
from otokura.access.feeds.disclosure import Disclosures
from otokura.access.feeds.provisioning import Provisioner
from otokura.access.feeds.worker import FeedWorker
from otokura.access.grants import api as grants
from otokura.access.identity import api as identity
from otokura.access.identity import credentials_api
from otokura.access.identity.accounts import TokensOnly
from otokura.access.identity.bootstrap import see_configured_token
from otokura.access.identity.signing import SigningKeys, load_private_key
from otokura.access.identity.throttle import RefusalThrottle
from otokura.access.lifecycle import api as erasures
from otokura.access.lifecycle import export_api, holds_api, retention_api
from otokura.access.lifecycle import handlers as lifecycle_handlers
from otokura.access.lifecycle.erasing import AccessPart
from otokura.access.lifecycle.keeper import Keeper
from otokura.access.live import api as live
from otokura.access.logins import api as logins
from otokura.access.logins import managing_api as managing_logins
from otokura.access.oidc import api as oidc
from otokura.access.oidc import logout_api
from otokura.access.oidc.fetching import Documents
from otokura.access.oidc.keys import IssuerKeys
from otokura.access.oidc.verifier import AnyVerifier, OidcVerifier
from otokura.access.policy import api as policy
from otokura.access.policy import in_force
from otokura.access.reads import api as reads
from otokura.access.reads import sealed
from otokura.access.reads.closing import Closings
from otokura.access.reads.decoders import Decoders
from otokura.access.reads.handlers import subscriptions
from otokura.access.rotations import api as rotations
from otokura.access.rotations import handlers as rotation_handlers
from otokura.access.search import api as search
from otokura.access.search import handlers as search_handlers
from otokura.access.search.indexer import Indexer
from otokura.access.search.keys import IndexKeys
from otokura.access.search.worker import IndexWorker
from otokura.access.settings import Settings
from otokura.access.signals import api as signals
from otokura.access.signals.watch import Watch
from otokura.access.state import AccessState
from otokura.access.tenancy import api as tenancy
from otokura.access.transcriptions import api as transcriptions
from otokura.access.transcriptions import handlers as transcription_handlers
from otokura.access.wrapped_keys import rewrapper_of
from otokura.shared import logs
from otokura.shared.audit import AuditWriter, read_signing_key
from otokura.shared.authentication import Authenticator
from otokura.shared.background import Supervisor
from otokura.shared.consumer import Consumer
from otokura.shared.database import Database, migrate
from otokura.shared.erasing import Eraser
from otokura.shared.errors import Unavailable
from otokura.shared.events import Topic
from otokura.shared.health import Readiness
from otokura.shared.http import create_api
from otokura.shared.kafka import check_strength, ensure_topics, producer
from otokura.shared.keys import key_provider
from otokura.shared.live_hub import Hub
from otokura.shared.live_listening import PartialsListener
from otokura.shared.objects import ObjectStore
from otokura.shared.outbox import OutboxRelay
from otokura.shared.policy.engine import POLICY_DIR, PolicyEngine
from otokura.shared.range_client import RangeClient
from otokura.shared.sealed_objects import HeaderCache
from otokura.shared.tokens import TokenIssuer, TokenVerifier

log = logs.get_logger(__name__)

TOPICS = (Topic.TENANTS, Topic.REQUESTS, Topic.ERASURES, Topic.AUDIT)
_RETRY_SECONDS = 1.0
_STRENGTH_SECONDS = 60.0
_DRAIN_SECONDS = 5.0
_POOL = 16


def create_app(settings: Settings) -> FastAPI:
    """The ASGI app; nothing connects before its lifespan begins.

    Raises:
        PolicyInvalid: the policies cannot be used.
    """
    routers = [
        reads.router,  # first: routes are tried in this order, and reads must be fast
        identity.router,
        credentials_api.router,
        logins.router,
        managing_logins.router,
        oidc.router,
        logout_api.router,
        tenancy.router,
        policy.router,
        sealed.router,
        evidence.router,
        search.router,
        live.router,
        feeds.router,
        transcriptions.router,
        grants.router,
        break_glass.router,
        signals.router,
        rotations.router,
        erasures.router,
        holds_api.router,
        retention_api.router,
        export_api.router,
        console.router,
    ]
    app = create_api(settings, title="Otokura access", lifespan=lifespan, routers=routers)
    app.state.policies = PolicyEngine(settings.policy_dir or POLICY_DIR)
    for warning in app.state.policies.warnings:
        log.warning("a policy is wide open", warning=warning)
    return app


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Opens everything, runs the background work, closes everything in the opposite order."""
    settings: Settings = app.state.settings
    await migrate(settings.database_url, "otokura.access.migrations")
    async with AsyncExitStack() as stack:
        state = await _open(stack, settings, app.state.policies)
        app.state.access = state
        app.state.authenticator = _authenticator(state)
        supervisor = await stack.enter_async_context(Supervisor())
        _work(supervisor, stack, state, app.state.readiness)
        stack.push_async_callback(state.closings.drain, _DRAIN_SECONDS)
        stack.push_async_callback(state.watch.drain)
        stack.push_async_callback(state.refusals.write_rest, state.audit)
        yield


async def _open(stack: AsyncExitStack, settings: Settings, policies: PolicyEngine) -> AccessState:
    database = Database(settings.database_url, pool_size=_POOL, application_name="otokura-access")
    stack.push_async_callback(database.close)
    store = ObjectStore.from_settings(settings, ranges=RangeClient)
    stack.push_async_callback(store.close)
    entries = producer(settings)
    stack.push_async_callback(entries.stop)
    key = read_signing_key(settings.audit_signing_key_file)
    audit = AuditWriter(entries, settings.service, key)
    await audit.start()
    stack.push_async_callback(audit.stop)
    private_key = load_private_key(settings.token_signing_key_file)
    signing = SigningKeys(database, private_key, settings.issuer)
    async with database.session() as session:
        await see_configured_token(session, settings)
        await in_force.note(session, policies)
    await signing.announce()
    documents = Documents(settings)
    stack.push_async_callback(documents.close)
    keys = key_provider(settings)
    refusals = RefusalThrottle()
    issuer = TokenIssuer(private_key, signing.kid, settings.issuer, settings.audience)
    workshop = Workshop(key, Custody(settings.audit_url, issuer, settings.history_page), _authority(settings))
    stack.push_async_callback(workshop.close)
    return AccessState(
        settings=settings,
        database=database,
        audit=audit,
        policies=policies,
        keys=keys,
        store=store,
        signing=signing,
        issuer=issuer,
        oidc=OidcVerifier(database, audit, IssuerKeys(documents.keys, settings), refusals),
        closings=Closings(audit),
        headers=HeaderCache(),
        watch=Watch(database),
        index_keys=IndexKeys(keys),
        evidence=workshop,
        refusals=refusals,
        live=Hub(),
        decoding=Decoders(settings.decoders),
    )


def _authority(settings: Settings) -> Authority | None:
    if settings.timestamp_url is None:
        return None
    return Authority(
        settings.timestamp_url,
        required=settings.timestamp_required,
        roots=settings.timestamp_ca_file,
        seconds=settings.timestamp_seconds,
    )


def _authenticator(state: AccessState) -> Authenticator:
    accounts, settings = TokensOnly(), state.settings
    own = TokenVerifier(settings.issuer, settings.audience, state.signing.lookup, accounts.is_revoked)
    return Authenticator(AnyVerifier(own, settings.issuer, state.oidc), accounts)


def _work(supervisor: Supervisor, stack: AsyncExitStack, state: AccessState, readiness: Readiness) -> None:
    events = producer(state.settings)
    stack.push_async_callback(events.stop)
    relay = OutboxRelay(state.database, events, state.audit, state.audit.source)
    # What feeds and the index do follows on what the read model has taken in, in one transaction.
    listening = [
        *subscriptions(),
        *transcription_handlers.subscriptions(),
        *feed_handlers.subscriptions(),
        *search_handlers.subscriptions(),
        *rotation_handlers.subscriptions(),
        *lifecycle_handlers.subscriptions(),
    ]
    consumer = Consumer(state.settings, "otokura-access", state.database, listening)
    supervisor.start("audit-writer", state.audit.failed)
    supervisor.start("outbox", relay.run)
    supervisor.start("topics", lambda: _make_topics(state.settings))
    supervisor.start("consumer", consumer.run)
    supervisor.start("leak-signals", state.watch.run)
    supervisor.start("refusals", lambda: state.refusals.run(state.audit))
    supervisor.start("rewrapping", rewrapper_of(state).run)
    supervisor.start("live-text", PartialsListener(state.settings, state.live).run)
    _keep_and_erase(supervisor, state)
    _publish_feeds(supervisor, stack, state)
    _index(supervisor, state)
    readiness.add("database", state.database.ping)
    readiness.add("audit", state.audit.check)
    readiness.add("audit-topic", AuditTopic(state.settings).check)
    readiness.add("consumer", consumer.check)
    readiness.add("work", supervisor.check)


def _keep_and_erase(supervisor: Supervisor, state: AccessState) -> None:
    keeper = Keeper(state.database, state.headers, state.settings.retention_look_seconds)
    supervisor.start("lifecycle", keeper.run)
    supervisor.start("erasing", Eraser(state.database, None, AccessPart()).run)


def _publish_feeds(supervisor: Supervisor, stack: AsyncExitStack, state: AccessState) -> None:
    """A producer of their own: a feed whose topic is in the way holds up no event of the services."""
    events = producer(state.settings)
    stack.push_async_callback(events.stop)
    disclosures = Disclosures(state, events)
    provisioner = Provisioner(state.settings, state.database)
    supervisor.start("feed-provisioner", provisioner.run)
    for number in range(state.settings.feed_workers):
        worker = FeedWorker(state.database, disclosures, state.settings)
        supervisor.start(f"feed-worker-{number}", worker.run)


def _index(supervisor: Supervisor, state: AccessState) -> None:
    for number in range(state.settings.index_workers):
        worker = IndexWorker(state.database, Indexer(state), state.settings)
        supervisor.start(f"index-worker-{number}", worker.run)


class AuditTopic:
    """Readiness: is the audit topic as strong as production asks? A good answer is believed for a minute."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._good_until = float("-inf")

    async def check(self) -> None:
        """Asks the broker.

        Raises:
            Unavailable: the topic is too weak, or the broker is away.
        """
        if time.monotonic() >= self._good_until:
            await check_strength(self._settings)
            self._good_until = time.monotonic() + _STRENGTH_SECONDS


async def _make_topics(settings: Settings) -> None:
    """Makes the topics that access writes to, as soon as the broker is there; then rests."""
    while True:
        try:
            await ensure_topics(settings, TOPICS)
        except Unavailable:
            log.warning("the message broker is away")
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            await asyncio.Event().wait()
