"""What became of a call that a dialect sent, as ingest itself keeps it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from dialects.dialect import Dialect, one_channel
from flac_decoding import decoded
from ingest_service import IngestService, settled
from otokura.shared.manifest import Manifest


@dataclass(frozen=True)
class Sealed:
    """A sealed call.

    Attributes:
        view: as its vendor sees it.
        manifest: of its recording.
        samples: int16, shape (samples, channels).
    """

    view: dict[str, Any]
    manifest: Manifest
    samples: NDArray[np.int16]

    def unlike(self, wanted: NDArray[np.int16]) -> str:
        """Where the samples are not those, and what the manifest says was missing: "" if all are."""
        if self.samples.shape != wanted.shape:
            return f"shape {self.samples.shape} instead of {wanted.shape}, gaps {self.manifest.gaps}"
        places = [np.flatnonzero(channel) for channel in (self.samples != wanted).T]
        found = [
            f"channel {number}: {len(at)} samples from {at[0]} to {at[-1]}"
            for number, at in enumerate(places)
            if len(at)
        ]
        return f"{found}, gaps {self.manifest.gaps}" if found else ""


async def calls_of(ingest: IngestService, external_id: str) -> list[str]:
    """The ids of the calls that the phone system knows by this id, oldest first."""
    query = "SELECT id FROM calls WHERE external_id = :name ORDER BY started_at, id"
    return [str(row.id) for row in await ingest.query(query, name=external_id)]


async def call_of(ingest: IngestService, external_id: str) -> str:
    """The id of the one call, once it is there."""
    async with asyncio.timeout(20):
        while True:
            found = await calls_of(ingest, external_id)
            if found:
                [call_id] = found
                return call_id
            await asyncio.sleep(0.05)


async def accepted(client: httpx.AsyncClient, call_id: str, samples: int) -> None:
    """Wait until so much of the call is accepted."""
    async with asyncio.timeout(30):
        while True:
            view = (await client.get(f"/v1/calls/{call_id}")).json()
            if view["accepted_samples"] >= samples:
                return
            await asyncio.sleep(0.05)


async def sealed(ingest: IngestService, client: httpx.AsyncClient, external_id: str) -> Sealed:
    """The one call of that id, once it is sealed."""
    call_id = await call_of(ingest, external_id)
    view = await settled(client, call_id)
    assert view["state"] == "sealed", view
    manifest, flac = await ingest.recording(call_id)
    channels = len(manifest.channels)
    return Sealed(view, manifest, np.frombuffer(decoded(flac, channels), "<i2").reshape(-1, channels))


def expected(dialect: Dialect, audio: list[bytes]) -> NDArray[np.int16]:
    """What the sealed samples of this audio must be, shape (samples, channels)."""
    single = one_channel(dialect.form)
    return np.stack([np.frombuffer(single.decode(samples), "<i2") for samples in audio], axis=1)


def speech(dialect: Dialect, seconds: float, seed: int = 0) -> list[bytes]:
    """Audio that repeats nowhere, for each channel, coded as the dialect codes it."""
    generator = np.random.default_rng(seed)
    count = round(seconds * dialect.rate) * dialect.form.sample_bytes
    return [generator.integers(0, 256, count, dtype=np.uint8).tobytes() for _ in dialect.roles]
