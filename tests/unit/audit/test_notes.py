"""Checkpoints: signed notes that the verifier and foreign tools open."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tlog_scales.signing import PlainEd25519Signer
from tlog_scales.tlog import Checkpoint as ForeignCheckpoint

from otokura.audit.notes import Checkpoint, NoteError, Signer, valid_name
from otokura.cli.verify import VerificationError, make_vkey, open_checkpoint, parse_vkey

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ORIGIN = "audit.example.jp/log/2026"
ROOT = bytes(range(32))


@pytest.fixture
def signer() -> Signer:
    return Signer(ORIGIN, KEY)


def test_a_note_is_byte_for_byte_what_a_foreign_signer_writes(signer: Signer) -> None:
    foreign = ForeignCheckpoint.make_signed(ORIGIN, 1234, ROOT, [PlainEd25519Signer(ORIGIN, KEY)])
    assert signer.sign(1234, ROOT) == foreign.serialize()
    assert signer.sign(1234, ROOT) == signer.sign(1234, ROOT)


def test_the_vkey_is_the_one_that_others_make(signer: Signer) -> None:
    assert signer.vkey == str(PlainEd25519Signer(ORIGIN, KEY).vkey.serialize())  # type: ignore[no-untyped-call]
    assert signer.vkey == make_vkey(ORIGIN, KEY.public_key().public_bytes_raw())


def test_writer_and_verifier_open_it(signer: Signer) -> None:
    note = signer.sign(7, ROOT)
    assert signer.open(note) == Checkpoint(ORIGIN, 7, ROOT)
    opened = open_checkpoint(note, parse_vkey(signer.vkey))
    assert (opened.origin, opened.size, opened.root) == (ORIGIN, 7, ROOT)


def test_other_signatures_beside_ours_are_ignored(signer: Signer) -> None:
    blob = base64.b64encode(bytes(68)).decode()
    note = signer.sign(7, ROOT) + f"\N{EM DASH} witness.example {blob}\n"
    assert signer.open(note).size == 7
    assert open_checkpoint(note, parse_vkey(signer.vkey)).size == 7


@pytest.mark.parametrize(
    ("spoil", "writer_says", "verifier_says"),
    [
        (lambda note: note.replace("\n7\n", "\n8\n"), "not signed", "bad-signature"),
        (lambda note: note.replace(ORIGIN, "other.example"), "not signed", "wrong-key"),
        (lambda note: note.replace("\n\n", "\n"), "no signatures", "malformed"),
        (lambda note: note.partition("\n\n")[0] + "\n\n", "not signed", "malformed"),
        (lambda note: note[:-1], None, "malformed"),
        (lambda _: "", "no signatures", "malformed"),
    ],
)
def test_a_spoilt_note_is_refused_by_both(
    signer: Signer, spoil: object, writer_says: str | None, verifier_says: str
) -> None:
    assert callable(spoil)
    note = spoil(signer.sign(7, ROOT))
    if writer_says is not None:
        with pytest.raises(NoteError, match=writer_says):
            signer.open(note)
    with pytest.raises(VerificationError, match=verifier_says):
        open_checkpoint(note, parse_vkey(signer.vkey))


@pytest.mark.parametrize("body", ["x\n07\n", "x\n-1\n", "x\n1\n", "x\nseven\n", "x\n99999999999999999999\n"])
def test_a_signed_text_that_is_no_checkpoint_is_refused(signer: Signer, body: str) -> None:
    text = body.replace("x", ORIGIN)
    foreign = PlainEd25519Signer(ORIGIN, KEY)
    blob = base64.b64encode(foreign.vkey.key_id.to_bytes(4) + KEY.sign(text.encode())).decode()
    with pytest.raises(VerificationError, match="malformed"):
        open_checkpoint(f"{text}\n\N{EM DASH} {ORIGIN} {blob}\n", parse_vkey(signer.vkey))


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\tb", "a\nb", "a\N{NO-BREAK SPACE}b"])
def test_a_log_may_not_have_such_a_name(name: str) -> None:
    assert not valid_name(name)
    with pytest.raises(NoteError):
        Signer(name, KEY)


@pytest.mark.parametrize(
    "vkey",
    ["", "name", "name+00000000+AAAA", "name+zz+" + base64.b64encode(b"\x01" + ROOT).decode(),
     "name+00000000+" + base64.b64encode(b"\x02" + ROOT).decode()],
)  # fmt: skip
def test_a_vkey_that_contradicts_itself_is_refused(vkey: str) -> None:
    with pytest.raises(VerificationError, match="wrong-key"):
        parse_vkey(vkey)
