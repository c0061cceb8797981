"""Judges what is in the audit log again, by other policies. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from otokura.shared.policy.engine import Decision, PolicyEngine
from otokura.shared.policy.questions import Question

DECIDED = {
    "read.opened": True,
    "read.denied": False,
    "disclosure.opened": True,
    "disclosure.denied": False,
}
"""Entries that hold a decision, and whether it was to allow."""


@dataclass(frozen=True, slots=True)
class Change:
    """A decision that would be another now."""

    entry: Mapping[str, Any]
    question: Question
    now: Decision

    def described(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "entry_id": self.entry["entry_id"],
            "time": self.entry["time"],
            "reader": self.entry["reader"],
            "call_id": self.entry["call_id"],
            "question": self.question.described(),
            "allowed": self.now.allowed,
            "policies": list(self.now.policies),
        }


@dataclass(slots=True)
class Replay:
    """What became of the entries.

    Attributes:
        changes: in the order of the entries.
        same: how many would be decided as they were.
        unjudged: how many cannot be judged: their detail was deleted, holds no question (as when there was
            no such call), or one that this version does not know.
    """

    changes: list[Change] = field(default_factory=list[Change])
    same: int = 0
    unjudged: int = 0

    @property
    def refused(self) -> list[Change]:
        """Who was let in, and would not be."""
        return [change for change in self.changes if not change.now.allowed]

    @property
    def let_in(self) -> list[Change]:
        """Who was refused, and would not be."""
        return [change for change in self.changes if change.now.allowed]

    def described(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "refused": [change.described() for change in self.refused],
            "let_in": [change.described() for change in self.let_in],
            "same": self.same,
            "unjudged": self.unjudged,
        }


def replay(engine: PolicyEngine, entries: Iterable[Mapping[str, Any]]) -> Replay:
    """Judges entries again.

    Args:
        engine: with the policies to judge by.
        entries: as audit lists them, those of `DECIDED`.
    """
    found = Replay()
    for entry in entries:
        question = _question(entry)
        if question is None:
            found.unjudged += 1
            continue
        now = engine.judge(question)
        if now.allowed is DECIDED[entry["action"]]:
            found.same += 1
        else:
            found.changes.append(Change(entry, question, now))
    return found


def grouped(changes: Iterable[Change]) -> Iterator[tuple[str, str, tuple[str, ...], int]]:
    """Changes as reader, action, policies and how many times, the most frequent first."""
    counts = Counter(
        (str(change.entry["reader"]), change.question.action.value, change.now.policies) for change in changes
    )
    for (reader, action, policies), count in counts.most_common():
        yield reader, action, policies, count


def _question(entry: Mapping[str, Any]) -> Question | None:
    detail = entry["detail"]
    try:
        return Question.model_validate(detail["question"])
    except (TypeError, KeyError, ValidationError):
        return None
