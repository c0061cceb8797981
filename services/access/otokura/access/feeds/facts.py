"""What has to be known before anything is disclosed: the feed, the call, its key, whether it is erased."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.reads.repository import CALL_COLUMNS, CALL_TABLES
from otokura.access.reads.views import facts_of
from otokura.shared.database import Database
from otokura.shared.feeds import FeedField, topic_of
from otokura.shared.policy.facts import CallFacts, FeedFacts

_FACTS = text(f"""
    SELECT f.id AS feed_id, f.tenant_id AS feed_tenant_id, f.name AS feed_name, f.purpose AS feed_purpose,
        f.fields AS feed_fields, f.redaction = 'redacted' AS redacted, f.version AS feed_version,
        f.enabled, f.partials, f.deleted_at IS NOT NULL AS deleted, t.disabled AS tenant_disabled,
        e.erased_at, h.live_entry_id, {CALL_COLUMNS}, k.kek_id, k.wrapped, k.commitment
    FROM feeds f JOIN tenants t ON t.id = f.tenant_id
    LEFT JOIN calls c
        ON c.call_id = :call_id AND c.tenant_id = f.tenant_id AND c.external_id IS NOT NULL
    LEFT JOIN call_keys k ON k.call_id = c.call_id AND k.tenant_id = c.tenant_id
    LEFT JOIN feed_erasures e ON e.call_id = :call_id
    LEFT JOIN feed_calls h ON h.feed_id = f.id AND h.call_id = :call_id
    {CALL_TABLES}
    WHERE f.id = :feed_id
""")  # noqa: S608 - made of constants
# Only while the feed is still as it was when it was decided.
_BEGIN = text("""
    INSERT INTO feed_calls (feed_id, call_id, live_entry_id, first_at)
    SELECT f.id, :call_id, CAST(:live_entry_id AS uuid), clock_timestamp()
    FROM feeds f JOIN tenants t ON t.id = f.tenant_id
    WHERE f.id = :feed_id AND f.version = :feed_version AND f.provisioned_version = f.version
        AND f.enabled AND f.deleted_at IS NULL AND NOT t.disabled
        AND NOT EXISTS (SELECT 1 FROM feed_erasures e WHERE e.call_id = :call_id)
    ON CONFLICT (feed_id, call_id) DO UPDATE
        SET live_entry_id = coalesce(excluded.live_entry_id, feed_calls.live_entry_id)
    RETURNING feed_id
""")


@dataclass(frozen=True, slots=True)
class Facts:
    """One row of everything; the call's columns are null where its beginning has not come."""

    row: Mapping[str, Any]

    @property
    def feed(self) -> FeedFacts:
        """What policies know of the feed."""
        row = self.row
        return FeedFacts(
            id=row["feed_id"],
            tenant_id=row["feed_tenant_id"],
            purpose=row["feed_purpose"],
            redacted=row["redacted"],
            fields=frozenset(map(FeedField, row["feed_fields"])),
        )

    @property
    def call(self) -> CallFacts | None:
        """What policies know of the call, when its beginning has come."""
        return facts_of(self.row) if self.row["call_id"] is not None else None

    @property
    def topic(self) -> str:
        """Where the feed's events go."""
        return topic_of(self.row["feed_tenant_id"], self.row["feed_id"])

    def closed(self) -> str | None:
        """Why nothing at all is published to the feed about this call."""
        reasons = {
            "the feed is deleted": self.row["deleted"],
            "the tenant is disabled": self.row["tenant_disabled"],
            "the feed is disabled": not self.row["enabled"],
            "erased": self.row["erased_at"] is not None,
        }
        return next((reason for reason, holds in reasons.items() if holds), None)


async def load(database: Database, feed_id: UUID, call_id: UUID) -> Facts:
    """The facts as they are now."""
    async with database.reading() as connection:
        result = await connection.execute(_FACTS, {"feed_id": feed_id, "call_id": call_id})
        return Facts(dict(result.mappings().one()))


async def begin(session: AsyncSession, facts: Facts, call_id: UUID, live_entry_id: UUID | None) -> bool:
    """Notes that the feed has something of the call, immediately before it is sent.

    Returns:
        False when the feed, its tenant or the call is no longer as it was when this was decided: then
        nothing may be sent.
    """
    values = {
        "feed_id": facts.row["feed_id"],
        "feed_version": facts.row["feed_version"],
        "call_id": call_id,
        "live_entry_id": live_entry_id,
    }
    return (await (await session.connection()).execute(_BEGIN, values)).first() is not None
