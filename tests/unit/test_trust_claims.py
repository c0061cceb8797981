"""docs/trust.md claims nothing to be found that no test finds."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import time
from pathlib import Path

from audit_logs import FolderLog
from cosigning import hand

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "trust.md"
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_each_lie_that_is_found_names_a_test_that_there_is() -> None:
    section = PAGE.read_text().split("\n## What is found", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 12
    for row in rows:
        [(path, name)] = TEST.findall(row)
        tree = ast.parse((ROOT / path).read_text())
        defined = [
            node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        assert name in defined, row


def test_the_example_with_foreign_tools_says_who_cosigned(tmp_path: Path) -> None:
    """It runs as it stands there, on a note of ours; only the address is another."""
    witness, log = hand("witness.example.jp/1"), FolderLog(tmp_path, [b"a leaf"])
    (tmp_path / "cosigned").write_text(log.note() + witness.line(log.note(), int(time.time())))
    (tmp_path / "keys").write_text(f"{log.vkey}\n{witness.vkey}\n")
    example = PAGE.read_text().split("python - <<'END'\n", 1)[1].split("    END\n", 1)[0]
    lines = [line.removeprefix("    ") for line in example.splitlines()]
    program = "\n".join(lines).replace("https://audit.example.jp/log/2026/", tmp_path.as_uri() + "/")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    size, _, names = done.stdout.partition(" ")
    assert (size, sorted(ast.literal_eval(names))) == ("1", [log.signer.origin, "witness.example.jp/1"])
