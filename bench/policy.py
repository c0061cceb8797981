"""Decisions a second of the policy engine with the shipped policies, against bare cedarpy asked the same.

`fresh`: a reader about one call after another, three actions each, none asked before: a page of a search.
`remembered`: the same again. `bare`: cedarpy with policies and schema parsed once, and subject and call as
JSON, which is what there is without an engine; `text`: everything as text, as cedarpy's first example has it.
Processor time, the best of several rounds, in turn; the answers of all are compared. Prints one JSON line.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Any
from uuid import UUID

import cedarpy

from otokura.shared.events import Role
from otokura.shared.policy.engine import POLICY_DIR, SCHEMA_FILE, PolicyEngine
from otokura.shared.policy.facts import CallFacts, Circumstances, PolicyAction, ReaderFacts

ROUNDS = 7
CALLS = 300
TEXT_CALLS = 10
BAR = 1.0
TENANT = UUID(int=1)
ACTIONS = (PolicyAction.VIEW, PolicyAction.READ_TRANSCRIPT, PolicyAction.READ_REDACTED)
READER = ReaderFacts(UUID(int=2), TENANT, frozenset({Role.SUPERVISOR}), "tokyo", frozenset({"2041"}))
PLACE = Circumstances(ip_address("203.0.113.7"), ("office",), "quality")

Answers = list[bool]


def calls(start: int, count: int) -> list[CallFacts]:
    """Half of them the reader's."""
    return [
        CallFacts(UUID(int=n), TENANT, "2041", ("tokyo", "osaka")[n % 2], frozenset({"quality"}))
        for n in range(start, start + count)
    ]


def decided(engine: PolicyEngine, asked: list[CallFacts]) -> Answers:
    """By the engine."""
    return [engine.decide(READER, action, call, PLACE).allowed for call in asked for action in ACTIONS]


def requests(asked: list[CallFacts]) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """The same questions as cedarpy takes them."""
    tenant = {"__entity": {"type": "Otokura::Tenant", "id": str(TENANT)}}
    who = {"type": "Otokura::Reader", "id": str(READER.id)}
    reader = {
        "uid": who,
        "attrs": {"tenant": tenant, "team": READER.team, "agent_ids": sorted(READER.agent_ids)},
        "parents": [{"type": "Otokura::Role", "id": role.value} for role in READER.roles],
    }
    place = {"zones": list(PLACE.zones), "address": {"__extn": {"fn": "ip", "arg": str(PLACE.address)}}}
    for call in asked:
        uid = {"type": "Otokura::Call", "id": str(call.id)}
        purposes = sorted(call.purposes)
        about = {"tenant": tenant, "agent_id": call.agent_id, "team": call.team, "purposes": purposes}
        for action in ACTIONS:
            stated = {} if action is PolicyAction.VIEW else {"purpose": PLACE.purpose}
            request = {
                "principal": who,
                "action": {"type": "Otokura::Action", "id": action.value},
                "resource": uid,
                "context": place | stated,
            }
            yield request, [reader, {"uid": uid, "attrs": about, "parents": []}]


def bare(policies: Any, schema: Any, asked: list[CallFacts]) -> Answers:
    """By cedarpy."""
    return [
        cedarpy.is_authorized(request, policies, entities, schema).allowed
        for request, entities in requests(asked)
    ]


def main() -> int:
    """Measures, compares, prints."""
    text = "\n".join(path.read_text() for path in sorted(POLICY_DIR.glob("*.cedar")))
    schema_text = (POLICY_DIR / SCHEMA_FILE).read_text()
    policies, schema = cedarpy.PolicySet.from_str(text), cedarpy.Schema.from_str(schema_text)
    engine = PolicyEngine()
    best: dict[str, float] = {}
    for number in range(ROUNDS):
        asked = calls(1 + number * CALLS, CALLS)
        ways: dict[str, tuple[list[CallFacts], Callable[[list[CallFacts]], Answers]]] = {
            "fresh": (asked, lambda some: decided(engine, some)),
            "remembered": (asked, lambda some: decided(engine, some)),
            "bare": (asked, lambda some: bare(policies, schema, some)),
            "text": (asked[:TEXT_CALLS], lambda some: bare(text, schema_text, some)),
        }
        answers: dict[str, Answers] = {}
        for name, (some, way) in ways.items():
            began = time.process_time()
            answers[name] = way(some)
            rate = len(answers[name]) / (time.process_time() - began)
            best[name] = max(best.get(name, 0.0), rate)
        if not answers["fresh"] == answers["remembered"] == answers["bare"]:
            raise SystemExit("the engine does not say what Cedar says")
    ratio = best["fresh"] / best["bare"]
    result = {
        "bench": "policy",
        "policies": len(policies),
        "decisions_per_s": round(best["fresh"]),
        "of_bare": round(ratio, 2),
        **{f"{name}_per_s": round(best[name]) for name in ("remembered", "bare", "text")},
        "bar": BAR,
    }
    print(json.dumps(result))
    return 0 if ratio >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
