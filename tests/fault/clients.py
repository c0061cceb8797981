"""Clients that do not give up: they ask until they are answered, and write down what they were told."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

import servers

RETRY_SECONDS = 0.3
TIMEOUT = httpx.Timeout(20.0, connect=5.0)


class Client:
    """A service as one client sees it.

    Args:
        url: of the service.
        headers: with its credentials.
        answers: counts the statuses of all answers.
    """

    def __init__(self, url: str, headers: dict[str, str], answers: Counter[int]) -> None:
        self._http = httpx.AsyncClient(
            base_url=url, headers=headers, timeout=TIMEOUT, trust_env=False, verify=servers.PLAIN
        )
        self._answers = answers

    async def insist(
        self, method: str, path: str, *, not_yet: tuple[int, ...] = (), **arguments: Any
    ) -> httpx.Response:
        """Asks until there is an answer that is not "not now" (5xx, `not_yet`); that must be a 2xx."""
        while True:
            try:
                response = await self._http.request(method, path, **arguments)
            except httpx.TransportError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._answers[response.status_code] += 1
            if response.status_code < 500 and response.status_code not in not_yet:
                assert response.is_success, f"{response.status_code} {response.text}"
                return response
            await asyncio.sleep(RETRY_SECONDS)

    @asynccontextmanager
    async def once(self, path: str, **arguments: Any) -> AsyncIterator[httpx.Response]:
        """One GET whose body has not been read yet.

        Raises:
            httpx.TransportError: there is no answer.
        """
        async with self._http.stream("GET", path, **arguments) as response:
            self._answers[response.status_code] += 1
            yield response

    async def close(self) -> None:
        await self._http.aclose()
