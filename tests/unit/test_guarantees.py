"""docs/guarantees.md and the tests agree: no promise without a proof, no proof of something not promised."""

from __future__ import annotations

import tomllib

from guarantees import TESTS, promised, proofs


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
