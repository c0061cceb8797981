"""A question to the policies as JSON: what an audit entry keeps of a decision, and what tables of cases hold.

    {"action": "listen", "reader": {"id": …, "tenant_id": …, "roles": ["agent"], "agent_ids": ["2041"]},
     "call": {"id": …, "tenant_id": …, "agent_id": "2041", "purposes": ["quality"]},
     "address": "203.0.113.7", "zones": ["office"], "purpose": "quality"}

A feed asks as `feed` instead of `reader`; it is about a `call`, a `tenant`, or else the installation.
"""

from __future__ import annotations

from typing import Any, Self, cast
from uuid import UUID

from pydantic import BaseModel, ConfigDict, IPvAnyAddress, model_validator

from otokura.shared.policy.facts import (
    CallFacts,
    Circumstances,
    FeedFacts,
    GrantFacts,
    PolicyAction,
    ReaderFacts,
    Resource,
    Subject,
    SystemFacts,
    TenantFacts,
)


class Question(BaseModel):
    """All that a decision depends on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: PolicyAction
    reader: ReaderFacts | None = None
    feed: FeedFacts | None = None
    call: CallFacts | None = None
    tenant: UUID | None = None
    address: IPvAnyAddress | None = None
    zones: tuple[str, ...] = ()
    purpose: str | None = None
    reason: str | None = None
    live: bool = False
    grant: GrantFacts | None = None
    break_glass: bool = False

    @model_validator(mode="after")
    def _somebody_asks_for_something(self) -> Self:
        if (self.reader is None) is (self.feed is None):
            raise ValueError("a question is asked by a reader or by a feed")
        if self.call is not None and self.tenant is not None:
            raise ValueError("a question is about a call or about a tenant")
        return self

    @classmethod
    def of(cls, subject: Subject, action: PolicyAction, resource: Resource, asked: Circumstances) -> Self:
        """The question that these facts are."""
        return cls(
            action=action,
            reader=subject if isinstance(subject, ReaderFacts) else None,
            feed=subject if isinstance(subject, FeedFacts) else None,
            call=resource if isinstance(resource, CallFacts) else None,
            tenant=resource.id if isinstance(resource, TenantFacts) else None,
            address=asked.address,
            zones=asked.zones,
            purpose=asked.purpose,
            reason=asked.reason,
            live=asked.live,
            grant=asked.grant,
            break_glass=asked.break_glass,
        )

    @property
    def subject(self) -> Subject:
        """Who asks."""
        subject = self.reader or self.feed
        if subject is None:
            raise AssertionError("validated: a reader or a feed asks")
        return subject

    @property
    def resource(self) -> Resource:
        """What is asked for."""
        if self.call is not None:
            return self.call
        return SystemFacts() if self.tenant is None else TenantFacts(self.tenant)

    @property
    def circumstances(self) -> Circumstances:
        """From where, and what for."""
        return Circumstances(
            self.address, self.zones, self.purpose, self.reason, self.live, self.grant, self.break_glass
        )

    def described(self) -> dict[str, Any]:
        """As JSON, without what is empty, and sets in order: an entry is signed."""
        return _ordered(self.model_dump(mode="json", exclude_defaults=True))


def _ordered(part: dict[str, Any]) -> dict[str, Any]:
    def settled(value: Any) -> Any:
        if isinstance(value, dict):
            return _ordered(cast("dict[str, Any]", value))
        return sorted(cast("list[str]", value)) if isinstance(value, list) else value

    return {key: settled(value) for key, value in part.items()}
