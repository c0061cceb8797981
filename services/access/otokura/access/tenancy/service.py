"""Tenants come and are configured: each change is one transaction of state, event and audit entry."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.identity import principals
from otokura.access.identity import repository as identity
from otokura.access.identity.service import PrincipalKind
from otokura.access.identity.subject import Reader
from otokura.access.identity.views import Credentials, PrincipalBody
from otokura.access.permission import entry, tenant_of
from otokura.access.tenancy import repository
from otokura.access.tenancy.models import Tenant
from otokura.access.tenancy.views import TenantBody, TenantCreated, TenantView
from otokura.shared.audit_entries import Action
from otokura.shared.errors import Conflict, PreconditionFailed, Unprocessable
from otokura.shared.events import Role, TenantSettings, TenantUpdated
from otokura.shared.ids import uuid7
from otokura.shared.outbox import publish, publish_audit


async def create(session: AsyncSession, body: TenantBody, operator: Reader) -> TenantCreated:
    """A new tenant with its first administrator.

    Raises:
        Conflict: another tenant has the name.
    """
    if await repository.name_is_taken(session, body.name):
        raise Conflict("There is a tenant of this name.")
    at = await identity.now(session)
    settings = TenantSettings()
    tenant = Tenant(
        id=uuid7(), name=body.name, version=1, settings=settings.model_dump(mode="json"), created_at=at
    )
    session.add(tenant)
    await session.flush()
    admin_body = PrincipalBody(
        name=f"{body.name} administrator"[:200], kind=PrincipalKind.PERSON, roles=[Role.ADMIN]
    )
    admin = await principals.create(session, admin_body, tenant.id)
    await _announce(session, tenant, settings)
    draft = entry(Action.TENANT_CREATED, operator, {"tenant": body.name, "admin": str(admin.record.id)})
    await publish_audit(session, draft.model_copy(update={"tenant_id": tenant.id}))
    credentials = Credentials(id=admin.record.id, client_id=admin.record.id, client_secret=admin.secret)
    return TenantCreated(tenant=TenantView.model_validate(tenant.model_dump()), admin=credentials)


async def change_settings(
    session: AsyncSession, settings: TenantSettings, expected_version: int, admin: Reader
) -> int:
    """Replaces a tenant's settings.

    Returns:
        The new version.

    Raises:
        PreconditionFailed: they have changed since `expected_version`.
        Unprocessable: they do not go together.
    """
    names = [purpose.name for purpose in settings.purposes]
    _check(settings, names)
    tenant = await repository.tenant(session, tenant_of(admin), lock=True)
    if tenant.version != expected_version:
        raise PreconditionFailed("The settings have changed since you read them: read them again.")
    before, tenant.settings = tenant.settings, settings.model_dump(mode="json")
    tenant.version += 1
    session.add(tenant)
    await session.flush()
    await _announce(session, tenant, settings)
    told, was = _told(settings), _told(TenantSettings.model_validate(before))
    detail = {
        "version": tenant.version,
        "changed": sorted(key for key, value in tenant.settings.items() if before.get(key) != value),
        **told,
        "before": {name: value for name, value in was.items() if value != told[name]},
    }
    await publish_audit(session, entry(Action.SETTINGS_CHANGED, admin, detail))
    return tenant.version


def _told(settings: TenantSettings) -> dict[str, Any]:
    """What an entry says of settings: names of what is long."""
    return {
        "purposes": [purpose.name for purpose in settings.purposes],
        "require_notice": settings.require_notice,
        "require_purpose": settings.require_purpose,
        "require_second_factor": settings.require_second_factor,
        "notice_version": settings.notice_version,
        "retention_days": settings.retention_days,
        "live_transcripts": settings.live_transcripts,
        "audiohook_transcripts": settings.audiohook_transcripts,
        "redaction_off": sorted(settings.redaction.off),
        "insight_rules": [rule.id for rule in settings.insight_rules.add],
        "insight_rules_off": sorted(settings.insight_rules.disable),
        "break_glass_minutes": settings.break_glass_minutes,
        "leak_rules": [rule.model_dump(mode="json") for rule in settings.leak_rules.add],
        "leak_rules_off": sorted(settings.leak_rules.disable),
        "audit_detail_days": settings.audit_detail_days,
    }


def _check(settings: TenantSettings, names: list[str]) -> None:
    if len(set(names)) != len(names):
        raise Unprocessable("Two purposes have the same name.")
    if settings.require_purpose and not names:
        raise Unprocessable("With require_purpose and no purposes no call could start: state the purposes.")
    if settings.audiohook_transcripts is None:
        return
    if settings.audiohook_transcripts not in names:
        raise Unprocessable("audiohook_transcripts must be the name of one of the purposes.")
    if not settings.live_transcripts:
        raise Unprocessable("audiohook_transcripts is live text: it needs live_transcripts.")


async def read_settings(session: AsyncSession, tenant_id: UUID) -> tuple[TenantSettings, int]:
    """A tenant's settings and their version."""
    tenant = await repository.tenant(session, tenant_id)
    return TenantSettings.model_validate(tenant.settings), tenant.version


async def _announce(session: AsyncSession, tenant: Tenant, settings: TenantSettings) -> None:
    event = TenantUpdated(
        tenant_id=tenant.id,
        version=tenant.version,
        name=tenant.name,
        disabled=tenant.disabled,
        settings=settings,
    )
    await publish(session, event)
