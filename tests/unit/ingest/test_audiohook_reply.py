"""What of a call's text goes back over a session, and when: with everything around it made up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from live_partials import Said, sealed
from messaging import eventually
from otokura.ingest.dialects import audiohook_reply as module
from otokura.ingest.dialects.audiohook_disclosure import Outcome, Over, Recipient
from otokura.ingest.dialects.audiohook_entities import SessionClock
from otokura.ingest.dialects.audiohook_messages import ContinuedSession
from otokura.ingest.dialects.audiohook_reply import Reply
from otokura.ingest.replies import Replies
from otokura.shared.errors import Unavailable
from otokura.shared.events import TenantSettings
from otokura.shared.keys import new_dek

TENANT, CALL, SESSION = UUID(int=1), UUID(int=2), UUID(int=3)
TOLD = tuple[int, str, bool]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for the pace, nor for a disclosure that really is one."""
    monkeypatch.setattr(module, "PACE_SECONDS", 0.005)
    monkeypatch.setattr(module, "Disclosure", Disclosure)


class Disclosure:
    """One that the tests let be opened, or not."""

    failure: Exception | None = None
    opened = 0

    def __init__(self, state: Any, *_arguments: object) -> None:
        self.finals = self.events = self.bytes = 0
        self._dek = state.dek

    async def check(self) -> None:
        if isinstance(self.failure, Over):
            raise self.failure

    async def open(self) -> bytes:
        Disclosure.opened += 1
        if self.failure is not None:
            raise self.failure
        dek: bytes = self._dek
        return dek

    def closing(self, outcome: Outcome) -> Any:
        return (outcome, self.finals, self.events)


@dataclass
class Client:
    """The other end: what it was told, and whether it takes more."""

    room: bool = True
    seq: int = 0
    messages: list[list[dict[str, Any]]] = field(default_factory=list[list[dict[str, Any]]])

    def watch_room(self) -> Callable[[], bool]:
        return lambda: self.room

    async def say(self, kind: str, parameters: dict[str, Any]) -> int:
        assert kind == "event"
        self.messages.append([one["data"] for one in parameters["entities"]])
        self.seq += 1
        return self.seq

    @property
    def told(self) -> list[TOLD]:
        return [
            (one["channelId"], one["alternatives"][0]["interpretations"][0]["transcript"], one["isFinal"])
            for message in self.messages
            for one in message
        ]


class Session:
    """A session whose call is transcribed by the test."""

    def __init__(self, replies: Replies, dek: bytes, continued: list[ContinuedSession]) -> None:
        settings = TenantSettings(live_transcripts=True, audiohook_transcripts="quality")
        self.tenant = SimpleNamespace(disabled=False, settings=settings)
        self.client = Client()
        self.replies = replies
        self.dek = dek
        state = cast("Any", SimpleNamespace(replies=replies, directory=self, dek=dek))
        recipient = Recipient(TENANT, UUID(int=7), UUID(int=8), SESSION)
        clock = SessionClock(Decimal(0), Decimal(0))
        self.reply = Reply(state, cast("Any", self.client), CALL, recipient, clock, continued)
        self.revision = 0

    async def tenant_of(self) -> Any:
        return self.tenant

    async def heard(self, *said: Said, revision: int | None = None) -> None:
        """Transcribe understood this; the reply has the time to send it."""
        self.revision = revision or self.revision + 1
        self.replies.hub.add(sealed(TENANT, CALL, self.dek, self.revision, *said))
        await asyncio.sleep(0.05)


class Closed(Replies):
    """Replies that keep how disclosures ended."""

    def __init__(self) -> None:
        unused = cast("Any", SimpleNamespace())
        super().__init__(unused, unused, unused)
        self.ended: list[Any] = []

    def close(self, draft: Any) -> None:
        self.ended.append(draft)


@asynccontextmanager
async def session(
    replies: Closed | None = None, dek: bytes | None = None, continued: list[ContinuedSession] | None = None
) -> AsyncIterator[Session]:
    found = Session(replies or Closed(), dek or new_dek(), continued or [])
    state = cast("Any", found.reply)._state
    state.directory = SimpleNamespace(tenant=lambda _tenant_id: found.tenant_of())
    found.reply.start()
    await asyncio.sleep(0.01)
    try:
        yield found
    finally:
        found.reply.stop(Outcome.COMPLETE)
        await asyncio.sleep(0.01)
        Disclosure.failure, Disclosure.opened = None, 0


@pytest.mark.guarantee("T82")
async def test_a_draft_is_revised_and_a_final_turn_is_told_once() -> None:
    """Under one id; what did not change is not told again."""
    async with session() as one:
        await one.heard((0, 0, "He", False))
        await one.heard((0, 0, "Hello", False), (1, 900, "Hi", False))
        await one.heard((0, 0, "Hello", False), (1, 900, "Hi", False))
        await one.heard((0, 0, "Hello.", True), (1, 900, "Hi", False))
        await one.heard((0, 0, "Hello.", True), (1, 900, "Hi.", True))
        assert one.client.told == [
            (0, "He", False),
            (0, "Hello", False),
            (1, "Hi", False),
            (0, "Hello.", True),
            (1, "Hi.", True),
        ]
        ids = {(data["channelId"], data["id"]) for message in one.client.messages for data in message}
        assert len(ids) == 2


async def test_a_draft_that_is_gone_is_told_once_more_and_empty() -> None:
    """The protocol cannot take an entity back; a revision can say that there is nothing."""
    async with session() as one:
        await one.heard((0, 0, "Noise?", False))
        await one.heard((0, 900, "Hello", False))
        await one.heard((0, 900, "Hello", False))
        assert one.client.told == [(0, "Noise?", False), (0, "Hello", False), (0, "", False)]


