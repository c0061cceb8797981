"""The rules of one call, ready to be compared: those shipped for its language, and its tenant's. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from otokura.shared.events import ChannelRole
from otokura.shared.insight import FindingKind, InsightRule, InsightRules
from otokura.shared.insight.phrases import Phrase, folded, parse
from otokura.shared.insight.shipped import LANGUAGES, MeasureRule, shipped


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule whose phrases are parsed; `roles` empty: whoever says it."""

    id: str
    kind: FindingKind
    label: str
    roles: frozenset[str]
    weight: int
    phrases: tuple[Phrase, ...]
    unless: tuple[Phrase, ...]

    def applies_to(self, role: ChannelRole) -> bool:
        """Whether it holds for what a channel says; who speaks on a mixed one is not known."""
        return not self.roles or role in self.roles or role is ChannelRole.MIXED


@dataclass(frozen=True, slots=True)
class Rules:
    """What is looked for in one call.

    Attributes:
        rules: phrases and what they are evidence of.
        measures: what is counted.
        backchannels: what a listener says to show that they listen, folded.
        formulas: phrases that say nothing about a call.
        common: words that say nothing about a sentence, folded.
        skipped: ids of the tenant's rules that this version cannot read.
    """

    rules: tuple[Rule, ...] = ()
    measures: tuple[MeasureRule, ...] = ()
    backchannels: frozenset[str] = frozenset()
    formulas: tuple[Phrase, ...] = ()
    common: frozenset[str] = frozenset()
    skipped: tuple[str, ...] = ()


def rules_for(language: str, tenant: InsightRules) -> Rules:
    """The shipped rules of a language (ISO 639-1) as a tenant has changed them."""
    base = _shipped(language) if language in LANGUAGES else Rules()
    own: list[Rule] = []
    skipped: list[str] = []
    for rule in tenant.add:
        if rule.language not in (None, language):
            continue
        try:
            own.append(_parsed(rule))
        except ValueError:
            # Access checks what it is given; an older version of this service may still not know a form.
            skipped.append(rule.id)
    off = frozenset(tenant.disable)
    return replace(
        base,
        rules=tuple(rule for rule in (*base.rules, *own) if rule.id not in off),
        measures=tuple(measure for measure in base.measures if measure.id not in off),
        skipped=tuple(skipped),
    )


@lru_cache
def _shipped(language: str) -> Rules:
    file = shipped(language)
    return Rules(
        rules=tuple(map(_parsed, file.rule)),
        measures=tuple(file.measure),
        backchannels=frozenset(plain(word) for word in file.backchannels),
        formulas=tuple(map(parse, file.formulas)),
        common=frozenset(file.common),
    )


def _parsed(rule: InsightRule) -> Rule:
    return Rule(
        id=rule.id,
        kind=rule.kind,
        label=rule.label,
        roles=frozenset(rule.roles),
        weight=rule.weight,
        phrases=tuple(map(parse, rule.phrases)),
        unless=tuple(map(parse, rule.unless)),
    )


def plain(text: str) -> str:
    """Letters and digits only, folded: how words are compared that must be the same."""
    return "".join(character for character in "".join(map(folded, text)) if character.isalnum())
