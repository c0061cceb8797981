"""The rules that come with Otokura: one file a language, in `rules/`."""

from __future__ import annotations

import tomllib
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field

from otokura.shared.insight.settings import FindingKind, InsightRule, Label, RuleId

LANGUAGES = ("en", "ja")
PREFIXES = tuple(f"{language}." for language in LANGUAGES)
"""Ids of shipped rules begin with these, those of tenants do not."""


class Measured(StrEnum):
    """What can be measured of a call."""

    MINUTES = "minutes"
    """The length of the call."""
    REPEATED_SENTENCES = "repeated-sentences"
    """How often the customer says nearly the same sentence."""


class MeasureRule(BaseModel):
    """A number that counts, from `at_least` on, beside the customer's findings of the kinds `beside`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: RuleId
    kind: FindingKind
    label: Label
    measure: Measured
    at_least: int = Field(ge=1)
    beside: frozenset[FindingKind]


class RuleFile(BaseModel):
    """The rules of one language."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    backchannels: list[str]
    formulas: list[str]
    common: list[str]
    rule: list[InsightRule]
    measure: list[MeasureRule]

    @property
    def ids(self) -> list[str]:
        """Of all rules."""
        return [*(rule.id for rule in self.rule), *(rule.id for rule in self.measure)]


@lru_cache
def shipped(language: str) -> RuleFile:
    """The rules of one of `LANGUAGES`."""
    text = (files("otokura.shared.insight") / "rules" / f"{language}.toml").read_text(encoding="utf-8")
    return RuleFile.model_validate(tomllib.loads(text))


@lru_cache
def shipped_ids() -> frozenset[str]:
    """The ids of all rules that are shipped."""
    return frozenset(name for language in LANGUAGES for name in shipped(language).ids)
