"""What the words of a call are evidence of. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from otokura.shared.events import ChannelRole
from otokura.shared.insight import Evidence, Finding, FindingKind
from otokura.shared.insight.shipped import Measured, MeasureRule
from otokura.transcribe.insight.matching import said
from otokura.transcribe.insight.reading import Place, Reading
from otokura.transcribe.insight.repetition import repeated
from otokura.transcribe.insight.rules import Rule, Rules

MAX_EVIDENCE = 50
"""Of one rule; the first ones."""
EARLY_SHARE = 3
"""Who calls says why in the first third of the call: there a reason weighs double."""
_MS_PER_MINUTE = 60_000


@dataclass
class Findings:
    """By kind, each in the order of its first words."""

    by_kind: dict[FindingKind, list[Finding]] = field(default_factory=lambda: defaultdict(list))
    reason: Finding | None = None


def find(readings: Sequence[Reading], rules: Rules, duration_ms: int) -> Findings:
    """Applies the rules to the turns of a redacted transcript."""
    found = [(rule, finding) for rule in rules.rules for finding in _findings(rule, readings)]
    findings = Findings(reason=_reason(found, duration_ms))
    for _, finding in found:
        findings.by_kind[finding.kind].append(finding)
    for measure in rules.measures:
        measured = _measured(measure, readings, findings, duration_ms)
        if measured is not None:
            findings.by_kind[measure.kind].append(measured)
    for kind in findings.by_kind:
        findings.by_kind[kind].sort(key=lambda finding: (finding.evidence[0].start_ms, finding.rule))
    return findings


def evidence(reading: Reading, place: Place) -> Evidence:
    """The words at a place of a turn."""
    text = reading.turn.text
    start_ms, end_ms = reading.times(place)
    sentence = reading.sentence_of(place)
    return Evidence(
        turn=reading.number,
        start=place[0],
        end=place[1],
        start_ms=start_ms,
        end_ms=end_ms,
        words=text[place[0] : place[1]],
        sentence=text[sentence[0] : sentence[1]],
    )


def _findings(rule: Rule, readings: Iterable[Reading]) -> list[Finding]:
    """One for each role that says it."""
    by_role: dict[ChannelRole, list[Evidence]] = defaultdict(list)
    for reading in readings:
        role = reading.turn.role
        if rule.applies_to(role) and len(by_role[role]) < MAX_EVIDENCE:
            by_role[role] += [evidence(reading, place) for place in said(reading, rule.phrases, rule.unless)]
    return [
        Finding(kind=rule.kind, rule=rule.id, label=rule.label, role=role, evidence=those[:MAX_EVIDENCE])
        for role, those in by_role.items()
        if those
    ]


def _reason(found: Sequence[tuple[Rule, Finding]], duration_ms: int) -> Finding | None:
    early_ms = duration_ms / EARLY_SHARE

    def weight(one: tuple[Rule, Finding]) -> tuple[int, int]:
        rule, finding = one
        matches = sum(2 if words.start_ms < early_ms else 1 for words in finding.evidence)
        return rule.weight * matches, -finding.evidence[0].start_ms

    reasons = [one for one in found if one[1].kind is FindingKind.REASON]
    return max(reasons, key=weight)[1] if reasons else None


def _measured(
    measure: MeasureRule, readings: Sequence[Reading], findings: Findings, duration_ms: int
) -> Finding | None:
    beside = [
        finding
        for kind in sorted(measure.beside)
        for finding in findings.by_kind.get(kind, ())
        if finding.role is not ChannelRole.AGENT
    ]
    if not beside:
        return None
    if measure.measure is Measured.MINUTES:
        words = _ends(beside) if duration_ms >= measure.at_least * _MS_PER_MINUTE else []
    else:
        group = repeated(readings, measure.at_least)
        words = [evidence(reading, place) for reading, place in group[:MAX_EVIDENCE]]
    if not words:
        return None
    role = readings[words[0].turn].turn.role
    return Finding(kind=measure.kind, rule=measure.id, label=measure.label, role=role, evidence=words)


def _ends(findings: Iterable[Finding]) -> list[Evidence]:
    """The first and the last words of all findings."""
    words = sorted((one for finding in findings for one in finding.evidence), key=lambda one: one.start_ms)
    return words if len(words) == 1 else [words[0], words[-1]]
