"""Cosignatures, byte by byte: our vectors, the specification's example, and a foreign implementation."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from tlog_scales.signing import MLDSA44CosignatureSigner, NoteSignature, Vkey
from tlog_scales.tlog import Checkpoint as ForeignCheckpoint

from cosigning import Hand, hand
from otokura.audit.notes import Signer
from otokura.cli.verify import Code, VerificationError, Witnesses, open_checkpoint, parse_vkey
from otokura.cli.verify.cosignatures import ed25519_message, mldsa_message, parse_cosigner
from otokura.cli.verify.notes import Checkpoint, parse_signatures

pytestmark = pytest.mark.guarantee("L24")

NOW = 1_790_000_000
LOG = Signer("audit.example.jp/log/2026", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
NOTE = LOG.sign(1234, bytes(range(32)))
VECTORS = json.loads(Path(__file__).with_name("golden").joinpath("cosignatures.json").read_text())

SPEC_NOTE = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""  # noqa: E501 - the example of c2sp.org/tlog-cosignature, byte by byte


def opened(note: str) -> Checkpoint:
    return open_checkpoint(note, parse_vkey(LOG.vkey))


def test_the_messages_that_are_signed_are_those_of_the_specification() -> None:
    """The specification gives no key, but all that is signed."""
    body = SPEC_NOTE.partition("\n\n")[0] + "\n"
    line = parse_signatures(SPEC_NOTE.partition("\n\n")[2])[1]
    assert (line.name, line.key_id.hex(), len(line.signature)) == ("witness.example.com/w1", "8d66cf3f", 72)
    at = int.from_bytes(line.signature[:8], "big")
    assert ed25519_message(at, body).decode() == (
        "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n"
        "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )
    checkpoint = Checkpoint("log", 258, bytes(range(32)), "")
    assert mldsa_message("w1", 7, checkpoint) == (
        b"subtree/v1\n\0" b"\x02w1" + bytes(7) + b"\x07" b"\x03log" + bytes(8) + bytes(6) + b"\x01\x02"
        + bytes(range(32))
    )  # fmt: skip


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_our_vectors_verify_and_are_what_is_made_again(vector: dict[str, str]) -> None:
    """Ed25519 makes one signature; ML-DSA may make many, and keeps accepting this one."""
    witnesses = Witnesses.parse([vector["vkey"]])
    [found] = witnesses.require(open_checkpoint(vector["note"], parse_vkey(vector["log"])), NOW)
    assert (found.name, found.at) == ("witness.example/w1", 1_780_000_000)
    if "ed25519" in vector["name"]:
        made = Hand("witness.example/w1", Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32))
        plain = LOG.sign(1234, bytes(range(32)))
        assert vector["note"] == plain + made.line(plain, 1_780_000_000)


def test_a_foreign_signer_is_believed() -> None:
    foreign = MLDSA44CosignatureSigner("w.example/pq", MLDSA44PrivateKey.generate())
    line = foreign.sign(ForeignCheckpoint.from_text(NOTE)).serialize()
    witnesses = Witnesses.parse([str(foreign.vkey.serialize())])  # type: ignore[no-untyped-call]
    [found] = witnesses.require(opened(f"{NOTE}{line}\n"))
    assert found.name == "w.example/pq"


def test_a_foreign_verifier_believes_us() -> None:
    for each in (hand(), Hand("w.example/pq", MLDSA44PrivateKey.generate())):
        verifier = Vkey.from_string(each.vkey).get_verifier()
        line = NoteSignature.from_line(each.line(NOTE, NOW).strip())
        verifier.verify_note(line, ForeignCheckpoint.from_text(NOTE))


def refused(witnesses: Witnesses, note: str) -> str:
    with pytest.raises(VerificationError) as caught:
        witnesses.require(opened(note), NOW)
    return caught.value.finding.code


def test_a_quorum_counts_witnesses_and_not_keys() -> None:
    first, second, third = hand("w.example/1"), hand("w.example/2"), hand("w.example/3")
    also_first = Hand("w.example/1", MLDSA44PrivateKey.generate())
    vkeys = [each.vkey for each in (first, also_first, second, third)]
    both = NOTE + first.line(NOTE, NOW) + also_first.line(NOTE, NOW - 9)
    assert refused(Witnesses.parse(vkeys, 2), both) == Code.NOT_WITNESSED
    found = Witnesses.parse(vkeys, 2).require(opened(both + third.line(NOTE, NOW - 5)), NOW)
    assert [(each.name, each.at) for each in found] == [("w.example/1", NOW), ("w.example/3", NOW - 5)]
    assert refused(Witnesses.parse(vkeys), both + third.line(NOTE, NOW)) == Code.NOT_WITNESSED
    assert refused(Witnesses.parse(vkeys, 1), NOTE) == Code.NOT_WITNESSED


def test_a_stranger_counts_for_nothing() -> None:
    mine, stranger = hand("w.example/1"), hand("w.example/1")
    assert refused(Witnesses.parse([mine.vkey]), NOTE + stranger.line(NOTE, NOW)) == Code.NOT_WITNESSED


@pytest.mark.parametrize("kind", ["ed25519", "ml-dsa-44"])
@pytest.mark.parametrize("part", ["time", "signature", "short", "other tree", "future"])
def test_a_cosignature_that_is_not_theirs(kind: str, part: str) -> None:
    key = Ed25519PrivateKey.generate() if kind == "ed25519" else MLDSA44PrivateKey.generate()
    mine = Hand("w.example/1", key)
    other = LOG.sign(1233, bytes(range(32)))
    line = mine.line(other if part == "other tree" else NOTE, NOW + 301 if part == "future" else NOW)
    blob = bytearray(base64.b64decode(line.split(" ")[2]))
    if part == "time":
        blob[11] ^= 1
    elif part == "signature":
        blob[-1] ^= 1
    elif part == "short":
        del blob[-1]
    spoilt = f"\N{EM DASH} {mine.name} {base64.b64encode(blob).decode()}\n"
    assert refused(Witnesses.parse([mine.vkey]), NOTE + spoilt) == Code.BAD_SIGNATURE


def test_a_clock_that_is_a_little_ahead_is_borne() -> None:
    mine = hand()
    assert Witnesses.parse([mine.vkey]).require(opened(NOTE + mine.line(NOTE, NOW + 299)), NOW)


@pytest.mark.parametrize("quorum", [0, -1, 2])
def test_a_quorum_that_is_none(quorum: int) -> None:
    with pytest.raises(VerificationError, match="no quorum"):
        Witnesses.parse([hand().vkey], quorum)


def test_a_logs_key_is_no_witnesss_key_and_the_other_way_round() -> None:
    with pytest.raises(VerificationError, match="wrong-key"):
        parse_cosigner(LOG.vkey)
    with pytest.raises(VerificationError, match="wrong-key"):
        parse_vkey(hand().vkey)


def test_a_name_too_long_for_the_message_is_refused() -> None:
    mine = Hand("w" * 256, MLDSA44PrivateKey.generate())
    line = f"\N{EM DASH} {mine.name} {base64.b64encode(mine.key_id + bytes(2428)).decode()}\n"
    assert refused(Witnesses.parse([mine.vkey]), NOTE + line) == Code.MALFORMED
