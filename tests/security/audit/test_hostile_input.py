"""Nothing that is verified can make the verifier fail otherwise than by saying what is wrong."""

from __future__ import annotations

import base64
import copy
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_logs import FolderLog, Scribe, prepared_entries
from otokura.audit.tiles import encode_bundle
from otokura.cli.verify import VerificationError, open_checkpoint, parse_vkey, verify_inclusion, verify_log
from otokura.cli.verify.cosignatures import COSIGNED_ED25519, Witnesses, parse_cosigner
from otokura.cli.verify.erasures import verify_erasure
from otokura.cli.verify.leaves import Numbers, parse_leaf, read_number
from otokura.cli.verify.notes import VerifierKey, key_id, parse_signatures, read_vkey
from otokura.cli.verify.places import fetch_entries, fetch_hashes
from otokura.cli.verify.receipts import verify_receipt

pytestmark = pytest.mark.guarantee("L12")

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
WITNESS = VerifierKey(
    "w.example", key_id("w.example", bytes(32), COSIGNED_ED25519), bytes(32), COSIGNED_ED25519
)
SCRIBE = Scribe(key=KEY)
ITEMS = prepared_entries(SCRIBE, 9)
LOG = FolderLog(Path("nowhere"), [item.leaf for item in ITEMS], KEY)
TOKENS = (
    b"\n", b"\n\n", b"\x00", b" ", b"+", b"=", b"\xe2\x80\x94 ", b"\xff", b"\xc3", b"\xed\xa0\x80", b"0",
    b"-1", b"9" * 40, b"1e999", b"NaN", b"[" * 5000, b'{"a":' * 3000, b'"\\ud800"', b"null", b"true",
    b"A" * 300, b"c2sp.org/tlog-proof@v1\n", b"index 0\n", b"\xd9\xa3", b"\xe2\x80\xa8", b"\x85", b"\r\n",
)  # fmt: skip
Parse = Callable[[bytes], object]


@st.composite
def mutations(draw: st.DrawFn, good: bytes) -> bytes:
    """A good specimen after up to six blows: bytes changed, cut, doubled, or something put between."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 6))):
        at, to = sorted(draw(st.tuples(st.integers(0, len(data)), st.integers(0, len(data)))))
        match draw(st.integers(0, 4)):
            case 0 if at < len(data):
                data[at] ^= draw(st.integers(1, 255))
            case 1:
                del data[at:to]
            case 2:
                data[at:at] = data[at:to]
            case 3:
                data[at:at] = draw(st.sampled_from(TOKENS))
            case _:
                data[at:to] = draw(st.sampled_from(TOKENS))
    return bytes(data)


def judged(parse: Parse, data: bytes) -> None:
    """The parser takes it, or says what is wrong."""
    try:
        parse(data)
    except VerificationError as error:
        found = error.finding.where
        assert found


def text(data: bytes) -> str:
    """As an answer is read: what is no UTF-8 may also come as halves of surrogate pairs, by JSON."""
    return data.decode(errors="surrogatepass" if b"\xed\xa0\x80" in data else "replace")


def lenient(data: bytes) -> str:
    try:
        return text(data)
    except UnicodeDecodeError:
        return data.decode(errors="surrogateescape")


class Shown:
    """A place that holds one file under every path."""

    threads = 1

    def __init__(self, data: bytes) -> None:
        self._data = data

    def fetch(self, path: str) -> bytes | None:
        return self._data if path else None


def cosigned_note() -> str:
    blob = base64.b64encode(WITNESS.key_id + bytes(72)).decode()
    return f"{LOG.note()}\N{EM DASH} {WITNESS.name} {blob}\n"


def check_witnesses(data: bytes) -> None:
    checkpoint = open_checkpoint(lenient(data), parse_vkey(LOG.vkey))
    Witnesses((WITNESS,), 1).require(checkpoint, now=0)


PROOF = (
    "c2sp.org/tlog-proof@v1\nindex 0\n"
    + (base64.b64encode(bytes(32)).decode() + "\n") * 4
    + "\n"
    + LOG.note()
)
PARSERS: dict[str, tuple[bytes, Parse]] = {
    "checkpoint": (LOG.note().encode(), lambda data: open_checkpoint(lenient(data), parse_vkey(LOG.vkey))),
    "cosigned checkpoint": (cosigned_note().encode(), check_witnesses),
    "signature lines": (
        cosigned_note().partition("\n\n")[2].encode(), lambda data: parse_signatures(lenient(data))
    ),
    "key": (LOG.vkey.encode(), lambda data: (read_vkey(lenient(data)), parse_vkey(lenient(data)))),
    "witness's key": (str(WITNESS).encode(), lambda data: parse_cosigner(lenient(data))),
    "proof": (PROOF.encode(), lambda data: verify_inclusion(LOG.entries[0], lenient(data), LOG.vkey)),
    "leaf": (LOG.entries[0], lambda data: (parse_leaf(data), read_number(data))),
    "tile": (bytes(range(256)) * 2, lambda data: fetch_hashes(Shown(data), 0, 0, 16)),
    "bundle": (encode_bundle(LOG.entries), lambda data: fetch_entries(Shown(data), 0, len(LOG.entries))),
}  # fmt: skip


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_takes_it_or_says_what_is_wrong(name: str) -> None:
    good, parse = PARSERS[name]

    @settings(max_examples=400, deadline=None)
    @given(mutations(good) | st.binary(max_size=300))
    def check(data: bytes) -> None:
        judged(parse, data)

    check()


BODIES = st.text(max_size=200) | mutations(LOG.note().partition("\n\n")[0].encode() + b"\n").map(
    lambda data: data.decode(errors="replace")
)


@settings(max_examples=300, deadline=None)
@given(BODIES)
def test_whatever_the_logs_own_key_has_signed(body: str) -> None:
    """The operator holds that key, and may sign what is no checkpoint."""
    identifier = parse_vkey(LOG.vkey).key_id
    signed = base64.b64encode(identifier + KEY.sign(body.encode(errors="replace"))).decode()
    note = f"{body}\n\N{EM DASH} {LOG.signer.origin} {signed}\n"
    judged(lambda data: open_checkpoint(data.decode(errors="replace"), parse_vkey(LOG.vkey)), note.encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places_in(value: Any) -> list[tuple[Any, Any]]:
    """Each member of each object and list, as container and name."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, dict | list):
        for name in value if isinstance(value, dict) else range(len(value)):
            found += [(value, name), *places_in(value[name])]
    return found


