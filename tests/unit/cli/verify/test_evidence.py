"""A bundle of evidence proves what it is and nothing else; a verifier is shown many lies."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit_logs import FolderLog, Scribe
from cosigning import hand
from evidence_bundles import (
    AUDIO,
    MAKER,
    ORIGIN,
    REASON,
    Files,
    Maker,
    assert_every_flip_is_found,
    lines_of,
    refused,
    regions,
    with_lines,
)
from otokura.access.evidence import facts as names
from otokura.cli.verify import Code, VerificationError, verify_evidence
from otokura.cli.verify.cosignatures import Witnesses
from otokura.cli.verify.evidence_command import describe
from otokura.shared.ids import uuid7

Lie = Callable[[Files], None]


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


@pytest.mark.guarantee("L29")
def test_an_honest_bundle_proves_audio_transcript_and_history(maker: Maker) -> None:
    maker.erased.add(maker.mine[2])
    found = maker.verify(maker.make())
    assert (found.call_id, found.evidence_id) == (str(maker.call_id), str(maker.evidence_id))
    assert (found.reason, found.made_by) == (REASON, f"{MAKER} ({maker.reader})")
    assert found.audio_sha256 == maker.manifest.recording.plaintext_sha256
    assert (found.history.entries, found.history.erased) == (4, 1)
    assert found.history.checkpoints[2026].size == len(maker.items)
    assert (found.stamp, found.stamp_missing) == (None, "not-configured")


@pytest.mark.guarantee("L29")
def test_who_saw_the_tree_of_the_history_is_told_and_can_be_demanded(maker: Maker) -> None:
    one, other = hand("one.example/w"), hand("other.example/w")
    note = "custody/checkpoint-2026.txt"

    def cosigned(files: Files) -> None:
        files[note] += one.line(files[note].decode(), at=int(time.time())).encode()

    path = maker.make(cosigned)
    found = maker.verify(path, witnesses=Witnesses.parse([one.vkey, other.vkey], 1))
    assert [each.name for each in found.history.cosigned[2026]] == [one.name]
    told = "\n".join(describe(found))
    assert f"witness   {one.name} saw that tree" in told
    assert "the same one" not in told
    assert "the same one" in "\n".join(describe(maker.verify(path)))
    with pytest.raises(VerificationError) as caught:
        maker.verify(path, witnesses=Witnesses.parse([one.vkey, other.vkey]))
    assert caught.value.finding.code == Code.NOT_WITNESSED


@pytest.mark.guarantee("L29")
def test_after_any_byte_is_changed_it_fails(maker: Maker) -> None:
    path = maker.make()
    seen = regions(path)
    assert sum(map(len, seen.values())) > 1000
    assert {"directory", "end record", "comment", "data of manifest.json"} < set(seen)
    assert_every_flip_is_found(path, seen, maker.verify)


@pytest.mark.guarantee("L29")
def test_cut_or_extended_it_fails(maker: Maker, tmp_path: Path) -> None:
    whole = maker.make().read_bytes()
    changed = tmp_path / "changed.zip"
    others = [whole[:-1], whole[:-121], whole[1:], whole + b"\0", b"\0" + whole, whole * 2, b"", whole[:30]]
    for data in others:
        changed.write_bytes(data)
        assert refused(maker, changed) in {Code.EVIDENCE_SEAL, Code.MALFORMED}
    changed.write_bytes(whole)
    maker.verify(changed)


def other_audio(files: Files) -> None:
    files["audio/received.flac"] = AUDIO[:-1] + b"x"


def other_transcript(files: Files) -> None:
    files["transcript/transcript.json"] = files["transcript/transcript.json"].replace("電話".encode(), b"")


def other_recording(files: Files) -> None:
    files[names.RECORDING] = files[names.RECORDING].replace(b'"announced"', b'"none"')


def more_audio(files: Files) -> None:
    files["audio/received.wav"] = AUDIO


def other_files(files: Files) -> None:
    files["audio/original.flac"] = AUDIO[:-1] + b"x"


def no_audio_and_no_sealing(files: Files) -> None:
    """With another recording.json, of which then no entry has the hash."""
    del files["audio/received.flac"]
    other_recording(files)
    with_lines(files, lines_of(files)[1:])


def entry_left_out(files: Files) -> None:
    with_lines(files, lines_of(files)[:-2] + lines_of(files)[-1:])


def entry_twice(files: Files) -> None:
    with_lines(files, [*lines_of(files)[:1], *lines_of(files)])


def entries_swapped(files: Files) -> None:
    with_lines(files, lines_of(files)[::-1])


def entry_altered(files: Files) -> None:
    lines = lines_of(files)
    lines[2]["entry"]["detail"]["why"] = []
    with_lines(files, lines)


def entry_moved(files: Files) -> None:
    lines = lines_of(files)
    lines[0]["index"] -= 1
    with_lines(files, lines)


def sealing_hidden(files: Files) -> None:
    lines = lines_of(files)
    lines[0] |= {"entry": None, "salt": None}
    with_lines(files, lines)


def vcon_of_nothing(files: Files) -> None:
    document = json.loads(files[names.VCON])
    document["payload"] = document["payload"][:-8]
    files[names.VCON] = json.dumps(document).encode()


LIES: dict[Lie, set[Code]] = {
    other_audio: {Code.EVIDENCE_MISMATCH},
    other_transcript: {Code.EVIDENCE_MISMATCH},
    other_recording: {Code.EVIDENCE_MISMATCH},
    more_audio: {Code.EVIDENCE_MISMATCH},
    other_files: {Code.EVIDENCE_MISMATCH},
    no_audio_and_no_sealing: {Code.EVIDENCE_MISMATCH},
    entry_left_out: {Code.EVIDENCE_MISMATCH},
    entry_twice: {Code.MALFORMED},
    entries_swapped: {Code.MALFORMED},
    entry_altered: {Code.COMMITMENT_MISMATCH},
    entry_moved: {Code.NOT_INCLUDED},
    sealing_hidden: {Code.EVIDENCE_MISMATCH},
    vcon_of_nothing: {Code.EVIDENCE_SIGNATURE, Code.MALFORMED},
}


@pytest.mark.guarantee("L29")
@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_whoever_holds_the_key_of_access_cannot_change_what_the_log_knows(maker: Maker, lie: Lie) -> None:
    assert refused(maker, maker.make(lie)) in LIES[lie]


@pytest.mark.guarantee("L29")
@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"reason": "another"}, Code.EVIDENCE_MISMATCH),
        ({"made_by": {"id": "somebody", "name": "else"}}, Code.EVIDENCE_MISMATCH),
        ({"made_at": "1999-01-01T00:00:00+00:00"}, Code.EVIDENCE_MISMATCH),
        ({"made_at": "2027-01-01T00:00:00+00:00"}, Code.EVIDENCE_MISMATCH),
        ({"made_at": "2026-11-30T12:00:00"}, Code.MALFORMED),
        ({"opened_entry": str(uuid7())}, Code.EVIDENCE_MISMATCH),
        ({"evidence_id": str(uuid7())}, Code.EVIDENCE_MISMATCH),
        ({"call_id": str(uuid7())}, Code.EVIDENCE_MISMATCH),
        ({"timestamp": {"authority": "x", "file": "manifest.json.tsr"}}, Code.EVIDENCE_MISMATCH),
        ({"files": []}, Code.EVIDENCE_MISMATCH),
        ({"type": "otokura.evidence.v2"}, Code.MALFORMED),
        ({"recording": {}}, Code.MALFORMED),
        ({"custody": {"entries": 4, "erased": 0, "logs": []}}, Code.MALFORMED),
    ],
)
def test_nor_what_the_manifest_says_of_it(maker: Maker, told: dict[str, Any], code: Code) -> None:
    assert refused(maker, maker.make(told=lambda manifest: manifest.update(told))) is code


@pytest.mark.guarantee("L29")
def test_nor_under_whose_name_it_was_made_or_a_file_twice(maker: Maker) -> None:
    def renamed(manifest: dict[str, Any]) -> None:
        manifest["made_by"]["name"] = "別 太郎"

    def twice(manifest: dict[str, Any]) -> None:
        manifest["files"].insert(0, {**manifest["files"][0], "sha256": "0" * 64})

    def less(manifest: dict[str, Any]) -> None:
        """What a liar who leaves out audio and sealing would tell with it."""
        manifest["custody"]["entries"] -= 1
        manifest["recording"]["notice"] = "none"

    for lie in (renamed, twice):
        assert refused(maker, maker.make(told=lie)) is Code.EVIDENCE_MISMATCH
    path = maker.make(no_audio_and_no_sealing, told=less)
    assert refused(maker, path) is Code.EVIDENCE_MISMATCH


@pytest.mark.guarantee("L29")
@pytest.mark.parametrize(
    "name",
    ["audio/received.flac", names.RECORDING, "transcript/transcript.json", names.ENTRIES, names.VCON,
     "custody/checkpoint-2026.txt"],
)  # fmt: skip
def test_damage_that_access_signed_is_a_finding_and_never_a_crash(maker: Maker, name: str) -> None:
    """Any byte that the log or others' signatures bind. A certificate may be another of the same key."""
    places = random.Random(29)

    def damage(files: Files) -> None:
        data = bytearray(files[name])
        data[places.randrange(len(data))] ^= 1 << places.randrange(8)
        files[name] = bytes(data)

    for _ in range(60):
        path = maker.make(damage)
        try:
            maker.verify(path)
        except VerificationError:
            continue
        assert name == names.VCON


