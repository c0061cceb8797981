"""The converter of weights, on a model of a few numbers."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from openai_checkpoint import Array, dimensions, sinusoids, state, variables

KINDS = {"float32": 0, "int8": 1, "int16": 2, "float16": 4}


def file_of(found: dict[str, Array], version: int = 6) -> io.BytesIO:
    """As `ctranslate2.specs.model_spec` writes it."""

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    out = struct.pack("<I", version) + text("WhisperSpec") + struct.pack("<II", 3, len(found))
    for name, value in found.items():
        out += text(name) + struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)
        out += struct.pack("<BI", KINDS[value.dtype.name], value.nbytes) + value.tobytes()
    return io.BytesIO(out + struct.pack("<I", 0))


def numbers(*shape: int) -> Array:
    return np.random.default_rng(5).normal(size=shape).astype(np.float16)


def test_variables_are_read_as_they_were_written() -> None:
    written = {"a/weight": numbers(3, 4), "a/bias": numbers(3), "heads": np.asarray(8, np.int16)}
    read = variables(file_of(written))
    assert read.keys() == written.keys()
    assert all(np.array_equal(read[name], written[name]) for name in written)


def test_int8_rows_get_their_scale_back() -> None:
    weight = np.asarray([[127, -64], [10, 0]], np.int8)
    read = variables(file_of({"a/weight": weight, "a/weight_scale": np.asarray([127, 10], np.float32)}))
    assert np.allclose(read["a/weight"], np.asarray([[1, -64 / 127], [1, 0]]))
    assert list(read) == ["a/weight"]


def test_another_version_of_the_format_is_refused() -> None:
    with pytest.raises(ValueError, match="not 7"):
        variables(file_of({}, version=7))


def test_what_is_fused_is_taken_apart_and_keys_lose_their_bias() -> None:
    fused, cross = numbers(12, 4), numbers(8, 4)
    named = state(
        {
            "encoder/layer_1/self_attention/linear_0/weight": fused,
            "encoder/layer_1/self_attention/linear_0/bias": numbers(12),
            "decoder/layer_0/attention/linear_1/weight": cross,
            "decoder/layer_0/ffn/layer_norm/gamma": numbers(4),
            "encoder/layer_norm/beta": numbers(4),
        }
    )
    for number, part in enumerate(("query", "key", "value")):
        rows = fused[4 * number : 4 * number + 4]
        assert np.array_equal(named[f"encoder.blocks.1.attn.{part}.weight"], rows)
    assert "encoder.blocks.1.attn.key.bias" not in named
    assert "encoder.blocks.1.attn.query.bias" in named
    assert np.array_equal(named["decoder.blocks.0.cross_attn.value.weight"], cross[4:])
    assert "decoder.blocks.0.mlp_ln.weight" in named


def test_positions_that_a_file_leaves_out_are_whispers_sinusoids() -> None:
    positions = state({"encoder/layer_norm/beta": numbers(8)})["encoder.positional_embedding"]
    assert np.array_equal(positions, sinusoids(1500, 8))
    assert np.allclose(positions[0], [0, 0, 0, 0, 1, 1, 1, 1])
    assert np.allclose(positions[3, 0], np.sin(3))


def test_dimensions_are_those_of_the_weights() -> None:
    found = {
        "encoder/num_heads": np.asarray(2, np.int16),
        "decoder/num_heads": np.asarray(3, np.int16),
        "encoder/conv1/weight": numbers(8, 80, 3),
        "encoder/layer_norm/beta": numbers(8),
        "encoder/position_encodings/encodings": numbers(1500, 8),
        "decoder/position_encodings/encodings": numbers(448, 6),
        "decoder/embeddings/weight": numbers(100, 6),
        "encoder/layer_0/ffn/linear_0/bias": numbers(8),
        "decoder/layer_0/ffn/linear_0/bias": numbers(6),
        "decoder/layer_1/ffn/linear_0/bias": numbers(6),
    }
    assert list(dimensions(found, state(found)).values()) == [80, 1500, 8, 2, 1, 100, 448, 6, 3, 2]
