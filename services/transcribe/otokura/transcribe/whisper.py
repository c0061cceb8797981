"""Whisper through faster-whisper: int8 on the CPU, batched, with voice activity detection.

Only the engine's own process imports this module: loading it costs seconds and hundreds of megabytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel
from faster_whisper import vad as untyped_vad
from numpy.typing import NDArray

from otokura.transcribe.alignment import AlignedWord, Stretch, place
from otokura.transcribe.engine import SAMPLE_RATE, Description, Pcm16, Segment
from otokura.transcribe.weights import MODEL

# Half a second of silence ends a stretch of speech: shorter misses turns, longer keeps silence in, where
# Whisper invents text.
_MIN_SILENCE_MS = 500
# Memory grows with the batch: 4 stays under a gigabyte with the base model and is nearly as fast as 8.
_BATCH = 4
# Whisper's own rule for "nobody spoke" (`no_speech_threshold`, `logprob_threshold` of the original); the
# batched pipeline leaves it out. It catches what gets past the voice detection, such as music.
_NO_SPEECH = 0.6
_UNSURE = -1.0
# Seconds of speech that decide on the language: Whisper looks at 30 s at once.
_LANGUAGE_SECONDS = 30

_vad: Any = untyped_vad


class WhisperEngine:
    """`otokura.transcribe.engine.Engine` over faster-whisper.

    Args:
        folder: a CTranslate2 Whisper model.
        threads: CPU threads to use.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        self._model = WhisperModel(
            str(folder), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True
        )
        self._pipeline = BatchedInferencePipeline(self._model)

    def describe(self) -> Description:
        """As `Engine.describe`."""
        return Description(
            name=f"faster-whisper {version('faster-whisper')}",
            model=f"{MODEL} int8",
            languages=frozenset(self._model.supported_languages),
        )

    def languages(self, audio: Pcm16) -> dict[str, float]:
        """As `Engine.languages`: judged on the first 30 s of speech."""
        samples = _floats(audio)
        options = _vad.VadOptions(min_silence_duration_ms=_MIN_SILENCE_MS)
        stretches: list[dict[str, int]] = _vad.get_speech_timestamps(samples, options)
        if not stretches:
            return {}
        spoken = np.concatenate([samples[one["start"] : one["end"]] for one in stretches])
        _, _, probabilities = self._model.detect_language(spoken[: _LANGUAGE_SECONDS * SAMPLE_RATE])
        return {code: float(probability) for code, probability in probabilities}

    def hear(self, audio: Pcm16, language: str, vocabulary: Sequence[str] = ()) -> list[Segment]:
        """As `Engine.hear`."""
        heard, information = self._pipeline.transcribe(
            _floats(audio),
            language=language,
            beam_size=1,
            batch_size=_BATCH,
            without_timestamps=True,
            word_timestamps=True,
            vad_filter=True,
            vad_parameters={"min_silence_duration_ms": _MIN_SILENCE_MS},
            hotwords=" ".join(vocabulary) or None,
        )
        # The pipeline keeps what its voice detection found, in samples, in this option.
        found: list[Any] = list(information.transcription_options.clip_timestamps)
        stretches = [Stretch(_ms(one["start"]), _ms(one["end"])) for one in found]
        return [
            _segment(segment, stretches)
            for segment in heard
            if segment.words and not (segment.no_speech_prob > _NO_SPEECH and segment.avg_logprob < _UNSURE)
        ]


def _floats(audio: Pcm16) -> NDArray[np.float32]:
    return audio.astype(np.float32) / 32768.0


def _ms(samples: int) -> int:
    return samples * 1000 // SAMPLE_RATE


def _segment(segment: Any, stretches: Sequence[Stretch]) -> Segment:
    aligned = [
        AlignedWord(word.word, round(word.start * 1000), round(word.end * 1000), float(word.probability))
        for word in segment.words
    ]
    return Segment(
        words=place(aligned, stretches),
        avg_logprob=float(segment.avg_logprob),
        no_speech_prob=float(segment.no_speech_prob),
        compression_ratio=float(segment.compression_ratio),
    )
