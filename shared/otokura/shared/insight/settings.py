"""The rules that a tenant adds and turns off (`insight_rules` of its settings)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

RuleId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]
Label = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Phrase = Annotated[str, Field(min_length=2, max_length=240)]
"""See `otokura.shared.insight.phrases` for what may stand in it."""

MAX_PHRASES = 300


class FindingKind(StrEnum):
    """What words can be evidence of."""

    REASON = "reason"
    PROMISE = "promise"
    FOLLOW_UP = "follow-up"
    COMPLAINT = "complaint"
    ABUSE = "abuse"


class InsightRule(BaseModel):
    """Words that are evidence of something.

    A match of one of `phrases` that touches a match of one of `unless` does not count. `roles` empty: whoever
    says it. `language` None: in calls of every language. The reason of a call is the rule of kind `reason`
    whose matches weigh most.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    id: RuleId
    kind: FindingKind
    label: Label
    language: Literal["ja", "en"] | None = None
    roles: list[Literal["agent", "customer"]] = Field(default_factory=list[Literal["agent", "customer"]])
    phrases: list[Phrase] = Field(min_length=1, max_length=100)
    unless: list[Phrase] = Field(default_factory=list[str], max_length=100)
    weight: int = Field(default=10, ge=1, le=100)


class InsightRules(BaseModel):
    """What a tenant changes in the shipped rules: rules that it adds, and ids of those that it turns off."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    add: tuple[InsightRule, ...] = Field(default=(), max_length=100)
    disable: tuple[RuleId, ...] = Field(default=(), max_length=200)

    @model_validator(mode="after")
    def _fits_an_event(self) -> Self:
        """Settings travel as one event; Kafka takes a megabyte."""
        if sum(len(rule.phrases) + len(rule.unless) for rule in self.add) > MAX_PHRASES:
            raise ValueError(f"all rules together may have {MAX_PHRASES} phrases")
        return self
