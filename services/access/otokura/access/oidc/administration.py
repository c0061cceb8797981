"""Issuers and their subjects come, change and go: each time one transaction of state, events and entry.

Whoever came by an issuer comes again after it was changed or removed: all tokens so far end, those of the
issuer and those of ours that were got with them, in every service and for readings under way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.identity import repository as identity
from otokura.access.identity.ending import after_all_tokens
from otokura.access.identity.models import PrincipalRecord
from otokura.access.identity.subject import Reader
from otokura.access.oidc import repository
from otokura.access.oidc.errors import IssuerAmbiguous
from otokura.access.oidc.models import OidcIssuerRecord, OidcSubject
from otokura.access.oidc.trust import IssuerSettings, TrustedIssuer, overlaps
from otokura.access.oidc.views import IssuerBody, IssuerChange
from otokura.access.permission import entry, tenant_of
from otokura.access.tenancy import repository as tenancy
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.errors import Conflict, NotFound, PreconditionFailed, Unprocessable
from otokura.shared.events import Role, TokenRevoked
from otokura.shared.ids import uuid7
from otokura.shared.outbox import publish, publish_audit

MAX_ISSUERS = 20
"""Of one tenant."""


async def create(session: AsyncSession, body: IssuerBody, admin: Reader, own_issuer: str) -> OidcIssuerRecord:
    """A new issuer.

    Raises:
        Conflict: the tenant has it already, or too many.
        IssuerAmbiguous: another tenant has it, and nothing tells the tokens apart.
        Unprocessable: it is Otokura itself.
    """
    if body.issuer == own_issuer:
        raise Unprocessable("This is Otokura's own issuer: its tokens are accepted already.")
    tenant_id = tenant_of(admin)
    others = await repository.of_issuer(session, body.issuer)
    if any(other.tenant_id == tenant_id for other in others):
        raise Conflict("This issuer is configured already: change that configuration.")
    if len(await repository.issuers(session, tenant_id)) >= MAX_ISSUERS:
        raise Conflict(f"There are {MAX_ISSUERS} issuers already: remove one that is not needed.")
    _tell_apart(body.settings(), others)
    at = await identity.now(session)
    record = OidcIssuerRecord(
        id=uuid7(),
        tenant_id=tenant_id,
        issuer=body.issuer,
        settings=_stored(body.settings(), body.subject_claim),
        version=1,
        created_at=at,
    )
    session.add(record)
    await session.flush()
    # Who was known by it before it was removed comes with new tokens only.
    await _end_tokens(session, record, at)
    await _entry(session, Action.ISSUER_CONFIGURED, admin, record, {"settings": record.settings})
    return record


async def change(
    session: AsyncSession, issuer_id: UUID, body: IssuerChange, expected_version: int, admin: Reader
) -> OidcIssuerRecord:
    """Replaces how an issuer's tokens are judged.

    Raises:
        NotFound: the tenant has no such issuer.
        PreconditionFailed: it has changed since `expected_version`.
        IssuerAmbiguous: nothing would tell its tokens from another tenant's.
    """
    record = await _issuer(session, issuer_id, admin)
    if record.version != expected_version:
        raise PreconditionFailed("The issuer has changed since you read it: read it again.")
    others = [one for one in await repository.of_issuer(session, record.issuer) if one.id != record.id]
    _tell_apart(body.settings(), others)
    before = record.settings
    record.settings = _stored(body.settings(), before["subject_claim"])
    record.version += 1
    session.add(record)
    await session.flush()
    ended = await _end_tokens(session, record, await identity.now(session))
    about = {"before": before, "settings": record.settings, "people": ended}
    await _entry(session, Action.ISSUER_CHANGED, admin, record, about)
    return record


async def remove(session: AsyncSession, issuer_id: UUID, admin: Reader) -> None:
    """Trusts an issuer no more. Who came by it stays a principal, whom no token makes.

    Raises:
        NotFound: the tenant has no such issuer.
        Conflict: nobody would be left to administrate.
    """
    await tenancy.keep_a_way_in(session, tenant_of(admin))
    record = await _issuer(session, issuer_id, admin)
    left = await identity.active_with_role(session, record.tenant_id, Role.ADMIN, without_issuer=record.id)
    if not left:
        raise Conflict(
            "All administrators who can come do so by this issuer: make one with a secret of Otokura's first."
        )
    ended = await _end_tokens(session, record, await identity.now(session))
    await session.delete(record)
    await _entry(session, Action.ISSUER_REMOVED, admin, record, {"people": ended})


async def bind(
    session: AsyncSession, issuer_id: UUID, subject: str, principal_id: UUID, admin: Reader
) -> tuple[OidcSubject, PrincipalRecord]:
    """Says who a subject of an issuer is.

    Raises:
        NotFound: the tenant has no such issuer, or no such principal.
        Conflict: the subject is somebody already, or the principal is disabled or has another subject there.
        Unprocessable: the principal is a vendor's client.
    """
    record = await _issuer(session, issuer_id, admin)
    principal = await identity.principal(session, record.tenant_id, principal_id)
    if principal is None:
        raise NotFound("There is no such principal.")
    if principal.disabled_at is not None:
        raise Conflict("This principal is disabled: make another one.")
    if Role.VENDOR in principal.roles:
        raise Unprocessable("A vendor's client comes with keys and secrets of Otokura's.")
    taken = await repository.subject(session, record.tenant_id, record.issuer, subject)
    other = await repository.bound(session, record.tenant_id, record.issuer, principal_id)
    if taken is not None or other is not None:
        raise Conflict("The subject is somebody already, or the principal has a subject at this issuer.")
    found = OidcSubject(
        tenant_id=record.tenant_id,
        issuer=record.issuer,
        subject=subject,
        principal_id=principal_id,
        made=False,
        created_at=await identity.now(session),
    )
    session.add(found)
    await session.flush()
    await _entry(session, Action.SUBJECT_BOUND, admin, record, _about(found, principal))
    return found, principal


async def unbind(session: AsyncSession, issuer_id: UUID, principal_id: UUID, admin: Reader) -> None:
    """A principal comes by the issuer no more.

    Raises:
        NotFound: the tenant has no such issuer, or it does not know the principal.
        Conflict: the principal was made by the issuer, and would be made again.
    """
    record, found, principal = await _bound(session, issuer_id, principal_id, admin)
    if found.made:
        raise Conflict("This principal was made at their first token, and would be made again: disable it.")
    await session.delete(found)
    await _end(session, principal, after_all_tokens(principal, await identity.now(session)))
    await _entry(session, Action.SUBJECT_UNBOUND, admin, record, _about(found, principal))


async def not_before(
    session: AsyncSession, issuer_id: UUID, principal_id: UUID, since: datetime | None, admin: Reader
) -> None:
    """Ends every token of a principal that was made before a time.

    Raises:
        NotFound: the tenant has no such issuer, or it does not know the principal.
        Unprocessable: the time lies in the future.
    """
    record, found, principal = await _bound(session, issuer_id, principal_id, admin)
    at = await identity.now(session)
    if since is not None and since > at:
        raise Unprocessable("not_before lies in the future: disable the principal to keep them out.")
    since = after_all_tokens(principal, at) if since is None else since
    await _end(session, principal, since)
    about = _about(found, principal) | {"not_before": principal.tokens_since}
    await _entry(session, Action.TOKENS_REVOKED, admin, record, about)


async def logged_out(session: AsyncSession, trusted: TrustedIssuer, subject: str, at: datetime) -> None:
    """Ends every token of somebody who logged out at the issuer, made until then. Again is no error."""
    found = await repository.subject(session, trusted.tenant_id, trusted.issuer, subject)
    if found is None:
        return
    _, principal = found
    since = _from_now(at)
    if principal.tokens_since is not None and principal.tokens_since >= since:
        return
    await _end(session, principal, since)
    detail = {
        "issuer": {"id": str(trusted.id), "issuer": trusted.issuer, "version": trusted.version},
        "subject": subject,
        "principal": {"id": str(principal.id), "name": principal.name},
        "not_before": since,
        "why": "logged-out",
    }
    draft = AuditDraft(action=Action.TOKENS_REVOKED, tenant_id=trusted.tenant_id, detail=detail)
    await publish_audit(session, draft)


def _tell_apart(settings: IssuerSettings, others: Sequence[OidcIssuerRecord]) -> None:
    for other in others:
        theirs = {name: value for name, value in other.settings.items() if name != "subject_claim"}
        if overlaps(settings, IssuerSettings.model_validate(theirs)):
            raise IssuerAmbiguous(
                "Somebody else uses this issuer with this audience. Give an audience of your own, or a "
                "required claim (such as hd or tid) that only your tokens have with that value."
            )


def _stored(settings: IssuerSettings, subject_claim: str) -> dict[str, Any]:
    return settings.model_dump(mode="json") | {"subject_claim": subject_claim}


def _from_now(at: datetime) -> datetime:
    """Tokens tell their time to the second: all of this one end."""
    return at.replace(microsecond=0) + timedelta(seconds=1)


async def _end_tokens(session: AsyncSession, record: OidcIssuerRecord, at: datetime) -> int:
    since = _from_now(at)
    ended = await repository.end_tokens(session, record.tenant_id, record.issuer, since)
    for principal_id in ended:
        await publish(session, TokenRevoked(subject=principal_id, at=since))
    return len(ended)


async def _end(session: AsyncSession, principal: PrincipalRecord, since: datetime) -> None:
    if principal.tokens_since is None or principal.tokens_since < since:
        principal.tokens_since = since
    session.add(principal)
    await session.flush()
    await publish(session, TokenRevoked(subject=principal.id, at=principal.tokens_since))


async def _issuer(session: AsyncSession, issuer_id: UUID, admin: Reader) -> OidcIssuerRecord:
    record = await repository.issuer(session, tenant_of(admin), issuer_id, lock=True)
    if record is None:
        raise NotFound("There is no such issuer.")
    return record


async def _bound(
    session: AsyncSession, issuer_id: UUID, principal_id: UUID, admin: Reader
) -> tuple[OidcIssuerRecord, OidcSubject, PrincipalRecord]:
    record = await _issuer(session, issuer_id, admin)
    principal = await identity.principal(session, record.tenant_id, principal_id)
    found = await repository.bound(session, record.tenant_id, record.issuer, principal_id)
    if principal is None or found is None:
        raise NotFound("This issuer does not know such a principal.")
    return record, found, principal


def _about(subject: OidcSubject, principal: PrincipalRecord) -> dict[str, Any]:
    return {"subject": subject.subject, "principal": {"id": str(principal.id), "name": principal.name}}


async def _entry(
    session: AsyncSession, action: Action, admin: Reader, record: OidcIssuerRecord, about: Mapping[str, Any]
) -> None:
    detail = {"issuer": {"id": str(record.id), "issuer": record.issuer, "version": record.version, **about}}
    await publish_audit(session, entry(action, admin, detail))
