"""Each shipped rule against what it must find and what only looks like it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from otokura.shared.events import ChannelRole
from otokura.shared.insight import InsightRules
from otokura.shared.insight.shipped import LANGUAGES, shipped, shipped_ids
from otokura.transcribe.insight.findings import find
from otokura.transcribe.insight.reading import readings
from otokura.transcribe.insight.rules import rules_for
from transcripts import transcript, turn

CASES = [
    (
        group.partition("_")[0],
        ChannelRole.AGENT if group.endswith("_agent") else ChannelRole.CUSTOMER,
        rule,
        cases,
    )
    for language in LANGUAGES
    for group, rules in tomllib.loads(
        (Path(__file__).parent / f"cases_{language}.toml").read_text(encoding="utf-8")
    ).items()
    for rule, cases in rules.items()
]


def found(language: str, role: ChannelRole, words: str) -> list[str]:
    """The rules that match; the reason of a call is only one of those of its kind, so all are asked."""
    rules = rules_for(language, InsightRules())
    said = readings(transcript(turn(words, role=role), language=language))
    findings = find(said, rules, 60_000)
    return [finding.rule for those in findings.by_kind.values() for finding in those]


@pytest.mark.guarantee("T32")
@pytest.mark.parametrize(
    ("language", "role", "rule", "words"),
    [(language, role, rule, words) for language, role, rule, cases in CASES for words in cases["finds"]],
)
def test_a_rule_finds_what_it_must(language: str, role: ChannelRole, rule: str, words: str) -> None:
    assert rule in found(language, role, words)


@pytest.mark.guarantee("T32")
@pytest.mark.parametrize(
    ("language", "role", "rule", "words"),
    [(language, role, rule, words) for language, role, rule, cases in CASES for words in cases["misses"]],
)
def test_a_rule_does_not_find_what_only_looks_like_it(
    language: str, role: ChannelRole, rule: str, words: str
) -> None:
    assert rule not in found(language, role, words)


def test_every_shipped_rule_of_words_has_both_kinds_of_cases() -> None:
    measured = {measure.id for language in LANGUAGES for measure in shipped(language).measure}
    assert {
        rule for _, _, rule, cases in CASES if cases["finds"] and cases["misses"]
    } == shipped_ids() - measured


@pytest.mark.parametrize("language", LANGUAGES)
def test_ids_say_their_language_and_stand_once(language: str) -> None:
    ids = shipped(language).ids
    assert len(set(ids)) == len(ids)
    assert all(name.startswith(f"{language}.") for name in ids)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("ja", "お電話ありがとうございます。サポートセンターの田中でございます。"),
        ("ja", "はい、わかりました。よろしくお願いします。"),
        ("ja", "ご注文番号をお願いできますでしょうか。"),
        ("en", "Thank you for calling customer support. How can I help you today?"),
        ("en", "That is everything. Thank you very much for your help."),
        ("en", "Yes, of course. My account number is four seven two nine."),
    ],
)
def test_what_every_call_has_is_evidence_of_nothing(language: str, words: str) -> None:
    assert found(language, ChannelRole.AGENT, words) + found(language, ChannelRole.CUSTOMER, words) == []


def test_an_agent_is_not_flagged_for_a_customers_words() -> None:
    assert found("ja", ChannelRole.AGENT, "ふざけるなと言われました。") == []
