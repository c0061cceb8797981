"""What whoever holds the key of access can leave out of a bundle's history, and what they cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evidence_bundles import Files, Maker, lines_of, with_lines
from otokura.cli.verify import Code, VerificationError
from otokura.cli.verify.evidence import Evidence
from otokura.cli.verify.evidence_command import describe

SEALED, TRANSCRIBED, DENIED, OPENED = range(4)


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def without(maker: Maker, index: int, **more: Any) -> Evidence:
    """What the verifier says of a bundle that lacks an entry, with a count that agrees."""

    def left_out(files: Files) -> None:
        lines = lines_of(files)
        with_lines(files, lines[:index] + lines[index + 1 :])

    return maker.verify(maker.make(left_out, lambda it: it["custody"].update(entries=3)), **more)


@pytest.mark.guarantee("L29")
def test_an_entry_that_binds_nothing_can_be_left_out_and_that_is_told_as_not_proved(maker: Maker) -> None:
    found = without(maker, DENIED)
    assert "read.denied" not in found.history.actions
    assert "not that none was left out" in "\n".join(describe(found))


@pytest.mark.guarantee("L29")
def test_so_can_its_details(maker: Maker) -> None:
    def withheld(files: Files) -> None:
        lines = lines_of(files)
        lines[DENIED] |= {"entry": None, "salt": None, "erased_at": "2026-11-30T00:00:00Z"}
        with_lines(files, lines)

    found = maker.verify(maker.make(withheld, lambda it: it["custody"].update(erased=1)))
    assert (found.history.entries, found.history.erased) == (4, 1)
    assert "their details are erased, or were left out" in "\n".join(describe(found))


@pytest.mark.guarantee("L29")
@pytest.mark.parametrize("index", [SEALED, TRANSCRIBED, OPENED])
@pytest.mark.parametrize("details_expired", [False, True])
def test_what_binds_audio_transcript_and_the_bundle_cannot(
    maker: Maker, index: int, *, details_expired: bool
) -> None:
    with pytest.raises(VerificationError) as caught:
        without(maker, index, details_expired=details_expired)
    assert caught.value.finding.code is Code.EVIDENCE_MISMATCH
