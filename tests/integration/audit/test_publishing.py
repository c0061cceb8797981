"""Publishing: what is committed appears as a log that others verify, and nothing contradicts it later."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from audit_fixtures import YEAR, Log
from audit_logs import Scribe, prepared_entries
from otokura.audit import publisher as publishing
from otokura.audit.errors import StaleAppender
from otokura.audit.merkle import EMPTY_ROOT
from otokura.cli.verify import verify_log
from otokura.shared.errors import IntegrityError
from otokura.shared.objects import StoreRefused

pytestmark = [pytest.mark.postgres, pytest.mark.s3]


async def note_of(log: Log) -> str:
    return (await log.store.get(log.bucket, f"{YEAR}/checkpoint")).decode()


async def publish_once(log: Log) -> None:
    await log.shelf.open()
    async with log.database.session() as session:
        await log.publisher.publish(session, YEAR)


async def test_the_published_log_verifies_at_every_size(log: Log, tmp_path: Path) -> None:
    pins: list[str] = []
    for count in (1, 1, 253, 1, 1, 400, 600):
        await log.append(prepared_entries(Scribe(), count))
        await log.publish()
        folder = await log.download(tmp_path / str(len(pins)))
        report = verify_log(folder, log.signer().vkey, pinned=pins)
        assert report.ok, report.findings
        assert report.size == report.entries == (await log.shard()).published_size
        assert report.pinned == len(pins)
        pins.append(await note_of(log))


async def test_a_backlog_is_published_in_steps(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "MAX_STEP", 300)
    await log.append(prepared_entries(Scribe(), 1000))
    await log.publish()
    report = verify_log(await log.download(tmp_path), log.signer().vkey)
    assert report.ok, report.findings
    assert report.size == 1000
    async with log.database.session() as session:
        found = await (await session.connection()).execute(
            text(
                "SELECT data::json->>'size' FROM outbox WHERE topic = 'otokura.audit.checkpoints' ORDER BY id"
            )
        )
        assert [int(size) for size in found.scalars()] == [300, 600, 900, 1000]


async def test_partial_tiles_go_when_their_full_tile_comes(log: Log) -> None:
    for count in (10, 100, 100, 100):
        await log.append(prepared_entries(Scribe(), count))
        await log.publish()
    found = await log.names(f"{YEAR}/tile/", versions=True)
    assert sorted(set(found)) == [
        "2026/tile/0/000", "2026/tile/0/001.p/54", "2026/tile/1/000.p/1",
        "2026/tile/entries/000", "2026/tile/entries/001.p/54",
    ]  # fmt: skip


@pytest.mark.guarantee("L8")
async def test_full_tiles_and_hourly_checkpoints_cannot_be_deleted(log: Log) -> None:
    await log.append(prepared_entries(Scribe(), 300))
    await log.publish()
    versions = [item async for item in log.store.list(log.bucket, f"{YEAR}/", versions=True)]
    locked: set[str] = set()
    for item in versions:
        try:
            await log.store.delete(log.bucket, item.name, version_id=item.version_id)
        except StoreRefused:
            locked.add(item.name)
    (hourly,) = [name for name in locked if "checkpoints/" in name]
    assert locked == {"2026/tile/0/000", "2026/tile/entries/000", hourly}


@pytest.mark.guarantee("L8")
async def test_a_store_that_does_not_say_whether_it_locks_is_not_taken_for_one_without(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = log.store.ensure_bucket

    async def refused(bucket: str, *, lock: bool = False) -> None:
        if lock:
            raise StoreRefused
        await make(bucket)

    await make(log.bucket, lock=True)
    await log.append(prepared_entries(Scribe(), 300))
    with monkeypatch.context() as patched:
        patched.setattr(log.store, "ensure_bucket", refused)
        with pytest.raises(StoreRefused):
            await log.publish()
    assert await log.names(f"{YEAR}/") == []
    await log.publish()
    [tile] = [item async for item in log.store.list(log.bucket, f"{YEAR}/tile/0/000", versions=True)]
    with pytest.raises(StoreRefused):
        await log.store.delete(log.bucket, tile.name, version_id=tile.version_id)


async def test_a_bucket_without_lock_serves_as_well(open_log: Log, tmp_path: Path) -> None:
    await open_log.append(prepared_entries(Scribe(), 600))
    await open_log.publish()
    assert verify_log(await open_log.download(tmp_path), open_log.signer().vkey).ok


@pytest.mark.usefixtures("hour")
async def test_publishing_again_writes_the_same_bytes(log: Log, tmp_path: Path) -> None:
    await log.append(prepared_entries(Scribe(), 600))
    await log.publish()
    before = {path: path.read_bytes() for path in (await log.download(tmp_path)).rglob("*") if path.is_file()}
    await log.execute("UPDATE log_shards SET published_size = 0")  # a crash before the last note of it
    log.publisher = log.new_publisher()
    await log.publish()
    after = {path: path.read_bytes() for path in (await log.download(tmp_path)).rglob("*") if path.is_file()}
    assert before == after


async def test_a_crash_between_the_note_in_the_database_and_the_checkpoint_is_made_good(log: Log) -> None:
    await log.append(prepared_entries(Scribe(), 10))
    await log.publish()
    await log.append(prepared_entries(Scribe(), 10))
    root = (await log.shard()).signed_root
    await log.publish()
    newer = await log.shard()
    assert newer.signed_root not in (root, EMPTY_ROOT)
    # As if the process had died just before the second checkpoint was put.
    older = log.signer().sign(10, root or b"")
    await log.store.put(log.bucket, f"{YEAR}/checkpoint", older.encode())
    await log.execute("UPDATE log_shards SET published_size = 10")
    await log.publish()
    assert log.signer().open(await note_of(log)).size == 20


@pytest.mark.guarantee("L5")
async def test_a_stale_appender_is_harmless(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """One publisher sleeps between reading the checkpoint and replacing it; another goes on meanwhile."""
    await log.append(prepared_entries(Scribe(), 10))
    await log.publish()
    await log.append(prepared_entries(Scribe(), 10))
    sleeper, put = log.new_publisher(), log.shelf.put_checkpoint

    async def overtaken(*args: object) -> None:
        monkeypatch.undo()
        await log.append(prepared_entries(Scribe(), 10))
        await publish_once(log)
        await put(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(log.shelf, "put_checkpoint", overtaken)
    async with log.database.session() as session:
        with pytest.raises(StaleAppender):
            await sleeper.publish(session, YEAR)
    assert log.signer().open(await note_of(log)).size == 30


@pytest.mark.guarantee("L5")
async def test_a_database_restored_from_yesterday_signs_nothing(log: Log) -> None:
    await log.append(prepared_entries(Scribe(), 10))
    await log.publish()
    await log.execute("CREATE TABLE yesterday AS SELECT * FROM log_shards")
    await log.append(prepared_entries(Scribe(), 10))
    await log.publish()
    signed = await note_of(log)
    await log.execute("DELETE FROM entries WHERE index >= 10")
    await log.execute("DELETE FROM log_shards")
    await log.execute("INSERT INTO log_shards SELECT * FROM yesterday")
    await log.append(prepared_entries(Scribe(), 30))
    await log.publish()
    assert await note_of(log) == signed
    ((kind, source, detail),) = await log.alerts()
    assert (kind, source) == ("integrity", "log/2026")
    assert "the database is older than the log" in str(detail["reason"])
    with pytest.raises(IntegrityError):
        await log.publisher.check()


@pytest.mark.guarantee("L5")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET leaf = convert_to('{}', 'UTF8') WHERE index = 2",
        "UPDATE entries SET index = 1000 + index WHERE index IN (2, 3)",
        "DELETE FROM entries WHERE index = 4",
        "UPDATE log_shards SET peaks = decode(repeat('00', 64), 'hex')",
        "UPDATE log_shards SET signed_root = decode(repeat('00', 32), 'hex')",
    ],
)
async def test_altered_rows_are_never_signed(log: Log, statement: str) -> None:
    await log.append(prepared_entries(Scribe(), 10))
    await log.publish()
    signed = await note_of(log)
    await log.append(prepared_entries(Scribe(), 10))
    assert await log.execute(statement) > 0
    await log.publish()
    assert await note_of(log) == signed
    assert [kind for kind, *_ in await log.alerts()] == ["integrity"]


async def test_trust_comes_back_when_the_rows_do(log: Log) -> None:
    await log.append(prepared_entries(Scribe(), 10))
    await log.publish()
    await log.append(prepared_entries(Scribe(), 1))
    await log.execute("UPDATE log_shards SET signed_size = signed_size - 1")
    await log.publish()
    with pytest.raises(IntegrityError):
        await log.publisher.check()
    await log.execute("UPDATE log_shards SET signed_size = signed_size + 1")
    await log.publish()
    await log.publisher.check()
    assert log.signer().open(await note_of(log)).size == 11


async def test_a_year_stays_distrusted_while_another_is_published(log: Log) -> None:
    await log.append(prepared_entries(Scribe(), 10))
    await log.publish()
    await log.append(prepared_entries(Scribe(), 1))
    await log.execute("UPDATE log_shards SET signed_size = signed_size - 1")
    for _ in range(2):
        await log.append(prepared_entries(Scribe(), 1), YEAR + 1)
        await log.publish()
        with pytest.raises(IntegrityError, match="2026"):
            await log.publisher.check()
    assert (await log.shard(YEAR + 1)).published_size == 2
    await log.execute("UPDATE log_shards SET signed_size = signed_size + 1 WHERE shard = 2026")
    other = log.new_publisher()
    while await other.publish_all():
        pass
    await log.publish()
    await log.publisher.check()


async def test_a_full_tile_in_the_bucket_is_never_replaced_by_other_bytes(log: Log) -> None:
    await log.shelf.open()
    await log.store.put(log.bucket, f"{YEAR}/tile/entries/000", b"planted")
    await log.append(prepared_entries(Scribe(), 300))
    await log.publish()
    assert f"{YEAR}/checkpoint" not in await log.names()
    assert [kind for kind, *_ in await log.alerts()] == ["integrity"]


async def test_a_foreign_checkpoint_in_the_bucket_stops_publication(log: Log) -> None:
    await log.append(prepared_entries(Scribe(), 3))
    await log.publish()
    await log.store.put(log.bucket, f"{YEAR}/checkpoint", b"nobody signed this\n")
    await log.append(prepared_entries(Scribe(), 3))
    await log.publish()
    assert await note_of(log) == "nobody signed this\n"
    assert "not the log's" in str((await log.alerts())[0][2]["reason"])
