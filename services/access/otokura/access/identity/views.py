"""What the identity routes take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from otokura.access.identity.models import PrincipalRecord
from otokura.access.identity.service import PrincipalKind
from otokura.shared.clients import ClientLimits
from otokura.shared.events import Role
from otokura.shared.moments import Moment

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^\S(.*\S)?$")]
AgentId = Annotated[str, Field(min_length=1, max_length=128)]


class Body(BaseModel):
    """Base of request bodies: a member that we do not know is a typing error, not something to ignore."""

    model_config = ConfigDict(extra="forbid")


class BootstrapBody(Body):
    """The bootstrap token from the service's configuration, and a name for the first operator."""

    token: SecretStr = Field(max_length=512)
    name: Name


class Credentials(BaseModel):
    """A principal's credentials. The secret is shown once: a repeated request gets null."""

    id: UUID
    client_id: UUID
    client_secret: str | None


class PrincipalChange(Body):
    """What can be changed of a principal: all of it is replaced.

    `agent_ids` are the phone system's names for this person, whose calls they read as an agent; `team`
    decides which supervisor reads those calls and, for a supervisor, whose calls they read.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"name": "山田 花子", "roles": ["agent"], "team": "osaka", "agent_ids": ["2041", "7-2041"]}
            ]
        },
    )
    name: Name
    roles: list[Role] = Field(min_length=1, max_length=8)
    team: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    agent_ids: list[AgentId] = Field(default_factory=list, max_length=32)


class PrincipalBody(PrincipalChange):
    """A new principal."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "山田 花子",
                    "kind": "person",
                    "roles": ["agent"],
                    "team": "tokyo",
                    "agent_ids": ["2041"],
                }
            ]
        },
    )
    kind: PrincipalKind


class PrincipalView(BaseModel):
    """A principal, without its secrets."""

    id: UUID
    name: str
    kind: PrincipalKind
    roles: list[Role]
    team: str | None
    agent_ids: list[str]
    created_at: datetime
    disabled_at: datetime | None

    @classmethod
    def of(cls, record: PrincipalRecord, agent_ids: list[str]) -> PrincipalView:
        """The view of a record."""
        return cls.model_validate(record.model_dump() | {"agent_ids": agent_ids})


class PrincipalCreated(PrincipalView):
    """A new principal. Secret and key are shown once; only a vendor has a key."""

    client_id: UUID
    client_secret: str | None
    api_key: str | None


class KeyBody(Body):
    """A further key. With `expires_at` it ends by itself; a time needs its zone."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"expires_at": "2027-03-31T15:00:00Z"}]}
    )
    expires_at: Moment | None = None


class KeyView(BaseModel):
    """A key, without itself."""

    id: UUID
    created_at: datetime
    expires_at: datetime | None
    withdrawn_at: datetime | None


class KeyCreated(KeyView):
    """A new key, shown once: a repeated request gets null."""

    api_key: str | None


class KeyList(BaseModel):
    """All keys that a client ever had, oldest first."""

    items: list[KeyView]


class SecretBody(Body):
    """How the secret is changed.

    `overlap_seconds`: how long the old secret is good, too, at most 30 days. Without it the old secret, and
    every token that was obtained so far, end at once.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"overlap_seconds": 86400}]})
    overlap_seconds: int = Field(default=0, ge=0, le=30 * 86_400)


class LimitsBody(ClientLimits):
    """What a vendor's client may use of ingest; null or absent: as the installation's settings say."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [{"calls": 200, "requests_per_minute": 3000, "upload_bytes_per_hour": 20_000_000_000}]
        },
    )


class PrincipalList(BaseModel):
    """All principals of a tenant."""

    items: list[PrincipalView]


class TokenResponse(BaseModel):
    """RFC 6749 §5.1."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - not a secret
    expires_in: int


class OAuthProblem(BaseModel):
    """RFC 6749 §5.2."""

    error: Literal["invalid_request", "invalid_client", "unsupported_grant_type"]
    error_description: str


class Jwks(BaseModel):
    """RFC 7517 §5."""

    keys: list[dict[str, Any]]
