"""Requests to a server that speaks Vault's protocol (HashiCorp Vault, OpenBao), by hvac in its own threads.

Every request is bounded in time and tries. What fails for a moment (no connection, a server that is sealed,
starting or overloaded) is tried again; then it is `Unavailable`. So is a refusal: a token without the right
that it needs is somebody's mistake, which can be mended while we wait. Nothing sent or answered is logged.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import hvac
import requests
from hvac import exceptions
from requests.adapters import HTTPAdapter

from otokura.shared.errors import Unavailable
from otokura.shared.logs import get_logger

log = get_logger(__name__)
T = TypeVar("T")

TRIES = 3
_PAUSE_SECONDS = 0.2
_THREADS = 16
_RENEW_AT = 2 / 3
"""Of a token's life: then it is renewed."""
_YOUNG_SECONDS = 5.0

_TRANSIENT = (
    exceptions.BadGateway,
    exceptions.InternalServerError,
    exceptions.RateLimitExceeded,
    exceptions.VaultDown,
    exceptions.VaultNotInitialized,
    exceptions.UnexpectedError,
    requests.RequestException,
)
_REFUSED = (exceptions.Forbidden, exceptions.Unauthorized)


class TokenSource(Protocol):
    """Where the token comes from. Called in any thread, one at a time."""

    def token(self, client: hvac.Client) -> str:
        """A token that is good for now, as far as one can tell."""
        ...

    def refused(self) -> bool:
        """The server refused the token that `token` gave; whether another may be had."""
        ...


class FileToken:
    """A token that something else puts into a file and renews, such as Vault Agent."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[int, int, int] | None = None
        self._token = ""

    def token(self, client: hvac.Client) -> str:
        """See `TokenSource.token`."""
        del client
        try:
            identity = self._identity()
            if identity != self._read:
                self._token, self._read = self._path.read_text("ascii").strip(), identity
        except (OSError, UnicodeDecodeError) as error:
            log.warning("vault.token_unreadable", file=str(self._path), error=type(error).__name__)
            raise Unavailable("The key provider's token cannot be read.") from None
        if not self._token:
            log.warning("vault.token_unreadable", file=str(self._path), error="empty")
            raise Unavailable("The key provider's token cannot be read.")
        return self._token

    def refused(self) -> bool:
        """See `TokenSource.refused`: only a changed file has another."""
        try:
            return self._identity() != self._read
        except OSError:
            return False

    def _identity(self) -> tuple[int, int, int]:
        # With its length: it may be emptied and written within one tick of its time.
        status = self._path.stat()
        return status.st_mtime_ns, status.st_ino, status.st_size


class KubernetesToken:
    """A token for the pod's service account; renewed while it may be, else asked for again."""

    def __init__(self, role: str, mount: str, account_token: Path) -> None:
        self._role, self._mount, self._account_token = role, mount, account_token
        self._token = ""
        self._since = float("-inf")
        self._renew_at = self._ends_at = 0.0
        self._renewable = False

    def token(self, client: hvac.Client) -> str:
        """See `TokenSource.token`."""
        now = time.monotonic()
        if now < self._renew_at:
            return self._token
        if not (self._renewable and now < self._ends_at and self._renewed(client)):
            self._log_in(client)
        return self._token

    def refused(self) -> bool:
        """See `TokenSource.refused`."""
        # One that was given a moment ago lacks a right; another would, too.
        if time.monotonic() - self._since < _YOUNG_SECONDS:
            return False
        self._renew_at = self._ends_at = 0.0
        return True

    def _renewed(self, client: hvac.Client) -> bool:
        client.token = self._token
        try:
            self._keep(cast("dict[str, Any]", client.auth.token.renew_self()))
        except (exceptions.VaultError, requests.RequestException) as error:
            log.info("vault.token_not_renewed", error=type(error).__name__)
            return False
        return True

    def _log_in(self, client: hvac.Client) -> None:
        try:
            account = self._account_token.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            log.warning("vault.account_unreadable", error=type(error).__name__)
            raise Unavailable("The token of the pod's service account cannot be read.") from None
        client.token = ""
        answer = cast("Any", client).auth.kubernetes.login(
            role=self._role, jwt=account, use_token=False, mount_point=self._mount
        )
        self._keep(cast("dict[str, Any]", answer))
        self._since = time.monotonic()
        log.info("vault.logged_in", role=self._role)

    def _keep(self, answer: dict[str, Any]) -> None:
        auth = answer["auth"]
        now, life = time.monotonic(), float(auth["lease_duration"])
        self._token, self._renewable = str(auth["client_token"]), bool(auth["renewable"])
        self._renew_at, self._ends_at = now + life * _RENEW_AT, now + life


class VaultClient:
    """One server, one token source.

    Args:
        address: `https://host:port`.
        tokens: where the token comes from.
        timeout: seconds, of one request.
        namespace: of Vault Enterprise or OpenBao.
        ca_file: the authority that signed the server's certificate; None: certifi's.
    """

    def __init__(
        self,
        address: str,
        tokens: TokenSource,
        *,
        timeout: float,
        namespace: str | None = None,
        ca_file: Path | None = None,
    ) -> None:
        session = requests.Session()
        # Neither a proxy nor an authority from the environment stands between us and the keys.
        session.trust_env = False
        verify = str(ca_file) if ca_file else True
        session.verify = verify
        session.mount(address, HTTPAdapter(pool_connections=1, pool_maxsize=_THREADS))
        self._client = hvac.Client(
            url=address,
            token="",
            verify=verify,
            timeout=cast("int", timeout),  # given to requests as it is, which takes a float
            namespace=namespace,
            session=session,
        )
        self._tokens = tokens
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="vault")

    async def ask(self, question: Callable[[hvac.Client], T]) -> T:
        """What the server answers.

        Args:
            question: one request by way of the client; it may be asked up to `TRIES` times.

        Raises:
            hvac.exceptions.InvalidRequest: the server says that the request is wrong (400).
            hvac.exceptions.InvalidPath: there is nothing there (404).
            Unavailable: it cannot be reached, or refuses us.
        """
        loop = asyncio.get_running_loop()
        for attempt in range(1, TRIES + 1):
            try:
                return await loop.run_in_executor(self._threads, self._once, question)
            except _REFUSED as error:
                # Neither the error's text nor its address is passed on.
                if attempt == TRIES or not await loop.run_in_executor(self._threads, self._refused):
                    log.error("vault.refused", error=type(error).__name__)  # noqa: TRY400 - its text is not ours
                    raise Unavailable("The key provider refuses this service: see to its rights.") from None
            except _TRANSIENT as error:
                log.warning("vault.away", error=type(error).__name__, attempt=attempt)
                if attempt == TRIES:
                    raise Unavailable("The key provider cannot be reached; try again shortly.") from None
                await asyncio.sleep(_PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1))  # noqa: S311 - jitter
        raise AssertionError("the last attempt returns or raises")

    def _once(self, question: Callable[[hvac.Client], T]) -> T:
        with self._lock:
            self._client.token = self._tokens.token(self._client)
        return question(self._client)

    def _refused(self) -> bool:
        with self._lock:
            return self._tokens.refused()
