"""Which engine and model the settings ask for, and whether it is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from otokura.transcribe import choice
from otokura.transcribe.choice import choose
from otokura.transcribe.errors import ModelMissing
from otokura.transcribe.settings import Settings


def settings(**chosen: object) -> Settings:
    needed = {
        "database_url": "postgresql+asyncpg://unused",
        "kafka_bootstrap": "unused:9092",
        "s3_endpoint": "http://unused",
        "s3_access_key": "unused",
        "s3_secret_key": "unused",
        "issuer": "unused",
        "audit_signing_key_file": Path("unused"),
        "keyring_file": Path("unused"),
        "model_dir": Path("/nowhere/whisper-base"),
    }
    return Settings.model_validate(needed | chosen)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kotoba").mkdir()
    (tmp_path / "kotoba" / "model.bin").touch()
    return tmp_path / "kotoba"


def test_without_a_word_it_is_the_bundled_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "ensure_model", lambda path: path)
    chosen = choose(settings(engine_threads=4, device="cuda", compute_type="float16"))
    assert (chosen.engine, chosen.model, chosen.name) == (
        "faster-whisper",
        "/nowhere/whisper-base",
        "whisper-base",
    )
    assert (chosen.threads, chosen.device, chosen.compute_type) == (4, "cuda", "float16")
    assert not chosen.fetched


def test_a_folder_is_a_model_by_path(folder: Path) -> None:
    chosen = choose(settings(model=str(folder)))
    assert (chosen.model, chosen.name, chosen.fetched) == (str(folder), "kotoba", False)


@pytest.mark.parametrize("engine", ["faster-whisper", "openai-whisper"])
def test_a_size_is_fetched_by_the_library(engine: str) -> None:
    chosen = choose(settings(engine=engine, model="large-v3"))
    assert (chosen.model, chosen.name, chosen.fetched) == ("large-v3", "whisper-large-v3", True)


def test_a_checkpoint_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "small.pt").touch()
    chosen = choose(settings(engine="openai-whisper", model=str(tmp_path / "small.pt")))
    assert (chosen.name, chosen.fetched) == ("whisper-small", False)


@pytest.mark.guarantee("T53")
@pytest.mark.parametrize(
    ("engine", "model", "words"),
    [
        ("faster-whisper", "/nowhere/at/all", "is no folder in CTranslate2's format: correct the path"),
        ("openai-whisper", "./missing.pt", "is no checkpoint: correct the path"),
        ("openai-whisper", "", "set OTOKURA_MODEL to the path of one"),
    ],
)
def test_a_model_that_is_not_there_is_told_with_what_to_do(engine: str, model: str, words: str) -> None:
    with pytest.raises(ModelMissing, match=words):
        choose(settings(engine=engine, model=model))


@pytest.mark.guarantee("T53")
def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"without model\.bin"):
        choose(settings(model=str(tmp_path)))
