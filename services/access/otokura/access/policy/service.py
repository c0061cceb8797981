"""Zones come and go: each change is one transaction of state and audit entry, and holds at once."""

from __future__ import annotations

from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.errors import WouldLockYouOut
from otokura.access.identity import repository as identity
from otokura.access.identity.subject import Reader
from otokura.access.permission import entry, tenant_of
from otokura.access.policy import repository
from otokura.access.policy.models import ZoneRecord
from otokura.access.policy.views import ZoneBody, ZoneChange
from otokura.access.policy.zones import Zone, leaves_outside
from otokura.access.tenancy import repository as tenancy
from otokura.shared.audit_entries import Action
from otokura.shared.errors import Conflict, NotFound, PreconditionFailed
from otokura.shared.ids import uuid7
from otokura.shared.outbox import publish_audit

_CHANGING = {"networks", "valid_from", "valid_until"}
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


async def change_zone(
    session: AsyncSession,
    zone_id: UUID,
    body: ZoneChange,
    expected_version: int,
    admin: Reader,
    *,
    confirmed: bool,
) -> ZoneRecord:
    """Replaces a zone's networks and the time in which it is in force.

    Raises:
        NotFound: the tenant has no such zone.
        PreconditionFailed: it has changed since `expected_version`.
        WouldLockYouOut: the administrator would be outside every zone, at once or later, and has not said
            that they mean it.
    """
    await tenancy.keep_a_way_in(session, tenant_of(admin))
    record = await _zone(session, zone_id, admin)
    if record.version != expected_version:
        raise PreconditionFailed("The zone has changed since you read it: read it again.")
    before = record.model_dump(mode="json", include=_CHANGING)
    changed = record.model_copy(update=body.model_dump())
    await _guard(session, record, changed, admin, confirmed=confirmed)
    for name, value in body.model_dump().items():
        setattr(record, name, value)
    record.version += 1
    session.add(record)
    detail = {
        "zone": {"id": str(record.id), "name": record.name, "before": before, **body.model_dump(mode="json")}
    }
    await publish_audit(session, entry(Action.ZONE_CHANGED, admin, detail))
    return record


async def delete_zone(session: AsyncSession, zone_id: UUID, admin: Reader, *, confirmed: bool) -> None:
    """Ends a zone.

    Raises:
        NotFound: the tenant has no such zone.
        WouldLockYouOut: the administrator would be outside every zone, at once or later, and has not said
            that they mean it.
    """
    await tenancy.keep_a_way_in(session, tenant_of(admin))
    record = await _zone(session, zone_id, admin)
    await _guard(session, record, None, admin, confirmed=confirmed)
    about = {"id": str(record.id), "name": record.name, "networks": record.networks}
    await session.delete(record)
    await publish_audit(session, entry(Action.ZONE_DELETED, admin, {"zone": about}))


async def _zone(session: AsyncSession, zone_id: UUID, admin: Reader) -> ZoneRecord:
    record = await repository.zone(session, tenant_of(admin), zone_id, lock=True)
    if record is None:
        raise NotFound("There is no such zone.")
    return record


async def _guard(
    session: AsyncSession, record: ZoneRecord, changed: ZoneRecord | None, admin: Reader, *, confirmed: bool
) -> None:
    """Administrators configure from anywhere; but who cuts off their own office has seldom meant it.

    At once or later: a zone that ends in a minute cuts it off as well.
    """
    if confirmed:
        return
    now = await identity.now(session)
    records = await repository.zones(session, record.tenant_id)
    others = [_zone_of(other) for other in records if other.id != record.id]
    before = [*others, _zone_of(record)]
    after = others if changed is None else [*others, _zone_of(changed)]
    if leaves_outside(before, after, admin.place.address, now):
        raise WouldLockYouOut(
            f"You are at {admin.place.address}, which would be in no zone after this, at once or later:"
            " nobody could read from there. Say confirm=true if you mean it."
        )


def _zone_of(record: ZoneRecord) -> Zone:
    return Zone(record.name, tuple(record.networks), record.valid_from, record.valid_until)
