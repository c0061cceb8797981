"""A bearer token, whoever made it: Otokura's own, or one of an issuer that a tenant trusts.

What is configured is read at most a second before, and asked again of the database once the signature is
good: a configuration that was changed or removed, on whichever instance, lets nobody in by what it was.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from starlette.requests import HTTPConnection

from otokura.access.identity.throttle import RefusalThrottle
from otokura.access.logins.lockout import network_of
from otokura.access.oidc import repository, tokens
from otokura.access.oidc.errors import TokenRefusedError, refused
from otokura.access.oidc.keys import IssuerKeys
from otokura.access.oidc.models import OidcIssuerRecord
from otokura.access.oidc.people import LogIn, log_in
from otokura.access.oidc.trust import IssuerSettings, TrustedIssuer, arrival, concerned, meant
from otokura.shared import metrics
from otokura.shared.address import Reason, ResolvedAddress, client_address
from otokura.shared.audit import AuditWriter
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.database import Database
from otokura.shared.tokens import Principal, TokenVerifier

REFUSED = metrics.counter(
    "otokura_access_oidc_tokens_refused_total", "Tokens of trusted issuers that were refused.", ["why"]
)
MAX_AGE = 1.0
"""Seconds that the list of issuers is kept: how long a new one is unknown to other instances."""
_NOWHERE = ResolvedAddress(None, None, (), Reason.NO_PEER)
_WRITTEN = frozenset({"unknown", "disabled", "revoked"})
"""Refusals of what the issuer really signed: somebody real was turned away."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A token that is good."""

    principal: Principal
    expires_at: datetime


