"""Whether this process lives (`/healthz`) and whether it can do its work now (`/readyz`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from otokura.shared.logs import get_logger

Check = Callable[[], Awaitable[object]]
"""Returns when the thing is well; raises when it is not."""

CHECK_TIMEOUT = 2.0
"""Seconds; below the usual three of a Kubernetes probe."""

log = get_logger(__name__)


class Readiness:
    """The checks that must all pass before this process is given work."""

    def __init__(self, timeout: float = CHECK_TIMEOUT) -> None:
        self._timeout = timeout
        self._checks: dict[str, Check] = {}
        self._last: dict[str, str] = {}

    def add(self, name: str, check: Check) -> None:
        """Adds a check.

        Args:
            name: shown to whoever asks `/readyz`, such as `database`.
            check: raises when the thing is away; cut off after the timeout.
        """
        self._checks[name] = check

    async def report(self) -> dict[str, str]:
        """Runs all checks at once: `ok`, `timeout` or `failed` by name.

        The reason of a failure is logged, when it changes, and not shown: `/readyz` is public.
        """
        results = await asyncio.gather(*(self._run(name, check) for name, check in self._checks.items()))
        return dict(zip(self._checks, results, strict=True))

    async def _run(self, name: str, check: Check) -> str:
        error: Exception | None = None
        try:
            async with asyncio.timeout(self._timeout):
                await check()
            result = "ok"
        except TimeoutError:
            result = "timeout"
        except Exception as failure:  # noqa: BLE001 - whatever a check raises means not ready
            result, error = "failed", failure
        if self._last.get(name, "ok") != result:
            log.warning("readiness changed", check=name, result=result, error=error)
        self._last[name] = result
        return result
