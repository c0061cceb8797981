"""Wrapped keys in ingest's database, as calls, connections and webhooks leave them there."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import insert, text
from sqlmodel.ext.asyncio.session import AsyncSession

from key_installations import Installation, Local
from otokura.ingest.connections.models import StoredConnection
from otokura.ingest.models import Call
from otokura.ingest.vendor_secrets import SealedSecret, VendorSecrets
from otokura.ingest.webhooks.models import Webhook, WebhookSecret
from otokura.ingest.wrapped_keys import TENANTS, WRAPPED_KEYS
from otokura.shared.database import Database
from otokura.shared.directory_tables import tenants
from otokura.shared.ids import uuid7
from otokura.shared.keys import (
    Keks,
    KeyContext,
    KeyProvider,
    KeyUse,
    WrappedDek,
    commitment,
    new_dek,
)
from otokura.shared.rewrapping import Rewrapper
from otokura.shared.wrapped_keys import hear

SECRET = b"a vendor's secret"


class Interrupted(Exception):  # noqa: N818 - stands for a kill
    """The process ends here."""


class Interrupting:
    """A key provider whose process ends at its n-th use."""

    def __init__(self, provider: KeyProvider, last: int = 0) -> None:
        self._provider = provider
        self.last = last
        self.uses = 0

    async def wrap(self, dek: bytes, context: KeyContext) -> WrappedDek:
        self._use()
        return await self._provider.wrap(dek, context)

    async def unwrap(self, wrapped: WrappedDek, context: KeyContext, use: KeyUse, reference: str) -> bytes:
        self._use()
        return await self._provider.unwrap(wrapped, context, use, reference)

    async def keks(self, tenant_id: UUID) -> Keks:
        self._use()
        return await self._provider.keks(tenant_id)

    def _use(self) -> None:
        self.uses += 1
        if self.uses == self.last:
            raise Interrupted


@dataclass
class KeysAtRest:
    """The database, and what was put into it.

    Attributes:
        database: the service's.
        keys: where the key-encryption keys are.
        deks: by call, the key that its row wraps.
        copied: by call, the row's wrapped key as it was first, as a thief has it.
    """

    database: Database
    keys: Installation
    tenant_id: UUID = field(default_factory=uuid7)
    deks: dict[UUID, bytes] = field(default_factory=dict[UUID, bytes])
    copied: dict[UUID, WrappedDek] = field(default_factory=dict[UUID, WrappedDek])

    def __post_init__(self) -> None:
        self.provider = self.keys.provider()

    @property
    def keyring(self) -> Path:
        """The file, where the keys are in one."""
        assert isinstance(self.keys, Local)
        return self.keys.keyring

    async def add_tenant(self) -> None:
        values = {"tenant_id": self.tenant_id, "version": 1, "name": "T", "disabled": False, "settings": {}}
        async with self.database.session() as session:
            await (await session.connection()).execute(insert(tenants).values(values))

    async def add_calls(self, count: int) -> None:
        async with self.database.session() as session:
            for _ in range(count):
                await self.add_call(session)

    async def add_call(self, session: AsyncSession, provider: KeyProvider | None = None) -> UUID:
        """A call that was sealed; only what its key needs is true."""
        call_id, dek, now = uuid7(), new_dek(), datetime.now(UTC)
        wrapped = await (provider or self.provider).wrap(dek, KeyContext(self.tenant_id, call_id))
        self.deks[call_id], self.copied[call_id] = dek, wrapped
        session.add(
            Call(
                id=call_id,
                tenant_id=self.tenant_id,
                client_id=uuid7(),
                external_id=str(call_id),
                direction="inbound",
                channels=[{"role": "mixed"}],
                notice={"given": "none"},
                purposes=[],
                kek_id=wrapped.kek_id,
                wrapped_dek=wrapped.wrapped,
                commitment=commitment(dek, call_id),
                started_at=now,
                last_audio_at=now,
            )
        )
        await session.flush()
        return call_id

    async def add_secrets(self) -> None:
        """A connection and a webhook, each with a secret."""
        vault, now = VendorSecrets(self.provider), datetime.now(UTC)
        connection, webhook, secret = uuid7(), uuid7(), uuid7()
        own = await vault.seal(self.tenant_id, connection, SECRET)
        signing = await vault.seal(self.tenant_id, secret, SECRET)
        async with self.database.session() as session:
            session.add(
                StoredConnection(
                    client_id=uuid7(),
                    dialect="audiohook",
                    id=connection,
                    tenant_id=self.tenant_id,
                    settings={},
                    kek_id=own.kek_id,
                    wrapped_key=own.wrapped,
                    secret=own.ciphertext,
                    created_at=now,
                    updated_at=now,
                )
            )
            session.add(
                Webhook(
                    id=webhook,
                    tenant_id=self.tenant_id,
                    client_id=uuid7(),
                    url="https://v.example/",
                    events=["call.sealed"],
                    created_at=now,
                )
            )
            await session.flush()
            session.add(
                WebhookSecret(
                    id=secret,
                    webhook_id=webhook,
                    kek_id=signing.kek_id,
                    wrapped=signing.wrapped,
                    ciphertext=signing.ciphertext,
                )
            )

    def rewrapper(self, provider: KeyProvider | None = None, settle: timedelta = timedelta(0)) -> Rewrapper:
        """As a process of ingest has it."""
        keys = provider or self.keys.provider()
        return Rewrapper(self.database, keys, "ingest", WRAPPED_KEYS, TENANTS, settle)

    async def rotate(self) -> str:
        """A new key, and the word of it; the key's id."""
        kek_id = await self.keys.rotate()
        async with self.database.session() as session:
            await hear(session, uuid7(), kek_id)
        return str((await self.provider.keks(self.tenant_id)).current)

    async def query(self, statement: str, **values: Any) -> list[Any]:
        async with self.database.session() as session:
            result = await (await session.connection()).execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

    async def kek_ids(self) -> set[str]:
        """Under which keys anything is."""
        rows = await self.query(
            "SELECT kek_id FROM calls UNION SELECT kek_id FROM connections WHERE kek_id IS NOT NULL"
            " UNION SELECT kek_id FROM webhook_secrets"
        )
        return {row.kek_id for row in rows}

    async def everything_opens(self) -> None:
        """Every key that was put in comes out of its row."""
        rows = await self.query("SELECT id, kek_id, wrapped_dek FROM calls")
        assert {row.id for row in rows} == self.deks.keys()
        for row in rows:
            wrapped, context = WrappedDek(row.kek_id, row.wrapped_dek), KeyContext(self.tenant_id, row.id)
            assert await self.provider.unwrap(wrapped, context, KeyUse.READ, "test") == self.deks[row.id]
        stored = "SELECT id, kek_id, wrapped_key AS wrapped, secret AS ciphertext FROM connections"
        stored += " UNION ALL SELECT id, kek_id, wrapped, ciphertext FROM webhook_secrets"
        for row in await self.query(stored):
            sealed = SealedSecret(row.kek_id, row.wrapped, row.ciphertext)
            assert await VendorSecrets(self.provider).open(self.tenant_id, row.id, sealed) == SECRET

    async def told(self, event_type: str) -> list[dict[str, Any]]:
        """The events of a type, in order."""
        rows = await self.query(
            "SELECT data FROM outbox WHERE type = :type AND kind = 'event' ORDER BY id", type=event_type
        )
        return [json.loads(row.data) for row in rows]
