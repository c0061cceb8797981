"""What ingest measures about itself."""

from __future__ import annotations

from otokura.shared.metrics import counter, gauge

OPEN_STREAMS = gauge("otokura_ingest_streams_count", "Raw streams that are open.")
ACCEPTED_SECONDS = counter(
    "otokura_ingest_accepted_audio_seconds_total", "Live audio stored, over all channels."
)
REFUSED_SEGMENTS = counter(
    "otokura_ingest_segments_refused_total", "Segments that came too late, by problem.", ("reason",)
)
LOST_SEGMENTS = counter(
    "otokura_ingest_segments_lost_total", "Accepted segments that could not be read at sealing.", ("reason",)
)
SETTLED_CALLS = counter(
    "otokura_ingest_calls_settled_total", "Calls that reached their final state.", ("outcome",)
)
