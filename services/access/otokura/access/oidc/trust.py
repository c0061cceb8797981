"""What a tenant trusts of an identity provider, and what of it stands in a token's claims. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, cast
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from otokura.access.errors import RoleNotAssignable
from otokura.access.identity.service import PrincipalKind, check_roles
from otokura.access.oidc.errors import TokenRefusedError
from otokura.shared.events import Role

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""RFC 7518 §3.1, RFC 8037: asymmetric ones only. A shared secret would let the verifier sign."""
ClaimName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")]
Text = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]

_LONGEST_SUBJECT, _LONGEST_NAME, _LONGEST_AGENT = 255, 200, 128
_MOST_AGENTS = 32
_UNGIVEN = frozenset({Role.OPERATOR, Role.VENDOR})
"""An operator belongs to no tenant; a vendor is a program whose keys ingest knows."""


class RequiredClaim(BaseModel):
    """A claim that a token must have, with this very value: `hd` of Google, `tid` of Entra ID."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    claim: ClaimName
    value: Text


class GroupRule(BaseModel):
    """Who is in the group has the role and, where one is named, belongs to the team."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    group: Text
    role: Role
    team: Annotated[str, Field(min_length=1, max_length=64)] | None = None

    @field_validator("role")
    @classmethod
    def _given(cls, role: Role) -> Role:
        if role in _UNGIVEN:
            raise ValueError("a group cannot make anybody a vendor or an operator")
        return role


class IssuerSettings(BaseModel):
    """How tokens of an issuer are judged.

    Attributes:
        audience: the `aud` that is accepted: the name of Otokura at the issuer, for ID tokens the client id.
        algorithms: the signatures that are accepted.
        access_tokens_only: only tokens of the type `at+jwt` (RFC 9068) are accepted. False: also those of
            the type `JWT` or of none, which are ID tokens, and access tokens of issuers that do not name it.
        clients: the programs to which the issuer may have given a token for us (`azp`, `client_id`). Empty:
            an `azp`, where there is one, must be the audience.
        required: what tells this tenant's tokens from others of the same issuer and audience.
        name_claim: how people are called.
        groups_claim: the claim that lists groups. None: roles and teams are those that were given here.
        groups: what comes of them.
        agents_claim: the claim that lists the phone system's names for a person. None: as given here.
        provisioning: who comes for the first time is made a person of the tenant. False: only who was bound.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    audience: Text
    algorithms: list[Algorithm] = Field(default=["RS256"], min_length=1, max_length=10)
    access_tokens_only: bool = True
    clients: list[Text] = Field(default_factory=list[str], max_length=50)
    required: RequiredClaim | None = None
    name_claim: ClaimName = "name"
    groups_claim: ClaimName | None = None
    groups: list[GroupRule] = Field(default_factory=list[GroupRule], max_length=500)
    agents_claim: ClaimName | None = None
    provisioning: bool = False

    @model_validator(mode="after")
    def _together(self) -> Self:
        if bool(self.groups) != (self.groups_claim is not None):
            raise ValueError("groups_claim and groups go together")
        if self.provisioning and self.groups_claim is None:
            raise ValueError("provisioning needs groups_claim: people would be made without a role")
        return self


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """One tenant's configuration of an issuer, as it was read."""

    id: UUID
    tenant_id: UUID
    issuer: str
    subject_claim: str
    settings: IssuerSettings
    version: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """Whom a token speaks of, in our words.

    Attributes:
        subject: the issuer's name for them, which never changes and is never given to another.
        name: how they are called; None: the issuer does not say.
        kind: a person, or a program that speaks for itself.
        roles: what their groups make of them; None: groups say nothing here.
        team: the team of the first group that names one.
        agent_ids: the phone system's names for them; None: the issuer does not say.
        clashing: their groups give roles that must not meet in one person, so that they have none.
    """

    subject: str
    name: str | None
    kind: PrincipalKind
    roles: frozenset[Role] | None
    team: str | None
    agent_ids: frozenset[str] | None
    clashing: bool = False


