"""A principal's secret is changed: at once, or with some time in which the old one is good, too."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.identity import repository
from otokura.access.identity.ending import end_tokens
from otokura.access.identity.models import PrincipalRecord
from otokura.access.identity.secrets import hash_secret, new_secret
from otokura.access.identity.subject import Reader
from otokura.access.logins import repository as logins
from otokura.access.permission import entry, tenant_of
from otokura.shared.audit_entries import Action
from otokura.shared.errors import Conflict, NotFound
from otokura.shared.outbox import publish_audit


async def change_secret(
    session: AsyncSession, principal_id: UUID, overlap: timedelta, manager: Reader
) -> tuple[PrincipalRecord, str]:
    """A new secret. Without an overlap, the old one and all tokens obtained so far end at once.

    Raises:
        NotFound: the tenant has no such principal.
        Conflict: it is disabled, or a person who logs in with a password.
    """
    record = await repository.principal(session, tenant_of(manager), principal_id)
    if record is None:
        raise NotFound("There is no such principal.")
    if record.disabled_at is not None:
        raise Conflict("This principal is disabled: make another one.")
    if await logins.login_of(session, principal_id) is not None:
        raise Conflict("This person logs in with a password, and a secret would be a way around that.")
    at = await repository.now(session)
    secret = new_secret()
    before, record.secret_sha256 = record.secret_sha256, hash_secret(secret)
    record.old_secret_sha256 = before if overlap else None
    record.old_secret_until = at + overlap if overlap else None
    if not overlap:
        await end_tokens(session, record, at)
    session.add(record)
    await session.flush()
    about = {"id": str(record.id), "name": record.name, "old_secret_until": record.old_secret_until}
    await publish_audit(session, entry(Action.SECRET_CHANGED, manager, {"principal": about}))
    return record, secret
