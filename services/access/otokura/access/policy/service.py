"""Zones come and go: each change is one transaction of state and audit entry, and holds at once."""

from __future__ import annotations

from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.identity import repository as identity
from otokura.access.identity.subject import Reader
from otokura.access.permission import entry, tenant_of
from otokura.access.policy import repository
from otokura.access.policy.models import ZoneRecord
from otokura.access.policy.views import ZoneBody
from otokura.shared.audit_entries import Action
from otokura.shared.errors import Conflict, NotFound
from otokura.shared.ids import uuid7
from otokura.shared.outbox import publish_audit

MAX_ZONES = 100
"""Of one tenant: all are looked at for each read."""


async def create_zone(session: AsyncSession, body: ZoneBody, admin: Reader) -> ZoneRecord:
    """A new zone.

    Raises:
        Conflict: there is one of this name, or there are too many.
    """
    count, taken = await repository.room_for(session, tenant_of(admin), body.name)
    if taken:
        raise Conflict("There is a zone of this name.")
    if count >= MAX_ZONES:
        raise Conflict(f"There are {MAX_ZONES} zones already: delete one that is not needed.")
    at = await identity.now(session)
    record = ZoneRecord(id=uuid7(), tenant_id=tenant_of(admin), created_at=at, **body.model_dump())
    session.add(record)
    detail = {"zone": body.model_dump(mode="json") | {"id": str(record.id)}}
    await publish_audit(session, entry(Action.ZONE_CREATED, admin, detail))
    return record


async def delete_zone(session: AsyncSession, zone_id: UUID, admin: Reader) -> None:
    """Ends a zone.

    Raises:
        NotFound: the tenant has no such zone.
    """
    record = await repository.zone(session, tenant_of(admin), zone_id)
    if record is None:
        raise NotFound("There is no such zone.")
    about = {"id": str(record.id), "name": record.name, "networks": record.networks}
    await session.delete(record)
    await publish_audit(session, entry(Action.ZONE_DELETED, admin, {"zone": about}))
