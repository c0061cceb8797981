"""The life of a token: given to a client, written down before it leaves, taken back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from otokura.access.identity import repository
from otokura.access.identity.models import PrincipalRecord
from otokura.access.identity.oauth import ClientCredentials, OAuthError
from otokura.access.identity.secrets import secret_matches
from otokura.access.identity.service import PrincipalKind
from otokura.access.identity.throttle import RefusalThrottle
from otokura.access.identity.views import TokenResponse
from otokura.access.logins.lockout import network_of
from otokura.access.permission import identify, let_in
from otokura.access.state import AccessState
from otokura.shared import metrics
from otokura.shared.address import ResolvedAddress
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.errors import Unauthenticated
from otokura.shared.events import Role, TokenRevoked
from otokura.shared.ids import uuid7
from otokura.shared.outbox import publish
from otokura.shared.tokens import MAX_LIFETIME, Principal

REFUSED = metrics.counter(
    "otokura_access_token_requests_refused_total",
    "Token requests refused, by whether the client exists.",
    ["client"],
)


async def issue(
    state: AccessState, credentials: ClientCredentials, place: ResolvedAddress, throttle: RefusalThrottle
) -> TokenResponse:
    """A token for a client, after the entry `token.issued` is acknowledged.

    A person of a company, who has a secret until an invitation is confirmed, is given one from where they may
    log in only. Programs are not asked where they are, nor are operators, who belong to no company.

    Raises:
        OAuthError: the client is not known, its secret is wrong, or it is disabled: told alike.
        Forbidden: a person may not log in from there; it is written down.
        Unavailable: the entry could not be written.
    """
    found, names = await _find(state, credentials)
    record, disabled, at = found or (None, True, datetime.now(UTC))
    good = _is_secret_of(record, credentials.secret, at)
    if record is None or not good or disabled:
        await _refuse(state, record, place, throttle, why="disabled" if good else "secret")
        raise _unknown()
    principal = principal_of(record, names)
    if record.kind != PrincipalKind.CLIENT and record.tenant_id is not None:
        try:
            await let_in(state, await identify(state, principal, place))
        except Unauthenticated as error:  # disabled at this moment
            raise _unknown() from error
    lifetime = state.settings.token_lifetime_seconds
    token = state.issuer.issue(principal, timedelta(seconds=lifetime))
    detail = {"jti": principal.jti, "name": record.name, "seconds": lifetime} | where(place)
    await state.audit.write(_draft(Action.TOKEN_ISSUED, record, detail))
    return TokenResponse(access_token=token, expires_in=lifetime)


def _unknown() -> OAuthError:
    return OAuthError("invalid_client", "The client is not known, disabled, or its secret is wrong.")


def _is_secret_of(record: PrincipalRecord | None, secret: str, at: datetime) -> bool:
    """Whether it is the principal's secret, or the one before, while that is good, too."""
    if record is None:
        return secret_matches(secret, None)
    overlaps = record.old_secret_until is not None and at < record.old_secret_until
    old = record.old_secret_sha256 if overlaps else None
    return secret_matches(secret, record.secret_sha256) | secret_matches(secret, old)


async def _find(
    state: AccessState, credentials: ClientCredentials
) -> tuple[tuple[PrincipalRecord, bool, datetime] | None, list[str]]:
    if credentials.client_id is None:
        return None, []
    async with state.database.session() as session:
        found = await repository.client(session, credentials.client_id)
        names = await repository.agent_ids(session, [credentials.client_id])
    return found, names[credentials.client_id]


async def _refuse(
    state: AccessState,
    record: PrincipalRecord | None,
    place: ResolvedAddress,
    throttle: RefusalThrottle,
    *,
    why: str,
) -> None:
    """Writes a refusal down: of a client one a minute and network, with how many it stands for."""
    REFUSED.labels("known" if record else "unknown").inc()
    if record is None:
        await state.audit.reach()  # nobody is refused who could not be written down
        return
    about = {"why": why, "name": record.name} | where(place)
    await throttle.write(
        state.audit,
        record.id,
        network_of(place.address),
        lambda count: _draft(Action.TOKEN_DENIED, record, about | {"count": count}),
    )


def _draft(action: Action, record: PrincipalRecord, detail: dict[str, object]) -> AuditDraft:
    return AuditDraft(action=action, tenant_id=record.tenant_id, reader=str(record.id), detail=detail)


def principal_of(record: PrincipalRecord, agent_ids: Iterable[str], jti: str | None = None) -> Principal:
    """What a new token says of a principal.

    Args:
        record: the principal.
        agent_ids: the phone system's names for them.
        jti: of the token; a new one if not given.
    """
    principal = Principal(
        subject=record.id,
        tenant_id=record.tenant_id,
        roles=frozenset(map(Role, record.roles)),
        kind="person" if record.kind == "person" else "client",
        jti=jti or str(uuid7()),
        agent_ids=frozenset(agent_ids),
        team=record.team,
    )
    if record.tokens_since is not None and principal.issued_at < record.tokens_since:
        return replace(principal, issued_at=record.tokens_since)
    return principal


def where(place: ResolvedAddress) -> dict[str, object]:
    """Where somebody asks from, for the entry of one who is no reader (yet)."""
    return {
        "address": str(place.address) if place.address else None,
        "peer": place.peer,
        "forwarded_for": list(place.chain),
    }


async def revoke(state: AccessState, principal: Principal) -> None:
    """Takes back one token, here at once and in every service as the event arrives."""
    async with state.database.session() as session:
        at = await repository.now(session)
        # Other issuers' tokens may live longer than ours.
        await repository.revoke_token(session, principal.jti, at + MAX_LIFETIME + timedelta(minutes=1))
        await publish(session, TokenRevoked(jti=principal.jti, at=at))
