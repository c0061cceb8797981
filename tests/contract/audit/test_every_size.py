"""A log that audit really published, at every size that matters: foreign tools and our verifier read it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tiles import leaf_hash as foreign_leaf_hash

from audit_fixtures import YEAR, Log
from audit_logs import Scribe, prepared_entries
from golden import make_logs
from otokura.audit.leaves import Prepared
from otokura.cli.verify import verify_log

pytestmark = [pytest.mark.postgres, pytest.mark.s3]

_BATCH = 1000


async def grow(log: Log, prepared: Sequence[Prepared]) -> None:
    for at in range(0, len(prepared), _BATCH):
        await log.append(prepared[at : at + _BATCH])
    await log.publish()


def read_by_others(folder: Path, vkey: str, size: int) -> bytes:
    """The root, once a foreign reader has recomputed it and proven entries of it."""
    reader = TilesReader(LocalBackend(folder))
    checkpoint = reader.get_checkpoint()
    checkpoint.verify(Vkey.from_string(vkey))
    assert checkpoint.size == size
    assert reader.calculate_root_hash() == checkpoint.root_hash
    for index in {0, 255, 256, size // 2, size - 1} & set(range(size)):
        leaf = foreign_leaf_hash(reader.get_entry(index))
        reader.get_inclusion_proof(index, size).check(leaf, checkpoint.root_hash)
    return checkpoint.root_hash


@pytest.mark.slow
@pytest.mark.guarantee("L10")
async def test_a_published_log_is_read_and_proven_at_every_size(log: Log, tmp_path: Path) -> None:
    await log.publisher.open_year(YEAR)
    entries = await asyncio.to_thread(prepared_entries, Scribe(), make_logs.SIZES[-1])
    roots: dict[int, bytes] = {}
    pins: list[str] = []
    for size in make_logs.SIZES:
        await grow(log, entries[(await log.shard()).size : size])
        folder = await log.download(tmp_path / str(size))
        report = await asyncio.to_thread(verify_log, folder, log.signer().vkey, pinned=pins)
        assert report.ok, report.findings
        assert (report.entries, report.pinned) == (size, len(pins))
        roots[size] = await asyncio.to_thread(read_by_others, folder, log.signer().vkey, size)
        assert report.root == roots[size]
        pins.append(folder.joinpath("checkpoint").read_text())
    assert roots[0] == hashlib.sha256(b"").digest()
    reader = TilesReader(LocalBackend(tmp_path / str(make_logs.SIZES[-1])))
    reader.set_size(make_logs.SIZES[-1])
    for old in make_logs.SIZES[1:-1]:
        proof = reader.get_consistency_proof(old, make_logs.SIZES[-1])
        proof.check(roots[old], roots[make_logs.SIZES[-1]])


@pytest.mark.guarantee("L10")
async def test_a_year_that_begins_has_a_checkpoint_of_nothing(log: Log, tmp_path: Path) -> None:
    """Who reads it knows that the log is empty, not away."""
    await log.publisher.open_year(YEAR)
    await log.publish()
    checkpoint, hourly = await log.names()
    assert checkpoint == f"{YEAR}/checkpoint"
    assert hourly.startswith(f"{YEAR}/checkpoints/")
    folder = await log.download(tmp_path)
    report = verify_log(folder, log.signer().vkey)
    assert report.ok, report.findings
    assert (report.size, report.root) == (0, hashlib.sha256(b"").digest())
    assert read_by_others(folder, log.signer().vkey, 0) == report.root
    await log.publisher.open_year(YEAR)
    await log.publish()
    assert (await log.shard()).size == 0
    ((data,),) = await log.rows("SELECT data::json->>'size' FROM outbox")
    assert data == "0"