@st.composite
def altered(draw: st.DrawFn, good: dict[str, Any]) -> dict[str, Any]:
    """A good JSON object in which up to three members are something else."""
    value = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        holder, name = draw(st.sampled_from(places_in(value) or [(value, "x")]))
        holder[name] = draw(JSON)
    return value


async def test_a_receipt_with_anything_in_it() -> None:
    good = await LOG.receipt(3, ITEMS[3])
    assert verify_receipt(good, LOG.vkey, source_keys={"access": SCRIBE.public_key}).index == 3

    @settings(max_examples=400, deadline=None)
    @given(altered(good))
    def check(receipt: dict[str, Any]) -> None:
        keys = {"access": SCRIBE.public_key}
        judged(lambda _: verify_receipt(receipt, LOG.vkey, source_keys=keys), b"")

    check()


def test_a_certificate_with_anything_in_it_that_its_signer_has_signed() -> None:
    good = {"type": "otokura.erasure-certificate.v1", "call_id": "c", "kind": "call",
            "proofs": [{"origin": "o"}], "confirmations": [{"service": "access"}],
            "shredded_at": "2026-01-01T00:00:00Z"}  # fmt: skip

    @settings(max_examples=300, deadline=None)
    @given(altered(good))
    def check(certificate: dict[str, Any]) -> None:
        keys = {"audit": SCRIBE.public_key, "access": SCRIBE.public_key}
        judged(lambda _: verify_erasure(certificate, [LOG.vkey], keys), b"")

    check()


def deep(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("member", ["leaf", "entry", "salt", "proof"])
async def test_a_receipt_that_nests_without_end(member: str) -> None:
    receipt = await LOG.receipt(3, ITEMS[3])
    receipt[member] = {"x": deep(900)}
    with pytest.raises(VerificationError):
        verify_receipt(receipt, LOG.vkey)


def test_a_log_with_any_byte_of_any_file_changed(tmp_path: Path) -> None:
    """A report each time; never an error, never nothing found, but for what no checkpoint covers."""
    log = FolderLog(tmp_path, [item.leaf for item in ITEMS], KEY).write()
    assert verify_log(tmp_path, log.vkey).ok
    chance = random.Random(6)
    for path in sorted(path for path in tmp_path.rglob("*") if path.is_file()):
        good = path.read_bytes()
        for at in chance.sample(range(len(good)), min(40, len(good))):
            path.write_bytes(good[:at] + bytes([good[at] ^ (1 << chance.randrange(8))]) + good[at + 1 :])
            assert not verify_log(tmp_path, log.vkey).ok, (path, at)
        path.write_bytes(good)


def test_a_source_that_jumps_costs_no_more_than_one_that_counts() -> None:
    """Numbers that are missing are kept as runs: a leaf cannot make the verifier remember a billion."""
    numbers = Numbers()
    largest = (1 << 53) - 1
    assert all(map(numbers.add, [largest // 2, 1, largest, 5, 3]))
    assert numbers.holes() == [(2, 2), (4, 4), (6, largest // 2 - 1), (largest // 2 + 1, largest - 1)]
    assert not numbers.add(3)
    assert numbers.add(4)
    assert numbers.holes()[:2] == [(2, 2), (6, largest // 2 - 1)]


def test_numbers_in_any_order() -> None:
    @settings(deadline=None)
    @given(st.lists(st.integers(1, 30), min_size=1))
    def check(given_numbers: list[int]) -> None:
        numbers, seen = Numbers(), set[int]()
        for seq in given_numbers:
            assert numbers.add(seq) == (seq not in seen)
            seen.add(seq)
        missing = {at for first, last in numbers.holes() for at in range(first, last + 1)}
        assert missing == set(range(min(seen), max(seen))) - seen

    check()


def test_a_folder_that_holds_no_plain_file(tmp_path: Path) -> None:
    log = FolderLog(tmp_path, [item.leaf for item in ITEMS], KEY).write()
    (tmp_path / "checkpoint").unlink()
    (tmp_path / "checkpoint").mkdir()
    [finding] = verify_log(tmp_path, log.vkey).findings
    assert (finding.code, finding.where) == ("malformed", "checkpoint")


def test_json_that_nests_without_end_is_no_reason_to_fail(tmp_path: Path) -> None:
    log = FolderLog(tmp_path, [b"[" * 60_000, b'{"a":' * 10_000, *LOG.entries], KEY).write()
    report = verify_log(tmp_path, log.vkey)
    assert {finding.where for finding in report.findings} == {"entry 0", "entry 1"}
