"""What policies are told: who asks, for what, about which call, from where."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import ConfigDict

from otokura.shared.address import Address
from otokura.shared.events import Role


class PolicyAction(StrEnum):
    """What can be asked for; the actions of the schema."""

    LOG_IN = "log-in"
    SEARCH = "search"
    SEARCH_TEXT = "search-text"
    VIEW = "view"
    LISTEN = "listen"
    LISTEN_REDACTED = "listen-redacted"
    READ_TRANSCRIPT = "read-transcript"
    READ_REDACTED = "read-redacted"
    DISCLOSE = "disclose"
    DISCLOSE_RAW = "disclose-raw"
    CONFIGURE = "configure"
    MANAGE_PRINCIPALS = "manage-principals"
    MANAGE_FEEDS = "manage-feeds"
    MANAGE_RAW_FEEDS = "manage-raw-feeds"
    MANAGE_TENANTS = "manage-tenants"
    TRANSCRIBE_AGAIN = "transcribe-again"
    GIVE_GRANT = "give-grant"
    MANAGE_GRANTS = "manage-grants"
    ASK_BREAK_GLASS = "ask-break-glass"
    APPROVE_BREAK_GLASS = "approve-break-glass"
    MANAGE_SIGNALS = "manage-signals"
    ROTATE_KEYS = "rotate-keys"
    HOLD = "hold"
    ERASE = "erase"
    EXPORT = "export"
    EXPORT_RAW = "export-raw"
    MAKE_EVIDENCE = "make-evidence"
    MANAGE_RETENTION = "manage-retention"


READINGS = {
    PolicyAction.SEARCH_TEXT,
    PolicyAction.LISTEN,
    PolicyAction.LISTEN_REDACTED,
    PolicyAction.READ_TRANSCRIPT,
    PolicyAction.READ_REDACTED,
}
"""What is done for a purpose, and perhaps for a reason."""


@dataclass(frozen=True, slots=True)
class ReaderFacts:
    """What policies know of who asks."""

    id: UUID
    tenant_id: UUID | None
    roles: frozenset[Role]
    team: str | None = None
    agent_ids: frozenset[str] = frozenset()

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class FeedFacts:
    """What policies know of a feed, to which something is disclosed."""

    id: UUID
    tenant_id: UUID
    purpose: str
    redacted: bool
    fields: frozenset[str] = frozenset()

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What policies know of a call."""

    id: UUID
    tenant_id: UUID
    agent_id: str | None = None
    team: str | None = None
    purposes: frozenset[str] = frozenset()

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class GrantFacts:
    """What policies know of a grant that a read names: one that is good still, given to `reader`."""

    id: UUID
    reader: UUID
    call: UUID
    what: frozenset[PolicyAction]
    purpose: str
    zones: frozenset[str] = frozenset()
    """Names of the tenant's zones that it is limited to; none: all of them."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class TenantFacts:
    """The tenant as a resource."""

    id: UUID


@dataclass(frozen=True, slots=True)
class SystemFacts:
    """The installation as a resource."""


Subject = ReaderFacts | FeedFacts
Resource = CallFacts | TenantFacts | SystemFacts


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Where the request came from, what it says it is for, and what it leans on.

    `live` is a feed's: whether the call still goes on.
    """

    address: Address | None
    zones: tuple[str, ...]
    purpose: str | None = None
    reason: str | None = None
    live: bool = False
    grant: GrantFacts | None = None
    """The grant that the read names."""
    break_glass: bool = False
    """Whether the reader asked for it and somebody else approved it, for now."""
