"""Pure decisions about principals: which roles go together, and who may give them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from otokura.access.errors import BootstrapRefused, RoleNotAssignable
from otokura.access.identity.models import ApiKeyRecord
from otokura.shared.errors import Unprocessable
from otokura.shared.events import Role

LIVING_KEYS = 2
"""Of one client: the one in use, and the one that takes its place."""


class PrincipalKind(StrEnum):
    """A human being, or a program."""

    PERSON = "person"
    CLIENT = "client"


def check_roles(roles: Collection[Role], kind: PrincipalKind) -> None:
    """Refuses roles that a tenant's administrator cannot give, or that must not meet in one principal.

    Raises:
        RoleNotAssignable: says which, and why.
    """
    if Role.OPERATOR in roles:
        raise RoleNotAssignable("An operator belongs to no tenant: only bootstrap makes one.")
    if Role.VENDOR in roles and len(roles) > 1:
        raise RoleNotAssignable("A vendor sends calls and does nothing else: give it no other role.")
    if Role.VENDOR in roles and kind is not PrincipalKind.CLIENT:
        raise RoleNotAssignable("A vendor is a program: its kind must be client.")
    if Role.AUDITOR in roles and len(roles) > 1:
        raise RoleNotAssignable("An auditor must not read or configure what they audit: give no other role.")


def living(keys: Iterable[ApiKeyRecord], at: datetime) -> list[ApiKeyRecord]:
    """Those that were not withdrawn and have not expired."""
    return [
        key for key in keys if key.withdrawn_at is None and (key.expires_at is None or at < key.expires_at)
    ]


def check_expiry(expires_at: datetime | None, at: datetime) -> None:
    """A new key must be good for some time.

    Raises:
        Unprocessable: it would have expired already.
    """
    if expires_at is not None and expires_at <= at:
        raise Unprocessable("expires_at lies in the past: give a time to come, or none.")


def check_bootstrap(
    *, seen_at: datetime | None, used_at: datetime | None, operators: int, now: datetime, lifetime: timedelta
) -> None:
    """Refuses a bootstrap that must not happen.

    Args:
        seen_at: when this installation first saw the token; None when it is not the configured one.
        used_at: when it made an operator.
        operators: how many operators there are that are not disabled.
        now: the database's time.
        lifetime: how long after `seen_at` a token works.

    Raises:
        BootstrapRefused: says why, without telling a wrong token from a missing one.
    """
    if seen_at is None:
        words = "This is not the bootstrap token, or none is configured."
        raise BootstrapRefused(words, why=["no-such-token"])
    if used_at is not None:
        words = "This bootstrap token has been used: it makes one operator, once."
        raise BootstrapRefused(words, why=["token-used"])
    if now >= seen_at + lifetime:
        words = "This bootstrap token has expired: configure a new one and restart the service."
        raise BootstrapRefused(words, why=["token-expired"])
    if operators:
        raise BootstrapRefused("There is an operator already.", why=["operator-exists"])
