"""A rotation is begun, followed and ended: each step one transaction with its event and its entry in the log.

Access makes and destroys no key-encryption key: it has no right to. Who does says so here, and is believed
only as far as the key provider says the same.
"""

from __future__ import annotations

from typing import Any, get_args
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.errors import KeysInUse, RotationOpen
from otokura.access.identity import repository as identity
from otokura.access.identity.subject import Reader
from otokura.access.permission import entry
from otokura.access.rotations import repository
from otokura.access.rotations.models import KeyRotation
from otokura.access.rotations.views import RotationBody, RotationState, RotationView
from otokura.access.state import AccessState
from otokura.access.wrapped_keys import rewrapper_of
from otokura.shared.audit_entries import Action
from otokura.shared.errors import NotFound, Unprocessable
from otokura.shared.events import KekDestroyed, KeyHolder, KeysRewrapped, KeysRotated
from otokura.shared.ids import uuid7
from otokura.shared.outbox import publish, publish_audit
from otokura.shared.wrapped_keys import hear

HOLDERS: tuple[KeyHolder, ...] = get_args(KeyHolder)


def check_named(body: RotationBody, provider: str) -> None:
    """A key of a keyring is named: only so can a service whose copy of the file is older wait for it.

    Raises:
        Unprocessable: it is not.
    """
    if provider == "local" and body.kek_id is None:
        raise Unprocessable("The keys are in a keyring: say which wraps now (kek_id).")


async def begin(
    session: AsyncSession, body: RotationBody, retiring: frozenset[str], operator: Reader
) -> RotationView:
    """Has everything wrapped anew that the retiring keys wrapped.

    Raises:
        RotationOpen: the one before is not finished.
    """
    before = await repository.open_rotation(session)
    if before is not None:
        raise RotationOpen(before.id)
    record = KeyRotation(
        id=uuid7(),
        new_kek_id=body.kek_id,
        retiring=sorted(retiring),
        rotated_by=operator.facts.id,
        rotated_at=await identity.now(session),
    )
    session.add(record)
    await session.flush()
    await hear(session, record.id, record.new_kek_id)
    told: dict[str, Any] = {"rotation_id": record.id, "kek_id": record.new_kek_id}
    await publish(session, KeysRotated(**told, rotated_at=record.rotated_at))
    await publish_audit(session, entry(Action.KEYS_ROTATED, operator, {**told, "retiring": len(retiring)}))
    return view_of(record)


async def note_progress(session: AsyncSession, event: KeysRewrapped) -> None:
    """Keeps what a service tells, unless something newer is known."""
    record = await repository.rotation(session, event.rotation_id, lock=True)
    if record is None:
        return
    known = record.services.get(event.service)
    if known is not None and known["version"] >= event.version:
        return
    told = event.model_dump(mode="json", exclude={"rotation_id", "service"})
    record.services = {**record.services, event.service: told}
    if record.rewrapped_at is None and all(_finished(record, service) for service in HOLDERS):
        record.rewrapped_at = await identity.now(session)
    session.add(record)


async def complete(
    session: AsyncSession, state: AccessState, rotation_id: UUID, operator: Reader
) -> RotationView:
    """Notes, and tells, that the retiring keys were destroyed, after the key provider has confirmed it.

    May be repeated.

    Raises:
        NotFound: there is no such rotation.
        KeysInUse: something living is still under them, or they still exist.
        Unavailable: the key provider is away.
    """
    record = await repository.rotation(session, rotation_id, lock=True)
    if record is None:
        raise NotFound("There is no such rotation.")
    if record.destroyed_at is not None:
        return view_of(record)
    if record.rewrapped_at is None:
        raise KeysInUse("Not every service has finished: destroy nothing yet.")
    left = await rewrapper_of(state).old_keks(record.new_kek_id) & set(record.retiring)
    if left:
        raise KeysInUse(f"The key provider still has {len(left)} of the retiring keys.")
    record.destroyed_at = await identity.now(session)
    session.add(record)
    await session.flush()
    for kek_id in record.retiring:
        await publish(session, KekDestroyed(kek_id=kek_id, destroyed_at=record.destroyed_at))
    detail = {"rotation_id": record.id, "kek_id": record.new_kek_id, "destroyed": len(record.retiring)}
    await publish_audit(session, entry(Action.KEYS_DESTROYED, operator, detail))
    return view_of(record)


async def read(session: AsyncSession, rotation_id: UUID) -> RotationView:
    """A rotation.

    Raises:
        NotFound: there is none.
    """
    record = await repository.rotation(session, rotation_id)
    if record is None:
        raise NotFound("There is no such rotation.")
    return view_of(record)


async def page(session: AsyncSession, before: UUID | None, limit: int) -> list[RotationView]:
    """Rotations, newest first, those before one in that order."""
    return [view_of(record) for record in await repository.newest(session, before, limit)]


def view_of(record: KeyRotation) -> RotationView:
    """The view of a row."""
    state = RotationState.REWRAPPING
    if record.rewrapped_at is not None:
        state = RotationState.REWRAPPED if record.destroyed_at is None else RotationState.DONE
    services = {service: record.services.get(service) for service in HOLDERS}
    made = {"state": state, "kek_id": record.new_kek_id, "services": services}
    return RotationView.model_validate(record.model_dump() | made)


def _finished(record: KeyRotation, service: KeyHolder) -> bool:
    told = record.services.get(service)
    return told is not None and bool(told["finished"])
