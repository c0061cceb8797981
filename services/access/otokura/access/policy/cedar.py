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
    READ_TRANSCRIPT = "read-transcript"
    CONFIGURE = "configure"
    MANAGE_PRINCIPALS = "manage-principals"
    MANAGE_TENANTS = "manage-tenants"


@dataclass(frozen=True, slots=True)
class ReaderFacts:
    """What policies know of who asks."""

    id: UUID
    tenant_id: UUID | None
    roles: frozenset[Role]
    team: str | None
    agent_ids: frozenset[str]


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


Resource = CallFacts | TenantFacts | SystemFacts


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Where the request came from, and what it says it is for."""

    address: Address | None
    zones: tuple[str, ...]
    purpose: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer, and the ids of the policies that made it (of those that forbid, in a denial)."""

    allowed: bool
    policies: tuple[str, ...]


class PolicyEngine:
    """Answers whether a reader may do something.

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
        self, reader: ReaderFacts, action: PolicyAction, resource: Resource, circumstances: Circumstances
    ) -> Decision:
        uid, entities = _entities(reader, resource)
        # The schema must go along: without it an action is in no group, and `action in …` never matches.
        result = cedarpy.is_authorized(
            {
                "principal": _uid("Reader", str(reader.id)),
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


def _entities(reader: ReaderFacts, resource: Resource) -> tuple[dict[str, str], str]:
    """The resource's uid, and the reader and the resource as Cedar's JSON."""
    tenant = _reference("Tenant", str(reader.tenant_id)) if reader.tenant_id else None
    attrs = {"tenant": tenant, "team": reader.team, "agent_ids": sorted(reader.agent_ids)}
    roles = [_uid("Role", role) for role in sorted(reader.roles)]
    entities = [_entity(_uid("Reader", str(reader.id)), attrs, roles)]
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
    context: dict[str, Any] = {"zones": list(circumstances.zones)}
    if circumstances.address is not None:
        context["address"] = {"__extn": {"fn": "ip", "arg": str(circumstances.address)}}
    if action in {PolicyAction.LISTEN, PolicyAction.READ_TRANSCRIPT}:
        context["purpose"] = circumstances.purpose or ""
        if circumstances.reason:
            context["reason"] = circumstances.reason
    return context
