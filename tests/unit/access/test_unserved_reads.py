"""Reads that were refused because their entry came too late: nobody's read hides behind them."""

from __future__ import annotations

from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from messaging import eventually
from otokura.access.identity.subject import Reader
from otokura.access.reads import gate
from otokura.access.reads.closing import Closings
from otokura.shared.address import Reason, ResolvedAddress
from otokura.shared.audit import AuditDraft, AuditWriter
from otokura.shared.errors import Unavailable
from otokura.shared.ids import uuid7
from otokura.shared.policy.facts import PolicyAction, ReaderFacts
from otokura.shared.tokens import Principal
from scripted_broker import DRAFT, ScriptedBroker, opened

TENANT = uuid7()


class Impatient:
    """The writer, for a caller that waits no longer than a moment."""

    def __init__(self, writer: AuditWriter) -> None:
        self._writer = writer
        self.reads, self.holds = writer.reads, writer.holds

    async def write(self, draft: AuditDraft, *, entry_id: UUID | None = None) -> UUID:
        return await self._writer.write(draft, entry_id=entry_id, timeout=0.05)


async def refused(writer: AuditWriter) -> None:
    """Tries to open a read, for which its entry comes too late."""
    audit = cast("AuditWriter", Impatient(writer))
    state = cast("Any", SimpleNamespace(audit=audit, closings=Closings(audit), watch=None))
    place = ResolvedAddress(ip_address("192.0.2.1"), "192.0.2.1", (), Reason.DIRECT)
    reader = Reader(ReaderFacts(uuid7(), TENANT, frozenset()), "花子", place, ())
    asked = gate.Request(cast("Principal", None), place, uuid7(), PolicyAction.LISTEN)
    row = {"tenant_id": TENANT, "external_id": None, "manifest_sha256": None, "wrapped": b""}
    with pytest.raises(Unavailable):
        await gate.open_live(state, gate.Permit(asked, reader, row), {})


@pytest.mark.guarantee("L23")
async def test_a_read_whose_entry_came_too_late_is_counted_as_unserved() -> None:
    """Its entry is in the log: uncounted, it would stand for a read that has none."""
    broker = ScriptedBroker()
    async with opened(broker, retry_seconds=0.01) as writer:
        await writer.write(DRAFT)
        broker.outcome = lambda _: (0, 0)
        await refused(writer)
        broker.outcome = lambda count: (count, count)
        await eventually(lambda: len([one for one in broker.entries() if one.tenant_id == TENANT]) == 2)
        told = writer.reads.news()[TENANT]
    assert (told.served, told.unserved) == (0, 1)


@pytest.mark.guarantee("L23")
async def test_a_read_whose_entry_was_never_taken_counts_as_nothing() -> None:
    """There is no entry of it: counted, it would accuse an honest instance."""
    broker = ScriptedBroker()
    async with opened(broker, max_queue=1, retry_seconds=0.01) as writer:
        broker.outcome = lambda _: (0, 0)
        await refused(writer)
        assert writer.reads.news() == {}
        broker.outcome = lambda count: (count, count)
