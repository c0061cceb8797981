"""Transcribe's settings: the environment, read once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from otokura.shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """`OTOKURA_…` variables of this service beside the common ones."""

    service: ClassVar[str] = "transcribe"
    port: int = Field(default=8102, ge=0, le=65535)
    keyring_file: Path
    """The keyring of the `local` key provider, mode 0600."""
    key_provider: str = "local"
    transcripts_bucket: str = "transcripts"

    model_dir: Path
    """Folder of the Whisper model; filled from the installed wheels when it does not exist."""
    engine_threads: int = Field(default=2, ge=1, le=64)
    window_seconds: int = Field(default=300, ge=60, le=1800)
    """The longest stretch of one channel that the engine is given at once: memory grows with it."""
    window_timeout_seconds: float = Field(default=600.0, gt=0)
    """An engine that takes longer for one window hangs, and is replaced."""

    lease_seconds: int = Field(default=30, ge=3)
    """How long a dead worker's job waits before another takes it; a living one renews it."""
    poll_seconds: float = Field(default=0.5, gt=0)
    """How often an idle worker looks for a job."""
    max_failures: int = Field(default=4, ge=1)
    """Failures of the engine on one recording after which the recording cannot be transcribed."""
    max_takeovers: int = Field(default=50, ge=1)
    """Workers that may die over one recording before it is given up: perhaps it is what kills them."""

    @property
    def lease(self) -> timedelta:
        """The lease as an interval."""
        return timedelta(seconds=self.lease_seconds)
