"""Making and revoking grants: nobody passes on what they may not have, or what nobody could use."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.grants import repository
from otokura.access.grants.models import GrantRecord
from otokura.access.grants.views import GrantBody
from otokura.access.identity import repository as identity
from otokura.access.identity.models import PrincipalRecord
from otokura.access.identity.service import PrincipalKind
from otokura.access.identity.subject import Reader
from otokura.access.permission import entry, record_denial, tenant_of
from otokura.access.policy import repository as zones
from otokura.access.policy.decided import Decided, decide
from otokura.access.policy.denial import absent
from otokura.access.reads.gate import Permit
from otokura.access.reads.service import Decide, judge
from otokura.access.reads.views import facts_of
from otokura.access.state import AccessState
from otokura.shared.audit_entries import Action
from otokura.shared.errors import NotFound, Unprocessable
from otokura.shared.events import Role
from otokura.shared.ids import uuid7
from otokura.shared.outbox import publish_audit
from otokura.shared.policy.facts import GrantFacts, PolicyAction, ReaderFacts
from otokura.shared.problems import told
from otokura.shared.tombstones import is_erased


async def check_giver(state: AccessState, permit: Permit, body: GrantBody) -> None:
    """Refuses a giver who may not have all of it, for this purpose. Broken glass is no help.

    Raises:
        Forbidden: says why; it is written down.
        Unavailable: the denial could not be written.
    """
    giver, call = permit.reader, facts_of(permit.row)
    asked = replace(giver.circumstances(body.purpose, body.reason), break_glass=False)
    for form in body.what:
        denial = judge(state.policies.decide, giver, call, form.action, asked)
        if denial is not None:
            decided = decide(state.policies, giver.facts, form.action, call, asked)
            await record_denial(state, giver, denial, form.action, decided, call.id)
            raise denial.error


async def make(session: AsyncSession, ask: Decide, permit: Permit, body: GrantBody) -> GrantRecord:
    """A new grant, with its audit entry.

    Raises:
        NotFound: the tenant has no such reader, or the call was erased meanwhile.
        Unprocessable: it could never be used; says why.
    """
    giver, tenant_id = permit.reader, tenant_of(permit.reader)
    if await is_erased(session, body.call_id):
        raise absent().error
    reader = await repository.principal(session, tenant_id, body.reader_id)
    if reader is None:
        raise NotFound("There is nobody of this reader_id.")
    if reader.id == giver.facts.id:
        raise Unprocessable("This is yourself: a grant is for somebody else.")
    if reader.kind != PrincipalKind.PERSON or reader.disabled_at is not None:
        raise Unprocessable("A grant is for a person, and for one who is not disabled.")
    manifest = permit.row["manifest"]
    if manifest and body.start_ms is not None and body.start_ms >= manifest["duration_ms"]:
        raise Unprocessable("The recording ends before start_ms.")
    record = _record(body, tenant_id, giver.facts.id)
    record.made_at = await identity.now(session)
    record.expires_at = record.made_at + timedelta(minutes=body.minutes)
    known = [zone.name for zone in await zones.zones(session, tenant_id)]
    _check_zones(body, known)
    await _check_reader(session, ask, permit, reader, record, known)
    session.add(record)
    about = record.model_dump(
        mode="json", exclude={"tenant_id", "call_id", "used", "revoked_by", "revoked_at"}
    )
    detail = {"grant": {**about, "reader_name": reader.name}}
    await publish_audit(session, entry(Action.GRANT_MADE, giver, detail, record.call_id))
    return record


def _record(body: GrantBody, tenant_id: UUID, giver: UUID) -> GrantRecord:
    given = body.model_dump(exclude={"what", "zones", "minutes"})
    what = sorted({form.value for form in body.what})
    zones_given = sorted(set(body.zones))
    return GrantRecord(
        **given, id=uuid7(), tenant_id=tenant_id, given_by=giver, what=what, zones=zones_given, used=0
    )


def _check_zones(body: GrantBody, known: Collection[str]) -> None:
    """Tells which zones are none by where they stand in the body: a problem never shows what was sent."""
    wrong = [number for number, name in enumerate(body.zones) if name not in known]
    if wrong:
        raise Unprocessable(
            "There are no such zones: see errors.",
            errors=[told("body", "There is no zone of this name.", "zones", number) for number in wrong],
        )


async def _check_reader(
    session: AsyncSession,
    ask: Decide,
    permit: Permit,
    reader: PrincipalRecord,
    record: GrantRecord,
    known: Collection[str],
) -> None:
    """Asks the policies what they would say to the reader, standing in each of the zones that it is for."""
    names = await identity.agent_ids(session, [reader.id])
    facts = ReaderFacts(
        id=reader.id,
        tenant_id=record.tenant_id,
        roles=frozenset(map(Role, reader.roles)),
        team=reader.team,
        agent_ids=frozenset(names[reader.id]),
    )
    what = frozenset(map(PolicyAction, record.what))
    grant = GrantFacts(record.id, reader.id, record.call_id, what, record.purpose, frozenset(record.zones))
    there = replace(
        permit.reader.circumstances(record.purpose, record.reason, grant),
        zones=tuple(sorted(record.zones or known)),
        break_glass=False,
    )
    for action in sorted(what):
        decision = ask(facts, action, facts_of(permit.row), there)
        if not decision.allowed:
            raise Unprocessable(
                "The reader could not use this grant: the policies would refuse them.",
                action=action.value,
                why=list(decision.policies) or ["no-policy-permits"],
            )


async def revoke(session: AsyncSession, grant_id: UUID, reader: Reader, *, manages: Decided | None) -> None:
    """Ends a grant, also for readings under way. Again is no error.

    Raises:
        NotFound: there is no such grant that the reader gave or may take back.
    """
    record = await repository.grant(session, tenant_of(reader), grant_id, lock=True)
    if record is None or not (manages is not None or record.given_by == reader.facts.id):
        raise NotFound("There is no such grant that you could take back.")
    if record.revoked_at is not None:
        return
    record.revoked_at, record.revoked_by = await identity.now(session), reader.facts.id
    session.add(record)
    detail = {"grant": record.id, "reader_id": record.reader_id, "used": record.used}
    # Who gave it takes it back whatever the policies say.
    by = reader if record.given_by == reader.facts.id else reader.by(manages)
    await publish_audit(session, entry(Action.GRANT_REVOKED, by, detail, record.call_id))
