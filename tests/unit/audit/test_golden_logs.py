"""Golden logs: the service's code gives the very bytes that were committed; others read them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, cast

import pytest
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tiles import leaf_hash as foreign_leaf_hash

from golden import make_logs
from otokura.cli.verify import verify_log
from otokura.cli.verify.merkle import RollingRoot, hash_leaf

FOLDER = make_logs.HERE
GOLDEN = json.loads(FOLDER.joinpath("logs.json").read_text())

pytestmark = pytest.mark.guarantee("L10")


def golden(size: int) -> dict[str, Any]:
    (found,) = [item for item in GOLDEN["logs"] if item["size"] == size]
    return cast("dict[str, Any]", found)


def test_there_is_a_golden_log_of_every_size_that_matters() -> None:
    sizes = [item["size"] for item in GOLDEN["logs"]]
    assert sizes == [0, 1, 255, 256, 257, 65_535, 65_536, 65_537, 70_000]
    assert GOLDEN["vkey"] == make_logs.SIGNER.vkey


@pytest.mark.parametrize("size", make_logs.SIZES)
def test_the_code_makes_the_very_bytes_that_were_committed(size: int) -> None:
    assert make_logs.describe(size) == golden(size)


@pytest.mark.parametrize("size", make_logs.WHOLE)
def test_the_logs_that_are_kept_whole_are_those(size: int) -> None:
    folder = FOLDER / f"log-{size}"
    kept = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert kept == dict(make_logs.files(size))


@pytest.mark.parametrize("size", make_logs.SIZES)
def test_our_verifier_and_a_foreign_reader_accept_each(tmp_path: Path, size: int) -> None:
    folder = make_logs.put(tmp_path, size)
    report = verify_log(folder, GOLDEN["vkey"])
    assert report.ok, report.findings
    assert (report.size, report.entries, report.root.hex()) == (size, size, golden(size)["root"])
    reader = TilesReader(LocalBackend(folder))
    checkpoint = reader.get_checkpoint()
    checkpoint.verify(Vkey.from_string(GOLDEN["vkey"]))
    assert checkpoint.size == size
    assert reader.calculate_root_hash().hex() == golden(size)["root"]
    for index in {0, 255, 256, size // 2, size - 1} & set(range(size)):
        leaf = foreign_leaf_hash(reader.get_entry(index))
        reader.get_inclusion_proof(index, size).check(leaf, checkpoint.root_hash)


def test_every_size_is_a_prefix_of_the_next() -> None:
    """The roots by the verifier's own arithmetic, which shares nothing with the service's."""
    rolling = RollingRoot()
    roots = {0: rolling.root().hex()}
    for leaf in make_logs.leaves():
        rolling.add(hash_leaf(leaf))
        if rolling.size in make_logs.SIZES:
            roots[rolling.size] = rolling.root().hex()
    assert roots == {size: golden(size)["root"] for size in make_logs.SIZES}


def test_an_empty_log_is_a_checkpoint_and_nothing_else() -> None:
    ((name, note),) = make_logs.files(0)
    assert name == "checkpoint"
    assert note.decode().split("\n")[1:3] == ["0", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]
    assert golden(0)["root"] == hashlib.sha256(b"").hexdigest()
