"""Tables of people who log in: no password, code, invitation or refresh token stands in any of them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Column, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field

from otokura.access.models import Table, moment

NEVER = -1
"""The last step of a second factor that was never used."""


class Login(Table, table=True):
    """How a person logs in.

    The key of the authenticator app is derived from a DEK that the key provider wraps for the tenant and the
    person; without one there is no second factor. `last_step` is the last of its steps that was used.
    `reset_at`: the second factor was taken away, and nobody logs in before a new one is there.
    """

    __tablename__ = "logins"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    principal_id: UUID = Field(primary_key=True, foreign_key="principals.id")
    tenant_id: UUID = Field(foreign_key="tenants.id")
    name: str
    password_hash: str
    """Argon2id, as a PHC string."""
    kek_id: str | None = None
    wrapped: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    last_step: int = Field(default=NEVER, sa_type=BigInteger)
    changed_at: datetime = moment()
    reset_at: datetime | None = moment(nullable=True)


class Invitation(Table, table=True):
    """What a person accepts with a token that was shown once; the newest of a person counts.

    Password and second factor wait here, until a code shows that the app has the key.
    """

    __tablename__ = "invitations"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive

    id: UUID = Field(primary_key=True)
    tenant_id: UUID = Field(foreign_key="tenants.id")
    principal_id: UUID = Field(foreign_key="principals.id", index=True)
    login: str
    token_sha256: str = Field(unique=True)
    keeps_password: bool
    """Only the second factor is new: the person gives the password that they have."""
    password_hash: str | None = None
    kek_id: str | None = None
    wrapped: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    created_at: datetime = moment()
    expires_at: datetime = moment()
    accepted_at: datetime | None = moment(nullable=True)
    withdrawn_at: datetime | None = moment(nullable=True)


class LoginTry(Table, table=True):
    """One try that has not succeeded: it counts from before the password is looked at."""

    __tablename__ = "login_tries"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (Index("ix_login_tries_account", "account", "at"), Index("ix_login_tries_at", "at"))

    id: UUID = Field(primary_key=True)
    account: str
    """Hash of company and login, whether there is such a login or not."""
    origin: str
    at: datetime = moment()


class LoginOrigin(Table, table=True):
    """A network or a device from which a person has logged in."""

    __tablename__ = "login_origins"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive

    principal_id: UUID = Field(primary_key=True, foreign_key="principals.id")
    origin: str = Field(primary_key=True)
    last_at: datetime = moment()


class SessionRecord(Table, table=True):
    """A session: from a login until it ends. Its refresh token consists of two secrets, kept as hashes.

    `family_sha256` is of the one that stays: who has it, had a token of this session. `once_sha256` is of the
    one that changes with each use: who comes with another, comes with a token that was used before.
    """

    __tablename__ = "sessions"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive

    id: UUID = Field(primary_key=True)
    principal_id: UUID = Field(foreign_key="principals.id", index=True)
    family_sha256: str
    once_sha256: str
    second_factor: bool
    network: str
    began_at: datetime = moment()
    used_at: datetime = moment()
    expires_at: datetime = moment()
    ended_at: datetime | None = moment(nullable=True)
    ended_why: str | None = None
