"""The policy decision point: Cedar policies from files, parsed once; anything but Allow is a denial.

Every decision is a pure function of its arguments, which are read from the database for each request;
that is why decisions may be remembered: a changed role, team, zone or purpose is another question.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import cedarpy

from otokura.shared.errors import OtokuraError
from otokura.shared.policy.facts import (
    READINGS,
    CallFacts,
    Circumstances,
    FeedFacts,
    GrantFacts,
    PolicyAction,
    Resource,
    Subject,
    SystemFacts,
    TenantFacts,
)
from otokura.shared.policy.questions import Question

POLICY_DIR = Path(__file__).parent / "files"
SCHEMA_FILE = "schema.cedarschema"
_REMEMBERED_DECISIONS = 8192
_REMEMBERED_ENTITIES = 1024


class PolicyInvalid(OtokuraError):  # noqa: N818 - named like its siblings, after what is wrong
    """The policy files cannot be used. The service does not start with them."""

    code, title = "policy-invalid", "Policies cannot be used"


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
        PolicyInvalid: a file cannot be parsed, a policy does not conform to the schema, or has no name of its
            own: entries in the log say by which policies somebody was let in.
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
        policies = _policies(text)
        self.names = _named(policies)
        self.warnings = list(_warnings(policies))
        self.version = hashlib.sha256(f"{schema_text}\0{text}".encode()).hexdigest()
        # The schema's own entities, which are its actions: from here on each is in its groups.
        self._actions = cedarpy.Entities.from_json_str("[]", self._schema)
        self._with_subject = lru_cache(maxsize=_REMEMBERED_ENTITIES)(self._parse_subject)
        self._with_both = lru_cache(maxsize=_REMEMBERED_ENTITIES)(self._parse_both)
        self.decide = lru_cache(maxsize=_REMEMBERED_DECISIONS)(self._decide)

    def judge(self, question: Question) -> Decision:
        """The same, of a question as the log and tables of cases hold it."""
        return self.decide(question.subject, question.action, question.resource, question.circumstances)

    def _decide(
        self, subject: Subject, action: PolicyAction, resource: Resource, circumstances: Circumstances
    ) -> Decision:
        result = cedarpy.is_authorized(
            {
                "principal": _subject_uid(subject),
                "action": _uid("Action", action.value),
                "resource": _resource_uid(resource),
                "context": _context(action, circumstances),
            },
            self._policies,
            self._with_both(subject, resource),
            self._schema,
        )
        # A policy that fails to evaluate is skipped by Cedar, also one that forbids: that is a denial here.
        allowed = result.decision is cedarpy.Decision.Allow and not result.diagnostics.errors
        names = cast("dict[str, str]", result.diagnostics.id_annotations_by_reason)
        return Decision(allowed, tuple(sorted(names.values())))

    # Parsing entities takes as long as deciding, and a reader asks several things about many calls. They are
    # made of typed facts, and not validated again: what a policy cannot evaluate is an error, so a denial.
    def _parse_subject(self, subject: Subject) -> cedarpy.Entities:
        return self._actions.with_added_json_str(json.dumps([_subject_entity(subject)]))

    def _parse_both(self, subject: Subject, resource: Resource) -> cedarpy.Entities:
        entities = self._with_subject(subject)
        if not isinstance(resource, CallFacts):
            return entities
        return entities.with_added_json_str(json.dumps([_call_entity(resource)]))


def _read(directory: Path) -> dict[str, str]:
    files = [directory / SCHEMA_FILE, *sorted(directory.glob("*.cedar"))]
    if len(files) == 1:
        raise PolicyInvalid(f"There is no *.cedar file in {directory}.")
    try:
        return {path.name: path.read_text(encoding="utf-8") for path in files}
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyInvalid(f"The policies in {directory} cannot be read: {error}") from error


def _policies(text: str) -> list[dict[str, Any]]:
    """Every policy as Cedar's JSON."""
    static: dict[str, dict[str, Any]] = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]
    return list(static.values())


def _named(policies: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    names: set[str] = set()
    for policy in policies:
        name = policy.get("annotations", {}).get("id")
        if not name:
            raise PolicyInvalid('A policy has no name: write @id("…") before it.')
        if name in names:
            raise PolicyInvalid(f'Two policies are called "{name}".')
        names.add(name)
    return frozenset(names)


def _warnings(policies: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Policies that permit everything to everybody: seldom meant, though others may still forbid."""
    for policy in policies:
        anybody = all(policy[part]["op"] == "All" for part in ("principal", "action", "resource"))
        if policy["effect"] == "permit" and anybody and not policy["conditions"]:
            yield f'The policy "{policy["annotations"]["id"]}" permits everything to everybody.'


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


def _resource_uid(resource: Resource) -> dict[str, str]:
    match resource:
        case CallFacts():
            return _uid("Call", str(resource.id))
        case TenantFacts():
            return _uid("Tenant", str(resource.id))
        case SystemFacts():
            return _uid("System", "otokura")


def _call_entity(call: CallFacts) -> dict[str, Any]:
    about = {
        "tenant": _reference("Tenant", str(call.tenant_id)),
        "agent_id": call.agent_id,
        "team": call.team,
        "purposes": sorted(call.purposes),
    }
    return _entity(_resource_uid(call), about, [])


def _context(action: PolicyAction, circumstances: Circumstances) -> dict[str, Any]:
    if action in {PolicyAction.DISCLOSE, PolicyAction.DISCLOSE_RAW}:
        return {"purpose": circumstances.purpose or "", "live": circumstances.live}
    context: dict[str, Any] = {"zones": list(circumstances.zones)}
    if circumstances.address is not None:
        context["address"] = {"__extn": {"fn": "ip", "arg": str(circumstances.address)}}
    if circumstances.break_glass:
        context["break_glass"] = True
    if action in READINGS:
        context["purpose"] = circumstances.purpose or ""
        if circumstances.reason:
            context["reason"] = circumstances.reason
        if circumstances.grant is not None:
            context["grant"] = _grant(circumstances.grant)
    return context


def _grant(grant: GrantFacts) -> dict[str, Any]:
    return {
        "reader": _reference("Reader", str(grant.reader)),
        "call": _reference("Call", str(grant.call)),
        "what": sorted(grant.what),
        "purpose": grant.purpose,
        "zones": sorted(grant.zones),
    }
