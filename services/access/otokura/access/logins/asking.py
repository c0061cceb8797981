"""May somebody log in, from where they are? Asked of the policies at each login, refresh and acceptance."""

from __future__ import annotations

from otokura.access.identity.models import PrincipalRecord
from otokura.access.identity.subject import Reader
from otokura.access.identity.tokens import principal_of
from otokura.access.permission import identify, let_in
from otokura.access.state import AccessState
from otokura.shared.address import ResolvedAddress
from otokura.shared.tokens import Principal


async def person(state: AccessState, record: PrincipalRecord, place: ResolvedAddress) -> Reader:
    """Somebody who has no token (yet), if they may log in from there.

    Raises:
        Forbidden: they may not; it is written down.
        Unauthenticated: they, or their company, have been disabled.
    """
    return await bearer(state, principal_of(record, ()), place)


async def bearer(state: AccessState, token: Principal, place: ResolvedAddress) -> Reader:
    """Whom a token will be given to, if they may log in from there; entries of that tell the decision.

    Raises:
        Forbidden: they may not; it is written down.
        Unauthenticated: they, or their company, have been disabled.
        Unavailable: the refusal could not be written.
    """
    reader = await identify(state, token, place)
    return await let_in(state, reader)
