"""What transcribe measures about itself."""

from __future__ import annotations

from collections.abc import Iterable

from otokura.shared import metrics
from otokura.transcribe.models import JobState, Lane
from otokura.transcribe.repository import Depth

JOBS = metrics.gauge(
    "otokura_transcribe_jobs_count",
    "Jobs by state and lane; queued ones are the depth to scale on. Every instance counts all of them.",
    ("state", "lane"),
)
OLDEST_SECONDS = metrics.gauge(
    "otokura_transcribe_oldest_job_seconds", "Age of the oldest job that is queued or running.", ("lane",)
)
UNSERVED = metrics.gauge(
    "otokura_transcribe_jobs_unserved_count", "Queued jobs that ask for a model which no worker has."
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


def show(depths: Iterable[Depth]) -> None:
    """Sets the gauges of the queue."""
    oldest: dict[Lane, float] = dict.fromkeys(Lane, 0.0)
    for depth in depths:
        JOBS.labels(depth.state, depth.lane).set(depth.jobs)
        if depth.jobs and depth.state in {JobState.QUEUED, JobState.RUNNING}:
            oldest[depth.lane] = max(oldest[depth.lane], depth.oldest_seconds)
    for lane, seconds in oldest.items():
        OLDEST_SECONDS.labels(lane).set(seconds)


LIVE_CHUNKS = metrics.counter(
    "otokura_transcribe_live_chunks_total", "Pieces of live audio, by what became of them.", ("outcome",)
)
LIVE_HEARD_SECONDS = metrics.histogram(
    "otokura_transcribe_live_heard_seconds",
    "Time for one round of hearing live calls.",
    buckets=(0.1, 0.25, 0.5, 1, 2, 4, 8, 16),
)