@pytest.mark.guarantee("L29")
def test_where_details_of_the_sealing_are_gone_it_says_so_and_passes_only_if_that_is_accepted(
    maker: Maker,
) -> None:
    """What the log still says holds all the same."""
    maker.erased |= {maker.mine[0], maker.mine[1]}
    path = maker.make()
    with pytest.raises(VerificationError, match="--details-expired"):
        maker.verify(path)
    found = maker.verify(path, details_expired=True)
    assert found.unbound == ("recording.json", "audio/received.flac", "transcript/transcript.json")
    assert "NOT bound by the log" in "\n".join(describe(found))
    maker.erased = {maker.mine[2]}
    lies = maker.make(other_audio), maker.make(other_transcript), maker.make(other_recording)
    for lie in lies:
        with pytest.raises(VerificationError):
            maker.verify(lie, details_expired=True)


@pytest.mark.guarantee("L29")
def test_an_entry_of_another_call_has_no_place_in_it(maker: Maker) -> None:
    maker.mine.insert(0, 1)
    assert refused(maker, maker.make()) is Code.EVIDENCE_MISMATCH


@pytest.mark.guarantee("L29")
def test_a_service_cannot_say_what_is_anothers_to_say(tmp_path: Path) -> None:
    maker = Maker(tmp_path)
    maker.mine.pop(0)
    about = {"manifest_sha256": maker.manifest.sha256(), "plaintext_sha256": "0" * 64}
    maker.add("access", "recording.sealed", **about)
    assert refused(maker, maker.make()) is Code.EVIDENCE_MISMATCH


@pytest.mark.guarantee("L29")
def test_keys_that_were_not_given_or_are_others_verify_nothing(maker: Maker, tmp_path: Path) -> None:
    path = maker.make()
    other = FolderLog(tmp_path / "other", [b"x"], origin=ORIGIN)
    stranger = Scribe("ingest").public_key
    for vkeys, keys, code in (
        ([other.vkey], maker.source_keys, Code.WRONG_KEY),
        ([], maker.source_keys, Code.WRONG_KEY),
        ([maker.log().vkey], {**maker.source_keys, "ingest": stranger}, Code.SOURCE_SIGNATURE),
        ([maker.log().vkey], {**maker.source_keys, "access": stranger}, Code.EVIDENCE_SEAL),
        ([maker.log().vkey], {"audit": stranger}, Code.EVIDENCE_SIGNATURE),
    ):
        with pytest.raises(VerificationError) as caught:
            verify_evidence(path, vkeys, keys)
        assert caught.value.finding.code is code
    assert verify_evidence(path, [other.vkey, maker.log().vkey], maker.source_keys).files == 7
