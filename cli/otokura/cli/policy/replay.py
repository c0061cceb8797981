"""Judges what is in the audit log again, by other policies. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import ValidationError

from otokura.shared.policy.engine import Decision, PolicyEngine
from otokura.shared.policy.questions import Question

_ALLOWED = """
    read.opened calls.searched transcripts.searched disclosure.opened
    grant.made grant.revoked break-glass.asked break-glass.approved break-glass.ended pause.lifted
    hold.set hold.lifted customer.searched erasure.requested erasure.withdrawn retention.changed
    login.succeeded token.issued session.ended tokens.revoked
    invitation.made invitation.accepted second-factor.reset secret.changed limits.changed
    principal.created principal.changed principal.disabled key.created key.withdrawn
    issuer.configured issuer.changed issuer.removed subject.bound subject.unbound
    tenant.created settings.changed zone.created zone.changed zone.deleted
    feed.created feed.changed feed.deleted transcription.requested
"""
_REFUSED = ("read.denied", "disclosure.denied", "login.refused")
DECIDED = dict.fromkeys(_ALLOWED.split(), True) | dict.fromkeys(_REFUSED, False)
"""Kinds of entries that hold a decision of the policies, and whether it was to allow.

Not each entry of a kind does: a token is also issued for a client secret, and no policy is asked.
"""


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
class Kind:
    """What became of the entries of one kind.

    Attributes:
        same: how many would be decided as they were.
        refused: how many were let in, and would not be.
        let_in: how many were refused, and would not be.
        unjudged: how many cannot be judged: their detail was deleted, holds no question (there was no such
            call, or it was not the policies that decided), or one that this version does not know.
    """

    same: int = 0
    refused: int = 0
    let_in: int = 0
    unjudged: int = 0


@dataclass(slots=True)
class Replay:
    """What became of the entries: the changes in their order, and how many there were of each kind."""

    changes: list[Change] = field(default_factory=list[Change])
    kinds: dict[str, Kind] = field(default_factory=dict[str, Kind])

    @property
    def same(self) -> int:
        """How many would be decided as they were."""
        return sum(kind.same for kind in self.kinds.values())

    @property
    def unjudged(self) -> int:
        """How many cannot be judged."""
        return sum(kind.unjudged for kind in self.kinds.values())

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
            "kinds": {name: asdict(kind) for name, kind in self.kinds.items()},
        }


def replay(engine: PolicyEngine, entries: Iterable[Mapping[str, Any]]) -> Replay:
    """Judges entries again.

    Args:
        engine: with the policies to judge by.
        entries: as audit lists them, those of `DECIDED`.
    """
    found = Replay()
    for entry in entries:
        kind = found.kinds.setdefault(entry["action"], Kind())
        question = _question(entry)
        if question is None:
            kind.unjudged += 1
            continue
        now = engine.judge(question)
        if now.allowed is DECIDED[entry["action"]]:
            kind.same += 1
            continue
        kind.refused += not now.allowed
        kind.let_in += now.allowed
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
