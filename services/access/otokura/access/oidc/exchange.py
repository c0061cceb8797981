"""A token of an issuer for one of ours (RFC 8693), which every service accepts, also while access is down."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from otokura.access.identity import repository
from otokura.access.identity.oauth import OAuthError
from otokura.access.identity.service import PrincipalKind
from otokura.access.oidc.views import ExchangedToken
from otokura.access.permission import entry, identify, let_in
from otokura.access.state import AccessState
from otokura.shared.address import ResolvedAddress
from otokura.shared.audit_entries import Action
from otokura.shared.errors import Unauthenticated
from otokura.shared.tokens import Principal

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
_TYPE = "urn:ietf:params:oauth:token-type:"
_ACCESS = f"{_TYPE}access_token"
TAKEN = (_ACCESS, f"{_TYPE}id_token", f"{_TYPE}jwt")


async def exchange(state: AccessState, fields: Mapping[str, str], place: ResolvedAddress) -> ExchangedToken:
    """A token of Otokura's for whom the subject token stands for; it lives no longer than that.

    A person is given one from where they may log in only.

    Raises:
        OAuthError: the request lacks something, asks for something else, or its token is not good.
        Forbidden: a person may not log in from there; it is written down.
        Unavailable: the token cannot be judged, or the entry not written.
    """
    token = fields.get("subject_token")
    if not token or fields.get("subject_token_type") not in TAKEN:
        raise OAuthError("invalid_request", f"Send subject_token, and subject_token_type as {_ACCESS}.")
    if fields.get("requested_token_type", _ACCESS) != _ACCESS or "actor_token" in fields:
        raise OAuthError("invalid_request", "Only access tokens are given, and for oneself.")
    try:
        accepted = await state.oidc.accept(token, place)
        reader = await identify(state, accepted.principal, place)
    except Unauthenticated as error:
        raise OAuthError("invalid_request", "The subject token is not good.") from error
    if not await _is_program(state, accepted.principal):
        await let_in(state, reader)
    # Not before its own token, whose issuer's clock may be ahead: what was revoked must not come back.
    issued_at = max(datetime.now(UTC).replace(microsecond=0), accepted.principal.issued_at)
    lifetime = min(timedelta(seconds=state.settings.token_lifetime_seconds), accepted.expires_at - issued_at)
    if lifetime <= timedelta(0):
        raise OAuthError("invalid_request", "The subject token is not good.")
    principal = Principal(
        subject=reader.facts.id,
        tenant_id=reader.facts.tenant_id,
        roles=reader.facts.roles,
        kind=accepted.principal.kind,
        issued_at=issued_at,
        agent_ids=reader.facts.agent_ids,
        team=reader.facts.team,
    )
    seconds = int(lifetime.total_seconds())
    detail = {"jti": principal.jti, "seconds": seconds, "exchanged": accepted.principal.jti}
    await state.audit.write(entry(Action.TOKEN_ISSUED, reader, detail))
    return ExchangedToken(
        access_token=state.issuer.issue(principal, lifetime), expires_in=seconds, issued_token_type=_ACCESS
    )


async def _is_program(state: AccessState, token: Principal) -> bool:
    """Whether it is one by its token and by the principal that this stands for: neither alone is believed."""
    async with state.database.session() as session:
        found = await repository.client(session, token.subject)
    return token.kind == "client" and found is not None and found[0].kind == PrincipalKind.CLIENT
