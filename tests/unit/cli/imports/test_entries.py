"""From rows to calls: what is taken, what is added, and all that is wrong."""

from __future__ import annotations

from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from audio_files import encoded, wav
from otokura.cli.imports.entries import COLUMNS, Defaults, Entries, entries_of
from otokura.cli.imports.files import Folder
from otokura.cli.imports.sidecar import RawRow

TOKYO = timezone(timedelta(hours=9))
DEFAULTS = Defaults(purposes=("quality",))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "stereo.wav").write_bytes(wav(bytes(6400), 8000, 2))
    (tmp_path / "mono.wav").write_bytes(wav(bytes(3200), 8000, 1))
    (tmp_path / "five.wav").write_bytes(wav(bytes(8000), 8000, 5))
    (tmp_path / "call.mp3").write_bytes(encoded(bytes(32_000), 16_000, 1, "mp3", "libmp3lame"))
    return Folder(tmp_path)


def read(folder: Folder, *rows: dict[str, Any], defaults: Defaults = DEFAULTS) -> Entries:
    return entries_of([RawRow(number, row) for number, row in enumerate(rows, 2)], folder, defaults)


def test_a_full_row_becomes_a_call(folder: Folder) -> None:
    row = {
        "file": "stereo.wav",
        "external_id": "c-1",
        "direction": "Outbound",
        "caller": "0312345678",
        "callee": "0120000000",
        "agent_id": "a-17",
        "channels": "customer、agent",
        "notice": "announced",
        "notice_at": "2024-04-01T09:00:05+09:00",
        "notice_version": "2024-01",
        "purposes": "quality; training",
        "language": "ja",
        "started_at": "2024/04/01 9:00",
    }
    entries = read(folder, row, defaults=Defaults(zone=TOKYO))
    assert entries.faults == []
    [entry] = entries.good
    assert (entry.row, entry.file, entry.size) == (2, "stereo.wav", 6444)
    assert entry.body == {
        "external_id": "c-1",
        "direction": "outbound",
        "caller": "0312345678",
        "callee": "0120000000",
        "agent_id": "a-17",
        "channels": [{"role": "customer"}, {"role": "agent"}],
        "notice": {"given": "announced", "at": "2024-04-01T09:00:05+09:00", "version": "2024-01"},
        "purposes": ["quality", "training"],
        "language": "ja",
        "started_at": "2024-04-01T09:00:00+09:00",
    }


def test_a_bare_row_takes_what_the_file_and_the_options_say(folder: Folder) -> None:
    """The name is the id, a WAV says how many channels it has, nothing is said of a notice."""
    defaults = Defaults("internal", "a-1", None, "attested", "v2", ("quality",), "en")
    first, second = read(folder, {"file": "mono.wav"}, {"file": "stereo.wav"}, defaults=defaults).good
    assert first.body == {
        "external_id": "mono.wav",
        "direction": "internal",
        "caller": None,
        "callee": None,
        "agent_id": "a-1",
        "channels": [{"role": "mixed"}],
        "notice": {"given": "attested", "at": None, "version": "v2"},
        "purposes": ["quality"],
        "language": "en",
        "started_at": None,
    }
    assert second.body["channels"] == [{"role": "agent"}, {"role": "customer"}]


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        ({}, "file", "every row names a file"),
        ({"file": "none.wav"}, "file", "no such file"),
        ({"file": "../mono.wav"}, "file", "from the folder on"),
        ({"file": "mono.wav", "langauge": "ja"}, "langauge", "no column"),
        ({"file": "mono.wav", "external_id": "x" * 129}, "external_id", "128"),
        ({"file": "mono.wav", "external_id": "a\nb"}, "external_id", "control character"),
        ({"file": "mono.wav", "external_id": 1.5}, "external_id", "text"),
        ({"file": "mono.wav", "direction": "sideways"}, "direction", "inbound, outbound, internal"),
        ({"file": "mono.wav", "caller": "8.13123E+11"}, "caller", "spreadsheet"),
        ({"file": "mono.wav", "channels": "agent,customer"}, "channels", "names 2, and the file has 1"),
        ({"file": "mono.wav", "channels": "boss"}, "channels", "agent, customer, mixed"),
        ({"file": "call.mp3"}, "channels", "say who is on them"),
        ({"file": "five.wav"}, "channels", "5 channels"),
        ({"file": "mono.wav", "notice": "shouted"}, "notice", "announced, attested, none"),
        ({"file": "mono.wav", "notice_at": "2024-04-01T09:00:00Z"}, "notice_at", "notice is none"),
        ({"file": "mono.wav", "purposes": "Quality"}, "purposes", "no name of a purpose"),
        ({"file": "mono.wav", "language": "Japanese"}, "language", "such as ja"),
        ({"file": "mono.wav", "started_at": "yesterday"}, "started_at", "no time such as"),
        ({"file": "mono.wav", "started_at": "2024/04/01 9:00"}, "started_at", "--time-zone"),
        ({"file": "mono.wav", "started_at": "2999-01-01T00:00:00Z"}, "started_at", "future"),
    ],
)
def test_what_is_wrong_is_told_by_row_and_column(
    folder: Folder, row: dict[str, Any], column: str, words: str
) -> None:
    entries = read(folder, {"file": "stereo.wav", "external_id": "good"}, row)
    assert [entry.external_id for entry in entries.good] == ["good"]
    [fault] = entries.faults
    assert (fault.row, fault.column) == (3, column)
    assert words in fault.message


def test_all_that_is_wrong_is_told_at_once(folder: Folder) -> None:
    rows = [
        {"file": "none.wav", "direction": "up", "language": "日本語", "started_at": "x"},
        {"file": "stereo.wav", "external_id": "twice"},
        {"file": "stereo.wav", "external_id": "twice"},
    ]
    faults = read(folder, *rows, defaults=Defaults()).faults
    assert [(fault.row, fault.column) for fault in faults] == [
        *((2, "file"), (2, "direction"), (2, "purposes"), (2, "language"), (2, "started_at")),
        (3, "purposes"),
        *((4, "purposes"), (4, "file"), (4, "external_id")),
    ]
    assert faults[-1].message == "is that of row 3, too"


def test_foreign_columns_can_be_left_out(folder: Folder) -> None:
    row = RawRow(2, {"file": "mono.wav", "department": "sales"})
    assert entries_of([row], folder, DEFAULTS, ignore_unknown=True).faults == []
    [fault] = entries_of([row], folder, DEFAULTS).faults
    assert all(column in fault.message for column in COLUMNS)


def test_lists_may_be_lists(folder: Folder) -> None:
    row = {"file": "stereo.wav", "channels": ["customer", "agent"], "purposes": ["quality"]}
    [entry] = read(folder, row, defaults=Defaults()).good
    assert entry.body["channels"] == [{"role": "customer"}, {"role": "agent"}]
