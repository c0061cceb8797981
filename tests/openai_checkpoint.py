"""From a Whisper model in CTranslate2's format to a checkpoint as OpenAI publishes it.

So two engines run on the same weights, offline: `python tests/openai_checkpoint.py FOLDER CHECKPOINT`, where
PyTorch is installed.

CTranslate2 (`ctranslate2/specs/model_spec.py`, `_serialize`) writes every variable with its name, shape and
type. It fuses what is multiplied together: query, key and value of self-attention, key and value of
cross-attention. Weights are as they were stored: float32, float16, or int8 with a scale for each row.
"""

from __future__ import annotations

import os
import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
_VERSION = 6
"""Of the file format."""
_NORMS = {"beta": "bias", "gamma": "weight"}
_FIXED = {
    "encoder/layer_norm": "encoder.ln_post",
    "decoder/layer_norm": "decoder.ln",
    "encoder/conv1": "encoder.conv1",
    "encoder/conv2": "encoder.conv2",
    "decoder/embeddings": "decoder.token_embedding",
}
_IN_A_LAYER = {
    "self_attention/layer_norm": "attn_ln",
    "self_attention/linear_1": "attn.out",
    "attention/layer_norm": "cross_attn_ln",
    "attention/linear_0": "cross_attn.query",
    "attention/linear_2": "cross_attn.out",
    "ffn/layer_norm": "mlp_ln",
    "ffn/linear_0": "mlp.0",
    "ffn/linear_1": "mlp.2",
}
_FUSED = {
    "self_attention/linear_0": ("attn.query", "attn.key", "attn.value"),
    "attention/linear_1": ("cross_attn.key", "cross_attn.value"),
}


def variables(file: BinaryIO) -> dict[str, Array]:
    """All variables of a `model.bin`; int8 weights with their scales taken out, as float32."""

    def number(form: str) -> int:
        return int(struct.unpack(form, file.read(struct.calcsize(form)))[0])

    def text() -> str:
        return file.read(number("<H"))[:-1].decode()

    if (version := number("<I")) != _VERSION:
        raise ValueError(f"this reads version {_VERSION} of CTranslate2's files, not {version}")
    text()
    number("<I")
    found: dict[str, Array] = {}
    for _ in range(number("<I")):
        name, rank = text(), number("<B")
        shape = [number("<I") for _ in range(rank)]
        kind = np.dtype(_TYPES[number("<B")])
        found[name] = np.frombuffer(file.read(number("<I")), kind).reshape(shape)
    return {name: _whole(found, name) for name in found if not name.endswith("_scale")}


def _whole(found: dict[str, Array], name: str) -> Array:
    scale = found.get(f"{name}_scale")
    return found[name] if scale is None else found[name].astype(np.float32) / scale.reshape(-1, 1)


def state(found: dict[str, Array]) -> dict[str, Array]:
    """The variables under OpenAI's names."""
    named = dict(pair for name, value in found.items() for pair in _renamed(name, value))
    for side in ("encoder", "decoder"):
        named[f"{side}.positional_embedding"] = found.get(
            f"{side}/position_encodings/encodings", np.zeros((0, 0), np.float32)
        )
    if not named["encoder.positional_embedding"].size:
        named["encoder.positional_embedding"] = sinusoids(1500, named["encoder.ln_post.bias"].size)
    return named


def _renamed(name: str, value: Array) -> Iterator[tuple[str, Array]]:
    parent, _, leaf = name.rpartition("/")
    leaf = _NORMS.get(leaf, leaf)
    if parent in _FIXED:
        yield f"{_FIXED[parent]}.{leaf}", value
    if (found := re.fullmatch(r"(encoder|decoder)/layer_(\d+)/(.+)", parent)) is None:
        return
    block, inside = f"{found[1]}.blocks.{found[2]}", found[3]
    if inside in _FUSED:
        names = _FUSED[inside]
        for part, piece in zip(names, np.split(value, len(names)), strict=True):
            # OpenAI's keys have no bias: attention does not change when all keys move together.
            if not (part.endswith("key") and leaf == "bias"):
                yield f"{block}.{part}.{leaf}", piece
    elif inside in _IN_A_LAYER:
        yield f"{block}.{_IN_A_LAYER[inside]}.{leaf}", value


def sinusoids(length: int, channels: int) -> Array:
    """The encoder's positions (`whisper.model.sinusoids`), which a file may leave out."""
    step = np.log(10000) / (channels // 2 - 1)
    angles = np.arange(length)[:, None] * np.exp(-step * np.arange(channels // 2))[None, :]
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def dimensions(found: dict[str, Array], named: dict[str, Array]) -> dict[str, int]:
    """`whisper.model.ModelDimensions`."""

    def layers(side: str) -> int:
        matches = (re.match(rf"{side}\.blocks\.(\d+)\.", name) for name in named)
        return 1 + max(int(match[1]) for match in matches if match)

    vocabulary, text_state = named["decoder.token_embedding.weight"].shape
    return {
        "n_mels": named["encoder.conv1.weight"].shape[1],
        "n_audio_ctx": named["encoder.positional_embedding"].shape[0],
        "n_audio_state": named["encoder.ln_post.bias"].size,
        "n_audio_head": int(found["encoder/num_heads"]),
        "n_audio_layer": layers("encoder"),
        "n_vocab": vocabulary,
        "n_text_ctx": named["decoder.positional_embedding"].shape[0],
        "n_text_state": text_state,
        "n_text_head": int(found["decoder/num_heads"]),
        "n_text_layer": layers("decoder"),
    }


def convert(folder: Path, checkpoint: Path) -> None:
    """Writes `checkpoint`, which appears whole or not at all."""
    import torch  # noqa: PLC0415 - gigabytes, and only for writing

    with (folder / "model.bin").open("rb") as file:
        found = variables(file)
    named = state(found)
    tensors = {name: torch.tensor(value) for name, value in named.items()}
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    partial = checkpoint.with_name(f".{checkpoint.name}.{os.getpid()}")
    torch.save({"dims": dimensions(found, named), "model_state_dict": tensors}, partial)
    partial.rename(checkpoint)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
