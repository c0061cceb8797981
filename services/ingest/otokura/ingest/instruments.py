"""What ingest measures about itself."""

from __future__ import annotations

from otokura.shared.metrics import counter, gauge, histogram

OPEN_STREAMS = gauge("otokura_ingest_streams_count", "Streams that are open.", ("dialect",))
ACCEPTED_SECONDS = counter(
    "otokura_ingest_accepted_audio_seconds_total", "Live audio stored, over all channels."
)
ACCEPT_SECONDS = histogram(
    "otokura_ingest_accept_seconds",
    "From the last sample of a segment to its acceptance.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300),
)
SPOOLED_BYTES = gauge("otokura_ingest_spooled_bytes", "Segments on the local disk that are not accepted yet.")
STALLED_CALLS = gauge(
    "otokura_ingest_stalled_calls_count", "Calls whose audio waits for the store or the database."
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
UNSETTLED_CALLS = gauge(
    "otokura_calls_unsettled",
    "Calls in the database that have no final state yet; take the maximum over the instances.",
    ("state",),
)
OLDEST_UNSETTLED = gauge(
    "otokura_calls_unsettled_age_seconds",
    "How long the call that has waited longest without audio, owner or final state has done so.",
)
REFUSED_SOCKETS = counter(
    "otokura_ingest_audiosockets_refused_total",
    "AudioSocket connections that were closed without recording anything, by reason.",
    ("reason",),
)
LIVE_CHUNKS = counter(
    "otokura_ingest_live_chunks_total", "Pieces of audio for live text, sent or dropped.", ("outcome",)
)
REPLIES = counter(
    "otokura_ingest_replies_total",
    "Messages with live text that were sent back to phone systems, and looks that found a client not ready.",
    ("outcome",),
)
