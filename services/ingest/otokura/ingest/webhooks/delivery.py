"""Delivering: take what is due, send it, write down what came of it.

At least once. A process that dies between sending and writing down leaves its lease behind; when that ends
another sends again, under the same `webhook-id`.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from datetime import timedelta

from otokura.ingest.state import State
from otokura.ingest.webhooks.destination import parse_url
from otokura.ingest.webhooks.errors import WebhookUrlRefused
from otokura.ingest.webhooks.instruments import ATTEMPT_SECONDS, ATTEMPTS, DISABLED, GIVEN_UP, OLDEST_DUE
from otokura.ingest.webhooks.models import DeliveryState
from otokura.ingest.webhooks.queue import Leased, lease, mark, oldest_due, prune
from otokura.ingest.webhooks.sending import Answer, Sender, SendError
from otokura.ingest.webhooks.service import judge
from otokura.ingest.webhooks.signing import signed_headers
from otokura.shared.destinations import AddressPolicy
from otokura.shared.errors import IntegrityError, NotFound, Unavailable
from otokura.shared.logs import get_logger

log = get_logger(__name__)

LOOK_SECONDS = 1.0
HOUSEKEEPING_SECONDS = 15.0
MARKS_AT_ONCE = 4
"""Of the process's connections to the database most are for calls."""


class Deliverer:
    """Makes deliveries, many at once; several may run, in many processes.

    Args:
        state: the process's connections.
        sender: where requests go out.
    """

    def __init__(self, state: State, sender: Sender) -> None:
        self._state = state
        self._settings = state.settings
        self._sender = sender
        self._policy = AddressPolicy(state.settings.webhook_allowed_networks)
        self._jitter = random.Random()  # noqa: S311 - spreads load, keeps no secret
        self._marking = asyncio.Semaphore(MARKS_AT_ONCE)
        self._attempts: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Deliver what is due, without end. What is under way when this is cancelled is sent again."""
        try:
            while True:
                self._state.to_deliver.clear()
                try:
                    found = await self._start()
                except Unavailable as away:
                    log.warning("webhooks.postponed", reason=away.code)
                    found = 0
                if not found:
                    await self._rest()
        finally:
            for attempt in self._attempts:
                attempt.cancel()
            await asyncio.gather(*self._attempts, return_exceptions=True)

    async def _rest(self) -> None:
        """Until something may be due, or there is room again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await self._state.to_deliver.wait()

    async def _start(self) -> int:
        """Begin as many attempts as there is room for; how many those are."""
        slots = self._settings.webhook_slots - len(self._attempts)
        if slots == 0:
            return 0
        async with self._state.database.session() as session:
            found = await lease(
                session, slots, self._settings.webhook_concurrency, self._settings.webhook_lease
            )
        for leased in found:
            attempt = asyncio.create_task(self._attempt(leased))
            self._attempts.add(attempt)
            attempt.add_done_callback(self._ended)
        return len(found)

    def _ended(self, attempt: asyncio.Task[None]) -> None:
        self._attempts.discard(attempt)
        self._state.to_deliver.set()

    async def _attempt(self, leased: Leased) -> None:
        """Send once. Whatever else goes wrong, the lease ends and the delivery is made again."""
        try:
            began = time.monotonic()
            answer = await self._send(leased)
            ATTEMPT_SECONDS.observe(time.monotonic() - began)
            await self._conclude(leased, answer)
        except Unavailable as away:
            log.warning("webhook.postponed", delivery_id=str(leased.id), reason=away.code)
        except Exception:
            log.exception("webhook.attempt-failed", delivery_id=str(leased.id))

    async def _send(self, leased: Leased) -> Answer:
        try:
            url = parse_url(leased.url, self._policy, plain_http=self._settings.plain_http_allowed)
            signing = [
                await self._state.secrets.open(leased.tenant_id, secret.id, secret.sealed)
                for secret in leased.secrets
            ]
        except WebhookUrlRefused:
            return Answer(error=SendError.URL)
        except (IntegrityError, NotFound) as error:
            log.exception("webhook.secret-refused", webhook_id=str(leased.webhook_id), reason=error.code)
            return Answer(error=SendError.SECRET)
        body = leased.body.encode()
        return await self._sender.post(url, signed_headers(signing, leased.id, int(time.time()), body), body)

    async def _conclude(self, leased: Leased, answer: Answer) -> None:
        settings = self._settings
        verdict = judge(
            answer, leased.failures, settings.webhook_retry_seconds, self._jitter.uniform(-1.0, 1.0)
        )
        disable_after = timedelta(seconds=settings.webhook_disable_seconds)
        async with self._marking, self._state.database.session() as session:
            disabled = await mark(session, leased, answer, verdict, disable_after)
        ATTEMPTS.labels(answer.error or ("delivered" if answer.accepted else "refused")).inc()
        if not answer.accepted:
            log.info(
                "webhook.not-delivered",
                webhook_id=str(leased.webhook_id),
                delivery_id=str(leased.id),
                status=answer.status,
                reason=answer.error,
            )
        if verdict.state == DeliveryState.FAILED:
            GIVEN_UP.inc()
            log.warning("webhook.given-up", delivery_id=str(leased.id))
        if disabled:
            DISABLED.labels(disabled).inc()
            log.warning("webhook.disabled", webhook_id=str(leased.webhook_id), reason=disabled)


async def deliver(state: State) -> None:
    """Deliver webhooks, without end."""
    sender = Sender(state.settings)
    try:
        await Deliverer(state, sender).run()
    finally:
        await sender.close()


async def keep_house(state: State) -> None:
    """Measure what waits and forget what is old, without end."""
    keep = timedelta(days=state.settings.webhook_keep_days)
    while True:
        try:
            async with state.database.session() as session:
                OLDEST_DUE.set(await oldest_due(session))
                await prune(session, keep)
        except Unavailable as away:
            log.info("webhooks.housekeeping-postponed", reason=away.code)
        await asyncio.sleep(HOUSEKEEPING_SECONDS)
