"""Copies of calls' keys in access and transcribe: old events after a rotation, and what guards tables."""

from __future__ import annotations

import importlib
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from access_calls import context_of
from otokura.access.reads import handlers as access
from otokura.shared import rewrapping
from otokura.shared.database import Database, migrate
from otokura.shared.events import KeyWrapped
from otokura.shared.ids import uuid7
from otokura.shared.keyring import add_kek, destroy_keks
from otokura.shared.keys import KeyContext, KeyUse, LocalKeyProvider, WrappedDek, commitment, new_dek
from otokura.shared.rewrapping import Rewrapper
from otokura.shared.wrapped_keys import hear
from otokura.transcribe import handlers as transcribe

pytestmark = [pytest.mark.postgres]
SERVICES = ["ingest", "transcribe", "access"]


@dataclass
class Copies:
    """A service that keeps copies, and the events that bring them."""

    service: Any
    database: Database
    keyring: Path

    def __post_init__(self) -> None:
        self.provider = LocalKeyProvider(self.keyring)
        self.tenant_id, self.call_id, self.dek = uuid4(), uuid7(), new_dek()

    async def add_tenant(self) -> None:
        """As access has it, or tells of it."""
        key, more = ("tenant_id", "") if self.service == "transcribe" else ("id", ", created_at")
        values = ":id, 'T', 1, FALSE, '{}'" + (", now()" if more else "")
        statement = f"INSERT INTO tenants ({key}, name, version, disabled, settings{more}) VALUES ({values})"  # noqa: S608
        async with self.database.session() as session:
            await (await session.connection()).execute(text(statement), {"id": self.tenant_id})

    async def event(self, version: int) -> KeyWrapped:
        """The call's key as ingest wraps it now."""
        wrapped = await self.provider.wrap(self.dek, KeyContext(self.tenant_id, self.call_id))
        return KeyWrapped(
            call_id=self.call_id,
            tenant_id=self.tenant_id,
            version=version,
            kek_id=wrapped.kek_id,
            wrapped=b64encode(wrapped.wrapped),
            commitment=commitment(self.dek, self.call_id),
        )

    async def handle(self, *events: KeyWrapped) -> None:
        handler = transcribe.key_wrapped if self.service == "transcribe" else access.key_wrapped
        for event in events:
            async with self.database.session() as session:
                await handler(session, event, context_of(event))

    async def rotate(self) -> None:
        kek_id = add_kek(self.keyring)
        async with self.database.session() as session:
            await hear(session, uuid7(), kek_id)

    async def step(self) -> None:
        listed = importlib.import_module(f"otokura.{self.service}.wrapped_keys")
        await Rewrapper(
            self.database, self.provider, self.service, listed.WRAPPED_KEYS, listed.TENANTS, timedelta(0)
        ).step()

    async def stored(self) -> list[WrappedDek]:
        async with self.database.session() as session:
            query = text("SELECT kek_id, wrapped FROM call_keys")
            rows = (await (await session.connection()).execute(query)).all()
        return [WrappedDek(row.kek_id, row.wrapped) for row in rows]

    async def is_finished(self) -> bool:
        async with self.database.session() as session:
            query = text("SELECT count(*) FROM rewrappings WHERE finished_at IS NULL")
            return not await (await session.connection()).scalar(query)

    async def opens(self) -> bytes:
        [wrapped] = await self.stored()
        context = KeyContext(self.tenant_id, self.call_id)
        return await self.provider.unwrap(wrapped, context, KeyUse.READ, "test")


@pytest.fixture(params=["transcribe", "access"])
async def copies(
    request: pytest.FixtureRequest, database_url: str, keyring: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Copies]:
    monkeypatch.setattr(rewrapping, "_PAUSE_SECONDS", 0)
    await migrate(database_url, f"otokura.{request.param}.migrations")
    database = Database(database_url)
    copies = Copies(request.param, database, keyring)
    await copies.add_tenant()
    yield copies
    await database.close()


@pytest.mark.guarantee("S23")
async def test_a_copy_is_waited_for_until_its_event_comes(copies: Copies) -> None:
    await copies.handle(await copies.event(1))
    await copies.rotate()
    await copies.step()
    assert not await copies.is_finished()
    await copies.handle(await copies.event(2))
    await copies.step()
    assert await copies.is_finished()
    assert await copies.opens() == copies.dek


@pytest.mark.guarantee("S23")
@pytest.mark.guarantee("S24")
async def test_an_old_event_that_comes_after_the_rotation_leaves_room_for_the_new_one(copies: Copies) -> None:
    """A consumer that was behind, or a dead letter that is replayed: the old wrapping opens no more."""
    old = await copies.event(1)
    await copies.rotate()
    await copies.step()
    assert await copies.is_finished()
    new = await copies.event(2)
    destroy_keks(copies.keyring, [old.kek_id])
    await copies.handle(old)
    assert await copies.stored() == []
    await copies.handle(new, old)
    assert await copies.opens() == copies.dek


@pytest.mark.guarantee("S24")
@pytest.mark.parametrize("service", SERVICES)
async def test_every_table_with_wrapped_keys_is_guarded(service: str, database_url: str) -> None:
    await migrate(database_url, f"otokura.{service}.migrations")
    query = text(
        "SELECT tgrelid::regclass::text AS name FROM pg_trigger WHERE tgname = 'refuse_retired_kek'"
        " AND tgenabled = 'O'"
    )
    database = Database(database_url)
    try:
        async with database.session() as session:
            guarded = set((await (await session.connection()).scalars(query)).all())
    finally:
        await database.close()
    listed = importlib.import_module(f"otokura.{service}.wrapped_keys").WRAPPED_KEYS
    assert guarded == {keys.table.name for keys in listed}
