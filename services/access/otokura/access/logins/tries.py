"""Tries count from before the password is looked at: many at once are no more than one after another."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from otokura.access.errors import TooManyTries
from otokura.access.identity import repository as identity
from otokura.access.identity.throttle import RefusalThrottle
from otokura.access.identity.tokens import where
from otokura.access.logins import lockout, repository
from otokura.access.logins.repository import Account
from otokura.access.state import AccessState
from otokura.shared import metrics
from otokura.shared.address import ResolvedAddress
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.database import Database
from otokura.shared.ids import uuid7

REFUSED = metrics.counter("otokura_access_logins_refused_total", "Logins refused.")
"""Of all alike: metrics are read without a credential. Whether there is such a login stands in the log."""


def account_hash(company: str, login: str) -> str:
    """By which tries are counted, whether there is such a login or not. It shows nothing that was typed."""
    return hashlib.sha256(json.dumps([company, login]).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Try:
    """One that may be looked at.

    Attributes:
        at: the database's time.
        counted_as: the account that it counts for, until it is forgiven.
        origin: whence: a network, or a device that is known.
    """

    at: datetime
    counted_as: str
    origin: str


async def begin(
    database: Database, counted_as: str, network: str, principal_id: UUID | None, device: str | None = None
) -> Try:
    """Counts a try.

    Args:
        database: the service's.
        counted_as: by `account_hash`.
        network: whence.
        principal_id: whose login it is; None when it is nobody's.
        device: the token of a device, if one came along. It counts only if the person has it from a log-in.

    Raises:
        TooManyTries: there were too many, and this one must not be looked at.
    """
    async with database.session() as session:
        shown = lockout.device_of(device) if device is not None else None
        is_known = shown is not None and await repository.knows(session, principal_id, shown)
        origin = shown if shown is not None and is_known else network
        failures = await repository.failures(session, counted_as, origin, principal_id)
        if not lockout.may_try(failures):
            raise _too_many()
        await repository.add_try(session, uuid7(), counted_as, origin)
        return Try(await identity.now(session), counted_as, origin)


def _too_many() -> TooManyTries:
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

    Of logins that do not exist one a minute and place, whoever is named. Each waits for the broker as long,
    whether an entry is written or not.

    Raises:
        Unavailable: it could not be written.
    """
    REFUSED.inc()
    principal_id = account.principal.id if account else None
    about = ({"name": account.principal.name} if account else {}) | where(place)

    def draft(count: int) -> AuditDraft:
        return AuditDraft(
            action=Action.LOGIN_REFUSED,
            tenant_id=account.login.tenant_id if account else None,
            reader=str(principal_id) if principal_id else None,
            detail={"why": why, "count": count} | about,
        )

    await throttle.write(state.audit, principal_id, f"{lockout.network_of(place.address)} {why}", draft)
