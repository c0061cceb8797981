"""How many reads an instance has begun to serve, counted where bytes leave, beside the entries.

The log's reconciler compares these counts with the entries: a read that no entry tells of is found. So they
are counted apart from what writes entries, and before the first byte. See decision 0041.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from otokura.shared.audit_events import ReadsOfTenant

MOST_TENANTS = 1000
"""Of one message, so that it stays small."""


@dataclass(slots=True)
class _Count:
    served: int = 0
    unserved: int = 0
    told: tuple[int, int] = (0, 0)


class ReadCounts:
    """The reads of one process, by tenant, since it started."""

    def __init__(self) -> None:
        self._counts: dict[UUID, _Count] = {}

    def serve(self, tenant_id: UUID) -> None:
        """One more whose first byte is about to leave."""
        self._counts.setdefault(tenant_id, _Count()).served += 1

    def drop(self, tenant_id: UUID) -> None:
        """One more whose entry is acknowledged, or will be, and of which nothing will leave."""
        self._counts.setdefault(tenant_id, _Count()).unserved += 1

    def news(self) -> dict[UUID, ReadsOfTenant]:
        """The counts, since the start, that have changed since they were told."""
        changed: dict[UUID, ReadsOfTenant] = {}
        for tenant_id, count in self._counts.items():
            now = (count.served, count.unserved)
            if now != count.told and len(changed) < MOST_TENANTS:
                count.told = now
                changed[tenant_id] = ReadsOfTenant(served=count.served, unserved=count.unserved)
        return changed
