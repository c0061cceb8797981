"""What was given to somebody ends at once: here at the next request, in other services with the event."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.identity import repository
from otokura.access.identity.models import PrincipalRecord
from otokura.shared.events import TokenRevoked
from otokura.shared.outbox import publish
from otokura.shared.tokens import MAX_LIFETIME

_SECOND = timedelta(seconds=1)


def after_all_tokens(record: PrincipalRecord, at: datetime) -> datetime:
    """A time before which every token was made that a principal was given until `at`.

    Tokens tell their time to the second: all of this one end, and the next is made for the one after. Who was
    given a token in a second in which others ended has one that is ahead of the clock: it ends, too.
    """
    since = at.replace(microsecond=0) + _SECOND
    before = record.tokens_since
    return since if before is None else max(since, before.replace(microsecond=0) + _SECOND)


async def end_tokens(session: AsyncSession, record: PrincipalRecord, at: datetime) -> None:
    """Ends all tokens that a principal was given so far."""
    record.tokens_since = after_all_tokens(record, at)
    session.add(record)
    await publish(session, TokenRevoked(subject=record.id, at=record.tokens_since))


async def end_tokens_of_session(session: AsyncSession, session_id: UUID, at: datetime) -> None:
    """Ends all tokens that were given in a session."""
    await repository.revoke_token(session, str(session_id), at + MAX_LIFETIME)
    await publish(session, TokenRevoked(jti=str(session_id), at=at))
