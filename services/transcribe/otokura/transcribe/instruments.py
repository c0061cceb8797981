"""What transcribe measures about itself."""

from __future__ import annotations

from otokura.shared import metrics

JOBS = metrics.gauge(
    "otokura_transcribe_jobs_count", "Jobs by state; queued ones are the depth to scale on.", ("state",)
)
ATTEMPTS = metrics.counter("otokura_transcribe_attempts_total", "Attempts by outcome.", ("outcome",))
AUDIO_SECONDS = metrics.counter(
    "otokura_transcribe_audio_seconds_total", "Length of the recordings that were transcribed."
)
DURATION_SECONDS = metrics.histogram(
    "otokura_transcribe_duration_seconds",
    "Time from taking a job to its transcript being stored.",
    buckets=(1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600),
)
