"""docs/security.md claims nothing that no test proves."""

from __future__ import annotations

import re
from pathlib import Path

from guarantees import promised, proofs

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
ID = re.compile(r"\b[A-Z][0-9]{1,2}\b")


def rows(heading: str) -> list[str]:
    """The rows of the table under a heading, without its head."""
    section = PAGE.read_text().split(f"\n## {heading}", 1)[1].split("\n## ", 1)[0]
    return [line for line in section.splitlines() if line.startswith("| ")][1:]


def test_each_defence_names_guarantees_that_have_tests() -> None:
    defences = rows("What is defended")
    assert len(defences) > 20
    proven = proofs().keys() & set(promised())
    for row in defences:
        named = ID.findall(row.rsplit("|", 2)[1])
        assert named, row
        assert set(named) <= proven, row


def test_each_of_owasps_risks_names_guarantees_that_have_tests() -> None:
    risks = rows("OWASP API Security Top 10 (2023)")
    assert [row.split("|")[1].strip() for row in risks] == [f"API{number}" for number in range(1, 11)]
    for row in risks:
        assert set(ID.findall(row.split("|")[3])) & set(promised()), row
