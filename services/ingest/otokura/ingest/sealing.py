"""Sealing: whoever holds the lease turns a call's segments into its recording, and settles the call."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.ingest.assembly import Assembly
from otokura.ingest.call_keys import CallKey
from otokura.ingest.customer_keys import with_copy
from otokura.ingest.errors import CallNotFound
from otokura.ingest.leases import held
from otokura.ingest.models import Call, CallState, Origin, Piece
from otokura.ingest.objects import discard, recording_name
from otokura.ingest.repository import Claim, next_to_seal, pieces, release, take
from otokura.ingest.service import Audio
from otokura.ingest.settling import Empty, Failed, settle
from otokura.ingest.state import State
from otokura.ingest.upkeep import signal_or
from otokura.shared.errors import Conflict, IntegrityError, NotFound, Unavailable
from otokura.shared.logs import get_logger

log = get_logger(__name__)

LOOK_SECONDS = 1.0
RETRY_AFTER = timedelta(seconds=2)
"""Multiplied by the number of the attempt."""
LOST_AFTER_ATTEMPTS = 4
"""A segment that cannot be read is looked for so often before it becomes a gap: stores have bad moments."""


class UnreadableSegmentsError(Exception):
    """Some accepted segments cannot be read now."""


class Sealer:
    """Seals calls one after the other; several may run, in one process and in many."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def run(self) -> None:
        """Seal what waits, without end."""
        while True:
            self._state.to_seal.clear()
            try:
                while await self.seal_next():
                    continue
            except Unavailable as away:
                log.warning("sealing.postponed", reason=away.code)
            await signal_or(self._state.to_seal, LOOK_SECONDS)

    async def seal_next(self) -> bool:
        """Seal one call, if one waits.

        Raises:
            Unavailable: the database is away.
        """
        async with self._state.database.session() as session:
            call = await self._next(session)
            if call is None:
                return False
            call.seal_attempts += 1
            claim = await take(session, call, self._state.instance, self._state.settings.lease)
            timeline = await pieces(session, call.id)
        async with held(self._state, claim):
            await self._attempt(call, claim, timeline)
        return True

    async def _attempt(self, call: Call, claim: Claim, timeline: list[Piece]) -> None:
        """Seal, or leave the call so that a later attempt finds everything it needs."""
        try:
            outcome, lost = await self._outcome(call, claim, timeline)
            await settle(self._state, claim, CallState.SEALING, outcome, lost)
        except (Conflict, CallNotFound) as superseded:
            log.warning("sealing.superseded", call_id=str(call.id), reason=superseded.code)
            await discard(self._state.store, self._bucket, self._name(call, claim))
        except Unavailable as away:
            log.warning("sealing.postponed", call_id=str(call.id), reason=away.code)
            await self._release(claim, RETRY_AFTER, counts=False)
        except Exception:
            log.exception("sealing.failed", call_id=str(call.id), attempt=call.seal_attempts)
            await self._release(claim, RETRY_AFTER * call.seal_attempts, counts=True)

    async def _next(self, session: AsyncSession) -> Call | None:
        return await next_to_seal(session)

    async def _outcome(
        self, call: Call, claim: Claim, timeline: list[Piece]
    ) -> tuple[Audio | Empty | Failed, list[int]]:
        if self._is_empty(timeline):
            return Empty(), []
        if call.seal_attempts > self._state.settings.seal_attempts:
            return Failed("Sealing did not succeed; what was accepted is kept."), []
        try:
            key = await self._state.keys.open(call)
        except (IntegrityError, NotFound) as error:
            await self._check_it_is_the_newest(call)
            log.exception("sealing.key-refused", call_id=str(call.id), reason=error.code)
            return Failed("The call's key cannot be opened; what was accepted is kept."), []
        outcome, lost = await self._make(call, claim, key, timeline)
        return await with_copy(self._state.directory, key, outcome), lost

    async def _check_it_is_the_newest(self, call: Call) -> None:
        """Whether the key that was refused is still the call's.

        Raises:
            Unavailable: it was wrapped anew, and the old key-encryption key destroyed, since it was read.
        """
        async with self._state.database.session() as session:
            newest = await session.get(Call, call.id)
        if newest is not None and newest.kek_id != call.kek_id:
            raise Unavailable("The call's key was wrapped anew meanwhile.")

    def _is_empty(self, timeline: list[Piece]) -> bool:
        return all(piece.object_name is None for piece in timeline)

    async def _make(
        self, call: Call, claim: Claim, key: CallKey, timeline: list[Piece]
    ) -> tuple[Audio | Failed, list[int]]:
        """The recording, made of the timeline's pieces."""
        assembly = Assembly(self._state, call, key, timeline)
        stored = await assembly.write(self._name(call, claim))
        if assembly.lost and call.seal_attempts < LOST_AFTER_ATTEMPTS:
            raise UnreadableSegmentsError(f"{len(assembly.lost)} segments cannot be read now")
        if assembly.nothing_left:
            return Failed("No accepted segment can be read; they are kept."), assembly.lost
        audio = Audio(Origin.LIVE, assembly.sample_rate, call.samples, assembly.gaps(), stored)
        return audio, assembly.lost

    async def _release(self, claim: Claim, pause: timedelta, *, counts: bool) -> None:
        async with self._state.database.session() as session:
            await release(session, claim, pause, counts=counts)

    @property
    def _bucket(self) -> str:
        return self._state.settings.recordings_bucket

    def _name(self, call: Call, claim: Claim) -> str:
        return recording_name(call.tenant_id, call.id, claim.epoch)
