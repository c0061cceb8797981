"""The pins: every package by version and hash, every dependency among them, and no address of a registry."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted((ROOT / "requirements").glob("*.txt"))
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^ ]+)(?: ;[^\\]+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")
NAME = re.compile(r"^[A-Za-z0-9._-]+")


def pins(file: Path) -> dict[str, str]:
    return {found[1]: found[2] for line in file.read_text().splitlines() if (found := PIN.match(line))}


def dependencies(distribution: str, *extras: str) -> set[str]:
    """What a distribution names, ours left out, by normalised name (PEP 503)."""
    project = tomllib.loads((ROOT / distribution / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    names = {re.sub(r"[-_.]+", "-", NAME.match(one)[0]).lower() for one in wanted}  # type: ignore[index]
    return {name for name in names if not name.startswith("otokura-")}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_line_is_a_pin_or_a_hash(file: Path) -> None:
    odd = [line for line in file.read_text().splitlines() if not PIN.match(line) and not HASH.match(line)]
    assert odd == []


@pytest.mark.parametrize("service", ["ingest", "transcribe", "access", "audit"])
def test_an_image_gets_what_its_service_needs_at_the_versions_of_the_tests(service: str) -> None:
    extras = () if service == "audit" else ("media", "vault")
    wanted = dependencies("shared", *extras) | dependencies(f"services/{service}")
    pinned, local = pins(ROOT / "requirements" / f"{service}.txt"), pins(ROOT / "requirements" / "local.txt")
    assert wanted <= pinned.keys()
    assert pinned.items() <= local.items()


def test_the_local_stack_is_pinned() -> None:
    wanted = dependencies("cli", "local") | dependencies("shared", "media", "vault")
    assert wanted <= pins(ROOT / "requirements" / "local.txt").keys()


@pytest.mark.parametrize("names", [("local", "test", "lint"), ("local", "test", "openai")], ids="-".join)
def test_what_is_installed_together_agrees(names: tuple[str, ...]) -> None:
    together: dict[str, set[str]] = {}
    for name in names:
        for package, version in pins(ROOT / "requirements" / f"{name}.txt").items():
            together.setdefault(package, set()).add(version)
    assert {package: found for package, found in together.items() if len(found) > 1} == {}
