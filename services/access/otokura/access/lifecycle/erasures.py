"""Erasures are asked for and withdrawn: each is one transaction of its rows and its entry.

Asking erases nothing by itself: a worker begins each call when it may (`beginning`), so that one that is
held, live, or kept for a minimum time waits for as long as it must.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.errors import PossibleMatches
from otokura.access.identity import repository as identity
from otokura.access.identity.subject import Reader
from otokura.access.lifecycle import customers, repository, requests
from otokura.access.lifecycle.models import Erasure
from otokura.access.lifecycle.service import wait_of
from otokura.access.lifecycle.views import (
    CallSelection,
    ErasureBody,
    ErasureView,
    Preview,
    PreviewCall,
    WhatMayBe,
)
from otokura.access.permission import entry, tenant_of
from otokura.access.state import AccessState
from otokura.shared.audit_entries import Action
from otokura.shared.errors import Conflict, NotFound, Unprocessable
from otokura.shared.events import ErasedKind
from otokura.shared.ids import uuid7
from otokura.shared.outbox import publish_audit

_BUSY = "Calls of your company's customers are looked for already, as many times at once as may be: wait."
_BUSY_SECONDS = 10


async def chosen_calls(state: AccessState, selection: CallSelection, officer: Reader) -> customers.Found:
    """The calls that a selection means, with those that only may be meant if it says so.

    Raises:
        PossibleMatches: there are some of those, and it says nothing of them.
        Unprocessable, TooManyRequests, Unavailable: as `select_calls`.
    """
    found, customer = await select_calls(state, selection, officer), selection.customer
    if customer is None or not found.possible:
        return found
    if customer.possible is None:
        raise PossibleMatches(len(found.possible))
    more = found.possible if customer.possible is WhatMayBe.INCLUDE else []
    return replace(found, call_ids=[*found.call_ids, *more])


async def select_calls(state: AccessState, selection: CallSelection, officer: Reader) -> customers.Found:
    """The calls that a selection means, and those that it may mean.

    Raises:
        TooManyRequests: customers of the tenant are looked for as often at once as may be.
        Unprocessable: the tenant does not have a call that is named, or too many would have to be opened.
        Unavailable: the entry could not be written, or the key provider is away.
    """
    tenant_id = tenant_of(officer)
    if selection.customer is not None:
        window = selection.customer.model_dump(include={"since", "until"})
        looked = entry(
            Action.CUSTOMER_SEARCHED, officer, {"numbers": len(selection.customer.numbers), **window}
        )
        with state.findings.take(tenant_id, _BUSY, _BUSY_SECONDS):
            return await customers.find(state, tenant_id, selection.customer, await state.audit.write(looked))
    wanted = list(dict.fromkeys(selection.call_ids or ()))
    async with state.database.session() as session:
        known = {row["call_id"] for row in await requests.known(session, tenant_id, wanted)}
    unknown = [str(call_id) for call_id in wanted if call_id not in known]
    if unknown:
        raise Unprocessable(
            "Some calls are not there, or are erased already: see `unknown`.", unknown=unknown
        )
    return customers.Found(wanted)


async def preview(state: AccessState, selection: CallSelection, officer: Reader) -> tuple[Preview, UUID]:
    """What an erasure would cover now, and what each call would wait for; and the entry of the calls shown.

    Raises:
        Unprocessable, TooManyRequests, Unavailable: as `select_calls`; or the entry could not be written.
    """
    tenant_id, found = tenant_of(officer), await select_calls(state, selection, officer)
    calls, possible = list[PreviewCall](), list[PreviewCall]()
    only_may_be = set(found.possible)
    async with state.database.session() as session:
        rules, now = await repository.rules(session, tenant_id), await identity.now(session)
        for row in await requests.known(session, tenant_id, [*found.call_ids, *found.possible]):
            standing = await repository.standing(session, tenant_id, row["call_id"])
            if standing is not None:
                wait = wait_of(standing, rules, ErasedKind.CALL, now)
                waits_for = wait.obstacle.value if wait else None
                call = PreviewCall.model_validate({**row, "waits_for": waits_for})
                (possible if call.call_id in only_may_be else calls).append(call)
    told = {"possible": len(possible), "unreadable": len(found.unreadable)}
    shown = {"calls": [call.call_id for call in (*calls, *possible)], **told}
    entry_id = await state.audit.write(entry(Action.CALLS_SEARCHED, officer, shown))
    return Preview(calls=calls, possible=possible, unreadable=len(found.unreadable)), entry_id


async def create(
    session: AsyncSession, body: ErasureBody, found: customers.Found, officer: Reader
) -> ErasureView:
    """Asks for the erasure of calls.

    Raises:
        Unprocessable: there are none.
    """
    if not found.call_ids:
        raise Unprocessable("No call is found.", unreadable=len(found.unreadable))
    tenant_id = tenant_of(officer)
    erasure = Erasure(
        id=uuid7(),
        tenant_id=tenant_id,
        kind=ErasedKind.CALL,
        selected_by="customer" if body.customer else "calls",
        ground=body.ground,
        reason=body.reason,
        requested_by=officer.facts.id,
        requested_at=await identity.now(session),
    )
    session.add(erasure)
    await session.flush()
    await requests.add_items(session, erasure.id, tenant_id, erasure.kind, found.call_ids)
    # Each call has an entry of its own when it begins; this one says who asked, and why.
    detail = {
        "erasure_id": erasure.id,
        "kind": erasure.kind,
        "ground": erasure.ground,
        "reason": erasure.reason,
        "selected_by": erasure.selected_by,
        "calls": len(found.call_ids),
        "unreadable": len(found.unreadable),
        "possible": len(found.possible),
        "possible_were": body.customer.possible if body.customer and found.possible else None,
    }
    await publish_audit(session, entry(Action.ERASURE_REQUESTED, officer, detail))
    return (await views(session, [erasure]))[0]


async def find(session: AsyncSession, officer: Reader, erasure_id: UUID, *, lock: bool = False) -> Erasure:
    """An erasure of the reader's tenant.

    Raises:
        NotFound: there is none.
    """
    found = await repository.erasure(session, tenant_of(officer), erasure_id, lock=lock)
    if found is None:
        raise NotFound("There is no such erasure.")
    return found


async def withdraw(session: AsyncSession, officer: Reader, erasure_id: UUID) -> ErasureView:
    """Takes back what has not begun.

    Raises:
        NotFound: there is no such erasure.
        Conflict: it was withdrawn before, or all of it has begun.
    """
    erasure = await find(session, officer, erasure_id, lock=True)
    if erasure.withdrawn_at is not None:
        raise Conflict("This erasure is withdrawn already.")
    calls = await requests.withdraw(session, erasure_id)
    if not calls:
        raise Conflict("Every call of this erasure has begun to be erased: nothing is left to withdraw.")
    erasure.withdrawn_at = await identity.now(session)
    session.add(erasure)
    await session.flush()
    detail = {"erasure_id": erasure_id, "calls": calls}
    await publish_audit(session, entry(Action.ERASURE_WITHDRAWN, officer, detail))
    return (await views(session, [erasure]))[0]


async def views(session: AsyncSession, erasures: Sequence[Erasure]) -> list[ErasureView]:
    """Erasures as they are shown, with how far they have come."""
    counts = await requests.counts(session, [erasure.id for erasure in erasures])
    return [ErasureView.model_validate(each.model_dump() | counts[each.id]) for each in erasures]
