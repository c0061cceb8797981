"""The containers and codecs that are opened; FFmpeg has hundreds more, written for files nobody sends us.

Names are FFmpeg's. Playlists, image sequences, network and device formats are absent, so no file can make the
decoder open another.
"""

from __future__ import annotations

CONTAINERS = ("wav", "aiff", "flac", "mp3", "aac", "mov", "ogg", "matroska", "amr")
"""Demuxers; `mov` covers mp4, m4a and 3gp, and `matroska` webm."""

CODECS = frozenset(
    {
        *("pcm_u8", "pcm_s8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be"),
        *("pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be", "pcm_mulaw", "pcm_alaw"),
        *("adpcm_ima_wav", "adpcm_ima_qt", "adpcm_ms", "gsm", "gsm_ms", "g722"),
        *("mp3", "mp3float", "aac", "alac", "flac", "opus", "vorbis", "amrnb", "amrwb"),
    }
)
"""Decoders."""

OPEN_OPTIONS = {
    "format_whitelist": ",".join(CONTAINERS),
    "codec_whitelist": ",".join(sorted(CODECS)),
    # No protocol has this name: nothing but the bytes that the parent hands over can be read.
    "protocol_whitelist": "none",
    "enable_drefs": "0",
    "max_size": "65536",  # bytes of PCM decoded at once; FFmpeg's 4096 spend the time in calls
}

MIN_RATE, MAX_RATE = 4_000, 192_000
"""Samples a second."""
