"""Live text on its way back to Genesys, beside the recording of one session.

A task of its own, which recording neither waits for nor hears of. It says something only while the client
takes what was said before: so it is always the newest text that goes, and nothing that recording has to say
stands behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from uuid import UUID

from otokura.ingest.dialects.audiohook_calls import RATE
from otokura.ingest.dialects.audiohook_disclosure import (
    Disclosure,
    Outcome,
    Over,
    Recipient,
    wanted_for,
)
from otokura.ingest.dialects.audiohook_entities import LONGEST_EVENT, SessionClock, entity, fitting, size
from otokura.ingest.dialects.audiohook_handshake import Handshake
from otokura.ingest.dialects.audiohook_messages import ContinuedSession, Open
from otokura.ingest.dialects.audiohook_talk import Talk
from otokura.ingest.instruments import REPLIES
from otokura.ingest.live import Live
from otokura.ingest.state import State
from otokura.ingest.told import Told
from otokura.shared.errors import IntegrityError, Unavailable
from otokura.shared.events import TranscriptPartial
from otokura.shared.live_hub import BEGINNING
from otokura.shared.live_text import Place, news_of, open_partial
from otokura.shared.logs import get_logger
from otokura.shared.transcripts import PartialTurn

log = get_logger(__name__)

PACE_SECONDS = 0.5
"""Between two messages: clients complain (429) of servers that talk much."""
HOLD_OFF_SECONDS = 5.0
"""After a complaint that does not say how long."""
_LONGEST_HOLD_OFF = Decimal(60)


class Reply:
    """Sends one session the text of its call, while it lasts and may have it.

    Args:
        state: the process's connections.
        talk: with the client.
        call_id: whose text it is.
        recipient: whom it goes to.
        clock: of the session.
        continued: the sessions before, and how much of them the client has heard.
    """

    def __init__(
        self,
        state: State,
        talk: Talk,
        call_id: UUID,
        recipient: Recipient,
        clock: SessionClock,
        continued: Sequence[ContinuedSession],
    ) -> None:
        self._state = state
        self._talk = talk
        self._call_id = call_id
        self._recipient = recipient
        self._clock = clock
        self._continued = continued
        self._told = Told()
        self._has_room: Callable[[], bool] = bool  # there is none before it is watched
        self._said: dict[Place, PartialTurn] = {}
        """The drafts that this session was told, as it was told them last."""
        self._after = BEGINNING
        self._quiet_until = 0.0
        self._disclosure: Disclosure | None = None
        self._dek: bytes | None = None
        self._task: asyncio.Task[None] | None = None
        self._outcome: Outcome | None = None

    def start(self) -> None:
        """Begin; the session is open."""
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._ended)

    def stop(self, outcome: Outcome) -> None:
        """End, at once; the first outcome stands."""
        if self._outcome is None:
            self._outcome = outcome
            if self._task is not None:
                self._task.cancel()

    def hold_off(self, seconds: Decimal | None) -> None:
        """Say nothing for a while: the client is told too much."""
        wait = HOLD_OFF_SECONDS if seconds is None else float(min(seconds, _LONGEST_HOLD_OFF))
        self._quiet_until = asyncio.get_running_loop().time() + wait

    async def _run(self) -> None:
        purpose = await self._purpose()
        if purpose is None:
            return
        self._recall()
        self._has_room = self._talk.watch_room()
        disclosure = Disclosure(self._state, self._call_id, self._recipient, purpose)
        self._disclosure = disclosure
        with self._state.replies.following(self._call_id) as news:
            while True:
                news.clear()
                caught_up = await self._caught_up(disclosure)
                await asyncio.sleep(PACE_SECONDS)
                if caught_up:
                    await news.wait()

    def _recall(self) -> None:
        """What earlier sessions were told, as far as the client has heard it: the rest is sent again."""
        self._told = self._state.replies.told(self._call_id)
        for session in self._continued:
            if session.serverseq is not None:
                self._told.heard(session.id, session.serverseq)

    def _ended(self, task: asyncio.Task[None]) -> None:
        outcome = self._outcome or Outcome.COMPLETE
        if not task.cancelled() and (error := task.exception()) is not None:
            outcome = _outcome_of(error)
            # By its kind alone: what an error says may quote what it was about.
            log.warning(
                "audiohook.text-ended",
                call_id=str(self._call_id),
                outcome=outcome.value,
                kind=type(error).__name__,
            )
        self._dek = None
        closing = None if self._disclosure is None else self._disclosure.closing(outcome)
        if closing is not None:
            self._state.replies.close(closing)

    async def _purpose(self) -> str | None:
        """For which purpose text goes back; decided once a session, as whether there is live text."""
        while True:
            try:
                tenant = await self._state.directory.tenant(self._recipient.tenant_id)
            except Unavailable:
                await asyncio.sleep(PACE_SECONDS)
            else:
                return None if tenant is None else wanted_for(tenant.settings)

    async def _caught_up(self, disclosure: Disclosure) -> bool:
        """Send what is new, if it may be and the client takes it; True when nothing is left.

        Raises:
            Over: nothing more may be sent.
            IntegrityError: key or text is not what was sealed.
        """
        if not self._fresh():
            return True
        if asyncio.get_running_loop().time() < self._quiet_until or not self._has_room():
            REPLIES.labels("waited").inc()
            return False
        try:
            if self._dek is None:
                await disclosure.check()
                self._dek = await disclosure.open()
            await disclosure.check()
        except Unavailable as error:
            log.warning("audiohook.text-waits", call_id=str(self._call_id), reason=error.code)
            return False
        return await self._send(disclosure, self._dek)

    def _fresh(self) -> list[TranscriptPartial]:
        return self._state.replies.hub.newer(self._call_id, self._recipient.tenant_id, self._after)

    async def _send(self, disclosure: Disclosure, dek: bytes) -> bool:
        """One message: final turns first, then those that have changed; True if all had room in it."""
        fresh = self._fresh()
        if not fresh:  # it had to give way meanwhile
            return True
        newest = fresh[-1]
        turns = self._to_tell(news_of([open_partial(dek, one) for one in fresh], self._told.finals))
        entities = [
            entity(self._told.ids[place], turn, newest.language, self._clock) for place, turn in turns
        ]
        sizes = [size(one) for one in entities]
        count = fitting(sizes)
        if count:
            seq = await self._talk.say("event", {"entities": entities[:count]})
            if seq is None:
                raise Over(Outcome.ABORTED)
            REPLIES.labels("sent").inc()
            self._note(turns[:count], seq)
            disclosure.events += 1
            disclosure.bytes += sum(sizes[:count])
            disclosure.finals += sum(turn.final for _, turn in turns[:count])
        elif turns:
            log.error("audiohook.turn-too-long", call_id=str(self._call_id), most_bytes=LONGEST_EVENT)
            self._note(turns[:1], 0)
            count = 1
        if count < len(turns):
            return False
        self._after = (newest.epoch, newest.revision)
        return True

    def _to_tell(self, turns: dict[Place, PartialTurn]) -> list[tuple[Place, PartialTurn]]:
        """Of what is new, what the session does not know; a draft that is gone is told once more, empty."""
        self._told.name(self._call_id, turns)
        changed = {
            place: turn
            for place, turn in turns.items()
            if turn != self._said.get(place) and (turn.final or turn.text or place in self._said)
        }
        return sorted((changed | self._told.gone(turns)).items(), key=lambda one: not one[1].final)

    def _note(self, turns: Sequence[tuple[Place, PartialTurn]], seq: int) -> None:
        for place, turn in turns:
            self._told.note(place, turn, self._recipient.session_id, seq)
            self._said[place] = turn
        for place in self._said.keys() - self._told.drafts.keys():
            del self._said[place]


def reply_to(state: State, handshake: Handshake, talk: Talk, live: Live, opened: Open) -> Reply:
    """What goes back over a session, as soon as it is started: it then finds out whether anything does."""
    caller = handshake.caller
    recipient = Recipient(caller.tenant_id, caller.client_id, handshake.organization_id, opened.id)
    clock = SessionClock(opened.position, Decimal(live.position) / RATE)
    return Reply(state, talk, live.call_id, recipient, clock, opened.parameters.continuedSessions)


def _outcome_of(error: BaseException) -> Outcome:
    if isinstance(error, Over):
        return error.outcome
    return Outcome.INTEGRITY if isinstance(error, IntegrityError) else Outcome.FAILED