@pytest.mark.guarantee("T82")
async def test_a_draft_whose_beginning_moves_is_the_same_turn() -> None:
    """Live text knows it by another start then; the client knows it by its id."""
    async with session() as one:
        await one.heard((0, 208, "Thank you", False))
        await one.heard((0, 236, "Thank you for", False))
        await one.heard((0, 224, "Thank you for calling.", True))
        assert one.client.told == [
            (0, "Thank you", False),
            (0, "Thank you for", False),
            (0, "Thank you for calling.", True),
        ]
        assert len({data["id"] for message in one.client.messages for data in message}) == 1


@pytest.mark.guarantee("T83")
async def test_a_client_that_does_not_take_what_it_is_told_gets_the_newest_later() -> None:
    """Nothing is kept for it but what became final; drafts of meanwhile are never told."""
    async with session() as one:
        one.client.room = False
        for number in range(40):
            await one.heard((0, 0, "First.", True), (0, 900, f"draft {number}", False))
        assert one.client.messages == []
        one.client.room = True
        await asyncio.sleep(0.05)
        assert one.client.told == [(0, "First.", True), (0, "draft 39", False)]
        assert len(one.client.messages) == 1


@pytest.mark.guarantee("T81")
async def test_while_the_entry_cannot_be_written_nothing_is_told_and_then_the_newest() -> None:
    """It is tried again and again, with what is the newest then."""
    Disclosure.failure = Unavailable("The entry was not acknowledged.")
    async with session() as one:
        await one.heard((0, 0, "He", False))
        await one.heard((0, 0, "Hello", False))
        assert one.client.messages == []
        assert Disclosure.opened > 2
        Disclosure.failure = None
        await asyncio.sleep(0.05)
        assert one.client.told == [(0, "Hello", False)]


@pytest.mark.guarantee("T80")
async def test_what_the_administrator_takes_back_ends_it() -> None:
    """With the next message, for the rest of the session; how it ended is told."""
    async with session() as one:
        await one.heard((0, 0, "Hello.", True))
        Disclosure.failure = Over(Outcome.REVOKED)
        await one.heard((0, 900, "Secret.", True))
        Disclosure.failure = None
        await one.heard((0, 1800, "Secret, too.", True))
        assert one.client.told == [(0, "Hello.", True)]
        assert cast("Closed", one.replies).ended == [(Outcome.REVOKED, 1, 1)]


@pytest.mark.guarantee("T80")
@pytest.mark.parametrize(
    "changes",
    [{"live_transcripts": False}, {"audiohook_transcripts": None}],
    ids=["no live text", "not wanted"],
)
async def test_where_it_is_not_wanted_nothing_is_even_listened_for(changes: dict[str, Any]) -> None:
    replies = Closed()
    found = Session(replies, new_dek(), [])
    found.tenant.settings = found.tenant.settings.model_copy(update=changes)
    cast("Any", found.reply)._state.directory = SimpleNamespace(tenant=lambda _tenant_id: found.tenant_of())
    found.reply.start()
    await asyncio.sleep(0.01)
    assert not replies._follows(str(CALL).encode())
    assert replies.ended == []


@pytest.mark.guarantee("T82")
@pytest.mark.parametrize(("heard", "again"), [(None, []), (2, []), (1, ["Two."]), (0, ["One.", "Two."])])
async def test_a_session_that_goes_on_is_told_what_the_client_has_not_heard(
    heard: int | None, again: list[str]
) -> None:
    """Where it does not say, all that was sent counts as heard."""
    replies, dek = Closed(), new_dek()
    async with session(replies, dek) as first:
        await first.heard((0, 0, "One.", True))
        await first.heard((0, 900, "Two.", True))
    continued = [ContinuedSession(id=SESSION, serverseq=heard)]
    async with session(replies, dek, continued) as second:
        await second.heard((0, 1800, "Three.", True), revision=3)
        assert [text for _, text, _ in second.client.told] == [*again, "Three."]


async def test_a_client_that_complains_is_left_alone() -> None:
    """For as long as it says; then it gets the newest."""
    async with session() as one:
        one.reply.hold_off(Decimal(60))
        assert 50 < one.reply._quiet_until - asyncio.get_running_loop().time() <= 60
        await one.heard((0, 0, "He", False))
        await one.heard((0, 0, "Hello", False))
        assert one.client.messages == []
        one.reply.hold_off(Decimal(0))
        await eventually(lambda: one.client.told == [(0, "Hello", False)])


async def test_much_text_comes_in_several_messages_final_turns_first() -> None:
    """And a turn that no message could hold is left out, not in the way of what follows."""
    async with session() as one:
        await one.heard(
            (1, 0, "x" * 40_000, True),
            (0, 0, "draft" * 4000, False),
            *((0, start, "f" * 10_000, True) for start in range(1000, 6000, 1000)),
        )
        await asyncio.sleep(0.1)
        assert [len(message) for message in one.client.messages] == [3, 2, 1]
        assert [final for _, _, final in one.client.told] == [True] * 5 + [False]


async def test_text_that_is_not_what_was_sealed_ends_it() -> None:
    async with session() as one:
        event = sealed(TENANT, CALL, new_dek(), 1, (0, 0, "Hello", True))
        one.replies.hub.add(event)
        await asyncio.sleep(0.05)
        assert one.client.messages == []
        assert cast("Closed", one.replies).ended == [(Outcome.INTEGRITY, 0, 0)]
