"""Whisper through faster-whisper (CTranslate2): int8 on a CPU, half precision on a GPU.

Only the engine's own process imports this module: loading it costs seconds and hundreds of megabytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import ctranslate2 as untyped_ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper import audio as untyped_audio
from faster_whisper import transcribe as untyped
from faster_whisper.tokenizer import Tokenizer

from otokura.transcribe.alignment import AlignedWord
from otokura.transcribe.chunks import Batching
from otokura.transcribe.engine import Description, Floats
from otokura.transcribe.guard import REPETITIVE
from otokura.transcribe.options import AUTO, EngineOptions
from otokura.transcribe.recogniser import Decoded, longest_text

_library: Any = untyped
_audio: Any = untyped_audio
_ctranslate2: Any = untyped_ctranslate2

# Memory grows with the batch: so much at a time on each core stays under a gigabyte with the base model.
_MOST_MS, _MOST_MS_GPU = 96_000, 320_000
# The encoder's cost grows with the square of what it is given. Instead of always 30 s it gets the longest
# chunk of the batch and this much silence (in frames), without which a text would not end. With less
# than five seconds in all the beginning of a sentence, which is what live text often has, repeats itself.
_SILENCE_FRAMES, _FEWEST_FRAMES = 100, 500
_FRAME_MS = 10
# How a chunk is decoded again whose text repeats itself without end ("press 0 press 0 ..."): with as much
# silence as speech at least, as in the 30 s that Whisper was taught, several ways followed. Ten seconds do
# for short ones, at a fifth of the time. Repetitions as such are allowed: people repeat themselves.
_OUT_OF_A_LOOP = {"beam_size": 5}
_FEWEST_AGAIN = 1000


class FasterWhisper:
    """`otokura.transcribe.recogniser.Recogniser` over faster-whisper; decodes greedily, loops a second time.

    Raises:
        RuntimeError, ValueError: the model cannot be loaded, or not with this device and compute type.
    """

    def __init__(self, options: EngineOptions) -> None:
        gpu = options.device == "cuda" or (
            options.device == AUTO and _ctranslate2.get_cuda_device_count() > 0
        )
        self._device = "cuda" if gpu else "cpu"
        default = "float16" if gpu else "int8"
        self._options = options
        self._compute_type = default if options.compute_type == AUTO else options.compute_type
        # As many decodings at once as there are threads: each alone uses its core better than two share one.
        parallel = 1 if gpu else options.threads
        most_ms = _MOST_MS_GPU if gpu else _MOST_MS
        self.batching = Batching(most_ms, _FEWEST_FRAMES * _FRAME_MS, parallel)
        self._model: Any = WhisperModel(
            options.model,
            device=self._device,
            compute_type=self._compute_type,
            cpu_threads=max(1, options.threads // parallel),
            num_workers=parallel,
            local_files_only=not options.fetched,
        )

    def describe(self) -> Description:
        """As `Recogniser.describe`."""
        return Description(
            name=f"faster-whisper {version('faster-whisper')}",
            model=f"{self._options.name} {self._compute_type}",
            languages=frozenset(self._model.supported_languages),
        )

    def languages(self, speech: Floats) -> dict[str, float]:
        """As `Recogniser.languages`."""
        _, _, probabilities = self._model.detect_language(speech)
        return {code: float(probability) for code, probability in probabilities}

    def decode(self, chunks: Sequence[Floats], language: str, vocabulary: Sequence[str]) -> list[Decoded]:
        """As `Recogniser.decode`."""
        model = self._model
        tokenizer = Tokenizer(
            model.hf_tokenizer, model.model.is_multilingual, task="transcribe", language=language
        )
        prompt = model.get_prompt(
            tokenizer, [], without_timestamps=True, hotwords=" ".join(vocabulary) or None
        )
        features = [model.feature_extractor(chunk)[..., :-1] for chunk in chunks]
        longest = max(one.shape[-1] for one in features)
        most_frames = model.feature_extractor.nb_max_frames
        frames = min(max(longest + _SILENCE_FRAMES, _FEWEST_FRAMES), most_frames)
        encoded = self._encode([_audio.pad_or_trim(one, frames) for one in features])
        results = self._generate(encoded, prompt, tokenizer, longest_text(chunks))
        for number, result in enumerate(results):
            if _repetition(result, tokenizer) > REPETITIVE:
                frames = min(max(2 * features[number].shape[-1], _FEWEST_AGAIN), most_frames)
                alone = self._encode([_audio.pad_or_trim(features[number], frames)])
                most = longest_text([chunks[number]])
                [again] = self._generate(alone, prompt, tokenizer, most, **_OUT_OF_A_LOOP)
                results[number] = again
        tokens = [[token for token in one.sequences_ids[0] if token < tokenizer.eot] for one in results]
        alignments = model.find_alignment(tokenizer, tokens, encoded, [one.shape[-1] for one in features])
        return [
            _decoded(result, _repetition(result, tokenizer), alignment)
            for result, alignment in zip(results, alignments, strict=True)
        ]

    def _generate(
        self, encoded: Any, prompt: list[int], tokenizer: Any, most_tokens: int, **how: int
    ) -> list[Any]:
        """What the decoder makes of each; greedy unless `how` says otherwise."""
        whisper = self._model
        results: list[Any] = whisper.model.generate(
            encoded,
            [prompt] * encoded.shape[0],
            max_length=min(len(prompt) + most_tokens, whisper.max_length),
            suppress_blank=True,
            suppress_tokens=_library.get_suppressed_tokens(tokenizer, [-1]),
            return_scores=True,
            return_no_speech_prob=True,
            **{"beam_size": 1, **how},
        )
        return results

    def _encode(self, features: Sequence[Floats]) -> Any:
        """What the encoder makes of each, together; on a CPU one after the other.

        Attention takes a hundred megabytes a chunk while it works, and a batch is no faster there.
        """
        if self._device == "cuda":
            return self._model.encode(np.stack(features))
        encoded = [np.asarray(self._model.encode(one[np.newaxis])) for one in features]
        return _ctranslate2.StorageView.from_array(np.concatenate(encoded))


def _repetition(result: Any, tokenizer: Any) -> float:
    text = tokenizer.decode([token for token in result.sequences_ids[0] if token < tokenizer.eot])
    return float(_library.get_compression_ratio(text))


def _decoded(result: Any, repetition: float, alignment: list[dict[str, Any]]) -> Decoded:
    _library.merge_punctuations(alignment, "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、")
    words = [
        AlignedWord(
            one["word"], round(one["start"] * 1000), round(one["end"] * 1000), float(one["probability"])
        )
        for one in alignment
        if one["word"]
    ]
    length = len(result.sequences_ids[0])
    return Decoded(
        words=words,
        avg_logprob=float(result.scores[0]) * length / (length + 1),
        no_speech_prob=float(result.no_speech_prob),
        compression_ratio=repetition,
    )
