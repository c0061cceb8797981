"""Written once: readers get what was written first, whoever puts what over it, and somebody hears of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from minio import Minio
from minio.commonconfig import COMPLIANCE
from minio.error import S3Error

import servers
from audit_fixtures import ORIGIN, YEAR, Log
from audit_logs import Scribe, prepared_entries
from otokura.audit import sequencer
from otokura.audit.guard import Guard
from otokura.audit.kept import Kept
from otokura.audit.openings import opener
from otokura.audit.public import tile_bytes
from otokura.audit.tiles import parse_path
from otokura.cli.verify import verify_log, verify_receipt

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.guarantee("L18")]

FULL = ["tile/0/000", "tile/entries/000", "tile/entries/001"]


async def filled(log: Log) -> Log:
    await log.append(prepared_entries(Scribe(), 600))
    await log.publish()
    return log


async def served(log: Log, path: str) -> bytes:
    """What a process that has just started gives to readers."""
    tile = parse_path(path)
    assert tile is not None
    return await tile_bytes(log.shelf, Kept(log.database), YEAR, tile)


@pytest.mark.parametrize("path", FULL)
@pytest.mark.parametrize("deleted", [False, True], ids=["another version", "a delete marker"])
async def test_what_is_put_over_a_full_tile_changes_nothing_for_readers_and_is_an_alert(
    log: Log, path: str, deleted: bool
) -> None:
    await filled(log)
    guard = Guard(log.database, log.shelf, 1.0)
    assert await guard.look() == []
    true = await served(log, path)
    name = f"{YEAR}/{path}"
    if deleted:
        await log.store.delete(log.bucket, name)
        assert name not in await log.names()
    else:
        await log.store.put(log.bucket, name, b"planted")
    assert await served(log, path) == true
    if path.endswith("000"):
        assert true.startswith(await served(log, f"{path}.p/9"))
    (alert,) = await guard.look()
    assert (alert.kind, alert.source) == ("overwritten", f"log/{YEAR}")
    assert (alert.detail["object"], alert.detail["deleted"]) == (path, deleted)
    assert await guard.look() == [], "each is told once"
    assert [kind for kind, *_ in await log.alerts()] == ["overwritten"]


async def test_a_second_thing_put_over_it_is_another_alert(log: Log) -> None:
    await filled(log)
    guard = Guard(log.database, log.shelf, 1.0)
    for content in (b"planted", b"planted again"):
        await log.store.put(log.bucket, f"{YEAR}/tile/0/000", content)
        (alert,) = await guard.look()
        assert alert.detail["object"] == "tile/0/000"


async def test_an_hourly_checkpoint_is_guarded_too(log: Log) -> None:
    await filled(log)
    (hourly,) = await log.names(f"{YEAR}/checkpoints/")
    await log.store.delete(log.bucket, hourly)
    (alert,) = await Guard(log.database, log.shelf, 1.0).look()
    assert alert.detail["object"] == hourly.removeprefix(f"{YEAR}/")


def lock_of(client: Minio, bucket: str, name: str) -> tuple[str, datetime | None] | None:
    """Mode and end of an object's lock, as the store tells them."""
    try:
        found = client.get_object_retention(bucket, name)
    except S3Error as error:
        if error.code != "ObjectLockConfigurationNotFoundError":  # SeaweedFS's word for an unlocked object
            raise
        return None
    return None if found is None else (found.mode, found.retain_until_date)


async def test_what_never_changes_is_locked_for_good_and_nothing_else_is(
    log: Log, object_store: servers.ObjectStoreSettings
) -> None:
    """As the store tells it: in compliance mode, until the days of the settings after the end of the year."""
    async with log.database.session() as session:
        entries = prepared_entries(Scribe(), 600)
        await sequencer.append(session, YEAR, entries, opener(ORIGIN, log.key))
    await log.publish()
    client = servers.s3_client(object_store)
    locks = {
        name.removeprefix(f"{YEAR}/"): lock_of(client, log.bucket, name)
        for name in await log.names(f"{YEAR}/")
    }
    for_good = (COMPLIANCE, datetime(YEAR + 1, 1, 2, tzinfo=UTC))
    (hourly,) = (path for path in locks if path.startswith("checkpoints/"))
    forever = {*FULL, "tile/0/001", "opening", hourly}
    assert {path for path, lock in locks.items() if lock == for_good} == forever
    assert {path for path, lock in locks.items() if lock is None} == locks.keys() - forever
    assert "checkpoint" in locks.keys() - forever


@pytest.mark.parametrize("planted", [b"planted", b"{}", json.dumps({"proof": ""}).encode()])
async def test_what_lies_there_before_the_log_writes_is_written_over_and_is_an_alert(
    log: Log, planted: bytes, hour: datetime
) -> None:
    """Names are known beforehand: a year's opening, an hour's checkpoint."""
    await log.shelf.open()
    names = ["opening", *(f"checkpoints/{hour + timedelta(hours=more):%Y-%m-%dT%H}" for more in (0, 1))]
    for name in names:
        await log.store.put(log.bucket, f"{YEAR}/{name}", planted)
    async with log.database.session() as session:
        entries = prepared_entries(Scribe(), 3)
        await sequencer.append(session, YEAR, entries, opener(ORIGIN, Ed25519PrivateKey.generate()))
    await log.publish()
    version = await Kept(log.database).version(YEAR, "opening")
    receipt = json.loads(await log.shelf.read(YEAR, "opening", version))
    assert verify_receipt(receipt, log.signer().vkey).index == 0
    hourly = await log.store.get(log.bucket, f"{YEAR}/{names[1]}")
    assert log.signer().open(hourly.decode()).size == 4
    alerts = await Guard(log.database, log.shelf, 1.0).look()
    assert {alert.detail["object"] for alert in alerts} == set(names[:2])
    before = await log.names(f"{YEAR}/", versions=True)
    log.shelf, log.publisher = log.new_shelf(), log.new_publisher()
    await log.execute("UPDATE log_shards SET published_size = 0")
    await log.publish()
    assert len(await log.names(f"{YEAR}/opening", versions=True)) == 2, "a restart puts no third"
    assert set(await log.names(f"{YEAR}/", versions=True)) == set(before)


async def test_partial_tiles_and_the_checkpoint_change_and_are_no_alert(log: Log) -> None:
    for _ in range(4):
        await log.append(prepared_entries(Scribe(), 100))
        await log.publish()
    assert await Guard(log.database, log.shelf, 1.0).look() == []
    assert await log.alerts() == []


async def test_a_step_that_is_repeated_believes_what_was_written_first(log: Log, tmp_path: Path) -> None:
    """A crash between the tiles and the note of their versions; meanwhile something is put over them."""
    await filled(log)
    await log.execute("UPDATE log_shards SET published_size = 0")
    await log.execute("DELETE FROM log_objects")
    await log.store.put(log.bucket, f"{YEAR}/tile/0/000", b"planted")
    await log.publish()
    assert await log.alerts() == []
    assert len(await served(log, "tile/0/000")) == 8192
    for name in await log.names(f"{YEAR}/"):
        path = name.removeprefix(f"{YEAR}/")
        tile = parse_path(path)
        data = await served(log, path) if tile else await log.store.get(log.bucket, name)
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    assert verify_log(tmp_path, log.signer().vkey).ok
