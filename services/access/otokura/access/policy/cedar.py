"""The policy decision point: Cedar policies from files, parsed once; anything but Allow is a denial.

Every decision is a pure function of its arguments, which are read from the database for each request;
that is why decisions may be remembered: a changed role, team, zone or purpose is another question.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import cedarpy

from otokura.access.errors import PolicyInvalid
from otokura.shared.address import Address
from otokura.shared.events import Role

POLICY_DIR = Path(__file__).parent.parent / "policies"
SCHEMA_FILE = "schema.cedarschema"
_REMEMBERED_DECISIONS = 8192


class PolicyAction(StrEnum):
    """What can be asked for; the actions of the schema."""

    SEARCH = "search"
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


_READINGS = {
    PolicyAction.LISTEN,
    PolicyAction.LISTEN_REDACTED,
    PolicyAction.READ_TRANSCRIPT,
    PolicyAction.READ_REDACTED,
}


@dataclass(frozen=True, slots=True)
class ReaderFacts:
    """What policies know of who asks."""

    id: UUID
    tenant_id: UUID | None
    roles: frozenset[Role]
    team: str | None
    agent_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class FeedFacts:
    """What policies know of a feed, to which something is disclosed."""

    id: UUID
    tenant_id: UUID
    purpose: str
    redacted: bool
    fields: frozenset[str]


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What policies know of a call."""

    id: UUID
    tenant_id: UUID
    agent_id: str | None
    team: str | None
    purposes: frozenset[str]


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
    """Where the request came from, and what it says it is for; for a feed, whether the call still goes on."""

    address: Address | None
    zones: tuple[str, ...]
    purpose: str | None = None
    reason: str | None = None
    live: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer, and the ids of the policies that made it (of those that forbid, in a denial)."""

    allowed: bool
    policies: tuple[str, ...]


class PolicyEngine:
    """Answers whether a reader may do something, or a feed may be given something.

    Args:
        directory: holds `schema.cedarschema` and any number of `*.cedar` files.

    Raises:
        PolicyInvalid: a file cannot be parsed, or a policy does not conform to the schema.
    """

    def __init__(self, directory: Path = POLICY_DIR) -> None:
        sources = _read(directory)
        schema_text = sources.pop(SCHEMA_FILE)
        text = "\n".join(sources.values())
        try:
            self._schema = cedarpy.Schema.from_str(schema_text)
            self._policies = cedarpy.PolicySet.from_str(text)
        except ValueError as error:
            raise PolicyInvalid(f"The policies in {directory} cannot be parsed: {error}") from error
        result = cedarpy.validate_policies(text, self._schema)
        if not result.validation_passed:
            raise PolicyInvalid(f"The policies in {directory} do not conform to the schema: {result.errors}")
        self.version = hashlib.sha256(f"{schema_text}\0{text}".encode()).hexdigest()
        self.decide = lru_cache(maxsize=_REMEMBERED_DECISIONS)(self._decide)

    def _decide(
        self, subject: Subject, action: PolicyAction, resource: Resource, circumstances: Circumstances
    ) -> Decision:
        uid, entities = _entities(subject, resource)
        # The schema must go along: without it an action is in no group, and `action in …` never matches.
        result = cedarpy.is_authorized(
            {
                "principal": _subject_uid(subject),
                "action": _uid("Action", action.value),
                "resource": uid,
                "context": _context(action, circumstances),
            },
            self._policies,
            entities,
            self._schema,
        )
        # A policy that fails to evaluate is skipped by Cedar, also one that forbids: that is a denial here.
        allowed = result.decision is cedarpy.Decision.Allow and not result.diagnostics.errors
        names = cast("dict[str, str]", result.diagnostics.id_annotations_by_reason)
        return Decision(allowed, tuple(sorted(names.values())))


def _read(directory: Path) -> dict[str, str]:
    files = [directory / SCHEMA_FILE, *sorted(directory.glob("*.cedar"))]
    if len(files) == 1:
        raise PolicyInvalid(f"There is no *.cedar file in {directory}.")
    try:
        return {path.name: path.read_text(encoding="utf-8") for path in files}
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyInvalid(f"The policies in {directory} cannot be read: {error}") from error


def _uid(kind: str, name: str) -> dict[str, str]:
    return {"type": f"Otokura::{kind}", "id": name}


def _reference(kind: str, name: str) -> dict[str, Any]:
    return {"__entity": _uid(kind, name)}


def _entity(uid: dict[str, str], attrs: Mapping[str, Any], parents: list[dict[str, str]]) -> dict[str, Any]:
    return {"uid": uid, "attrs": {k: v for k, v in attrs.items() if v is not None}, "parents": parents}


def _subject_uid(subject: Subject) -> dict[str, str]:
    return _uid("Feed" if isinstance(subject, FeedFacts) else "Reader", str(subject.id))


def _subject_entity(subject: Subject) -> dict[str, Any]:
    uid = _subject_uid(subject)
    tenant = _reference("Tenant", str(subject.tenant_id)) if subject.tenant_id else None
    if isinstance(subject, FeedFacts):
        about = {"purpose": subject.purpose, "redacted": subject.redacted, "fields": sorted(subject.fields)}
        return _entity(uid, {"tenant": tenant, **about}, [])
    attrs = {"tenant": tenant, "team": subject.team, "agent_ids": sorted(subject.agent_ids)}
    return _entity(uid, attrs, [_uid("Role", role) for role in sorted(subject.roles)])


def _entities(subject: Subject, resource: Resource) -> tuple[dict[str, str], str]:
    """The resource's uid, and the subject and the resource as Cedar's JSON."""
    entities = [_subject_entity(subject)]
    match resource:
        case CallFacts():
            uid = _uid("Call", str(resource.id))
            about = {
                "tenant": _reference("Tenant", str(resource.tenant_id)),
                "agent_id": resource.agent_id,
                "team": resource.team,
                "purposes": sorted(resource.purposes),
            }
            entities.append(_entity(uid, about, []))
        case TenantFacts():
            uid = _uid("Tenant", str(resource.id))
        case SystemFacts():
            uid = _uid("System", "otokura")
    return uid, json.dumps(entities)


def _context(action: PolicyAction, circumstances: Circumstances) -> dict[str, Any]:
    if action in {PolicyAction.DISCLOSE, PolicyAction.DISCLOSE_RAW}:
        return {"purpose": circumstances.purpose or "", "live": circumstances.live}
    context: dict[str, Any] = {"zones": list(circumstances.zones)}
    if circumstances.address is not None:
        context["address"] = {"__extn": {"fn": "ip", "arg": str(circumstances.address)}}
    if action in _READINGS:
        context["purpose"] = circumstances.purpose or ""
        if circumstances.reason:
            context["reason"] = circumstances.reason
    return context
