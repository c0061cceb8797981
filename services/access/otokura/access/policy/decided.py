"""What the policies were asked and said, in the one form in which every entry tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from otokura.shared.policy.engine import PolicyEngine
from otokura.shared.policy.facts import Circumstances, PolicyAction, Resource, Subject
from otokura.shared.policy.questions import Question


@dataclass(frozen=True, slots=True)
class Decided:
    """A question, whether it was allowed, by which policies, and the hash of all of them."""

    question: Question
    allowed: bool
    policies: tuple[str, ...]
    version: str

    def told(self) -> dict[str, Any]:
        """What an entry keeps: all that it takes to judge again."""
        return {
            "question": self.question.described(),
            "policies": list(self.policies),
            "policy_version": self.version,
        }


def decide(
    engine: PolicyEngine, subject: Subject, action: PolicyAction, resource: Resource, asked: Circumstances
) -> Decided:
    """Asks the policies, and keeps what they were asked."""
    decision = engine.decide(subject, action, resource, asked)
    question = Question.of(subject, action, resource, asked)
    return Decided(question, decision.allowed, decision.policies, engine.version)
