"""A vendor's API keys: two may live at once, so that a vendor changes its key without losing a call.

Each change is one transaction of state, event and audit entry. Ingest learns the hashes of the living keys
with their expiry, and needs nobody to tell it when one expires.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.identity import repository
from otokura.access.identity.models import ApiKeyRecord, PrincipalRecord
from otokura.access.identity.service import LIVING_KEYS, check_expiry, living
from otokura.access.identity.subject import Reader
from otokura.access.permission import entry, tenant_of
from otokura.shared.api_keys import hash_api_key, new_api_key
from otokura.shared.audit_entries import Action
from otokura.shared.clients import ClientKey, ClientLimits
from otokura.shared.errors import Conflict, NotFound
from otokura.shared.events import ClientUpdated, Role
from otokura.shared.ids import uuid7
from otokura.shared.outbox import publish, publish_audit


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was made, with the key itself, which is shown once."""

    record: ApiKeyRecord
    key: str

    def __repr__(self) -> str:
        return f"NewKey({self.record.id})"


async def add(
    session: AsyncSession, principal_id: UUID, at: datetime, expires_at: datetime | None = None
) -> NewKey:
    """Makes a key. Who calls this announces the client."""
    key = new_api_key(principal_id)
    record = ApiKeyRecord(
        id=uuid7(),
        principal_id=principal_id,
        sha256=hash_api_key(key),
        created_at=at,
        expires_at=expires_at,
    )
    session.add(record)
    await session.flush()
    return NewKey(record, key)


async def create(
    session: AsyncSession, principal_id: UUID, expires_at: datetime | None, manager: Reader
) -> NewKey:
    """A further key of a vendor's client.

    Raises:
        NotFound: the tenant has no such principal.
        Conflict: it is no vendor's, is disabled, or has two living keys.
        Unprocessable: the key would have expired already.
    """
    record = await vendor(session, principal_id, manager)
    at = await repository.now(session)
    check_expiry(expires_at, at)
    if len(living(await repository.api_keys(session, record.id), at)) >= LIVING_KEYS:
        raise Conflict(f"This client has {LIVING_KEYS} living keys: withdraw the one that is not used.")
    new = await add(session, record.id, at, expires_at)
    await _changed(session, record)
    about = {"id": str(record.id), "name": record.name, "key": str(new.record.id), "expires_at": expires_at}
    await publish_audit(session, entry(Action.KEY_CREATED, manager, {"principal": about}))
    return new


async def withdraw(session: AsyncSession, principal_id: UUID, key_id: UUID, manager: Reader) -> None:
    """Ends a key. Again is no error.

    Raises:
        NotFound: the tenant has no such principal, or the principal no such key.
    """
    record = await _principal(session, principal_id, manager)
    key = next((key for key in await repository.api_keys(session, record.id) if key.id == key_id), None)
    if key is None:
        raise NotFound("There is no such key.")
    if key.withdrawn_at is not None:
        return
    key.withdrawn_at = await repository.now(session)
    session.add(key)
    await session.flush()
    await _changed(session, record)
    about = {"id": str(record.id), "name": record.name, "key": str(key.id)}
    await publish_audit(session, entry(Action.KEY_WITHDRAWN, manager, {"principal": about}))


async def listed(session: AsyncSession, principal_id: UUID, manager: Reader) -> Sequence[ApiKeyRecord]:
    """All keys of a principal, oldest first, also those that are good no more.

    Raises:
        NotFound: the tenant has no such principal.
    """
    record = await _principal(session, principal_id, manager)
    return await repository.api_keys(session, record.id)


async def set_limits(
    session: AsyncSession, principal_id: UUID, limits: ClientLimits, manager: Reader
) -> None:
    """Sets what a vendor's client may use of ingest.

    Raises:
        NotFound: the tenant has no such principal.
        Conflict: it is no vendor's, or is disabled.
    """
    record = await vendor(session, principal_id, manager)
    before, record.limits = record.limits, limits.model_dump()
    await _changed(session, record)
    about = {"id": str(record.id), "name": record.name, "before": before, "limits": record.limits}
    await publish_audit(session, entry(Action.LIMITS_CHANGED, manager, {"principal": about}))


async def limits(session: AsyncSession, principal_id: UUID, manager: Reader) -> ClientLimits:
    """What was set.

    Raises:
        NotFound: the tenant has no such principal.
    """
    record = await _principal(session, principal_id, manager)
    return ClientLimits.model_validate(record.limits)


async def vendor(session: AsyncSession, principal_id: UUID, manager: Reader) -> PrincipalRecord:
    """A vendor's client of the manager's tenant, locked until the transaction ends.

    Raises:
        NotFound: the tenant has no such principal.
        Conflict: it is no vendor's, or is disabled.
    """
    record = await _principal(session, principal_id, manager)
    if Role.VENDOR not in record.roles:
        raise Conflict("Only a vendor's client has keys and limits.")
    if record.disabled_at is not None:
        raise Conflict("This client is disabled: make another one.")
    return record


async def announce(session: AsyncSession, record: PrincipalRecord, tenant_id: UUID) -> None:
    """Tells ingest of a vendor's client as it is now; nobody else has a key.

    Ingest checks keys alone, also while access is down.
    """
    if Role.VENDOR not in record.roles:
        return
    at = await repository.now(session)
    found = living(await repository.api_keys(session, record.id), at)
    unending = [key.sha256 for key in found if key.expires_at is None]
    event = ClientUpdated(
        client_id=record.id,
        tenant_id=tenant_id,
        version=record.version,
        name=record.name,
        roles=[Role(role) for role in record.roles],
        api_keys=[ClientKey(sha256=key.sha256, expires_at=key.expires_at) for key in found],
        limits=ClientLimits.model_validate(record.limits),
        disabled=record.disabled_at is not None,
        # For readers that know of one key only, and of no expiry: the one that is in use.
        api_key_sha256=unending[0] if unending else None,
    )
    await publish(session, event)


async def _changed(session: AsyncSession, record: PrincipalRecord) -> None:
    record.version += 1
    session.add(record)
    await session.flush()
    if record.tenant_id is not None:
        await announce(session, record, record.tenant_id)


async def _principal(session: AsyncSession, principal_id: UUID, manager: Reader) -> PrincipalRecord:
    record = await repository.principal(session, tenant_of(manager), principal_id)
    if record is None:
        raise NotFound("There is no such principal.")
    return record
