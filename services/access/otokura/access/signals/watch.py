"""Watches how people read: counts it beside the requests, and raises a signal where a rule matches.

Reads, and calls of which a search shows text, are noted when their entry is acknowledged, denials when
theirs is. They are counted once a second, in one transaction with what follows: the signal, its entry, and
the pause, which every instance sees with its next request. A reader gets up to a second further than the rule
says; no request waits.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.identity import repository as identity
from otokura.access.signals import repository
from otokura.access.signals.models import LeakSignal
from otokura.access.signals.service import Observation, Seen, outside, tally, tenants_of
from otokura.access.signals.shipped import rules_of
from otokura.shared import logs, metrics
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.database import Database
from otokura.shared.errors import Unavailable
from otokura.shared.ids import uuid7
from otokura.shared.leak_rules import CountRule, HoursRule, LeakRule, PlaceRule
from otokura.shared.outbox import publish_audit

__all__ = ["Observation", "Watch", "count"]

EVERY_SECONDS = 1.0
MOST_WAITING = 20_000
_RETRY_SECONDS = 1.0
_FORGET_SECONDS = 600.0

UNCOUNTED = metrics.counter(
    "otokura_access_observations_lost_total", "Reads and denials that no leak rule saw: too many waited."
)
RAISED = metrics.counter("otokura_access_leak_signals_total", "Leak signals raised.", ["kind"])

log = logs.get_logger(__name__)


class Watch:
    """Takes observations, and counts them in its own time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[Observation] = []
        self._wake = asyncio.Event()

    def add(self, observation: Observation) -> None:
        """Notes something; never waits."""
        if len(self._waiting) >= MOST_WAITING:
            UNCOUNTED.inc()
            return
        self._waiting.append(observation)
        self._wake.set()

    async def run(self) -> None:
        """Counts for ever; what cannot be counted now is counted when the database is there again."""
        loop = asyncio.get_running_loop()
        forgotten = float("-inf")
        while True:
            await self._wake.wait()
            try:
                await self.flush()
                if loop.time() - forgotten > _FORGET_SECONDS:
                    forgotten = loop.time()
                    async with self._database.session() as session:
                        await repository.forget(session)
            except (Unavailable, SQLAlchemyError) as error:
                log.warning("leak signals wait for the database", error=repr(error))
                await asyncio.sleep(_RETRY_SECONDS)
            await asyncio.sleep(EVERY_SECONDS)

    async def flush(self) -> None:
        """Counts what waits.

        Raises:
            Unavailable: the database is away; everything waits on.
        """
        batch, self._waiting = self._waiting, []
        self._wake.clear()
        try:
            async with self._database.session() as session:
                raised = await count(session, batch)
        except BaseException:
            self._waiting = batch + self._waiting
            self._wake.set()
            raise
        for signal in raised:
            RAISED.labels(signal.kind).inc()
            log.warning("leak signal", signal=signal.id, rule=signal.rule, paused=signal.paused)

    async def drain(self) -> None:
        """Counts what waits when the service stops; without a database it is lost, as with a kill."""
        try:
            await self.flush()
        except (Unavailable, SQLAlchemyError) as error:
            UNCOUNTED.inc(len(self._waiting))
            log.warning("what was read last was not counted", error=repr(error))


@dataclass(frozen=True, slots=True)
class _Match:
    """That a rule matches a reader; `detail` is what it saw."""

    tenant_id: UUID
    reader: UUID
    rule: LeakRule
    detail: dict[str, Any]


async def count(session: AsyncSession, batch: list[Observation]) -> list[LeakSignal]:
    """Counts a batch, and raises what the rules say of it, in the session's transaction."""
    found = tally(batch)
    await _note_calls(session, found)
    await repository.note_minutes(session, [(who, seen.begun, seen.denials) for who, seen in found.items()])
    places = [(who, network) for who, seen in found.items() for network in seen.networks]
    for who, network in await repository.note_places(session, places):
        found[who].new_networks.append(network)
    raised: list[LeakSignal] = []
    for match in await _matches(session, found):
        signal = await _raise(session, match)
        if signal is not None:
            raised.append(signal)
    return raised


