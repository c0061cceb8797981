"""Credentials on requests: an API key, or a token that is fetched when needed and renewed when it ends."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import httpx

from otokura.cli.api.http import Api

_EARLY_SECONDS = 30.0


class ApiKey(httpx.Auth):
    """`X-API-Key`."""

    def __init__(self, key: str) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header."""
        request.headers["X-API-Key"] = self._key
        yield request


class ClientToken(httpx.Auth):
    """A bearer token by client credentials (RFC 6749 §4.4).

    Args:
        access_url: the address of access.
        client_id: who asks.
        client_secret: its secret.
    """

    def __init__(self, access_url: str, client_id: str, client_secret: str) -> None:
        self._access_url = access_url
        self._credentials = (client_id, client_secret)
        self._token = ""
        self._good_until = 0.0

    def token(self) -> str:
        """A token that is good for some time yet.

        Raises:
            ApiError: the credentials are refused.
        """
        if time.monotonic() >= self._good_until:
            with Api(self._access_url, auth=httpx.BasicAuth(*self._credentials)) as api:
                answer: dict[str, Any] = api.json(
                    "POST", "/oauth2/token", data={"grant_type": "client_credentials"}
                )
            self._token = str(answer["access_token"])
            self._good_until = time.monotonic() + float(answer["expires_in"]) - _EARLY_SECONDS
        return self._token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header."""
        request.headers["Authorization"] = f"Bearer {self.token()}"
        yield request
