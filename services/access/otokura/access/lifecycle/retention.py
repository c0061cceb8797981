"""How long a tenant keeps what: changed by its administrators, one after the other."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.identity import repository as identity
from otokura.access.identity.subject import Reader
from otokura.access.lifecycle.models import Retention
from otokura.access.lifecycle.views import RetentionRules
from otokura.access.permission import entry, tenant_of
from otokura.access.tenancy import repository as tenancy
from otokura.shared.audit_entries import Action
from otokura.shared.errors import PreconditionFailed, Unprocessable
from otokura.shared.events import TenantSettings
from otokura.shared.outbox import publish_audit


async def read(session: AsyncSession, tenant_id: UUID) -> tuple[RetentionRules, int]:
    """A tenant's rules and their version; 0 for those that nobody has written yet."""
    found = (await session.exec(select(Retention).where(Retention.tenant_id == tenant_id))).one_or_none()
    return (RetentionRules.model_validate(found.rules), found.version) if found else (RetentionRules(), 0)


async def change(session: AsyncSession, rules: RetentionRules, expected_version: int, admin: Reader) -> int:
    """Replaces the rules.

    Returns:
        Their new version.

    Raises:
        PreconditionFailed: they have changed since `expected_version`.
        Unprocessable: recordings would be kept longer than callers are told.
    """
    tenant = await tenancy.tenant(session, tenant_of(admin), lock=True)
    before, version = await read(session, tenant.id)
    if version != expected_version:
        raise PreconditionFailed("The rules have changed since you read them: read them again.")
    _check(rules, TenantSettings.model_validate(tenant.settings))
    values = rules.model_dump(mode="json")
    found = await session.get(Retention, tenant.id) or Retention(
        tenant_id=tenant.id, version=0, rules={}, changed_at=await identity.now(session)
    )
    found.version, found.rules = version + 1, values
    found.changed_at = await identity.now(session)
    session.add(found)
    await session.flush()
    detail = {"version": found.version, "before": before.model_dump(mode="json"), "after": values}
    await publish_audit(session, entry(Action.RETENTION_CHANGED, admin, detail))
    return found.version


def _check(rules: RetentionRules, settings: TenantSettings) -> None:
    """What is published binds: `retention_days` is what callers are told."""
    ends = [days for days in (rules.recording.max_days, rules.call.max_days) if days is not None]
    if settings.retention_days is not None and (not ends or min(ends) > settings.retention_days):
        raise Unprocessable(
            f"Callers are told that recordings are kept for {settings.retention_days} days: "
            "recording.max_days must not be more. Change retention_days in the settings first."
        )
