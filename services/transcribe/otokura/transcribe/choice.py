"""From the settings to the engine that a worker starts, and whether its model is there."""

from __future__ import annotations

import os
from pathlib import Path

from otokura.shared.logs import get_logger
from otokura.transcribe.errors import ModelMissing
from otokura.transcribe.options import EngineOptions
from otokura.transcribe.settings import Settings
from otokura.transcribe.weights import MODEL, ensure_model

log = get_logger(__name__)


def choose(settings: Settings) -> EngineOptions:
    """What the engine's process is started with.

    Raises:
        ModelMissing: the model is not where the settings say; the words, also logged, say what to do.
    """
    try:
        path, name, fetched = _bundled(settings) if not settings.model else _named(settings)
    except ModelMissing as error:
        log.error("the speech model is missing", error=error)  # noqa: TRY400 - the words are enough
        raise
    return EngineOptions(
        engine=settings.engine,
        model=path,
        name=name,
        fetched=fetched,
        device=settings.device,
        compute_type=settings.compute_type,
        threads=settings.engine_threads,
    )


def _bundled(settings: Settings) -> tuple[str, str, bool]:
    if settings.engine == "openai-whisper":
        raise ModelMissing(
            "No checkpoint comes with Otokura for openai-whisper: set OTOKURA_MODEL to the path of one, "
            "or to a size such as base, which it then fetches."
        )
    return str(ensure_model(settings.model_dir)), MODEL, False


def _named(settings: Settings) -> tuple[str, str, bool]:
    """Path or name, what transcripts call it, and whether the library fetches it."""
    path = Path(settings.model)
    if settings.engine == "openai-whisper" and path.is_file():
        return str(path), f"whisper-{path.stem}", False
    if settings.engine == "faster-whisper" and path.is_dir():
        if not (path / "model.bin").is_file():
            raise ModelMissing(
                f"OTOKURA_MODEL={settings.model} is a folder without model.bin, so no model in it."
            )
        return str(path), path.name, False
    if path.exists() or path.is_absolute() or settings.model.startswith((".", "~")):
        wanted = "checkpoint" if settings.engine == "openai-whisper" else "folder in CTranslate2's format"
        raise ModelMissing(
            f"OTOKURA_MODEL={settings.model} is no {wanted}: correct the path, or mount it there."
        )
    return settings.model, f"whisper-{settings.model.replace(os.sep, '-')}", True
