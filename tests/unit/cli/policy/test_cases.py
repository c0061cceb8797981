"""Tables of cases, and the one that is shipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from otokura.cli.policy import cases
from otokura.shared.policy.engine import POLICY_DIR, PolicyEngine

ENGINE = PolicyEngine()


def test_the_shipped_table_holds_and_says_something_of_every_policy() -> None:
    outcomes = list(cases.judged(ENGINE, cases.read(POLICY_DIR / "cases.yaml")))
    assert [outcome.case.case for outcome in outcomes if not outcome.as_expected] == []
    assert cases.unused(ENGINE, outcomes) == []


def judged(tmp_path: Path, text: str) -> list[bool]:
    table = tmp_path / "cases.yaml"
    table.write_text(text)
    return [outcome.as_expected for outcome in cases.judged(ENGINE, cases.read(table))]


def test_a_case_that_is_decided_otherwise_or_by_another_policy_is_told(tmp_path: Path) -> None:
    case = "- {case: x, reader: {roles: [supervisor]}, action: [view, listen], allow: %s, because: [%s]}"
    assert judged(tmp_path, case % ("true", "supervisor-all-calls")) == [True, True]
    assert judged(tmp_path, case % ("false", "")) == [False, False]
    assert judged(tmp_path, case % ("true", "agent-own-calls")) == [False, False]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "list"),
        ("[]", "no case"),
        ("- {case: x", "cannot be read"),
        ("- {case: x, action: listen}", "allow"),
        ("- {case: x, action: lisen, allow: true}", "action"),
        ("- {case: x, action: listen, alow: true, allow: true}", "alow"),
        ("- {case: x, action: listen, allow: true, reader: {roles: [king]}}", "roles"),
        ("- {case: x, action: listen, allow: true, reader: {role: [agent]}}", "role"),
        ("- {case: x, action: listen, allow: true, reader: {roles: []}, zones: office}", "zones"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(cases.CasesError, match=told):
        judged(tmp_path, text)
