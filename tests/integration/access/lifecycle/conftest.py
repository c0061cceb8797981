"""Access's database and the work of the end of recordings, step by step, without its process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from access_calls import HANDLERS, context_of, started_of
from otokura.access.identity.subject import Reader
from otokura.access.lifecycle import erasures, finality, holds, retiring
from otokura.access.lifecycle.beginning import begin_next
from otokura.access.lifecycle.customers import Found
from otokura.access.lifecycle.views import ErasureBody, ErasureView, HoldBody, HoldView
from otokura.access.tenancy.models import Tenant
from otokura.shared.address import Reason, ResolvedAddress
from otokura.shared.database import Database, migrate
from otokura.shared.events import (
    CallEvent,
    CallSettled,
    ErasedKind,
    ErasureApplied,
    ErasureRequested,
    Role,
)
from otokura.shared.ids import uuid7
from otokura.shared.policy.facts import ReaderFacts


@dataclass
class Lifecycle:
    """Each step is taken when the test says so."""

    database: Database
    tenant_id: UUID

    def officer(self) -> Reader:
        facts = ReaderFacts(uuid7(), self.tenant_id, frozenset({Role.EVIDENCE_OFFICER}))
        return Reader(facts, "officer", ResolvedAddress(None, "127.0.0.1", (), Reason.DIRECT), ("office",))

    async def call(self, *, settled: bool = True, **about: Any) -> UUID:
        """A call as its first events tell of it."""
        call_id = uuid7()
        started = started_of(call_id, self.tenant_id, **about)
        await self.apply(started)
        if settled:
            await self.settle(call_id)
        return call_id

    async def settle(self, call_id: UUID) -> None:
        at = started_of(call_id, self.tenant_id).started_at
        ids = {"call_id": call_id, "tenant_id": self.tenant_id}
        await self.apply(CallSettled(**ids, version=4, outcome="sealed", settled_at=at))

    async def apply(self, *events: CallEvent) -> None:
        for event in events:
            async with self.database.session() as session:
                await HANDLERS[type(event)](session, event, context_of(event))

    async def hold(self, call_id: UUID, **about: Any) -> HoldView:
        async with self.database.session() as session:
            body = HoldBody.model_validate({"reason": "case", **about})
            hold = await holds.set_hold(session, call_id, body, self.officer())
            [view] = await holds.views(session, self.tenant_id, call_id, [hold])
            return view

    async def lift(self, call_id: UUID, hold_id: UUID) -> None:
        async with self.database.session() as session:
            await holds.lift_hold(session, call_id, hold_id, "over", self.officer())

    async def ask(self, *call_ids: UUID) -> ErasureView:
        body = ErasureBody.model_validate(
            {"call_ids": list(call_ids), "ground": "cease-use", "reason": "受付 118"}
        )
        async with self.database.session() as session:
            return await erasures.create(session, body, Found(list(call_ids)), self.officer())

    async def erase_kinds(self, call_id: UUID, *kinds: ErasedKind) -> None:
        """Asks for the erasure of parts of a call, as retention does."""
        for kind in kinds:
            erasure = await self.ask(call_id)
            changes = {"kind": kind.value, "id": erasure.id}
            await self.query("UPDATE erasures SET kind = :kind WHERE id = :id", **changes)
            await self.query("UPDATE erasure_items SET kind = :kind WHERE erasure_id = :id", **changes)

    async def withdraw(self, erasure_id: UUID) -> ErasureView:
        async with self.database.session() as session:
            return await erasures.withdraw(session, self.officer(), erasure_id)

    async def begin(self) -> UUID | None:
        async with self.database.session() as session:
            return await begin_next(session)

    async def work(self) -> int:
        """Begins until nothing is due; how many calls were looked at."""
        looked = 0
        while await self.begin() is not None:
            looked += 1
        return looked

    async def retire(self, batch: int = 500) -> int:
        async with self.database.session() as session:
            return await retiring.retire(session, batch)

    async def finish(self) -> int:
        async with self.database.session() as session:
            return await finality.conclude_batch(session)

    async def view(self, erasure_id: UUID) -> ErasureView:
        async with self.database.session() as session:
            found = await erasures.find(session, self.officer(), erasure_id)
            return (await erasures.views(session, [found]))[0]

    async def query(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        async with self.database.session() as session:
            result = await (await session.connection()).execute(text(statement), values)
            return [dict(row) for row in result.mappings()] if result.returns_rows else []

    async def requests(self) -> list[ErasureRequested]:
        """What the other services were asked for."""
        rows = await self.query("SELECT data FROM outbox WHERE type = :type", type=ErasureRequested.TYPE)
        return [ErasureRequested.model_validate_json(row["data"]) for row in rows]

    async def confirm(self, event: ErasureRequested, *services: str, kek_id: str = "kek-1") -> None:
        """As the services do."""
        for service in services:
            applied = ErasureApplied(
                **event.model_dump(exclude={"requested_at"}),
                service=service,
                counts={"rows": 1},
                kek_ids=[] if service == "audit" else [kek_id],
                shredded_at=event.requested_at,
                applied_at=event.requested_at,
            )
            await self.apply(applied)


@pytest.fixture
async def lifecycle(database_url: str) -> AsyncIterator[Lifecycle]:
    await migrate(database_url, "otokura.access.migrations")
    database = Database(database_url, pool_size=20)
    found = Lifecycle(database, uuid7())
    async with database.session() as session:
        at = (await (await session.connection()).execute(text("SELECT now()"))).scalar_one()
        session.add(Tenant(id=found.tenant_id, name="T", version=1, settings={}, created_at=at))
    yield found
    await database.close()