async def _note_calls(session: AsyncSession, found: dict[UUID, Seen]) -> None:
    """Notes what was listened to, and which listenings went on with what was counted before.

    One that goes on may be followed by another in the same batch: what was noted last is looked at before it
    is replaced. What another instance noted in between shows in that nothing was replaced.
    """
    rows = [(who, call, ids[-1]) for who, seen in found.items() for call, ids in seen.listenings.items()]
    before = await repository.last_listenings(session, [(who, call) for who, call, _ in rows])
    fresh = await repository.note_calls(session, rows)
    for who, call, last in rows:
        known = {before[who, call]} if (who, call) in before else set[UUID]()
        found[who].went_on[call] = known if (who, call) in fresh else known | {last}


async def _matches(session: AsyncSession, found: dict[UUID, Seen]) -> list[_Match]:
    """What the rules of each tenant match, in the order of the readers, whose rows are locked next."""
    matches: list[_Match] = []
    now = await identity.now(session)
    for tenant_id, readers in tenants_of(found).items():
        for rule in rules_of(await repository.settings(session, tenant_id)):
            if isinstance(rule, CountRule):
                details = await _counted(session, rule, list(readers))
            elif isinstance(rule, HoursRule):
                out = outside(rule, now)
                details = {who: _hours(rule) for who, seen in readers.items() if out and seen.listenings}
            else:
                details = await _moved(session, rule, readers)
            matches += [_Match(tenant_id, who, rule, detail) for who, detail in details.items()]
    return sorted(matches, key=lambda match: match.reader)


def _hours(rule: HoursRule) -> dict[str, Any]:
    return {"opens": rule.opens, "closes": rule.closes, "time_zone": rule.time_zone}


async def _counted(session: AsyncSession, rule: CountRule, readers: list[UUID]) -> dict[UUID, dict[str, Any]]:
    counted = await repository.matching(session, rule, readers)
    bound = {"at_least": rule.at_least, "minutes": rule.minutes}
    return {who: {"counted": number, **bound} for who, number in counted.items()}


async def _moved(
    session: AsyncSession, rule: PlaceRule, readers: dict[UUID, Seen]
) -> dict[UUID, dict[str, Any]]:
    details: dict[UUID, dict[str, Any]] = {}
    for who, seen in readers.items():
        if seen.new_networks:
            known = await repository.places(session, who) - len(seen.new_networks)
            if known >= rule.known:
                details[who] = {"networks": seen.new_networks, "known": known}
    return details


async def _raise(session: AsyncSession, match: _Match) -> LeakSignal | None:
    """The signal, its entry and the pause; None where the rule has raised one not long ago."""
    rule = match.rule
    reader = await repository.reader(session, match.tenant_id, match.reader)
    if reader is None or await repository.was_raised(session, match.reader, rule.id, rule.again_minutes):
        return None
    at = await identity.now(session)
    signal = LeakSignal(
        id=uuid7(),
        tenant_id=match.tenant_id,
        reader_id=match.reader,
        rule=rule.id,
        kind=rule.kind,
        detail=match.detail,
        paused=rule.pause,
        at=at,
    )
    session.add(signal)
    if rule.pause and reader.paused_at is None:
        reader.paused_at = at
        session.add(reader)
    told = {"signal": str(signal.id), "rule": rule.id, "kind": rule.kind, "paused": rule.pause}
    draft = AuditDraft(
        action=Action.SIGNAL_RAISED,
        tenant_id=match.tenant_id,
        reader=str(match.reader),
        detail={**told, "name": reader.name, **match.detail},
    )
    await publish_audit(session, draft)
    return signal
