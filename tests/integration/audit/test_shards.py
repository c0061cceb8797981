"""A year's log begins by naming the tree in which the year before was left: nobody rewrites that unseen."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit_fixtures import ORIGIN, YEAR, Log, NoBroker
from audit_logs import FolderLog, Scribe, keys_of, message, prepared_entries
from audit_service import public_text
from otokura.audit import sequencer
from otokura.audit.handlers import LogConsumer
from otokura.audit.openings import opener
from otokura.audit.progress import Progress
from otokura.cli.verify import Code, verify_log

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.guarantee("L19")]

OWN = Ed25519PrivateKey.generate()
NEXT = YEAR + 1


async def append(log: Log, count: int, year: int) -> int:
    """As the service does it."""
    async with log.database.session() as session:
        return await sequencer.append(session, year, prepared_entries(Scribe(), count), opener(ORIGIN, OWN))


async def two_years(log: Log, folder: Path) -> tuple[Path, Path]:
    """Two logs that follow each other, as anybody can copy them."""
    for year, count in ((YEAR, 300), (NEXT, 20)):
        await append(log, count, year)
        await log.publish()
    return await log.download(folder / str(YEAR)), await log.download(folder / str(NEXT), NEXT)


async def test_the_first_entry_is_made_once_and_counted_beside_the_others(log: Log) -> None:
    assert await append(log, 3, YEAR) == 3
    assert await append(log, 3, YEAR) == 3
    assert await append(log, 3, NEXT) == 3
    rows = await log.rows("SELECT shard, index FROM entries WHERE action = 'shard.opened' ORDER BY shard")
    assert rows == [(YEAR, 0), (NEXT, 0)]
    assert (await log.shard()).size == 7


async def test_the_services_consumer_opens_a_year(log: Log) -> None:
    scribe, woken = Scribe(), list[bool]()
    consumer = LogConsumer(
        NoBroker(),
        log.database,
        keys_of(scribe),
        Progress(),
        lambda: woken.append(True),
        opening=opener(ORIGIN, OWN),
    )
    await consumer.apply([message(scribe.entry())])
    assert await log.rows("SELECT action FROM entries ORDER BY index") == [
        ("shard.opened",),
        ("read.opened",),
    ]
    assert woken == [True]


async def test_each_year_verifies_and_finds_the_one_before(log: Log, tmp_path: Path) -> None:
    first, second = await two_years(log, tmp_path)
    keys = {"audit": public_text(OWN)}
    beginning = verify_log(first, log.signer().vkey, source_keys=keys)
    assert beginning.ok, beginning.findings
    assert beginning.before == ""
    report = verify_log(second, log.signer(NEXT).vkey, source_keys=keys)
    assert report.ok, report.findings
    assert (report.before, report.before_found) == (f"{ORIGIN}/{YEAR}", True)
    elsewhere = shutil.move(first, tmp_path / "elsewhere")
    assert verify_log(second, log.signer(NEXT).vkey, before=elsewhere).ok
    assert await log.alerts() == []


async def test_a_year_that_was_dropped_is_noticed(log: Log, tmp_path: Path) -> None:
    first, second = await two_years(log, tmp_path)
    shutil.rmtree(first)
    report = verify_log(second, log.signer(NEXT).vkey)
    assert (report.before, report.before_found) == (f"{ORIGIN}/{YEAR}", False)
    assert report.ok, "retention may have dropped it: who wants it there says so"
    wanted = verify_log(second, log.signer(NEXT).vkey, before=first)
    assert [finding.code for finding in wanted.findings] == [Code.MISSING]


@pytest.mark.parametrize(
    ("size", "code"),
    [(100, Code.ROLLED_BACK), (301, Code.HISTORY_REWRITTEN), (302, Code.HISTORY_REWRITTEN)],
)
async def test_a_year_that_was_cut_or_rewritten_after_it_was_closed_is_noticed(
    log: Log, tmp_path: Path, size: int, code: Code
) -> None:
    """The operator holds the key: the log of the year before verifies by itself."""
    first, second = await two_years(log, tmp_path)
    shutil.rmtree(first)
    leaves = [item.leaf for item in prepared_entries(Scribe(), size)]
    forged = FolderLog(first, leaves, log.key, f"{ORIGIN}/{YEAR}").write()
    assert verify_log(first, forged.vkey).ok
    report = verify_log(second, log.signer(NEXT).vkey)
    assert [finding.code for finding in report.findings] == [code]


async def test_a_first_entry_that_was_changed_or_is_of_another_log_is_noticed(
    log: Log, tmp_path: Path
) -> None:
    first, second = await two_years(log, tmp_path)
    opening = second / "opening"
    good = opening.read_bytes()
    receipt = json.loads(good)
    spoilt = json.loads(good)
    spoilt["entry"]["detail"]["previous"]["size"] = 299
    later = {**receipt, "leaf": {**receipt["leaf"], "seq": 2}}
    bad = [
        json.dumps(spoilt),
        json.dumps(later),
        json.dumps([receipt]),
        "no",
        first.joinpath("opening").read_text(),
    ]
    for text in bad:
        opening.write_text(text)
        assert not verify_log(second, log.signer(NEXT).vkey).ok, text[:60]
    opening.unlink()
    assert verify_log(second, log.signer(NEXT).vkey).ok, "a log that was begun before logs were linked"
    assert not verify_log(second, log.signer(NEXT).vkey, before=first).ok
    opening.write_bytes(good)
    stranger = {"audit": public_text(Ed25519PrivateKey.generate())}
    assert not verify_log(second, log.signer(NEXT).vkey, source_keys=stranger).ok


async def test_a_crash_between_checkpoint_and_first_entry_is_made_good(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a year to which nothing is added any more."""

    class KilledError(Exception):
        pass

    async def killed(*_: object) -> None:
        raise KilledError

    await append(log, 5, YEAR)
    monkeypatch.setattr(log.shelf, "put_opening", killed)
    with pytest.raises(KilledError):
        await log.publish()
    monkeypatch.undo()
    assert {f"{YEAR}/checkpoint", f"{YEAR}/opening"} & set(await log.names()) == {f"{YEAR}/checkpoint"}
    log.publisher = log.new_publisher()
    await log.publish()
    assert await log.rows("SELECT path FROM log_objects") == [("opening",)]
    assert f"{YEAR}/opening" in await log.names()
    assert verify_log(await log.download(tmp_path), log.signer().vkey).ok


async def test_nothing_is_appended_to_a_year_that_was_closed(log: Log) -> None:
    """A replica whose clock is behind appends to the newest log."""
    await append(log, 5, YEAR)
    await append(log, 5, NEXT)
    await append(log, 5, YEAR)
    assert (await log.shard(YEAR)).size == 6
    assert (await log.shard(NEXT)).size == 11
