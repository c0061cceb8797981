"""Sidecars as people's tools write them."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from otokura.cli.imports.files import FileNameError, Folder
from otokura.cli.imports.sidecar import RawRow, SidecarError, find_sidecar, read_sidecar

TEXT = "file,external_id,caller,agent_id\r\n通話～１.wav,c-1,0312345678,田中\r\n\r\nb.wav,c-2,,\r\n"
ROWS = [
    RawRow(2, {"file": "通話～１.wav", "external_id": "c-1", "caller": "0312345678", "agent_id": "田中"}),
    RawRow(4, {"file": "b.wav", "external_id": "c-2"}),
]


def written(folder: Path, name: str, data: str | bytes, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "utf-16"])
def test_what_excel_writes_is_read_without_being_told(tmp_path: Path, encoding: str) -> None:
    """The row's number is the line that an editor shows, empty lines and all."""
    assert read_sidecar(written(tmp_path, "calls.csv", TEXT, encoding)) == ROWS


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_any_of_the_usual_signs_separates(tmp_path: Path, delimiter: str) -> None:
    assert read_sidecar(written(tmp_path, "calls.csv", TEXT.replace(",", delimiter))) == ROWS


def test_another_encoding_is_taken_when_it_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "calls.csv", "file\r\n録音.wav\r\n", "euc_jp")
    assert read_sidecar(path, "euc_jp")[0].values == {"file": "録音.wav"}
    with pytest.raises(SidecarError, match="cp932"):
        read_sidecar(written(tmp_path, "calls.csv", b"file\r\n\x81\xff\xfd.wav\r\n"))
    with pytest.raises(SidecarError, match="klingon"):
        read_sidecar(path, "klingon")


def test_cells_may_hold_line_breaks_and_zeros_in_front(tmp_path: Path) -> None:
    text = 'File , Caller\r\n"a\nb.wav","=""0312345678"""\r\nc.wav,1\r\n'
    assert read_sidecar(written(tmp_path, "calls.csv", text)) == [
        RawRow(2, {"file": "a\nb.wav", "caller": "0312345678"}),
        RawRow(4, {"file": "c.wav", "caller": "1"}),
    ]


def test_json_and_json_lines_hold_the_same(tmp_path: Path) -> None:
    calls: list[dict[str, Any]] = [
        {"file": "a.wav", "purposes": ["quality"]},
        {"file": "b.wav", "agent_id": None, "caller": ""},
    ]
    array = read_sidecar(written(tmp_path, "calls.json", json.dumps(calls)))
    lines = read_sidecar(written(tmp_path, "calls.jsonl", "\n".join(map(json.dumps, calls)) + "\n\n"))
    assert array == lines == [RawRow(1, calls[0]), RawRow(2, {"file": "b.wav"})]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("calls.csv", "", "no header"),
        ("calls.csv", "file,file\na,b\n", "twice"),
        ("calls.csv", 'file\n"a\n', "line 2"),
        ("calls.json", '{"file": "a"}', "array"),
        ("calls.json", "[1]", "object"),
        ("calls.json", '[{"file": "a"}', "delimiter"),
        ("calls.jsonl", '{"file": "a"}\n{', "line 2"),
        ("calls.xlsx", "PK", "name it .csv"),
    ],
)
def test_what_is_no_sidecar_says_why(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(SidecarError, match=words):
        read_sidecar(written(tmp_path, name, text))


def test_a_row_longer_than_the_header_is_seen(tmp_path: Path) -> None:
    [row] = read_sidecar(written(tmp_path, "calls.csv", "file\na.wav,b\n"))
    assert set(row.values) == {"file", "(beyond the header)"}


def test_the_folders_own_sidecar_is_found_unless_there_are_two(tmp_path: Path) -> None:
    assert find_sidecar(tmp_path) is None
    first = written(tmp_path, "calls.csv", "file\n")
    assert find_sidecar(tmp_path) == first
    written(tmp_path, "calls.json", "[]")
    with pytest.raises(SidecarError, match=r"calls\.csv and calls\.json"):
        find_sidecar(tmp_path)
    with pytest.raises(SidecarError, match="No such file"):
        read_sidecar(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("on_disk", "in_the_sidecar"),
    [
        (unicodedata.normalize("NFD", "ガイド.wav"), "ガイド.wav"),
        ("ガイド.wav", unicodedata.normalize("NFD", "ガイド.wav")),
        ("通話〜１.wav", "通話～１.wav"),
        ("2026/11/a.wav", "2026\\11\\a.wav"),
        ("a.wav", "A.WAV"),
    ],
    ids=["NFD on disk", "NFD in the sidecar", "wave dash", "backslashes", "capitals"],
)
def test_a_name_written_differently_is_the_same_file(
    tmp_path: Path, on_disk: str, in_the_sidecar: str
) -> None:
    path = tmp_path / on_disk
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    assert Folder(tmp_path).find(in_the_sidecar) == on_disk


@pytest.mark.parametrize("name", ["../a.wav", "/etc/passwd", "C:\\a.wav", "b/../../a.wav"])
def test_a_name_never_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.wav").touch()
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(FileNameError, match="from the folder on"):
        Folder(inside).find(name)


def test_a_name_that_fits_two_files_or_none_is_told(tmp_path: Path) -> None:
    for name in ("A.wav", "a.wav", ".hidden.wav"):
        (tmp_path / name).touch()
    folder = Folder(tmp_path)
    assert folder.find("a.wav") == "a.wav"
    with pytest.raises(FileNameError, match="2 files"):
        folder.find("a.WAV")
    for name in ("b.wav", ".hidden.wav"):
        with pytest.raises(FileNameError, match="no such file"):
            folder.find(name)
