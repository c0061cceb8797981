"""`credentials.json`: the principals of the local stack's demo tenant, for the commands and for you."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from otokura.cli.api.auth import ApiKey, ClientToken
from otokura.cli.api.http import Api
from otokura.cli.local.private import write_private_json


class Principal(BaseModel):
    """Somebody who may ask. Only a vendor has an API key."""

    id: str
    client_secret: str
    api_key: str | None = None


class Credentials(BaseModel):
    """Everybody that the stack made, by the role they have in the demo."""

    tenant_id: str | None = None
    complete: bool = False
    principals: dict[str, Principal] = {}

    @classmethod
    def read(cls, path: Path) -> Credentials:
        """What is in the file; nobody when there is none."""
        return cls.model_validate_json(path.read_bytes()) if path.exists() else cls()

    def write(self, path: Path) -> None:
        """Replace the file, mode 0600."""
        write_private_json(path, self.model_dump())

    def token_of(self, name: str, access_url: str) -> ClientToken:
        """A token for one of them, fetched when it is first needed."""
        principal = self.principals[name]
        return ClientToken(access_url, principal.id, principal.client_secret)

    def api_key_of(self, name: str) -> ApiKey:
        """The API key of one of them; KeyError when it has none."""
        key = self.principals[name].api_key
        if key is None:
            raise KeyError(f"{name} has no API key")
        return ApiKey(key)

    def api(self, name: str, access_url: str, url: str | None = None, *, source: str | None = None) -> Api:
        """A service (access when `url` is not given), asked by one of them with a token.

        The token is fetched from here, where the zone is, also where it is shown from `source`.
        """
        return Api(url or access_url, auth=self.token_of(name, access_url), source=source)
