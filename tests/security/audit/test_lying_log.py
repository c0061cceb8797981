"""A log that lies is found out by the verifier, which says what is wrong and where."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit_logs import FolderLog, Scribe, flip, prepared_entries
from otokura.audit.leaves import prepare
from otokura.audit.tiles import encode_bundle
from otokura.cli.verify import Code, Report, VerificationError, verify_log, verify_receipt

SMALL = 600
WHERE_BUNDLE_0 = "tile/entries/000"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return


@pytest.fixture(scope="module")
def leaves() -> list[bytes]:
    """As many real leaves as the largest log has."""
    scribe = Scribe()
    return [prepare(scribe.entry()).leaf for _ in range(SMALL)]


@pytest.fixture
def log(tmp_path: Path, leaves: list[bytes]) -> FolderLog:
    """An honest log of 600 entries; the tests make it lie."""
    return FolderLog(tmp_path, leaves).write()


@pytest.fixture
def url(log: FolderLog) -> Iterator[str]:
    """The log's folder, served over HTTP."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(log.root)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


def found(report: Report, code: Code, where: str) -> bool:
    return any(finding.code is code and finding.where == where for finding in report.findings)


def test_an_honest_log_verifies_from_a_folder_and_over_http(log: FolderLog, url: str) -> None:
    for location in (log.root, url):
        report = verify_log(location, log.vkey, pinned=[log.note(257), log.note(0), log.note()])
        assert report.ok, report.findings
        assert (report.entries, report.size, report.pinned) == (SMALL, SMALL, 3)
        assert report.root == log.tree_root()
        assert report.checkpoint == log.note()


@pytest.mark.guarantee("L2")
@pytest.mark.parametrize("bit", [0, 77, 8 * 32 * 255 + 3])
@pytest.mark.parametrize("path", ["tile/0/000", "tile/0/001"])
def test_a_bit_flipped_in_a_tile(log: FolderLog, path: str, bit: int) -> None:
    flip(log.root / path, bit)
    report = verify_log(log.root, log.vkey)
    assert codes(report) == {Code.TILE_ALTERED}
    assert found(report, Code.TILE_ALTERED, path)


@pytest.mark.guarantee("L2")
def test_a_bit_flipped_in_a_tile_above(log: FolderLog) -> None:
    flip(log.root / "tile/1/000.p/2", 300)
    report = verify_log(log.root, log.vkey)
    assert codes(report) == {Code.TILE_ALTERED}
    assert found(report, Code.TILE_ALTERED, "tile/1/000.p/2")


@pytest.mark.guarantee("L2")
def test_a_bit_flipped_in_an_entry(log: FolderLog) -> None:
    path = log.root / WHERE_BUNDLE_0
    at = path.read_bytes().index(b'"commitment":"') + 20
    flip(path, 8 * at)
    report = verify_log(log.root, log.vkey)
    assert found(report, Code.ENTRY_ALTERED, WHERE_BUNDLE_0)
    assert Code.TILE_ALTERED not in codes(report)
    assert "entry 0 " in next(f.detail for f in report.findings if f.code is Code.ENTRY_ALTERED)


@pytest.mark.guarantee("L2")
@pytest.mark.parametrize("bit", range(0, 8 * 40, 13))
def test_a_bit_flipped_in_the_checkpoint(log: FolderLog, bit: int) -> None:
    flip(log.root / "checkpoint", bit)
    report = verify_log(log.root, log.vkey)
    assert not report.ok
    assert codes(report) <= {Code.BAD_SIGNATURE, Code.MALFORMED, Code.WRONG_KEY}


@pytest.mark.guarantee("L2")
def test_two_entries_swapped_in_their_bundle(log: FolderLog) -> None:
    entries = [log.entries[1], log.entries[0], *log.entries[2:256]]
    log.put(WHERE_BUNDLE_0, encode_bundle(entries))
    report = verify_log(log.root, log.vkey)
    assert codes(report) == {Code.ENTRY_ALTERED}
    assert len(report.findings) == 2


@pytest.mark.guarantee("L2")
def test_two_bundles_swapped_with_their_tiles(log: FolderLog) -> None:
    for path in ("tile/entries/{}", "tile/0/{}"):
        first, second = (log.root / path.format(n) for n in ("000", "001"))
        first_bytes, second_bytes = first.read_bytes(), second.read_bytes()
        first.write_bytes(second_bytes)
        second.write_bytes(first_bytes)
    report = verify_log(log.root, log.vkey)
    assert Code.ROOT_MISMATCH in codes(report)


