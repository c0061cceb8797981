"""Registering and removing a connection, each with its entry in the audit log."""

from __future__ import annotations

from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.ingest.connections import repository
from otokura.ingest.connections.errors import ConnectionNotFound, UnfitConnection
from otokura.ingest.connections.models import StoredConnection
from otokura.ingest.connections.views import SIGNING, ConnectionInput, Dialect
from otokura.ingest.dependencies import Caller
from otokura.ingest.repository import now
from otokura.ingest.service import check_purposes
from otokura.ingest.vendor_secrets import VendorSecrets
from otokura.shared.audit import Action, AuditDraft
from otokura.shared.events import TenantSettings
from otokura.shared.ids import uuid7
from otokura.shared.outbox import publish_audit


async def register(
    session: AsyncSession,
    secrets: VendorSecrets,
    vendor: Caller,
    dialect: Dialect,
    asked: ConnectionInput,
    settings: TenantSettings,
) -> tuple[StoredConnection, bool]:
    """Keep what was asked in the place of what was registered before.

    Returns:
        The row, and whether it is new.

    Raises:
        UnfitConnection: it does not fit the dialect, or a signing dialect would be without a secret.
        UnknownPurpose: a default purpose that the tenant did not disclose.
        Unavailable: the key provider is away.
    """
    secret = asked.secret_for(dialect)
    check_purposes(asked.defaults.purposes, settings)
    moment = await now(session)
    stored = await repository.lock(session, vendor.client_id, dialect)
    new = stored is None
    if stored is None:
        stored = StoredConnection(
            client_id=vendor.client_id,
            dialect=dialect.value,
            id=uuid7(),
            tenant_id=vendor.tenant_id,
            settings={},
            version=0,
            created_at=moment,
            updated_at=moment,
        )
    if secret is not None:
        await _keep_secret(secrets, stored, secret)
    if dialect in SIGNING and stored.secret is None:
        raise UnfitConnection(f"{dialect} signs its streams: register the secret with which it does.")
    stored.settings = asked.settings().model_dump(mode="json")
    stored.version += 1
    stored.updated_at = moment
    session.add(stored)
    await session.flush()
    detail = {"dialect": dialect.value, "new_secret": secret is not None, **stored.settings}
    await publish_audit(session, _entry(Action.CONNECTION_REGISTERED, vendor, detail))
    return stored, new


async def _keep_secret(secrets: VendorSecrets, stored: StoredConnection, secret: bytes) -> None:
    stored.id = uuid7()
    sealed = await secrets.seal(stored.tenant_id, stored.id, secret)
    stored.kek_id, stored.wrapped_key, stored.secret = sealed.kek_id, sealed.wrapped, sealed.ciphertext


async def remove(session: AsyncSession, vendor: Caller, dialect: Dialect) -> None:
    """Forget it, with its secret.

    Raises:
        ConnectionNotFound: there is none.
    """
    stored = await repository.lock(session, vendor.client_id, dialect)
    if stored is None:
        raise ConnectionNotFound(dialect)
    await session.delete(stored)
    await publish_audit(session, _entry(Action.CONNECTION_REMOVED, vendor, {"dialect": dialect.value}))


def _entry(action: Action, vendor: Caller, detail: dict[str, Any]) -> AuditDraft:
    return AuditDraft(action=action, tenant_id=vendor.tenant_id, reader=str(vendor.client_id), detail=detail)
