"""Tries count from before the password is looked at: many at once are no more than one after another."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from uuid import UUID

from otokura.access.errors import TooManyTries
from otokura.access.identity import repository as identity
from otokura.access.identity.tokens import RefusalThrottle, where
from otokura.access.logins import lockout, repository
from otokura.access.logins.repository import Account
from otokura.access.state import AccessState
from otokura.shared import metrics
from otokura.shared.address import ResolvedAddress
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.database import Database
from otokura.shared.ids import uuid7

REFUSED = metrics.counter(
    "otokura_access_logins_refused_total", "Logins refused, by whether there is such a login.", ["login"]
)


def account_hash(company: str, login: str) -> str:
    """By which tries are counted, whether there is such a login or not. It shows nothing that was typed."""
    return hashlib.sha256(json.dumps([company, login]).encode()).hexdigest()


async def begin(
    database: Database, counted_as: str, network: str, principal_id: UUID | None
) -> datetime | None:
    """Counts a try, unless there were too many: then it must not be looked at.

    Returns:
        The database's time; None when there were too many.
    """
    async with database.session() as session:
        failures = await repository.failures(session, counted_as, network, principal_id)
        if not lockout.may_try(failures):
            return None
        await repository.add_try(session, uuid7(), counted_as, network)
        return await identity.now(session)


def too_many() -> TooManyTries:
    """What is answered then, of every login alike."""
    minutes = int(lockout.WINDOW.total_seconds()) // 60
    return TooManyTries(
        f"Too many tries: wait {minutes} minutes, or log in from where you usually do.",
        headers={"Retry-After": str(minutes * 60)},
    )


async def refuse(
    state: AccessState,
    throttle: RefusalThrottle,
    account: Account | None,
    place: ResolvedAddress,
    why: str,
) -> None:
    """Writes a refusal down: of a login one a minute, place and reason, with how many it stands for.

    Of logins that do not exist one a minute and place, whoever is named.

    Raises:
        Unavailable: it could not be written.
    """
    REFUSED.labels("known" if account else "unknown").inc()
    principal_id = account.principal.id if account else None
    count = throttle.counted(principal_id, f"{lockout.network_of(place.address)} {why}")
    if not count:
        return
    about = {"name": account.principal.name} if account else {}
    draft = AuditDraft(
        action=Action.LOGIN_REFUSED,
        tenant_id=account.login.tenant_id if account else None,
        reader=str(principal_id) if principal_id else None,
        detail={"why": why, "count": count} | about | where(place),
    )
    await state.audit.write(draft)
