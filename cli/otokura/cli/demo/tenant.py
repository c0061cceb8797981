"""The tenant that a local stack is made with: settings, one zone, and somebody in every role."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from otokura.cli.api.http import Api, ApiError
from otokura.cli.credentials import Credentials, Principal

TENANT = "Otokura Demo"
OFFICE = {"name": "office", "networks": ["127.0.0.1/32", "::1/128"]}
AGENT_ID = "demo-agent"
SETTINGS = {
    "require_notice": True,
    "purposes": [
        {"name": "quality", "label_ja": "応対品質の向上", "label_en": "To improve our service"},
        {"name": "training", "label_ja": "応対者の教育", "label_en": "To train our staff"},
    ],
}
PEOPLE: dict[str, dict[str, Any]] = {
    "vendor": {"name": "Demo phone system", "kind": "client", "roles": ["vendor"]},
    "supervisor": {"name": "高橋 恵子", "kind": "person", "roles": ["supervisor"], "team": "support"},
    "agent": {
        "name": "田中 美咲",
        "kind": "person",
        "roles": ["agent"],
        "team": "support",
        "agent_ids": [AGENT_ID],
    },
    "auditor": {"name": "佐藤 誠", "kind": "person", "roles": ["auditor"]},
    "evidence-officer": {"name": "渡辺 明", "kind": "person", "roles": ["evidence-officer"]},
}
_KNOWN_SECONDS = 60.0


class SetupError(RuntimeError):
    """The demo tenant cannot be made; the text says what to do."""


def ensure_tenant(path: Path, urls: Mapping[str, str], bootstrap_token: str | None) -> Credentials:
    """Make the tenant and its people where they are missing, and wait until ingest knows the vendor.

    Each step is written down at once, since a secret is shown only once.

    Args:
        path: the credentials file.
        urls: the addresses of `access` and `ingest`.
        bootstrap_token: makes the first operator; needed while there is none.

    Raises:
        SetupError: an earlier start was interrupted between making somebody and writing them down.
    """
    credentials = Credentials.read(path)
    # A folder of an earlier version may lack somebody.
    if not credentials.complete or not PEOPLE.keys() <= credentials.principals.keys():
        access = urls["access"]
        if "operator" not in credentials.principals:
            if bootstrap_token is None:
                raise SetupError("There is no operator, and no bootstrap token to make one.")
            _keep(credentials, path, "operator", bootstrap(access, bootstrap_token, "Local operator"))
        if "admin" not in credentials.principals:
            with credentials.api("operator", access) as api:
                made = _create(api, "/v1/tenants", {"name": TENANT})
            credentials.tenant_id = str(made["tenant"]["id"])
            _keep(credentials, path, "admin", made["admin"])
        with credentials.api("admin", access) as api:
            _configure(api, credentials, path)
        credentials.complete = True
        credentials.write(path)
    _wait_until_known(urls["ingest"], credentials)
    return credentials


def bootstrap(access_url: str, token: str, name: str) -> dict[str, Any]:
    """Make the first operator; the answer holds the credentials.

    Raises:
        ApiError: the token is wrong, used or expired, or there is an operator already.
    """
    with Api(access_url) as api:
        return api.json("POST", "/v1/bootstrap", json={"token": token, "name": name})


def _configure(api: Api, credentials: Credentials, path: Path) -> None:
    etag = api.request("GET", "/v1/settings").headers["ETag"]
    api.request("PUT", "/v1/settings", json=SETTINGS, headers={"If-Match": etag})
    if OFFICE["name"] not in [zone["name"] for zone in api.json("GET", "/v1/zones")["items"]]:
        _create(api, "/v1/zones", OFFICE)
    for name, person in PEOPLE.items():
        if name not in credentials.principals:
            _keep(credentials, path, name, _create(api, "/v1/principals", person))


def _create(api: Api, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    return api.json("POST", path, json=body, headers={"Idempotency-Key": str(uuid.uuid4())})


def _keep(credentials: Credentials, path: Path, name: str, made: Mapping[str, Any]) -> None:
    if made.get("client_secret") is None:
        raise SetupError(f"The secret of {name} is lost: delete {path.parent} and start again.")
    credentials.principals[name] = Principal(
        id=str(made["client_id"]), client_secret=made["client_secret"], api_key=made.get("api_key")
    )
    credentials.write(path)


def _wait_until_known(ingest_url: str, credentials: Credentials) -> None:
    """Ingest learns of vendors by events; it answers 404 to a vendor that it knows and 401 to others."""
    deadline = time.monotonic() + _KNOWN_SECONDS
    with Api(ingest_url, auth=credentials.api_key_of("vendor")) as api:
        while True:
            try:
                api.request("GET", f"/v1/calls/{uuid.uuid4()}")
            except ApiError as error:
                if error.status == HTTPStatus.NOT_FOUND:
                    return
                if error.status != HTTPStatus.UNAUTHORIZED or time.monotonic() > deadline:
                    raise
            time.sleep(0.1)