@pytest.mark.guarantee("L2")
@pytest.mark.parametrize("path", ["tile/entries/001", "tile/0/002.p/88", "tile/1/000.p/2", "checkpoint"])
def test_a_file_that_is_gone(log: FolderLog, path: str) -> None:
    (log.root / path).unlink()
    report = verify_log(log.root, log.vkey)
    assert codes(report) == {Code.MISSING}
    assert found(report, Code.MISSING, path)


@pytest.mark.guarantee("L2")
@pytest.mark.parametrize(
    "path", ["tile/entries/001", "tile/entries/002.p/88", "tile/0/000", "tile/1/000.p/2"]
)
def test_a_file_cut_short(log: FolderLog, path: str) -> None:
    target = log.root / path
    target.write_bytes(target.read_bytes()[:-7])
    report = verify_log(log.root, log.vkey)
    assert codes(report) == {Code.MALFORMED}
    assert found(report, Code.MALFORMED, path)


@pytest.mark.guarantee("L2")
def test_a_log_rolled_back_to_an_older_checkpoint(log: FolderLog) -> None:
    shorter = FolderLog(log.root.parent / "shorter", log.entries[:300], log.key).write()
    assert verify_log(shorter.root, log.vkey).ok, "by itself it looks honest"
    report = verify_log(shorter.root, log.vkey, pinned=[log.note()])
    assert codes(report) == {Code.ROLLED_BACK}


@pytest.mark.guarantee("L2")
def test_a_whole_log_rebuilt_with_the_real_key(log: FolderLog) -> None:
    """Whoever holds the key can make a log that verifies; a checkpoint kept elsewhere gives it away."""
    forged = list(log.entries)
    del forged[123]
    rebuilt = FolderLog(log.root.parent / "rebuilt", forged, log.key).write()
    assert verify_log(rebuilt.root, log.vkey).ok
    report = verify_log(rebuilt.root, log.vkey, pinned=[log.note(200), log.note(100)])
    assert codes(report) == {Code.HISTORY_REWRITTEN}
    assert report.pinned == 1
    assert list(report.holes.values()) == [[(124, 124)]], "and the number that is missing shows too"


@pytest.mark.guarantee("L2")
async def test_a_receipt_kept_by_an_auditor_gives_a_rebuilt_log_away(log: FolderLog, tmp_path: Path) -> None:
    items = prepared_entries(Scribe(), 20)
    honest = FolderLog(tmp_path / "a", [item.leaf for item in items], log.key).write()
    receipt = await honest.receipt(7, items[7])
    rebuilt = FolderLog(
        tmp_path / "b", [item.leaf for item in items if item is not items[7]], log.key
    ).write()
    assert verify_log(honest.root, log.vkey, receipts=[receipt]).ok
    assert codes(verify_log(rebuilt.root, log.vkey, receipts=[receipt])) == {Code.ROLLED_BACK}


def test_another_key_of_the_same_name(log: FolderLog) -> None:
    impostor = FolderLog(log.root.parent / "impostor", log.entries, Ed25519PrivateKey.generate()).write()
    assert codes(verify_log(impostor.root, log.vkey)) == {Code.WRONG_KEY}


def test_another_log_of_the_same_key(log: FolderLog) -> None:
    other = FolderLog(log.root.parent / "other", log.entries, log.key, origin="example.jp/log/2025").write()
    assert codes(verify_log(other.root, log.vkey)) == {Code.WRONG_KEY}


def test_a_leaf_that_is_not_canonical(tmp_path: Path, leaves: list[bytes]) -> None:
    odd = [leaves[0], leaves[1].replace(b":", b": "), leaves[2][:-1] + b',"x":1}', b"not json", b"[]"]
    log = FolderLog(tmp_path, odd).write()
    report = verify_log(log.root, log.vkey)
    assert [finding.where for finding in report.findings] == ["entry 1", "entry 2", "entry 3", "entry 4"]
    assert codes(report) == {Code.MALFORMED}


def test_a_log_that_is_wrong_everywhere_is_not_listed_entry_by_entry(log: FolderLog) -> None:
    for name in ("000", "001"):
        log.put(f"tile/0/{name}", bytes(256 * 32))
    report = verify_log(log.root, log.vkey)
    assert codes(report) == {Code.TILE_ALTERED}
    assert len(report.findings) < 100
    junk = FolderLog(log.root.parent / "junk", [b"junk %d" % at for at in range(SMALL)], log.key).write()
    assert len(verify_log(junk.root, log.vkey).findings) < 400