class IssuerBook:
    """The configurations of all tenants, by issuer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._by_issuer: Mapping[str, Sequence[TrustedIssuer]] = {}
        self._read_at = float("-inf")
        self._changes = 0

    async def of(self, issuer: str, *, anew: bool = False) -> Sequence[TrustedIssuer]:
        """Those of an issuer, as they were at most `MAX_AGE` ago; `anew`, as they are."""
        if anew or time.monotonic() - self._read_at >= MAX_AGE:
            read_at, changes = time.monotonic(), self._changes
            async with self._database.session() as session:
                records = await repository.all_issuers(session)
            by_issuer: dict[str, list[TrustedIssuer]] = {}
            for record in records:
                by_issuer.setdefault(record.issuer, []).append(trusted_of(record))
            self._by_issuer = by_issuer
            if changes == self._changes:  # else it may have been read just before
                self._read_at = read_at
        return self._by_issuer.get(issuer, ())

    def forget(self) -> None:
        """What is configured has just changed: the next question is asked of the database."""
        self._changes += 1
        self._read_at = float("-inf")


def trusted_of(record: OidcIssuerRecord) -> TrustedIssuer:
    """A row as what it means."""
    settings = dict(record.settings)
    subject_claim: str = settings.pop("subject_claim")
    return TrustedIssuer(
        id=record.id,
        tenant_id=record.tenant_id,
        issuer=record.issuer,
        subject_claim=subject_claim,
        settings=IssuerSettings.model_validate(settings),
        version=record.version,
    )


async def judge(
    token: str, trusting: Callable[[str], Awaitable[Sequence[TrustedIssuer]]], keys: IssuerKeys
) -> tuple[TrustedIssuer, Mapping[str, Any]]:
    """Whose a token is, and its claims, once everything about it is good.

    Args:
        token: as it came.
        trusting: the configurations of an issuer.
        keys: of the issuers.

    Raises:
        TokenRefusedError: it is not good.
        Unavailable: the issuer's keys cannot be had.
    """
    presented = tokens.read(token)
    issuer = presented.claims.get("iss")
    if not isinstance(issuer, str):
        raise TokenRefusedError("issuer")
    trusted = meant(await trusting(issuer), presented.claims)
    tokens.check_header(presented, trusted.settings)
    key = await keys.find(issuer, presented.kid, presented.algorithm)
    if key is None:
        raise TokenRefusedError("key")
    return trusted, tokens.verify(token, presented, trusted, key)


class OidcVerifier:
    """Judges tokens of trusted issuers.

    Args:
        database: knows issuers and their subjects.
        audit: where people who were turned away are written down.
        keys: of the issuers.
        throttle: of these entries.
    """

    def __init__(
        self, database: Database, audit: AuditWriter, keys: IssuerKeys, throttle: RefusalThrottle
    ) -> None:
        self._database = database
        self._audit = audit
        self.keys = keys
        self._book = IssuerBook(database)
        self._throttle = throttle

    def reconfigured(self) -> None:
        """A configuration was made, changed or removed here: it holds from the next token on."""
        self._book.forget()

    async def trusts(self, issuer: str) -> bool:
        """Whether any tenant trusts the issuer."""
        return bool(await self._book.of(issuer))

    async def accept(self, token: str, place: ResolvedAddress) -> Accepted:
        """Whom the token stands for.

        Raises:
            Unauthenticated: it is not good; in the same words, whatever is wrong.
            Unavailable: the issuer's keys cannot be had, or the database or the log is away.
        """
        try:
            try:
                return await self._accept(token, place, anew=False)
            except TokenRefusedError as error:
                if error.why != "changed":
                    raise
                return await self._accept(token, place, anew=True)
        except TokenRefusedError as error:
            REFUSED.labels(error.why).inc()
            raise refused() from error

    async def logged_out(self, token: str) -> list[tuple[TrustedIssuer, str, datetime]]:
        """Whose tokens end by a logout token, and those made until when; of every tenant that it concerns.

        Raises:
            TokenRefusedError: it is not good.
            Unavailable: the issuer's keys cannot be had.
        """
        presented = tokens.read(token)
        issuer = presented.claims.get("iss")
        trusting = await self._book.of(issuer) if isinstance(issuer, str) else ()
        among = [
            one
            for one in concerned(trusting, presented.claims)
            if presented.algorithm in one.settings.algorithms
        ]
        if not among:
            raise TokenRefusedError("audience")
        key = await self.keys.find(among[0].issuer, presented.kid, presented.algorithm)
        if key is None:
            raise TokenRefusedError("key")
        return [(one, *tokens.logged_out(token, presented, one, key)) for one in among]

    async def _accept(self, token: str, place: ResolvedAddress, *, anew: bool) -> Accepted:
        trusted, claims = await judge(token, partial(self._book.of, anew=anew), self.keys)
        login = LogIn(
            trusted, arrival(trusted, claims), tokens.issued_at(claims), tokens.token_id(token), place
        )
        subject = await self._principal(login)
        principal = Principal(
            subject=subject,
            tenant_id=trusted.tenant_id,
            # What they may do is read from the database for each request (`reader_from`).
            roles=frozenset(),
            kind="client" if login.arrival.kind == "client" else "person",
            jti=login.token_id,
            issued_at=login.issued_at,
            good_until=tokens.good_until(claims),
        )
        return Accepted(principal, tokens.expires_at(claims))

    async def _principal(self, login: LogIn) -> UUID:
        """Found with one query, unless this is a log-in."""
        trusted = login.trusted
        async with self._database.session() as session:
            row = await repository.seen(session, trusted.id, login.arrival.subject)
        if row is None or row.version != trusted.version:
            raise TokenRefusedError("changed")
        if row.token_at is not None and login.issued_at <= row.token_at:
            known: UUID = row.principal_id
            return known
        try:
            async with self._database.session() as session:
                return await log_in(session, login)
        except TokenRefusedError as error:
            await self._write_down(login, row.principal_id, error.why)
            raise

    async def _write_down(self, login: LogIn, principal_id: UUID | None, why: str) -> None:
        """One entry a minute for a subject and a network: they cannot fill the log."""
        if why not in _WRITTEN:
            return
        about = login.describe() | {"why": why, "name": login.arrival.name}

        def draft(count: int) -> AuditDraft:
            return AuditDraft(
                action=Action.TOKEN_DENIED,
                tenant_id=login.trusted.tenant_id,
                reader=str(principal_id) if principal_id else None,
                detail=about | {"count": count},
            )

        who = f"{login.arrival.subject}\n{network_of(login.place.address)}"
        await self._throttle.write(self._audit, login.trusted.id, who, draft)


class AnyVerifier:
    """Verifies whatever bearer comes.

    Args:
        own: for tokens that Otokura made.
        own_issuer: the `iss` of those.
        oidc: for all others.
    """

    def __init__(self, own: TokenVerifier, own_issuer: str, oidc: OidcVerifier) -> None:
        self._own = own
        self._own_issuer = own_issuer
        self._oidc = oidc

    async def verify(self, token: str, connection: HTTPConnection | None = None) -> Principal:
        """The principal that a token stands for.

        Raises:
            Unauthenticated: it is not good.
            Unavailable: it cannot be judged now.
        """
        issuer = tokens.issuer_named(token)
        if issuer is None or issuer == self._own_issuer or not await self._oidc.trusts(issuer):
            return await self._own.verify(token)
        place = client_address(connection) if connection is not None else _NOWHERE
        return (await self._oidc.accept(token, place)).principal
