"""docs/security.md claims nothing that no test proves."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from guarantees import promised, proofs

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
ID = re.compile(r"\b[A-Z][0-9]{1,2}\b")
RANGE = re.compile(r"\b([A-Z])([0-9]{1,2}) to \1([0-9]{1,2})\b")


def rows(heading: str) -> list[str]:
    """The rows of the table under a heading, without its head."""
    section = PAGE.read_text().split(f"\n## {heading}", 1)[1].split("\n## ", 1)[0]
    return [line for line in section.splitlines() if line.startswith("| ")][1:]


def named(cell: str) -> set[str]:
    """The ids in a cell, with those between the ends of "P1 to P8"."""
    between = {
        f"{kind}{n}" for kind, low, high in RANGE.findall(cell) for n in range(int(low), int(high) + 1)
    }
    return between | set(ID.findall(cell))


@cache
def proven() -> frozenset[str]:
    """The guarantees that have a test."""
    return frozenset(proofs().keys() & set(promised()))


def unproven(cell: str) -> list[str]:
    """The ids in a cell that no guarantee has, or no test."""
    return sorted(named(cell) - proven())


def test_each_defence_names_guarantees_that_have_tests() -> None:
    defences = rows("What is defended")
    assert len(defences) > 20
    for row in defences:
        cell = row.rsplit("|", 2)[1]
        assert named(cell), row
        assert unproven(cell) == [], row


def test_each_of_owasps_risks_names_guarantees_that_have_tests() -> None:
    risks = rows("OWASP API Security Top 10 (2023)")
    assert [row.split("|")[1].strip() for row in risks] == [f"API{number}" for number in range(1, 11)]
    for row in risks:
        cell = row.split("|")[3]
        assert named(cell), row
        assert unproven(cell) == [], row


def test_one_id_that_is_no_guarantee_is_noticed_beside_others() -> None:
    assert named("R3, R6: P1 to P3 above all") == {"R3", "R6", "P1", "P2", "P3"}
    assert unproven("R3, X98: P1 to P99")[-1] == "X98"
    assert "P98" in unproven("R3, X98: P1 to P99")
