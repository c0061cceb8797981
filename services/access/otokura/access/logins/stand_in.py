"""A key that is nobody's, unwrapped where a login has none: the key provider tells no login either."""

from __future__ import annotations

from uuid import UUID

from otokura.shared.errors import IntegrityError, NotFound
from otokura.shared.keys import KeyContext, KeyProvider, KeyUse, WrappedDek, new_dek

_NOBODY = KeyContext(UUID(int=0), UUID(int=0))
"""No tenant has this id: they are given by time."""


class StandIn:
    """The key of a process. It is wrapped when it is first needed, and kept nowhere."""

    def __init__(self) -> None:
        self._wrapped: WrappedDek | None = None

    async def prepare(self, keys: KeyProvider) -> None:
        """Makes the key, if there is none yet: for whoever comes first, whether they have one or not.

        Raises:
            Unavailable: the key provider cannot be reached.
        """
        await self._ready(keys)

    async def unwrap(self, keys: KeyProvider) -> None:
        """The work of unwrapping somebody's.

        Raises:
            Unavailable: the key provider cannot be reached.
        """
        try:
            await self._unwrap(keys)
        except (IntegrityError, NotFound):  # a rotation has ended what wrapped it
            self._wrapped = None
            await self._unwrap(keys)

    async def _unwrap(self, keys: KeyProvider) -> None:
        await keys.unwrap(await self._ready(keys), _NOBODY, KeyUse.LOG_IN, str(_NOBODY.call_id))

    async def _ready(self, keys: KeyProvider) -> WrappedDek:
        wrapped = self._wrapped
        if wrapped is None:
            wrapped = self._wrapped = await keys.wrap(new_dek(), _NOBODY)
        return wrapped
