"""The log's key rotated, missing, wrong: what was signed stays believed; a stranger's key signs nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit_fixtures import ORIGIN, YEAR, Log
from audit_logs import Scribe, prepared_entries
from otokura.audit.notes import Signer, VerifierKey
from otokura.cli.verify import Code, open_checkpoint, parse_vkey, verify_log
from otokura.shared.errors import IntegrityError

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.guarantee("L17")]


class Keys:
    """Signers of a log whose keys change."""

    def __init__(self) -> None:
        self.old, self.new = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()

    def vkey(self, key: Ed25519PrivateKey, year: int = YEAR) -> str:
        return Signer(f"{ORIGIN}/{year}", key).vkey

    def use(
        self, log: Log, key: Ed25519PrivateKey, *others: str, second: Ed25519PrivateKey | None = None
    ) -> None:
        """As an audit process that starts with these settings."""
        known = [VerifierKey.parse(vkey) for vkey in others]
        log.sign_with(lambda year: Signer(f"{ORIGIN}/{year}", key, second=second, others=known))


async def note_of(log: Log, year: int = YEAR) -> str:
    return (await log.store.get(log.bucket, f"{year}/checkpoint")).decode()


async def grow(log: Log, year: int = YEAR) -> None:
    await log.append(prepared_entries(Scribe(), 300), year)
    await log.publish()


async def test_after_a_rotation_the_old_checkpoint_is_believed_and_the_next_is_of_the_new_key(
    log: Log, tmp_path: Path
) -> None:
    keys = Keys()
    keys.use(log, keys.old)
    await grow(log)
    before = await note_of(log)
    keys.use(log, keys.new, keys.vkey(keys.old))
    await grow(log)
    await log.publisher.check()
    assert await log.alerts() == []
    after = open_checkpoint(await note_of(log), parse_vkey(keys.vkey(keys.new)))
    assert after.size == 600
    folder = await log.download(tmp_path)
    both = verify_log(folder, [keys.vkey(keys.new), keys.vkey(keys.old)], pinned=[before])
    assert both.ok, both.findings
    assert both.pinned == 1
    old_only = verify_log(folder, keys.vkey(keys.old))
    assert [finding.code for finding in old_only.findings] == [Code.WRONG_KEY]


async def test_during_a_hand_over_a_checkpoint_satisfies_who_has_either_key(log: Log, tmp_path: Path) -> None:
    keys = Keys()
    keys.use(log, keys.old)
    await grow(log)
    keys.use(log, keys.old, second=keys.new)
    await grow(log)
    keys.use(log, keys.new, second=keys.old)
    await grow(log)
    folder = await log.download(tmp_path)
    for key in (keys.old, keys.new):
        report = verify_log(folder, keys.vkey(key))
        assert report.ok, report.findings
        assert report.size == 900
    assert (await note_of(log)).count(f"\N{EM DASH} {ORIGIN}/{YEAR} ") == 2


async def test_a_key_that_is_not_the_logs_signs_nothing_and_says_so(log: Log) -> None:
    keys = Keys()
    keys.use(log, keys.old)
    await grow(log)
    signed = await note_of(log)
    keys.use(log, keys.new)
    await grow(log)
    assert await note_of(log) == signed
    ((kind, source, detail),) = await log.alerts()
    assert (kind, source) == ("integrity", f"log/{YEAR}")
    assert "not signed by" in str(detail["reason"])
    with pytest.raises(IntegrityError):
        await log.publisher.check()
    keys.use(log, keys.old)
    await log.publish()
    await log.publisher.check()
    assert (await note_of(log)).split("\n")[1] == "600"


async def test_a_key_that_is_not_the_logs_does_not_begin_a_new_year_either(log: Log) -> None:
    keys = Keys()
    keys.use(log, keys.old)
    await grow(log)
    keys.use(log, keys.new)
    await grow(log, YEAR + 1)
    assert f"{YEAR + 1}/checkpoint" not in await log.names()
    assert [kind for kind, *_ in await log.alerts()] == ["integrity"]
    keys.use(log, keys.new, keys.vkey(keys.old))
    await log.publish()
    assert (
        open_checkpoint(await note_of(log, YEAR + 1), parse_vkey(keys.vkey(keys.new, YEAR + 1))).size == 300
    )
