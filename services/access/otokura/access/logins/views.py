"""What the routes of people who log in take and give; secrets come as `SecretStr`, which no error shows."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from otokura.access.identity.views import Body

_LONGEST_SECRET = 512


def _folded(login: str) -> str:
    return unicodedata.normalize("NFKC", login).casefold()


Login = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^\S+$"), AfterValidator(_folded)]
"""The name by which a person logs in, such as a mail address; capitals make no difference."""
Secret = Annotated[SecretStr, Field(min_length=1, max_length=_LONGEST_SECRET)]
Code = Annotated[SecretStr, Field(min_length=6, max_length=16)]


class InvitationBody(Body):
    """By which name the person will log in."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"login": "hanako@midori.example"}]}
    )
    login: Login


class InvitationCreated(BaseModel):
    """An invitation. The token is shown once, for the person alone: a repeated request gets null."""

    id: UUID
    principal_id: UUID
    login: str
    expires_at: datetime
    token: str | None


class AcceptBody(Body):
    """The invitation's token and a password: a new one, or after a reset of the second factor yours as it is.

    `second_factor`: false where the company does not demand one and the person wants none.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"token": "…", "password": "長い合言葉は覚えやすいです", "second_factor": True}]
        },
    )
    token: Secret
    password: Secret
    second_factor: bool = True


class Accepted(BaseModel):
    """How to log in from now on; with a second factor, from when a code has confirmed it.

    `otpauth_uri` is what an authenticator app reads from a QR code, `secret` the same to type (base32).
    """

    company: str
    login: str
    confirmed: bool
    secret: str | None
    otpauth_uri: str | None


class ConfirmBody(Body):
    """The invitation's token, and a code that the app shows now."""

    token: Secret
    code: Code


class LogInBody(Body):
    """Who logs in. `company` is the tenant's name; `code` is the app's, where there is a second factor.

    `device` is what the last log-in on this device answered: what goes wrong elsewhere does not count for it.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "company": "みどり通販",
                    "login": "hanako@midori.example",
                    "password": "長い合言葉は覚えやすいです",
                    "code": "287082",
                }
            ]
        },
    )
    company: Annotated[str, Field(min_length=1, max_length=200)]
    login: Login
    password: Secret
    code: Code | None = None
    device: Secret | None = None


class RefreshBody(Body):
    """The refresh token; it is good once."""

    refresh_token: Secret


class SessionTokens(BaseModel):
    """What a session goes on with.

    The refresh token changes with each use, and one that comes a second time ends the session. `expires_at`
    is when the person logs in again in any case. `device` comes with a log-in: to be kept beyond the session,
    and sent with the next log-in.
    """

    session_id: UUID
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - not a secret
    expires_in: int
    refresh_token: str
    expires_at: datetime
    device: str | None = None


class SessionView(BaseModel):
    """A session that goes on."""

    id: UUID
    began_at: datetime
    used_at: datetime
    expires_at: datetime
    network: str
    second_factor: bool


class SessionList(BaseModel):
    """The sessions of a person, newest first."""

    items: list[SessionView]


class PasswordBody(Body):
    """The password as it is, and the new one."""

    password: Secret
    new_password: Secret
