"""A tenant's rules of insight as its administrator writes them: what cannot work is refused."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from otokura.shared.insight.phrases import parse
from otokura.shared.insight.settings import InsightRule, InsightRules, Phrase, RuleId
from otokura.shared.insight.shipped import PREFIXES, shipped_ids


def _readable(phrase: str) -> str:
    parse(phrase)
    return phrase


def _own(rule: str) -> str:
    if rule.startswith(PREFIXES):
        raise ValueError(f"ids that begin with {' or '.join(PREFIXES)} are those of shipped rules")
    return rule


def _shipped(rule: str) -> str:
    if rule not in shipped_ids():
        raise ValueError("there is no shipped rule of this id; docs/insight.md lists them")
    return rule


CheckedPhrase = Annotated[Phrase, AfterValidator(_readable)]


class InsightRuleBody(InsightRule):
    """A rule of the tenant's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    # Frozen, so that nothing of the base's type is ever assigned.
    id: Annotated[RuleId, AfterValidator(_own)]
    phrases: list[CheckedPhrase] = Field(min_length=1, max_length=100)
    unless: list[CheckedPhrase] = Field(default_factory=list[str], max_length=100)


class InsightRulesBody(InsightRules):
    """What becomes of the shipped rules: more are added, some are turned off."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    add: tuple[InsightRuleBody, ...] = Field(default=(), max_length=100)  # pyright: ignore[reportIncompatibleVariableOverride]
    disable: tuple[Annotated[RuleId, AfterValidator(_shipped)], ...] = Field(default=(), max_length=200)

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        ids = [rule.id for rule in self.add]
        if len(set(ids)) != len(ids):
            raise ValueError("two rules have the same id")
        return self
