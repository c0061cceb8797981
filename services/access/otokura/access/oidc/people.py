"""Who a token of an issuer stands for: found by (issuer, subject), never by e-mail, or made where allowed.

A token that is newer than all that were seen of its subject is a log-in: what it says of groups, name and
agent ids holds from then on, and what an older one says does not. Both are rows, so that a person has at
every moment the roles that the newest token gave, whichever token and instance they come with.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.identity import repository as identity
from otokura.access.identity.models import PrincipalRecord
from otokura.access.identity.secrets import hash_secret, new_secret
from otokura.access.oidc import repository
from otokura.access.oidc.errors import TokenRefusedError
from otokura.access.oidc.models import OidcSubject
from otokura.access.oidc.trust import Arrival, TrustedIssuer
from otokura.shared.address import ResolvedAddress
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.events import TokenRevoked
from otokura.shared.ids import uuid7
from otokura.shared.outbox import publish, publish_audit

_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class LogIn:
    """A verified token: by whom it was given, of whom it speaks, and from where it came."""

    trusted: TrustedIssuer
    arrival: Arrival
    issued_at: datetime
    token_id: str
    place: ResolvedAddress

    def describe(self) -> dict[str, Any]:
        """For an audit entry."""
        address = self.place.address
        return {
            "issuer": self.trusted.issuer,
            "issuer_id": str(self.trusted.id),
            "issuer_version": self.trusted.version,
            "subject": self.arrival.subject,
            "jti": self.token_id,
            "issued_at": self.issued_at,
            "address": str(address) if address else None,
            "peer": self.place.peer,
            "forwarded_for": list(self.place.chain),
        }


async def log_in(session: AsyncSession, login: LogIn) -> UUID:
    """The principal, made or brought up to date by a token that is newer than all before.

    Raises:
        TokenRefusedError: the subject is not known and may not be made, is disabled, or the configuration
            has changed meanwhile (`changed`).
    """
    trusted, arrival = login.trusted, login.arrival
    if not await repository.still_trusted(session, trusted.id, trusted.version):
        raise TokenRefusedError("changed")
    at = await identity.now(session)
    found = await repository.subject(session, trusted.tenant_id, trusted.issuer, arrival.subject)
    if found is None:
        if not trusted.settings.provisioning:
            raise TokenRefusedError("unknown")
        found = await _make(session, trusted, arrival, at)
        await publish_audit(session, _entry(Action.PRINCIPAL_CREATED, login, found[1], _made(found[1])))
    subject, principal = found
    if principal.disabled_at is not None:
        raise TokenRefusedError("disabled")
    if principal.tokens_since is not None and login.issued_at < principal.tokens_since:
        raise TokenRefusedError("revoked")
    if subject.token_at is not None and login.issued_at <= subject.token_at:
        return principal.id  # another request was first
    subject.token_at = login.issued_at
    session.add(subject)
    if subject.made and arrival.name is not None:
        principal.name = arrival.name
    taken = await _bring_up_to_date(session, principal, arrival, at)
    detail = {
        "name": principal.name,
        "roles": principal.roles,
        "team": principal.team,
        "clashing_roles": arrival.clashing,
        "agent_ids_of_others": taken,
    }
    await publish_audit(session, _entry(Action.TOKEN_ACCEPTED, login, principal, detail))
    return principal.id


async def _make(
    session: AsyncSession, trusted: TrustedIssuer, arrival: Arrival, at: datetime
) -> tuple[OidcSubject, PrincipalRecord]:
    principal = PrincipalRecord(
        id=uuid7(),
        tenant_id=trusted.tenant_id,
        name=arrival.name or arrival.subject[:_LONGEST_NAME],
        kind=arrival.kind.value,
        roles=[],
        secret_sha256=hash_secret(new_secret()),  # nobody has ever seen it: there is no other way in
        version=1,
        created_at=at,
    )
    session.add(principal)
    await session.flush()
    subject = OidcSubject(
        tenant_id=trusted.tenant_id,
        issuer=trusted.issuer,
        subject=arrival.subject,
        principal_id=principal.id,
        made=True,
        created_at=at,
    )
    session.add(subject)
    await session.flush()
    return subject, principal


async def _bring_up_to_date(
    session: AsyncSession, principal: PrincipalRecord, arrival: Arrival, at: datetime
) -> list[str]:
    """What the token says, where the configuration lets it say something.

    Returns:
        Phone systems' names that belong to somebody else: they stay theirs.
    """
    if arrival.roles is not None:
        roles = sorted(role.value for role in arrival.roles)
        if set(principal.roles) - set(roles):
            # Tokens of ours that they got for an earlier one say more than is true now.
            await publish(session, TokenRevoked(subject=principal.id, at=at.replace(microsecond=0)))
        principal.roles, principal.team = roles, arrival.team
    principal.version += 1
    session.add(principal)
    await session.flush()
    if arrival.agent_ids is None or principal.tenant_id is None:
        return []
    await repository.drop_agent_ids(session, principal.id, arrival.agent_ids)
    held = (await identity.agent_ids(session, [principal.id]))[principal.id]
    wanted = sorted(arrival.agent_ids - set(held))
    return await identity.claim_agent_ids(session, principal.tenant_id, principal.id, wanted)


def _made(principal: PrincipalRecord) -> dict[str, Any]:
    return {"principal": {"id": str(principal.id), "name": principal.name, "roles": principal.roles}}


def _entry(action: Action, login: LogIn, principal: PrincipalRecord, about: dict[str, Any]) -> AuditDraft:
    return AuditDraft(
        action=action,
        tenant_id=principal.tenant_id,
        reader=str(principal.id),
        detail=login.describe() | about,
    )
