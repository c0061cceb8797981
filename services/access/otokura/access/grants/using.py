"""A grant at work: found for a read that names it, and counted, in one transaction that cannot be raced."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.grants import repository
from otokura.access.grants.models import GrantRecord, GrantUse
from otokura.access.grants.service import Over, listening_ends, over
from otokura.access.identity.subject import Reader
from otokura.access.permission import entry
from otokura.shared.audit_entries import Action
from otokura.shared.database import Database
from otokura.shared.outbox import publish_audit
from otokura.shared.policy.facts import GrantFacts, PolicyAction


@dataclass(frozen=True, slots=True)
class Given:
    """A grant that was given to this reader for this call.

    Attributes:
        facts: for the policies.
        stretch_ms: the part of the recording that it gives; None for all of it.
        over: why it is good no more; None while it is.
    """

    facts: GrantFacts
    stretch_ms: tuple[int, int] | None
    over: Over | None


async def find(database: Database, reader: Reader, call_id: UUID, grant_id: UUID) -> Given | None:
    """The grant, as it is now; None when it is somebody else's, for another call, or no grant at all."""
    async with database.session() as session:
        found = await repository.given(session, grant_id, reader.facts.id, call_id)
    if found is None or found[0].tenant_id != reader.facts.tenant_id:
        return None
    grant, giver_disabled, at = found
    stretch = None
    if grant.start_ms is not None and grant.end_ms is not None:
        stretch = grant.start_ms, grant.end_ms
    return Given(_facts(grant), stretch, over(grant, at, giver_disabled=giver_disabled))


def _facts(grant: GrantRecord) -> GrantFacts:
    return GrantFacts(
        id=grant.id,
        reader=grant.reader_id,
        call=grant.call_id,
        what=frozenset(map(PolicyAction, grant.what)),
        purpose=grant.purpose,
        zones=frozenset(grant.zones),
    )


async def begin(
    database: Database, reader: Reader, given: Given, read_id: UUID, recording_ms: int
) -> Over | None:
    """Uses the grant once, unless the read goes on with a listening that began before.

    Args:
        database: the service's.
        reader: whose it is.
        given: the grant.
        read_id: of the listening.
        recording_ms: how long the recording is; 0 when there is none yet.

    Returns:
        Why there is no use left; None when the read may be opened.
    """
    async with database.session() as session:
        grant, at = await repository.locked(session, given.facts.id)
        why = over(grant, at)
        if why is not None:
            return why
        use = await repository.use(session, grant.id, read_id)
        if use is not None and at < use.until:
            return None
        if grant.used >= grant.listenings:
            return Over.SPENT
        grant.used += 1
        use = use or GrantUse(grant_id=grant.id, read_id=read_id, until=at)
        use.until = listening_ends(grant, at, recording_ms)
        await _keep(session, reader, grant, use)
    return None


async def _keep(session: AsyncSession, reader: Reader, grant: GrantRecord, use: GrantUse) -> None:
    session.add_all([grant, use])
    detail = {
        "grant": grant.id,
        "read_id": use.read_id,
        "use": grant.used,
        "of": grant.listenings,
        "until": use.until,
    }
    await publish_audit(session, entry(Action.GRANT_USED, reader, detail, grant.call_id))