def test_a_number_given_twice(tmp_path: Path, leaves: list[bytes]) -> None:
    log = FolderLog(tmp_path, [*leaves[:5], leaves[2]]).write()
    report = verify_log(log.root, log.vkey)
    assert found(report, Code.NUMBER_REPEATED, "entry 5")


def test_a_checkpoint_that_promises_more_than_there_is(log: FolderLog) -> None:
    log.put("checkpoint", log.signer.sign(1 << 60, log.tree_root()).encode())
    report = verify_log(log.root, log.vkey)
    assert Code.MISSING in codes(report)
    assert len(report.findings) < 100


def test_nobody_answers(log: FolderLog) -> None:
    assert codes(verify_log("http://127.0.0.1:1/log", log.vkey)) == {Code.UNREADABLE}


def test_junk_beside_a_full_tile_is_not_looked_at(log: FolderLog) -> None:
    log.put("tile/0/000.p/7", b"junk")
    assert verify_log(log.root, log.vkey).ok


def test_a_partial_tile_may_have_given_way_to_its_full_one(log: FolderLog) -> None:
    older = log.note(300)
    log.put("checkpoint", older.encode())
    log.put("tile/1/000.p/1", (log.root / "tile/1/000.p/2").read_bytes()[:32])
    assert not (log.root / "tile/0/001.p/44").exists()
    assert verify_log(log.root, log.vkey).ok


Change = Callable[[dict[str, object]], object]


def change_detail(receipt: dict[str, object]) -> None:
    entry = receipt["entry"]
    assert isinstance(entry, dict)
    entry["reader"] = "suzuki"


def change_salt(receipt: dict[str, object]) -> None:
    receipt["salt"] = base64.b64encode(bytes(16)).decode()


def change_leaf(receipt: dict[str, object]) -> None:
    leaf = receipt["leaf"]
    assert isinstance(leaf, dict)
    leaf["seq"] = 999


def change_index(receipt: dict[str, object]) -> None:
    receipt["proof"] = str(receipt["proof"]).replace("index 7", "index 6")


def drop_hash(receipt: dict[str, object]) -> None:
    lines = str(receipt["proof"]).split("\n")
    receipt["proof"] = "\n".join(lines[:2] + lines[3:])


@pytest.mark.guarantee("L2")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        (change_detail, Code.COMMITMENT_MISMATCH),
        (change_salt, Code.COMMITMENT_MISMATCH),
        (change_leaf, Code.NOT_INCLUDED),
        (change_index, Code.NOT_INCLUDED),
        (drop_hash, Code.NOT_INCLUDED),
        (lambda receipt: receipt.update(proof="no proof"), Code.MALFORMED),
        (lambda receipt: receipt.update(leaf=None), Code.MALFORMED),
        (lambda receipt: receipt.update(entry="yes"), Code.MALFORMED),
        (lambda receipt: receipt.update(salt="AAAA"), Code.MALFORMED),
    ],
)
async def test_a_receipt_that_was_altered(tmp_path: Path, change: Change, code: Code) -> None:
    scribe = Scribe()
    items = prepared_entries(scribe, 20)
    log = FolderLog(tmp_path, [item.leaf for item in items])
    receipt = await log.receipt(7, items[7])
    keys = {"access": scribe.public_key}
    assert verify_receipt(receipt, log.vkey, source_keys=keys).index == 7
    change(receipt)
    with pytest.raises(VerificationError) as caught:
        verify_receipt(receipt, log.vkey, source_keys=keys)
    assert caught.value.finding.code is code


async def test_an_entry_that_its_source_did_not_sign(tmp_path: Path) -> None:
    """The log itself could make one up: it holds no source's key."""
    scribe = Scribe()
    invented = scribe.entry().model_copy(update={"reader": "suzuki"})
    item = prepare(invented)
    log = FolderLog(tmp_path, [item.leaf])
    receipt = await log.receipt(0, item)
    assert verify_receipt(receipt, log.vkey).index == 0
    for keys in ({"access": scribe.public_key}, {"access": "junk"}, {}):
        with pytest.raises(VerificationError, match="source-signature"):
            verify_receipt(receipt, log.vkey, source_keys=keys)
