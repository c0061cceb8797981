"""What an import notes survives whatever ends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from otokura.cli.imports.entries import Entry
from otokura.cli.imports.journal import Journal, JournalError, Progress

URL = "http://ingest.test"


def entry(name: str = "通話.wav") -> Entry:
    return Entry(2, name, Path(name), 10, {"external_id": "c-1", "caller": "0312345678"})


def test_each_step_is_there_for_the_next_run(tmp_path: Path) -> None:
    """And nothing of the sidecar but names and ids, for nobody but the owner."""
    path = tmp_path / "journal"
    with Journal(path, URL) as journal:
        fresh = journal.of(entry())
        assert fresh == Progress("通話.wav", "c-1")
        started = journal.note(fresh, attempt=1, body_sha256="ab", started=1.5)
        journal.note(started, call_id="call", upload="/v1/uploads/u", size=10, changed=7)
    with Journal(path, URL) as journal:
        assert journal.of(entry()) == Progress(
            "通話.wav", "c-1", 1, "ab", 1.5, "call", "/v1/uploads/u", 10, 7
        )
        assert journal.of(entry("other.wav")).attempt == 0
    assert "0312345678" not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "torn", ['{"file": "通', "{", '{"file": "通話.wav", "external_id": "c-1", "attempt"']
)
def test_a_line_that_a_crash_cut_off_is_left_out(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "journal"
    with Journal(path, URL) as journal:
        journal.note(journal.of(entry()), attempt=1)
    with path.open("a") as file:
        file.write(torn)
    for attempt in (2, 3):
        with Journal(path, URL) as journal:
            known = journal.of(entry())
            assert known.attempt == attempt - 1
            journal.note(known, attempt=attempt)


def test_two_imports_do_not_share_a_journal(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal", URL), pytest.raises(JournalError, match="another import"):
        Journal(tmp_path / "journal", URL)


def test_a_journal_is_of_one_ingest(tmp_path: Path) -> None:
    """Else what one has would be left out at the other."""
    with Journal(tmp_path / "journal", URL):
        pass
    with pytest.raises(JournalError, match="another ingest"):
        Journal(tmp_path / "journal", "http://other.test")


@pytest.mark.parametrize("text", ["a,b\nc,d\n", "[]\n", '{"version": 9}\n'])
def test_what_is_no_journal_is_not_written_to(tmp_path: Path, text: str) -> None:
    path = tmp_path / "journal"
    path.write_text(text)
    with pytest.raises(JournalError):
        Journal(path, URL)
    assert path.read_text() == text


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="--state"):
        Journal(tmp_path / "none" / "journal", URL)
