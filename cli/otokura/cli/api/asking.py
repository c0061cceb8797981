"""What commands that ask a service have in common: as whom, times on the command line, errors in words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import httpx
import typer

from otokura.cli.api.auth import ClientToken
from otokura.cli.api.http import Api, ApiError
from otokura.cli.target import running_target

T = TypeVar("T")
AccessUrl = Annotated[
    str | None, typer.Option("--url", help="The address of access; the local one if not given.")
]
AuditUrl = Annotated[
    str | None, typer.Option("--audit-url", help="The address of audit; the local one if not given.")
]
ClientSecret = Annotated[str | None, typer.Option(envvar="OTOKURA_CLIENT_SECRET", help="Their secret.")]


def access_as(
    role: str, url: str | None, client_id: str | None, client_secret: str | None, data: Path
) -> Api:
    """Access, asked as who is named, else as the local tenant's principal of this role."""
    _check_pair(client_id, client_secret)
    if url is not None and client_id is not None and client_secret is not None:
        return Api(url, auth=ClientToken(url, client_id, client_secret))
    target = running_target(data)
    address = url or target.stack.urls["access"]
    if client_id is not None and client_secret is not None:
        return Api(address, auth=ClientToken(address, client_id, client_secret))
    return target.credentials.api(role, address)


def audit_as_auditor(
    url: str | None, audit_url: str | None, client_id: str | None, client_secret: str | None, data: Path
) -> Api:
    """Audit, asked as the auditor who is named, else as the local tenant's."""
    _check_pair(client_id, client_secret)
    if url is not None and audit_url is not None and client_id is not None and client_secret is not None:
        return Api(audit_url, auth=ClientToken(url, client_id, client_secret))
    target = running_target(data)
    access = url or target.stack.urls["access"]
    audit = audit_url or target.stack.urls["audit"]
    if client_id is not None and client_secret is not None:
        return Api(audit, auth=ClientToken(access, client_id, client_secret))
    return target.credentials.api("auditor", access, audit)


def _check_pair(client_id: str | None, client_secret: str | None) -> None:
    if (client_id is None) != (client_secret is None):
        raise typer.BadParameter("give --client-id and --client-secret, or neither")


def moment(option: str, text: str | None) -> str | None:
    """A date or a time from the command line, as RFC 3339.

    Raises:
        typer.BadParameter: it is neither.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{option}: {text} is no date or time such as 2026-04-01T09:00+09:00"
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()


def asked(ask: Callable[[], T]) -> T:
    """The answer; an error is printed in the service's words, and ends the command."""
    try:
        return ask()
    except (ApiError, httpx.TransportError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
