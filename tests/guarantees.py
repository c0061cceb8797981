"""What docs/guarantees.md promises, and the tests that say that they prove it."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).parent
GUARANTEES = TESTS.parent / "docs" / "guarantees.md"
ROW = re.compile(r"^\| (?P<id>[A-Z]+[0-9]+) \| ", re.MULTILINE)


def promised() -> list[str]:
    """The ids that stand in the tables."""
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
