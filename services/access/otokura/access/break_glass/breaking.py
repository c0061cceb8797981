"""Asking, approving and ending: each is one transaction of state and audit entry.

The entries of asking and approving make audit raise an alert (`otokura.audit.alerting`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.break_glass import repository
from otokura.access.break_glass.models import BreakGlass
from otokura.access.break_glass.service import (
    APPROVABLE,
    GlassState,
    check_approval,
    check_person,
    state_of,
)
from otokura.access.break_glass.views import GlassBody, GlassView
from otokura.access.identity import repository as identity
from otokura.access.identity.subject import Reader
from otokura.access.permission import entry, tenant_of
from otokura.access.policy.decided import Decided
from otokura.access.tenancy import service as tenancy
from otokura.shared.audit_entries import Action
from otokura.shared.errors import Conflict, NotFound, Unprocessable
from otokura.shared.ids import uuid7
from otokura.shared.outbox import publish_audit


async def ask(session: AsyncSession, body: GlassBody, asker: Reader) -> GlassView:
    """Asks for every call of the tenant.

    Raises:
        Forbidden: the asker is a program.
        Unprocessable: for longer than the tenant's settings permit.
        Conflict: the asker waits for an approval, or has one.
    """
    tenant_id = tenant_of(asker)
    await _check_person(session, asker)
    settings, _ = await tenancy.read_settings(session, tenant_id)
    if body.minutes > settings.break_glass_minutes:
        raise Unprocessable(f"Your company permits at most {settings.break_glass_minutes} minutes.")
    at = await repository.clock(session)
    last = await repository.last_of(session, asker.facts.id)
    if last is not None and state_of(last, at) in {GlassState.ASKED, GlassState.BROKEN}:
        raise Conflict("You have asked already: end that first.", id=str(last.id))
    glass = BreakGlass(
        id=uuid7(),
        tenant_id=tenant_id,
        asked_by=asker.facts.id,
        reason=body.reason,
        minutes=body.minutes,
        asked_at=at,
        lapses_at=at + APPROVABLE,
    )
    session.add(glass)
    about = {"reason": glass.reason, "minutes": glass.minutes, "lapses_at": glass.lapses_at}
    await _entry(session, Action.BREAK_GLASS_ASKED, asker, glass, about)
    return GlassView.of(glass, at)


async def approve(session: AsyncSession, glass_id: UUID, approver: Reader) -> GlassView:
    """Breaks the glass for who asked; again by the same approver is no error.

    Raises:
        NotFound: nobody of the tenant asked for this.
        OwnApproval: the approver is who asked.
        Forbidden: the approver is a program.
        Conflict: it was approved by somebody else, ended, or has lapsed.
    """
    glass = await _glass(session, glass_id, approver)
    await _check_person(session, approver)
    at = await repository.clock(session)
    if glass.approved_by == approver.facts.id and state_of(glass, at) is GlassState.BROKEN:
        return GlassView.of(glass, at)
    check_approval(glass, approver.facts.id, at)
    glass.approved_by, glass.approved_at = approver.facts.id, at
    glass.until = at + timedelta(minutes=glass.minutes)
    session.add(glass)
    about = {"reason": glass.reason, "minutes": glass.minutes, "until": glass.until}
    await _entry(session, Action.BREAK_GLASS_APPROVED, approver, glass, about)
    return GlassView.of(glass, at)


async def end(session: AsyncSession, glass_id: UUID, reader: Reader, *, manages: Decided | None) -> None:
    """Ends it, also for readings under way; what nobody approved yet is taken back. Again is no error.

    Raises:
        NotFound: there is nothing of the kind that the reader asked for or may end.
    """
    glass = await _glass(session, glass_id, reader)
    own = reader.facts.id in {glass.asked_by, glass.approved_by}
    if manages is None and not own:
        raise _absent()
    at = await repository.clock(session)
    if state_of(glass, at) not in {GlassState.ASKED, GlassState.BROKEN}:
        return
    glass.ended_by, glass.ended_at = reader.facts.id, at
    session.add(glass)
    # Who asked or approved ends it whatever the policies say.
    by = reader if own else reader.by(manages)
    await _entry(session, Action.BREAK_GLASS_ENDED, by, glass, {"was_approved": glass.until is not None})


async def _glass(session: AsyncSession, glass_id: UUID, reader: Reader) -> BreakGlass:
    glass = await repository.glass(session, tenant_of(reader), glass_id)
    if glass is None:
        raise _absent()
    return glass


def _absent() -> NotFound:
    return NotFound("Nobody asked for this.")


async def _check_person(session: AsyncSession, reader: Reader) -> None:
    """Also locks who it is, so that nobody asks twice at once."""
    principal = await identity.principal(session, tenant_of(reader), reader.facts.id)
    if principal is None:
        raise AssertionError("a reader is a principal of their tenant")
    check_person(principal.kind)


async def _entry(
    session: AsyncSession, action: Action, reader: Reader, glass: BreakGlass, about: dict[str, Any]
) -> None:
    detail = {"glass": glass.id, "asked_by": glass.asked_by, **about}
    await publish_audit(session, entry(action, reader, detail))
