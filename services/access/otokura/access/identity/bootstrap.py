"""The first operator: made once, with a token from the configuration that soon expires, and written down."""

from __future__ import annotations

from datetime import timedelta

from pydantic import SecretStr
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.errors import BootstrapRefused
from otokura.access.identity import principals, repository
from otokura.access.identity.secrets import hash_secret, secret_matches
from otokura.access.identity.service import PrincipalKind, check_bootstrap
from otokura.access.identity.throttle import RefusalThrottle
from otokura.access.identity.tokens import where
from otokura.access.identity.views import BootstrapBody, Credentials, PrincipalBody
from otokura.access.logins.lockout import network_of
from otokura.access.settings import Settings
from otokura.access.state import AccessState
from otokura.shared import metrics
from otokura.shared.address import ResolvedAddress
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.events import Role
from otokura.shared.outbox import publish_audit

REFUSED = metrics.counter("otokura_access_bootstrap_refused_total", "Bootstrap attempts refused.")


async def see_configured_token(session: AsyncSession, settings: Settings) -> None:
    """Starts the clock of the configured token, the first time that the service starts with it."""
    if settings.bootstrap_token is not None:
        sha256 = hash_secret(settings.bootstrap_token.get_secret_value())
        await repository.see_bootstrap_token(session, sha256)


def is_configured(given: SecretStr, configured: SecretStr | None) -> bool:
    """Whether it is the token of the configuration, in a time that does not tell where they differ."""
    expected = None if configured is None else hash_secret(configured.get_secret_value())
    return secret_matches(given.get_secret_value(), expected)


async def bootstrap(
    session: AsyncSession, settings: Settings, body: BootstrapBody, place: ResolvedAddress
) -> Credentials:
    """Makes the first operator.

    Raises:
        BootstrapRefused: wrong, used or expired token, or there is an operator.
    """
    good = is_configured(body.token, settings.bootstrap_token)
    given = hash_secret(body.token.get_secret_value())
    token = await repository.bootstrap_token(session, given) if good else None
    at = await repository.now(session)
    check_bootstrap(
        seen_at=token.seen_at if token else None,
        used_at=token.used_at if token else None,
        operators=await repository.active_with_role(session, None, Role.OPERATOR),
        now=at,
        lifetime=timedelta(seconds=settings.bootstrap_lifetime_seconds),
    )
    operator = PrincipalBody(name=body.name, kind=PrincipalKind.PERSON, roles=[Role.OPERATOR])
    new = await principals.create(session, operator, None)
    if token is not None:
        token.used_at = at
        session.add(token)
    detail = {"operator": str(new.record.id), "name": body.name, **where(place)}
    draft = AuditDraft(action=Action.BOOTSTRAP_COMPLETED, reader=str(new.record.id), detail=detail)
    await publish_audit(session, draft)
    return Credentials(id=new.record.id, client_id=new.record.id, client_secret=new.secret)


async def refuse(
    state: AccessState, throttle: RefusalThrottle, place: ResolvedAddress, error: BootstrapRefused
) -> None:
    """Writes a refusal down: of a network one a minute and reason, with how many it stands for.

    Raises:
        Unavailable: it could not be written.
    """
    REFUSED.inc()
    why = error.extensions["why"]

    def draft(count: int) -> AuditDraft:
        detail = {"why": why, "count": count, **where(place)}
        return AuditDraft(action=Action.BOOTSTRAP_REFUSED, detail=detail)

    await throttle.write(state.audit, None, f"{network_of(place.address)} bootstrap {why}", draft)
