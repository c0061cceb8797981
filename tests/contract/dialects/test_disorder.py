"""Pieces that say where they belong, over a network that loses, repeats, delays and mixes them."""

from __future__ import annotations

import random

import httpx
import numpy as np
import pytest

from dialects.dialect import Dialect, Piece
from dialects.outcome import expected, sealed, speech
from ingest_service import Credentials, IngestService
from otokura.shared.ids import uuid7

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

SECONDS = 4.0
LATE = 15
"""Pieces of 20 ms: 300 ms, well within the half second that a piece may be late."""


async def send_pieces(
    placed: Dialect, ingest: IngestService, credentials: Credentials, pieces: list[Piece]
) -> str:
    """A whole call of these pieces; its external id."""
    external_id = f"{placed.name}-{uuid7()}"
    wire = await placed.open(ingest, credentials, external_id, notice="announced")
    for piece in pieces:
        await wire.send(piece.wire)
    await placed.end(wire)
    return external_id


@pytest.mark.guarantee("A51")
async def test_late_and_repeated_pieces_cost_nothing(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, placed: Dialect
) -> None:
    """Each piece up to 300 ms late, a fifth of them twice: the recording is as if none had been."""
    audio = speech(placed, SECONDS)
    chance = random.Random(51)
    pieces = placed.pieces(audio)
    twice = [*pieces, *chance.sample(pieces, len(pieces) // 5)]
    mixed = sorted(twice, key=lambda piece: piece.start + chance.random() * LATE * 0.02 * placed.rate)
    outcome = await sealed(ingest, client, await send_pieces(placed, ingest, credentials, mixed))
    assert outcome.manifest.gaps == []
    assert np.array_equal(outcome.samples, expected(placed, audio))


@pytest.mark.guarantee("A51")
async def test_lost_pieces_are_gaps_of_their_channel(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, placed: Dialect
) -> None:
    """The other channel keeps its audio, what follows keeps its place, and the silence says why it is."""
    audio = speech(placed, SECONDS)
    step = round(placed.rate * 0.02)
    lost = {(0, 50 * step), (0, 51 * step), (1, 120 * step)}
    kept = [piece for piece in placed.pieces(audio) if (piece.channel, piece.start) not in lost]
    outcome = await sealed(ingest, client, await send_pieces(placed, ingest, credentials, kept))
    wanted = expected(placed, audio)
    wanted[50 * step : 52 * step, 0] = outcome.samples[50 * step, 0]
    wanted[120 * step : 121 * step, 1] = outcome.samples[120 * step, 1]
    assert np.array_equal(outcome.samples, wanted)
    assert abs(int(outcome.samples[50 * step, 0])) <= 8, "silence, as the codec has it"
    told = [(gap.channel, gap.start_sample, gap.samples, gap.reason) for gap in outcome.manifest.gaps]
    assert sorted(told) == [(0, 50 * step, 2 * step, "lost"), (1, 120 * step, step, "lost")]


async def test_a_second_that_is_lost_in_both_channels_is_a_gap_of_both(
    ingest: IngestService, credentials: Credentials, client: httpx.AsyncClient, placed: Dialect
) -> None:
    audio = speech(placed, SECONDS)
    away = range(placed.rate, 2 * placed.rate)
    kept = [piece for piece in placed.pieces(audio) if piece.start not in away]
    outcome = await sealed(ingest, client, await send_pieces(placed, ingest, credentials, kept))
    wanted = expected(placed, audio)
    lost = np.zeros(wanted.shape, bool)
    for gap in outcome.manifest.gaps:
        assert gap.reason == "lost"
        channels = slice(None) if gap.channel is None else gap.channel
        lost[gap.start_sample : gap.start_sample + gap.samples, channels] = True
    assert lost[placed.rate : 2 * placed.rate].all()
    assert lost.sum() == 2 * placed.rate
    assert np.array_equal(outcome.samples[2 * placed.rate :], wanted[2 * placed.rate :])
    assert len(outcome.samples) == len(wanted)
