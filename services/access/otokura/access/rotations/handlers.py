"""What services tell of their part in a rotation."""

from __future__ import annotations

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.rotations import service
from otokura.shared.consumer import EventContext, Subscription
from otokura.shared.events import KeysRewrapped


def subscriptions() -> list[Subscription]:
    """What access's consumer listens to for rotations; its own part it need not be told of."""
    return [Subscription(KeysRewrapped, keys_rewrapped)]


async def keys_rewrapped(session: AsyncSession, event: KeysRewrapped, _context: EventContext) -> None:
    """How far a service is."""
    await service.note_progress(session, event)
