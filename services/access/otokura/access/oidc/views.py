"""What the routes of issuers take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from otokura.access.identity.models import PrincipalRecord
from otokura.access.identity.views import TokenResponse
from otokura.access.oidc.models import OidcIssuerRecord, OidcSubject
from otokura.access.oidc.trust import IssuerSettings, Text
from otokura.shared.events import Role
from otokura.shared.moments import Moment

SubjectClaim = Literal["sub", "oid", "uid"]
"""What issuers never give to somebody else (`oid` is Entra ID's, `uid` Okta's): no e-mail address."""
_EXAMPLE: dict[str, Any] = {
    "audience": "otokura",
    "algorithms": ["RS256"],
    "groups_claim": "groups",
    "groups": [
        {"group": "call-center-tokyo", "role": "supervisor", "team": "tokyo"},
        {"group": "compliance", "role": "auditor"},
    ],
    "agents_claim": "cti_ids",
    "provisioning": True,
}


class IssuerChange(IssuerSettings):
    """How the tokens of an issuer are judged. Every token that came before the change is good no more."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    def settings(self) -> IssuerSettings:
        """Without what stands beside them."""
        return IssuerSettings.model_validate(self.model_dump(include=set(IssuerSettings.model_fields)))


class IssuerBody(IssuerChange):
    """An identity provider that the tenant trusts.

    Attributes:
        issuer: its issuer identifier, letter by letter as it stands in its tokens and its metadata.
        subject_claim: what names a person for good: `oid` for Entra ID where people shall stay the same from
            one application to another, `uid` for access tokens of Okta, whose `sub` is a log-in name.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"issuer": "https://id.example.co.jp/realms/calls", **_EXAMPLE}]},
    )
    issuer: str = Field(min_length=1, max_length=1024)
    subject_claim: SubjectClaim = "sub"


class IssuerView(IssuerSettings):
    """An identity provider that the tenant trusts."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: UUID
    issuer: str
    subject_claim: SubjectClaim
    created_at: datetime

    @classmethod
    def of(cls, record: OidcIssuerRecord) -> IssuerView:
        """The view of a record."""
        about = {"id": record.id, "issuer": record.issuer, "created_at": record.created_at}
        return cls.model_validate(record.settings | about)


class IssuerList(BaseModel):
    """All identity providers of a tenant."""

    items: list[IssuerView]


class SubjectBody(BaseModel):
    """Which principal of the tenant a subject of the issuer is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "subject": "110169484474386276334",
                    "principal_id": "0190a6e8-5e9c-7d1a-8f00-1a2b3c4d5e6f",
                }
            ]
        },
    )
    subject: Text
    principal_id: UUID


class SubjectView(BaseModel):
    """Who a subject is, and when the newest of its tokens that came was made."""

    subject: str
    principal_id: UUID
    name: str
    roles: list[Role]
    made: bool
    token_at: datetime | None
    tokens_since: datetime | None
    disabled_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, subject: OidcSubject, principal: PrincipalRecord) -> SubjectView:
        """The view of two records."""
        include = {"name", "roles", "tokens_since", "disabled_at"}
        return cls.model_validate(principal.model_dump(include=include) | subject.model_dump())


class SubjectList(BaseModel):
    """Everybody who is known by an issuer."""

    items: list[SubjectView]


class NotBeforeBody(BaseModel):
    """From when on tokens must have been made; now, without a time."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"not_before": "2026-12-01T00:00:00Z"}, {}]}
    )
    not_before: Moment | None = None


class ExchangedToken(TokenResponse):
    """RFC 8693 §2.2.1."""

    issued_token_type: str
