"""The keys of issuers, remembered: fresh, followed when they rotate, and stale for a bounded time at most."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import jwt

from otokura.access.oidc.documents import Keys
from otokura.access.oidc.errors import FetchError
from otokura.access.oidc.settings import OidcSettings
from otokura.shared import logs, metrics
from otokura.shared.errors import Unavailable

log = logs.get_logger(__name__)

FETCHES = metrics.counter(
    "otokura_access_oidc_key_fetches_total", "Fetches of issuers' keys, by outcome.", ["outcome"]
)
_NEVER = float("-inf")


@dataclass(slots=True)
class _Known:
    """What is known of one issuer."""

    keys: Keys = field(default_factory=dict[tuple[str, str], jwt.PyJWK])
    fetched: float = _NEVER
    tried: float = _NEVER
    fetching: asyncio.Lock = field(default_factory=asyncio.Lock)


class IssuerKeys:
    """Finds keys by issuer, `kid` and algorithm.

    Args:
        fetch: gets the keys of an issuer; raises `FetchError`.
        settings: how old keys may be, and how often they are fetched.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        fetch: Callable[[str], Awaitable[Keys]],
        settings: OidcSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.fetch = fetch
        self._settings = settings
        self._clock = clock
        self._known: dict[str, _Known] = {}

    async def find(self, issuer: str, kid: str, algorithm: str) -> jwt.PyJWK | None:
        """The key; None when the issuer has no such key.

        A key that is not known is looked for anew, but not more often than every `oidc_refetch_seconds`:
        tokens with made-up key ids cost the issuer nothing.

        Args:
            issuer: one that somebody trusts; nothing else is remembered or fetched.
            kid: as the token names it.
            algorithm: the key must be for it.

        Raises:
            Unavailable: the issuer cannot be reached, and its keys are not known, or too old to be trusted.
        """
        known = self._known.setdefault(issuer, _Known())
        key = known.keys.get((kid, algorithm))
        if key is not None and self._age(known) < self._settings.oidc_fresh_seconds:
            return key
        if key is None or not known.fetching.locked() or self._is_stale(known):
            await self._refresh(issuer, known)
        if self._is_stale(known):
            raise Unavailable("The issuer of this token cannot be reached to check it; try again shortly.")
        return known.keys.get((kid, algorithm))

    async def _refresh(self, issuer: str, known: _Known) -> None:
        """Fetches, unless it was tried just now; whoever comes meanwhile waits for the same fetch."""
        async with known.fetching:
            if self._clock() - known.tried < self._settings.oidc_refetch_seconds:
                return
            known.tried = self._clock()
            try:
                known.keys = await self.fetch(issuer)
            except FetchError as error:
                FETCHES.labels("failed").inc()
                log.warning("the keys of an issuer cannot be had", issuer=issuer, why=error.why)
                return
            known.fetched = known.tried
            FETCHES.labels("fetched").inc()

    def _age(self, known: _Known) -> float:
        return self._clock() - known.fetched

    def _is_stale(self, known: _Known) -> bool:
        return self._age(known) >= self._settings.oidc_stale_seconds
