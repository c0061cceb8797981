"""Tables of cases: what policies must permit and forbid, in a YAML file that stands beside them.

A case says as much of a question as matters; the rest is made up: a reader and a call of one tenant, at an
address in a zone, for a purpose that was disclosed to the caller.

    - case: an agent hears their own calls
      reader: {roles: [agent], agent_ids: ["2041"]}
      action: listen
      call: {agent_id: "2041"}
      allow: true

    - case: nobody from outside the zones
      reader: {roles: [supervisor]}
      action: [listen, read-transcript]
      zones: []
      allow: false
      because: [outside-zones]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, cast
from uuid import UUID

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from otokura.shared.policy.engine import Decision, PolicyEngine
from otokura.shared.policy.facts import PolicyAction
from otokura.shared.policy.questions import Question

_TENANT, _SOMEBODY, _CALL, _GRANT = UUID(int=1), UUID(int=2), UUID(int=3), UUID(int=4)
_PURPOSE = "quality"


class CasesError(ValueError):
    """A table of cases cannot be read; says where and why."""


def _listed(value: object) -> object:
    return cast("object", value) if isinstance(value, list) else [value]


class Case(BaseModel):
    """One line of a table."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    case: str = Field(min_length=1)
    action: Annotated[list[PolicyAction], BeforeValidator(_listed)] = Field(min_length=1)
    allow: bool
    because: list[str] = []
    """Ids of policies that must be among those that made the decision."""
    reader: dict[str, Any] | None = None
    feed: dict[str, Any] | None = None
    call: dict[str, Any] | None = None
    about: Literal["call", "tenant", "system"] = "call"
    """What is asked for."""
    address: str | None = "203.0.113.7"
    zones: list[str] = ["office"]
    purpose: str | None = _PURPOSE
    reason: str | None = None
    live: bool = False
    grant: dict[str, Any] | None = None
    """A grant that the read names: `what` it gives, and what else is not made up to fit."""
    break_glass: bool = False

    def questions(self) -> Iterator[Question]:
        """One for each action, with what the case does not say made up."""
        asked: dict[str, Any] = {
            "address": self.address,
            "zones": tuple(self.zones),
            "purpose": self.purpose,
            "reason": self.reason,
            "live": self.live,
            "break_glass": self.break_glass,
        }
        if self.grant is not None:
            fitting = {"id": _GRANT, "reader": _SOMEBODY, "call": _CALL, "purpose": _PURPOSE}
            asked["grant"] = {**fitting, **self.grant}
        who = {"id": _SOMEBODY, "tenant_id": _TENANT}
        if self.feed is not None:
            asked["feed"] = {**who, "purpose": self.purpose or "", "redacted": True, **self.feed}
        else:
            asked["reader"] = {**who, **(self.reader or {})}
        if self.about == "call":
            asked["call"] = {"id": _CALL, "tenant_id": _TENANT, "purposes": [_PURPOSE], **(self.call or {})}
        elif self.about == "tenant":
            asked["tenant"] = _TENANT
        for action in self.action:
            yield Question.model_validate({"action": action, **asked})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the policies said to a case."""

    case: Case
    action: PolicyAction
    decision: Decision

    @property
    def as_expected(self) -> bool:
        """Whether that is what the case demands."""
        reasons = set(self.case.because) <= set(self.decision.policies)
        return self.decision.allowed is self.case.allow and reasons


def read(path: Path) -> list[Case]:
    """The cases of a file.

    Raises:
        CasesError: it cannot be read, is not a list of cases, or holds none.
    """
    try:
        cases = TypeAdapter(list[Case]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
        for case in cases:
            list(case.questions())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CasesError(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        raise CasesError("\n".join(_faults(path, error))) from error
    if not cases:
        raise CasesError(f"{path} holds no case.")
    return cases


def _faults(path: Path, error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False):
        yield f"{path}: {'.'.join(map(str, fault['loc'])) or 'the case'}: {fault['msg']}"


def judged(engine: PolicyEngine, cases: Iterable[Case]) -> Iterator[Outcome]:
    """What the policies say to each case."""
    for case in cases:
        for question in case.questions():
            yield Outcome(case, question.action, engine.judge(question))


def unused(engine: PolicyEngine, outcomes: Iterable[Outcome]) -> list[str]:
    """The policies that decided no case: nobody knows what they do."""
    decided = {policy for outcome in outcomes for policy in outcome.decision.policies}
    return sorted(set(engine.names) - decided)
