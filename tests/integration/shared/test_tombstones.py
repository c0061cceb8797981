"""Tombstones: of two that add and erase at the same moment, nothing of the call remains."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from erasures import requested
from otokura.shared.database import Database, migrate
from otokura.shared.erasing import Eraser, Forgotten, erase
from otokura.shared.events import ErasedKind, ErasureApplied, ErasureRequested
from otokura.shared.ids import uuid7
from otokura.shared.tombstones import Tombstone, is_erased

pytestmark = pytest.mark.postgres
PATIENCE = 30


class Notes:
    """A part of a service of which all that there is of a call is one row."""

    service = "notes"

    async def forget(self, session: AsyncSession, event: ErasureRequested) -> Forgotten:
        gone = text("DELETE FROM notes WHERE call_id = :call_id")
        result = await (await session.connection()).execute(gone, {"call_id": event.call_id})
        return Forgotten({"notes": result.rowcount}, ["kek-1"])

    def prefixes(self, stone: Tombstone) -> list[tuple[str, str]]:
        del stone
        return []


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Transcribe's tables, and one of notes about calls."""
    await migrate(database_url, "otokura.transcribe.migrations")
    found = Database(database_url)
    async with found.session() as session:
        await (await session.connection()).execute(text("CREATE TABLE notes (call_id uuid)"))
    yield found
    await found.close()


async def add_note(session: AsyncSession, call_id: UUID) -> bool:
    """As a handler does it that tells of a call."""
    if await is_erased(session, call_id):
        return False
    add = text("INSERT INTO notes VALUES (:call_id)")
    await (await session.connection()).execute(add, {"call_id": call_id})
    return True


async def notes(database: Database) -> int:
    async with database.session() as session:
        found = await (await session.connection()).execute(text("SELECT count(*) FROM notes"))
        return int(found.scalar_one())


@pytest.mark.guarantee("Z2")
async def test_an_erasure_waits_for_who_adds_and_deletes_what_was_added(database: Database) -> None:
    event = requested(uuid7(), uuid7())

    async def erasing() -> None:
        async with database.session() as session:
            await erase(session, event, Notes())

    async with asyncio.timeout(PATIENCE), database.session() as session:
        assert await add_note(session, event.call_id)
        task = asyncio.create_task(erasing())
        await asyncio.sleep(0.3)
        assert not task.done()
    await task
    assert await notes(database) == 0


@pytest.mark.guarantee("Z2")
async def test_who_adds_waits_for_an_erasure_and_adds_nothing(database: Database) -> None:
    event = requested(uuid7(), uuid7())

    async def adding() -> bool:
        async with database.session() as session:
            return await add_note(session, event.call_id)

    async with asyncio.timeout(PATIENCE), database.session() as session:
        await erase(session, event, Notes())
        task = asyncio.create_task(adding())
        await asyncio.sleep(0.3)
        assert not task.done()
    assert not await task
    assert await notes(database) == 0


@pytest.mark.guarantee("Z2")
async def test_of_many_at_once_nothing_remains(database: Database) -> None:
    event = requested(uuid7(), uuid7())

    async def adding() -> None:
        async with database.session() as session:
            await add_note(session, event.call_id)

    async def erasing() -> None:
        async with database.session() as session:
            await erase(session, event, Notes())

    await asyncio.gather(*(adding() for _ in range(5)), erasing(), *(adding() for _ in range(5)))
    assert await notes(database) == 0


async def test_who_adds_to_other_calls_waits_for_nobody(database: Database) -> None:
    async with asyncio.timeout(PATIENCE), database.session() as session:
        await erase(session, requested(uuid7(), uuid7()), Notes())
        async with database.session() as other:
            assert await add_note(other, uuid7())


async def test_one_kind_of_a_call_can_be_erased_and_then_the_rest(database: Database) -> None:
    call_id, tenant_id = uuid7(), uuid7()
    async with database.session() as session:
        assert await erase(session, requested(call_id, tenant_id, ErasedKind.RECORDING), Notes())
    async with database.session() as session:
        assert await is_erased(session, call_id, ErasedKind.RECORDING)
        assert not await is_erased(session, call_id, ErasedKind.TRANSCRIPT)
        assert not await is_erased(session, call_id)
    async with database.session() as session:
        assert await erase(session, requested(call_id, tenant_id), Notes())
        assert await is_erased(session, call_id, ErasedKind.TRANSCRIPT)


@pytest.mark.guarantee("Z3")
async def test_an_erasure_is_confirmed_once_however_often_it_is_asked_for(database: Database) -> None:
    event = requested(uuid7(), uuid7())
    async with database.session() as session:
        await add_note(session, event.call_id)
    for _ in range(2):
        async with database.session() as session:
            await erase(session, event, Notes())
    erasers = [Eraser(database, None, Notes()) for _ in range(3)]
    assert sorted(await asyncio.gather(*(each.step() for each in erasers))) == [False, False, True]
    async with database.session() as session:
        rows = (await (await session.connection()).execute(text("SELECT kind, type, data FROM outbox"))).all()
    [applied] = [ErasureApplied.model_validate_json(row.data) for row in rows if row.kind == "event"]
    assert (applied.service, applied.counts, applied.kek_ids) == ("notes", {"notes": 1}, ["kek-1"])
    assert applied.erasure_id == event.erasure_id
    assert [row.kind for row in rows].count("audit") == 1


@pytest.mark.guarantee("Z3")
async def test_whoever_is_killed_between_two_steps_is_followed_by_another(database: Database) -> None:
    event = requested(uuid7(), uuid7())
    async with database.session() as session:
        await erase(session, event, Notes())

    class Killed(Notes):
        def prefixes(self, stone: Tombstone) -> list[tuple[str, str]]:
            raise KeyboardInterrupt(str(stone.call_id))

    with pytest.raises(KeyboardInterrupt):
        await Eraser(database, None, Killed()).step()
    assert not await Eraser(database, None, Notes()).step()
    async with database.session() as session:
        await (await session.connection()).execute(text("UPDATE tombstones SET sweep_at = now()"))
    assert await Eraser(database, None, Notes()).step()
    async with database.session() as session:
        stone = await session.get_one(Tombstone, (event.call_id, "call"))
    assert stone.applied_at is not None
    assert stone.sweep_at is not None
