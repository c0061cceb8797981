"""Connections that go to the address that was judged, and to no other.

A name can mean a public address when it is checked and a private one when it is used (DNS rebinding). So a
name is looked up once for each connection, its addresses are judged, and one of them is what is dialled.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol, cast

import httpcore

from otokura.shared.destinations import AddressPolicy

_RESOLVER_THREADS = 16


class AddressRefusedError(Exception):
    """The name leads nowhere, or somewhere that may not be connected to.

    One error for both: which internal names exist is nobody's business.
    """


class Resolver(Protocol):
    """Finds addresses of names."""

    async def __call__(self, host: str, port: int) -> list[str]:
        """Every address of the host, as text; none if it has none."""
        ...


class SystemResolver:
    """The operating system's resolver, in threads of its own: a name server that hangs holds up nobody."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_RESOLVER_THREADS, thread_name_prefix="guarded-dns")

    async def __call__(self, host: str, port: int) -> list[str]:
        """See `Resolver`."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, _look_up, host, port)
        except (OSError, UnicodeError):
            return []
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    def close(self) -> None:
        """Lets the threads end; a lookup under way is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[Any]:
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Looks names up and judges their addresses itself; TLS above it still verifies the name.

    Args:
        resolve: finds addresses.
        policy: judges them.
    """

    def __init__(self, resolve: Resolver, policy: AddressPolicy) -> None:
        self._resolve = resolve
        self._policy = policy
        # A class of its own where anyio is missing, so its type says nothing.
        self._network = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to one of the host's addresses.

        Raises:
            AddressRefusedError: there is none, or any of them may not be connected to.
            httpcore.ConnectError: none answers.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._first(await self._judged(host, port), port, local_address, socket_options)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error

    async def _judged(self, host: str, port: int) -> list[str]:
        addresses = await self._resolve(host, port)
        if not addresses or not all(self._policy.permits_text(address) for address in addresses):
            raise AddressRefusedError
        return addresses

    async def _first(
        self,
        addresses: list[str],
        port: int,
        local_address: str | None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None,
    ) -> httpcore.AsyncNetworkStream:
        for address in addresses[:-1]:
            with suppress(httpcore.ConnectError):
                return await self._network.connect_tcp(address, port, None, local_address, socket_options)
        return await self._network.connect_tcp(addresses[-1], port, None, local_address, socket_options)