def overlaps(one: IssuerSettings, other: IssuerSettings) -> bool:
    """Whether a token could be good for both: then it would be nobody's."""
    if one.audience != other.audience:
        return False
    if one.required is None or other.required is None:
        return True
    return one.required.claim != other.required.claim or one.required.value == other.required.value


def meant(trusted: Iterable[TrustedIssuer], claims: Mapping[str, Any]) -> TrustedIssuer:
    """The one configuration that a token is for.

    Raises:
        TokenRefusedError: it is for none, or for more than one.
    """
    audiences = _strings(claims.get("aud"))
    found = [
        one
        for one in trusted
        if one.settings.audience in audiences
        and (one.settings.required is None or _has(claims, one.settings.required))
    ]
    if len(found) != 1:
        raise TokenRefusedError("ambiguous" if found else "audience")
    return found[0]


def concerned(trusted: Iterable[TrustedIssuer], claims: Mapping[str, Any]) -> list[TrustedIssuer]:
    """The configurations that a log-out concerns: those of any program to which the issuer gave tokens."""
    audiences = frozenset(_strings(claims.get("aud")))
    return [
        one
        for one in trusted
        # A log-out names people by `sub` alone.
        if one.subject_claim == "sub" and audiences & {one.settings.audience, *one.settings.clients}
    ]


def arrival(trusted: TrustedIssuer, claims: Mapping[str, Any]) -> Arrival:
    """Whom verified claims speak of.

    Raises:
        TokenRefusedError: they name nobody.
    """
    settings = trusted.settings
    subject = claims.get(trusted.subject_claim)
    if not _is_text(subject, _LONGEST_SUBJECT):
        raise TokenRefusedError("subject")
    name = claims.get(settings.name_claim)
    itself = claims["sub"] in (claims.get("client_id"), claims.get("azp"))
    roles, team, clashing = _given(settings, claims)
    agents: frozenset[str] | None = None
    if settings.agents_claim is not None:
        named = [one for one in _strings(claims.get(settings.agents_claim)) if _is_text(one, _LONGEST_AGENT)]
        agents = frozenset(named[:_MOST_AGENTS])
    return Arrival(
        subject=cast("str", subject),
        name=_called(name),
        kind=PrincipalKind.CLIENT if itself else PrincipalKind.PERSON,
        roles=roles,
        team=team,
        agent_ids=agents,
        clashing=clashing,
    )


def _given(
    settings: IssuerSettings, claims: Mapping[str, Any]
) -> tuple[frozenset[Role] | None, str | None, bool]:
    """Roles, team, and whether the roles clash. Who is in no group has no role."""
    if settings.groups_claim is None:
        return None, None, False
    groups = frozenset(_strings(claims.get(settings.groups_claim)))
    rules = [rule for rule in settings.groups if rule.group in groups]
    roles = frozenset(rule.role for rule in rules)
    try:
        check_roles(roles, PrincipalKind.PERSON)
    except RoleNotAssignable:
        return frozenset(), None, True
    return roles, next((rule.team for rule in rules if rule.team), None), False


def _has(claims: Mapping[str, Any], required: RequiredClaim) -> bool:
    value = claims.get(required.claim)
    return isinstance(value, str) and value == required.value


def _strings(value: object) -> list[str]:
    """A claim of one string or of many; anything else is of none."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        return []
    return [one for one in cast("list[object]", value) if isinstance(one, str)]


def _is_text(value: object, longest: int) -> bool:
    """Something that can be stored and shown: no control characters, no lone surrogates."""
    return (
        isinstance(value, str) and 0 < len(value) <= longest and value.isprintable() and not value.isspace()
    )


def _called(name: object) -> str | None:
    if not isinstance(name, str):
        return None
    shown = "".join(char if char.isprintable() else " " for char in name[:_LONGEST_NAME]).strip()
    return shown or None
