"""Spans of a call's timeline without audio, and why there is none."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

GapReason = Literal["lost", "paused", "discarded", "unannounced"]
"""Why there is no audio: it never came or could not be kept; the phone system paused the recording; it threw
the span away; or the caller had not been told of the recording yet."""


class Gap(BaseModel):
    """A span of the timeline without audio, in samples of the recording, and why."""

    model_config = ConfigDict(frozen=True)
    start_sample: int = Field(ge=0)
    samples: int = Field(gt=0)
    reason: GapReason
    channel: int | None = Field(default=None, ge=0)
    """The one channel that lacks it; None: all."""
