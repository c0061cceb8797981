"""Whisper as OpenAI published it, in PyTorch: `pip install 'otokura-transcribe[openai]'`.

Slower than faster-whisper on a CPU, and the reference that it is compared with. PyTorch and the package
`whisper` are imported when the model is loaded: a plain installation does not have them.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from otokura.transcribe.alignment import AlignedWord
from otokura.transcribe.chunks import Batching
from otokura.transcribe.engine import Description, Floats
from otokura.transcribe.errors import ModelMissing
from otokura.transcribe.options import AUTO, EngineOptions
from otokura.transcribe.recogniser import Decoded, longest_text

_BATCH, _BATCH_GPU = 4, 16
_FRAMES = 3000
"""Mel frames of 30 s."""
_CHUNK_MS = 30_000
"""Whatever a chunk holds, it is made so long."""
_HOP = 160
"""Samples from one frame to the next."""


class OriginalWhisper:
    """`otokura.transcribe.recogniser.Recogniser` over openai-whisper; decodes greedily.

    Args:
        options: `model` is a checkpoint as OpenAI publishes it. When the file is called after an official
            model (`base.pt`), words are timed with that model's alignment heads, otherwise with the upper
            layers.

    Raises:
        ModelMissing: the extra is not installed.
        RuntimeError: the checkpoint is none, or the device is not there.
    """

    def __init__(self, options: EngineOptions) -> None:
        self._whisper, self._torch = _packages()
        self._torch.set_num_threads(options.threads)
        gpu = options.device == "cuda" or (options.device == AUTO and self._torch.cuda.is_available())
        default = "float16" if gpu else "float32"
        self._compute_type = default if options.compute_type == AUTO else options.compute_type
        if self._compute_type not in ("float16", "float32"):
            raise RuntimeError("openai-whisper computes in float16 or float32")
        self._options = options
        self.batching = Batching(_CHUNK_MS * (_BATCH_GPU if gpu else _BATCH), _CHUNK_MS, parallel=1)
        self._model = self._whisper.load_model(options.model, device="cuda" if gpu else "cpu")
        heads = self._whisper._ALIGNMENT_HEADS.get(Path(options.model).stem)  # noqa: SLF001 - it has no other name
        if heads is not None:
            self._model.set_alignment_heads(heads)

    def describe(self) -> Description:
        """As `Recogniser.describe`."""
        languages = import_module("whisper.tokenizer").LANGUAGES if self._model.is_multilingual else ("en",)
        return Description(
            name=f"openai-whisper {version('openai-whisper')}",
            model=f"{self._options.name} {self._compute_type}",
            languages=frozenset(languages),
        )

    def languages(self, speech: Floats) -> dict[str, float]:
        """As `Recogniser.languages`."""
        if not self._model.is_multilingual:
            return {"en": 1.0}
        _, probabilities = self._model.detect_language(self._mel(speech).to(self._model.device))
        return {code: float(probability) for code, probability in probabilities.items()}

    def decode(self, chunks: Sequence[Floats], language: str, vocabulary: Sequence[str]) -> list[Decoded]:
        """As `Recogniser.decode`."""
        options = self._whisper.DecodingOptions(
            language=language,
            without_timestamps=True,
            prompt=" ".join(vocabulary) or None,
            sample_len=longest_text(chunks),
            fp16=self._compute_type == "float16",
        )
        mels = [self._mel(chunk) for chunk in chunks]
        results = self._whisper.decode(self._model, self._torch.stack(mels).to(self._model.device), options)
        return [
            self._decoded(result, mel, len(chunk) // _HOP, language)
            for result, mel, chunk in zip(results, mels, chunks, strict=True)
        ]

    def _mel(self, speech: Floats) -> Any:
        mel = self._whisper.log_mel_spectrogram(speech, self._model.dims.n_mels, padding=_HOP)
        return self._whisper.pad_or_trim(mel, _FRAMES)

    def _decoded(self, result: Any, mel: Any, frames: int, language: str) -> Decoded:
        timing = import_module("whisper.timing")
        tokenizer = import_module("whisper.tokenizer").get_tokenizer(
            self._model.is_multilingual, num_languages=self._model.num_languages, language=language
        )
        text = [token for token in result.tokens if token < tokenizer.eot]
        aligned = timing.find_alignment(self._model, tokenizer, text, mel.to(self._model.device), frames)
        timing.merge_punctuations(aligned, "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、")
        words = [
            AlignedWord(one.word, round(one.start * 1000), round(one.end * 1000), float(one.probability))
            for one in aligned
            if one.word
        ]
        return Decoded(
            words=words,
            avg_logprob=float(result.avg_logprob),
            no_speech_prob=float(result.no_speech_prob),
            compression_ratio=float(result.compression_ratio),
        )


def _packages() -> tuple[Any, Any]:
    try:
        return import_module("whisper"), import_module("torch")
    except ImportError:
        raise ModelMissing(
            "The engine openai-whisper is not installed: install otokura-transcribe[openai], "
            "or set OTOKURA_ENGINE=faster-whisper."
        ) from None
