"""The key of somebody's authenticator app, which is kept wrapped only."""

from __future__ import annotations

from uuid import UUID

import structlog

from otokura.access.logins import second_factor
from otokura.access.logins.repository import Account
from otokura.access.state import AccessState
from otokura.shared.errors import IntegrityError, NotFound
from otokura.shared.keys import KeyContext, KeyUse, WrappedDek, new_dek

log = structlog.stdlib.get_logger(__name__)


async def new_key(state: AccessState, tenant_id: UUID, principal_id: UUID) -> tuple[bytes, WrappedDek]:
    """A new key, and the DEK that it is derived from, wrapped for this person."""
    dek = new_dek()
    return second_factor.key_of(dek), await state.keys.wrap(dek, KeyContext(tenant_id, principal_id))


async def unwrapped(state: AccessState, wrapped: WrappedDek, tenant_id: UUID, principal_id: UUID) -> bytes:
    """The key again.

    Raises:
        IntegrityError: what was kept was changed, or its key-encryption key is gone.
        Unavailable: the key provider cannot be reached.
    """
    try:
        context = KeyContext(tenant_id, principal_id)
        dek = await state.keys.unwrap(wrapped, context, KeyUse.LOG_IN, str(principal_id))
    except NotFound as error:
        raise IntegrityError("The key of this second factor cannot be unwrapped any more.") from error
    return second_factor.key_of(dek)


async def app_key(state: AccessState, account: Account | None) -> bytes | None:
    """The key of somebody's app; None when they have none, empty when it cannot be unwrapped any more.

    Whoever is named, one key is unwrapped: the provider takes as long, and is missed alike when it is away.

    Raises:
        Unavailable: the key provider cannot be reached.
    """
    await state.stand_in.prepare(state.keys)
    if account is None or account.login.kek_id is None or account.login.wrapped is None:
        await state.stand_in.unwrap(state.keys)
        return None
    login = account.login
    wrapped = WrappedDek(account.login.kek_id, account.login.wrapped)
    try:
        return await unwrapped(state, wrapped, login.tenant_id, login.principal_id)
    except IntegrityError:
        # An error of its own would tell who guesses that there is such a login.
        log.exception("second_factor.unreadable", principal_id=str(login.principal_id))
        return b""
