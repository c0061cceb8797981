"""Breaks Otokura one line at a time, and expects the tests to notice.

Each patch of `patches.toml` is applied to a copy of the tree, and the tests it names are run there. They
must pass without the patch and fail with it, or the run exits with 1. The copy's modules come first on the
path; the working tree is never touched.

    python tests/sabotage/run.py [NAME…]     only the patches whose name contains one of the words
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = [
    "shared",
    "cli",
    "services/ingest",
    "services/transcribe",
    "services/access",
    "services/audit",
]
TIME_LIMIT = 600


@dataclass(frozen=True)
class Patch:
    """One sabotage: `old` becomes `new` in `file`, and `tests` must fail."""

    name: str
    guarantee: str
    file: str
    old: str
    new: str
    tests: list[str]


@dataclass(frozen=True)
class Result:
    """What pytest said: its exit code, and how many tests failed, broke in a fixture, and ran."""

    code: int
    failures: int
    errors: int
    tests: int

    @property
    def red(self) -> bool:
        """A test's own assertion failed; a broken fixture or a missing test proves nothing."""
        return self.code == 1 and self.failures > 0


def patches(words: Sequence[str]) -> list[Patch]:
    text = (Path(__file__).parent / "patches.toml").read_text()
    every = [Patch(**fields) for fields in tomllib.loads(text)["patch"]]
    return [patch for patch in every if not words or any(word in patch.name for word in words)]


def copy_tree(into: Path) -> None:
    names = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, names.split("\0")):
        source = ROOT / name
        if source.is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, into / name)
    cache = ROOT / ".cache"
    if cache.exists():
        (into / ".cache").symlink_to(cache)


@contextmanager
def applied(patch: Patch, tree: Path) -> Iterator[None]:
    path = tree / patch.file
    original = path.read_text()
    if original.count(patch.old) != 1:
        sys.exit(f"The patch {patch.name!r} does not fit {patch.file} any more: bring it up to date.")
    path.write_text(original.replace(patch.old, patch.new))
    try:
        yield
    finally:
        path.write_text(original)


def run(tests: Sequence[str], tree: Path, *, stop_at_first: bool) -> Result:
    report = tree / "sabotage.xml"
    report.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(tree / folder) for folder in DISTRIBUTIONS),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", f"--junitxml={report}", *tests]
    if stop_at_first:
        command.append("-x")
    with (tree / "sabotage.log").open("w") as log:
        code = subprocess.run(
            command, cwd=tree, env=environment, stdout=log, stderr=log, timeout=TIME_LIMIT, check=False
        ).returncode
    if not report.exists():
        return Result(code, 0, 0, 0)
    suite = next(ET.parse(report).getroot().iter("testsuite"))  # noqa: S314 - written by pytest just now
    return Result(code, *(int(suite.attrib[name]) for name in ("failures", "errors", "tests")))


def main() -> int:
    chosen = patches(sys.argv[1:])
    if not chosen:
        sys.exit("No patch has such a name.")
    survived = 0
    with tempfile.TemporaryDirectory(prefix="otokura-sabotage-") as folder:
        tree = Path(folder)
        copy_tree(tree)
        every = sorted({test for patch in chosen for test in patch.tests})
        before = run(every, tree, stop_at_first=False)
        if before.code != 0:
            print((tree / "sabotage.log").read_text())
            sys.exit("The tests fail already, without any sabotage.")
        print(f"{before.tests} tests pass without sabotage.", flush=True)
        for patch in chosen:
            started = time.monotonic()
            with applied(patch, tree):
                result = run(patch.tests, tree, stop_at_first=True)
            verdict = "noticed" if result.red else "SURVIVED"
            survived += not result.red
            print(
                f"{verdict:9} {patch.guarantee:4} {patch.name} ({time.monotonic() - started:.0f} s)",
                flush=True,
            )
            if not result.red:
                print((tree / "sabotage.log").read_text()[-3000:])
    print(f"{len(chosen) - survived} of {len(chosen)} patches noticed.")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
