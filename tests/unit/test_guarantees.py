"""docs/guarantees.md and the tests agree: no promise without a proof, no proof of something not promised."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).parents[1]
GUARANTEES = TESTS.parent / "docs" / "guarantees.md"
ROW = re.compile(r"^\| (?P<id>[A-Z]+[0-9]+) \| ", re.MULTILINE)


def promised() -> list[str]:
    return [match["id"] for match in ROW.finditer(GUARANTEES.read_text())]


def marked_id(decorator: ast.expr) -> str | None:
    """The id in `@pytest.mark.guarantee("<id>")`, or None for any other decorator."""
    match decorator:
        case ast.Call(func=ast.Attribute(attr="guarantee"), args=[ast.Constant(value=str(name))]):
            return name
    return None


def proofs() -> dict[str, list[str]]:
    """Guarantee id → the tests that name it."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                for name in filter(None, map(marked_id, node.decorator_list)):
                    found[name].append(f"{path.relative_to(TESTS)}::{node.name}")
    return found


def test_every_guarantee_has_a_test() -> None:
    assert sorted(set(promised()) - proofs().keys()) == []


def test_every_test_names_a_guarantee_that_stands_in_the_docs() -> None:
    strangers = {name: tests for name, tests in proofs().items() if name not in promised()}
    assert strangers == {}


def test_a_guarantee_is_promised_once() -> None:
    ids = promised()
    assert ids
    assert sorted(ids) == sorted(set(ids))


def test_sabotage_breaks_guarantees_that_stand_in_the_docs() -> None:
    patches = tomllib.loads((TESTS / "sabotage" / "patches.toml").read_text())["patch"]
    assert len(patches) >= 10
    assert sorted({patch["guarantee"] for patch in patches} - set(promised())) == []
