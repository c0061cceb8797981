"""The local spool: encrypted segments on disk, whole or not at all, in bounds, for one process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest

from otokura.ingest.outlet import Item, Outlet
from otokura.ingest.spool import Label, Spool, SpoolFull
from otokura.shared.manifest import Gap


def label(seq: int, epoch: int = 1, *, ends: bool = False) -> Label:
    lack = Gap(start_sample=seq * 100 + 5, samples=10, reason="lost", channel=1)
    return Label(
        tenant_id=UUID(int=1),
        call_id=UUID(int=2),
        epoch=epoch,
        seq=seq,
        start_sample=seq * 100,
        samples=100,
        rate=8000,
        encoding="mulaw",
        absent=[lack],
        ends=ends,
    )


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with closing(Spool(tmp_path / "spool", 10_000)) as made:
        yield made


async def test_what_is_written_is_read_in_the_order_of_the_timeline(spool: Spool, tmp_path: Path) -> None:
    """Also by the next process: a restart finds every label, and the bytes as they were."""
    for seq in (10, 9, 2):
        await spool.write(label(seq), bytes([10, seq, 10]))
    await spool.write(label(11, ends=True), b"")
    used = spool.used_bytes
    spool.close()
    with closing(Spool(tmp_path / "spool", 10_000)) as again:
        assert again.used_bytes == used
        assert list(again.labels()) == [label(2), label(9), label(10), label(11, ends=True)]
        assert await again.read(label(9)) == bytes([10, 9, 10])
        for one in list(again.labels()):
            await again.remove(one)
            await again.remove(one)
        assert again.used_bytes == 0


async def test_the_bound_holds_and_what_is_there_stays(spool: Spool) -> None:
    await spool.write(label(1), b"x" * 6000)
    with pytest.raises(SpoolFull):
        await spool.write(label(2), b"x" * 6000)
    assert [one.seq for one in spool.labels()] == [1]
    await spool.remove(label(1))
    await spool.write(label(2), b"x" * 6000)


async def test_a_full_disk_is_a_full_spool(spool: Spool, tmp_path: Path) -> None:
    """The disk of the spool is full: nothing is half written, and nothing is counted."""
    folder = tmp_path / "spool"
    # A name that a device which is always full stands behind: writing to it fails as on a full disk.
    (folder / label(1).file_name).with_suffix(".part").symlink_to("/dev/full")
    with pytest.raises(SpoolFull):
        await spool.write(label(1), b"x" * 6000)
    assert spool.used_bytes == 0
    assert list(spool.labels()) == []
    await spool.write(label(1), b"x" * 6000)


def test_a_folder_belongs_to_one_process(spool: Spool, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="another process"):
        Spool(tmp_path / "spool", 1)
    spool.close()
    Spool(tmp_path / "spool", 1).close()


async def test_nobody_else_may_read_it(spool: Spool, tmp_path: Path) -> None:
    await spool.write(label(1), b"sealed")
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "spool").iterdir()}
    assert modes == {0o600}
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700


async def test_a_damaged_file_is_put_aside_and_stops_nothing(spool: Spool, tmp_path: Path) -> None:
    """The others are delivered; the file stays for whoever looks."""
    await spool.write(label(1), b"sealed")
    await spool.write(label(2), b"sealed")
    (tmp_path / "spool" / label(1).file_name).write_bytes(b"\x00\xff no label")
    assert list(spool.labels()) == [label(2)]
    assert list(spool.labels()) == [label(2)]
    assert len(list((tmp_path / "spool").glob("*.damaged"))) == 1


async def test_a_file_that_is_gone_when_its_turn_comes_is_a_gap(spool: Spool) -> None:
    """Somebody took it from the disk: the timeline goes on, and says what is missing."""
    nowhere = cast("Any", None)  # neither store nor database is asked for a gap
    outlet = Outlet(nowhere, nowhere, "recordings", spool, 15.0, asyncio.Event())
    item = Item(label(1), b"", 0.0, spooled=True)
    await outlet.store_object(item)
    assert (item.label.gap, item.label.absent, item.object_name) == ("lost", [], None)
    await outlet.forget(item)
