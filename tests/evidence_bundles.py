"""Bundles of evidence made of access's own pure code, without a server, with whatever lies a test puts in."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from access_calls import manifest_of, started_of, transcript_of
from audit_logs import FolderLog, Scribe
from otokura.access.evidence import facts as names
from otokura.access.evidence.container import SealedArchive
from otokura.access.evidence.custody import Told, Tree
from otokura.access.evidence.facts import Facts, Timestamp, manifest_bytes
from otokura.access.evidence.readme import readme
from otokura.access.evidence.signing import public_text, sign_manifest, signed_vcon
from otokura.access.reads.vcon import AudioFile, Source, vcon
from otokura.audit.leaves import Prepared, prepare
from otokura.audit.proofs import Prover
from otokura.cli.verify.evidence import Evidence, verify_evidence
from otokura.cli.verify.findings import Code, VerificationError
from otokura.shared.events import TenantSettings
from otokura.shared.ids import uuid7
from otokura.shared.manifest import Manifest, StoredObject

ORIGIN = "example.jp/log/2026"
AUDIO = b"fLaC" + bytes(range(256)) * 20
MADE_AT = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
REASON, MAKER = "甲第5号証", "証拠 花子"

Files = dict[str, bytes]
Change = Callable[[Files], None]


@dataclass
class Maker:
    """Three services, their log, and one call in it."""

    folder: Path
    timestamp: Timestamp = field(default_factory=lambda: Timestamp(None, "not-configured"))
    items: list[Prepared] = field(default_factory=list[Prepared])
    mine: list[int] = field(default_factory=list[int])
    erased: set[int] = field(default_factory=set[int])

    def __post_init__(self) -> None:
        beginning = MADE_AT - timedelta(minutes=1)
        services = ("access", "ingest", "transcribe", "audit")
        self.scribes = {name: Scribe(name, beginning=beginning) for name in services}
        self.call_id, self.tenant_id, self.evidence_id = uuid7(), uuid7(), uuid7()
        self.reader, self.opened = uuid7(), uuid7()
        self.transcript = transcript_of(self.call_id)
        self.spoken = self.transcript.model_dump_json().encode()
        self.manifest = self._manifest()
        self.items += [prepare(self.scribes["access"].entry()) for _ in range(5)]
        sealed = {
            "manifest_sha256": self.manifest.sha256(),
            "plaintext_sha256": self.manifest.recording.plaintext_sha256,
        }
        self.add("ingest", "recording.sealed", **sealed)
        self.add("transcribe", "recording.transcribed", plaintext_sha256=_sha256(self.spoken))
        self.add("access", "read.denied", why=["outside-zones"])
        about = {"action": "make-evidence", "read_id": str(self.evidence_id), "reason": REASON, "name": MAKER}
        self.add("access", "read.opened", entry_id=self.opened, **about)

    def _manifest(self) -> Manifest:
        stored = StoredObject(
            bucket="recordings",
            name="r",
            media_type="audio/flac",
            plaintext_bytes=len(AUDIO),
            plaintext_sha256=_sha256(AUDIO),
        )
        started = started_of(self.call_id, self.tenant_id, started_at=MADE_AT - timedelta(hours=1))
        return manifest_of(started, stored, "0" * 64)

    def add(self, service: str, what: str, /, *, entry_id: Any = None, **detail: Any) -> None:
        """An entry about the call."""
        entry = self.scribes[service].entry(
            tenant_id=self.tenant_id,
            call_id=self.call_id,
            action=what,
            reader=str(self.reader),
            entry_id=entry_id,
            detail=detail,
        )
        self.mine.append(len(self.items))
        self.items.append(prepare(entry))

    @property
    def source_keys(self) -> dict[str, str]:
        return {name: scribe.public_key for name, scribe in self.scribes.items()}

    def log(self) -> FolderLog:
        return FolderLog(
            self.folder / "log", [it.leaf for it in self.items], self.scribes["audit"].key, ORIGIN
        )

    def held(self, index: int, log: FolderLog) -> dict[str, Any]:
        """An entry as audit gives it."""
        item, gone = self.items[index], index in self.erased
        path = asyncio.run(Prover(log, len(self.items)).inclusion(index))
        receipt = asyncio.run(log.receipt(index, item))
        return {
            "shard": 2026,
            "index": index,
            "leaf": receipt["leaf"],
            "entry": None if gone else receipt["entry"],
            "salt": None if gone else receipt["salt"],
            "erased_at": "2026-11-30T00:00:00Z" if gone else None,
            "path": [_base64(it) for it in path],
        }

    def files(self) -> Files:
        """What goes into the bundle before what says what it is."""
        log = self.log()
        key = self.scribes["access"].key
        audio = AudioFile("audio/received.flac", hashlib.sha512(AUDIO).digest(), self.evidence_id)
        source = Source(self.manifest, 1, MADE_AT, audio=audio)
        lines = [json.dumps(self.held(index, log)) for index in self.mine]
        return {
            "audio/received.flac": AUDIO,
            names.RECORDING: self.manifest.canonical(),
            "transcript/transcript.json": self.spoken,
            names.VCON: signed_vcon(key, vcon(self.transcript, source)),
            names.ENTRIES: "".join(f"{line}\n" for line in lines).encode(),
            "custody/checkpoint-2026.txt": log.note().encode(),
        }

    def facts(self) -> Facts:
        log = self.log()
        tree = Tree(shard=2026, origin=ORIGIN, size=len(self.items), key=log.vkey, checkpoint=log.note())
        return Facts(
            evidence_id=self.evidence_id,
            made_at=MADE_AT,
            made_by={"id": str(self.reader), "name": MAKER},
            reason=REASON,
            opened=self.opened,
            manifest=self.manifest,
            manifest_sha256=self.manifest.sha256(),
            settings=TenantSettings(),
            trees=[tree],
            told=Told(entries=len(self.mine), erased=len(self.erased)),
            public_key=public_text(self.scribes["access"].key),
        )

    def make(
        self, change: Change | None = None, told: Callable[[dict[str, Any]], None] | None = None
    ) -> Path:
        """The bundle, sealed and signed after a liar changed files, or what the manifest tells."""
        files = self.files()
        if change is not None:
            change(files)
        key = self.scribes["access"].key
        archive = SealedArchive(MADE_AT, key)
        for name, content in files.items():
            archive.add(name, content)
        archive.add(names.README, readme(self.facts(), self.timestamp))
        manifest = manifest_bytes(replace(self.facts(), members=archive.members), self.timestamp)
        if told is not None:
            changed = json.loads(manifest)
            told(changed)
            manifest = json.dumps(changed).encode()
        archive.add(names.MANIFEST, manifest)
        archive.add(names.SIGNATURE, sign_manifest(key, manifest))
        path = self.folder / f"{uuid7()}.zip"
        path.write_bytes(archive.finish())
        return path

    def verify(self, path: Path, **more: Any) -> Evidence:
        return verify_evidence(path, [self.log().vkey], self.source_keys, **more)


def refused(maker: Maker, path: Path) -> Code:
    """How the verifier refuses a bundle."""
    with pytest.raises(VerificationError) as caught:
        maker.verify(path)
    return caught.value.finding.code


def regions(path: Path) -> dict[str, list[int]]:
    """Of each region of a bundle, where its bytes are: a file's first, middle and last, all of the rest."""
    data = path.read_bytes()
    found: dict[str, list[int]] = {}
    with zipfile.ZipFile(path) as archive:
        directory = archive.start_dir
        ends = [*[info.header_offset for info in archive.infolist()][1:], directory]
        for info, end in zip(archive.infolist(), ends, strict=True):
            at = info.header_offset
            name, extra = struct.unpack_from("<HH", data, at + 26)
            begin = at + 30 + name + extra
            stop = begin + info.file_size
            found[f"header of {info.filename}"] = list(range(at, begin))
            found[f"data of {info.filename}"] = sorted({begin, (begin + stop) // 2, stop - 1})
            found[f"descriptor of {info.filename}"] = list(range(stop, end))
        end_record = data.rindex(b"PK\x05\x06")
    found["directory"] = list(range(directory, end_record))
    found["end record"] = list(range(end_record, end_record + 22))
    found["comment"] = list(range(end_record + 22, len(data)))
    return found


def assert_every_flip_is_found(
    path: Path, places: Mapping[str, list[int]], verify: Callable[[Path], object]
) -> None:
    """A bit of each of these bytes in turn: no such bundle verifies."""
    whole = path.read_bytes()
    changed = path.with_name("changed.zip")
    for region, found in places.items():
        for at in found:
            flipped = bytearray(whole)
            flipped[at] ^= 1 << at % 8
            changed.write_bytes(flipped)
            try:
                verify(changed)
            except VerificationError:
                continue
            pytest.fail(f"byte {at}, {region}")


def lines_of(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """The entries of the history."""
    return [json.loads(line) for line in files[names.ENTRIES].splitlines()]


def with_lines(files: Files, lines: list[dict[str, Any]]) -> None:
    """Puts others in their place."""
    files[names.ENTRIES] = "".join(f"{json.dumps(line)}\n" for line in lines).encode()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
