"""What the tests of the log share: a scribe that signs entries, and a log written into a folder."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import rfc8785
from aiokafka import ConsumerRecord
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from otokura.audit.leaves import Prepared, prepare
from otokura.audit.merkle import Node, Span, decompose, fold, leaf_hash, node_hash
from otokura.audit.notes import Signer
from otokura.audit.proofs import Prover, proof_text
from otokura.audit.source_keys import SourceKeys
from otokura.audit.tiles import Tile, encode_bundle, tiles_between
from otokura.shared.audit_entries import Signed
from otokura.shared.audit_events import AuditCounted, AuditHeartbeat, AuditRecorded, ReadsOfTenant
from otokura.shared.cloudevents import Record, encode
from otokura.shared.ids import uuid7

BEGINNING = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)


class Scribe:
    """One source: numbers and signs entries as `otokura.shared.audit` does."""

    def __init__(
        self,
        service: str = "access",
        key: Ed25519PrivateKey | None = None,
        beginning: datetime = BEGINNING,
    ) -> None:
        self.beginning = beginning
        self.key = key or Ed25519PrivateKey.generate()
        self.service = service
        self.source = f"{service}/{uuid7()}"
        self.seq = 0

    @property
    def public_key(self) -> str:
        """Base64 of the raw public key, as the source keys file has it."""
        return base64.b64encode(self.key.public_key().public_bytes_raw()).decode()

    def entry(
        self,
        *,
        tenant_id: UUID | None = None,
        action: str = "read.opened",
        reader: str | None = "yamada",
        call_id: UUID | None = None,
        seq: int | None = None,
        entry_id: UUID | None = None,
        detail: dict[str, Any] | None = None,
        time: datetime | None = None,
    ) -> AuditRecorded:
        """The next entry, or one under the given number or id."""
        self.seq += 1
        unsigned = AuditRecorded(
            entry_id=entry_id or uuid7(),
            source=self.source,
            seq=seq or self.seq,
            time=time or self.beginning + timedelta(seconds=self.seq),
            tenant_id=tenant_id,
            action=action,
            reader=reader,
            call_id=call_id,
            detail=detail or {"purpose": "品質管理", "range": [0, 65536], "share": 0.5},
            signature=base64.b64encode(b"unsigned"),
        )
        signed = rfc8785.dumps(unsigned.model_dump(mode="json", exclude={"signature"}))
        return unsigned.model_copy(update={"signature": self.key.sign(signed)})

    def heartbeat(
        self, last_seq: int | None = None, *, closed: bool = False, time: datetime | None = None
    ) -> AuditHeartbeat:
        """A heartbeat with the last number given."""
        unsigned = AuditHeartbeat(
            source=self.source,
            last_seq=self.seq if last_seq is None else last_seq,
            time=time or self.beginning,
            closed=closed,
            signature=base64.b64encode(b"unsigned"),
        )
        signed = rfc8785.dumps(unsigned.model_dump(mode="json", exclude={"signature"}))
        return unsigned.model_copy(update={"signature": self.key.sign(signed)})

    def counted(
        self,
        reads: Mapping[UUID, tuple[int, int]],
        last_seq: int | None = None,
        time: datetime | None = None,
    ) -> AuditCounted:
        """By tenant, how many reads it served, and how many it opened and did not."""
        unsigned = AuditCounted(
            source=self.source,
            last_seq=self.seq if last_seq is None else last_seq,
            time=time or self.beginning,
            reads={of: ReadsOfTenant(served=one, unserved=two) for of, (one, two) in reads.items()},
            signature=base64.b64encode(b"unsigned"),
        )
        signed = rfc8785.dumps(unsigned.model_dump(mode="json", exclude={"signature"}))
        return unsigned.model_copy(update={"signature": self.key.sign(signed)})


def keys_of(*scribes: Scribe) -> SourceKeys:
    """The keys file's content for these scribes."""
    return SourceKeys({scribe.service: scribe.key.public_key() for scribe in scribes})


def record(event: Signed) -> Record:
    """The event as it is sent to Kafka."""
    event_id = event.entry_id if isinstance(event, AuditRecorded) else uuid7()
    return encode(event, event_id, event.source, event.time)


def message(
    event: Signed | Record,
    offset: int = 0,
    partition: int = 0,
    sent: datetime | None = None,
) -> ConsumerRecord[bytes | None, bytes | None]:
    """The event as it is received; `sent` is when the broker says that it was."""
    sending = event if isinstance(event, Record) else record(event)
    return ConsumerRecord(
        topic=sending.topic,
        partition=partition,
        offset=offset,
        timestamp=0 if sent is None else round(sent.timestamp() * 1000),
        timestamp_type=0,
        key=sending.key,
        value=sending.value,
        checksum=None,
        serialized_key_size=len(sending.key or b""),
        serialized_value_size=len(sending.value or b""),
        headers=tuple(sending.headers),
    )


class FolderLog:
    """A log written by the service's own pure code into a folder: `<root>/checkpoint`, `<root>/tile/…`.

    Args:
        root: the folder.
        entries: the leaves.
        key: signs; made when not given.
        origin: the log's name.
    """

    def __init__(
        self,
        root: Path,
        entries: Iterable[bytes],
        key: Ed25519PrivateKey | None = None,
        origin: str = "example.jp/log/2026",
    ) -> None:
        self.root = root
        self.entries = list(entries)
        self.key = key or Ed25519PrivateKey.generate()
        self.signer = Signer(origin, self.key)
        self._levels = tile_levels([leaf_hash(entry) for entry in self.entries])

    @property
    def vkey(self) -> str:
        return self.signer.vkey

    async def tile(self, tile: Tile) -> Sequence[bytes]:
        assert tile.level is not None
        return self._levels[tile.level][tile.start : tile.stop]

    def tree_root(self, size: int | None = None) -> bytes:
        """The root of the first `size` entries."""
        nodes = decompose(Span(0, len(self.entries) if size is None else size))
        return fold([self._perfect(node) for node in nodes])

    def _perfect(self, node: Node) -> bytes:
        level, above = divmod(node.height, 8)
        hashes = list(self._levels[level][node.index << above : (node.index + 1) << above])
        while len(hashes) > 1:
            hashes = [node_hash(*hashes[i : i + 2]) for i in range(0, len(hashes), 2)]
        return hashes[0]

    def note(self, size: int | None = None) -> str:
        """The signed checkpoint of the first `size` entries."""
        return self.signer.sign(len(self.entries) if size is None else size, self.tree_root(size))

    def write(self) -> FolderLog:
        """Writes everything; returns itself."""
        for tile in tiles_between(0, len(self.entries)):
            if tile.level is None:
                data = encode_bundle(self.entries[tile.start : tile.stop])
            else:
                data = b"".join(self._levels[tile.level][tile.start : tile.stop])
            self.put(tile.path(), data)
        self.put("checkpoint", self.note().encode())
        return self

    def put(self, path: str, data: bytes) -> None:
        """Writes one file."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    async def receipt(self, index: int, prepared: Prepared) -> dict[str, object]:
        """The receipt of an entry, as the service gives it."""
        path = await Prover(self, len(self.entries)).inclusion(index)
        return {
            "leaf": json.loads(prepared.leaf),
            "entry": json.loads(prepared.recorded),
            "salt": base64.b64encode(prepared.salt).decode(),
            "proof": proof_text(index, path, self.note()),
        }


def tile_levels(leaves: Sequence[bytes]) -> list[Sequence[bytes]]:
    """The hashes of every tile level, by plain halving: a second opinion on `Frontier`."""
    levels: list[Sequence[bytes]] = [leaves]
    while len(levels[-1]) >= 256:
        hashes = list(levels[-1])
        for _ in range(8):
            hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes) - 1, 2)]
        levels.append(hashes)
    return levels


def prepared_entries(scribe: Scribe, count: int) -> list[Prepared]:
    """So many entries of a source, ready for the log."""
    return [prepare(scribe.entry()) for _ in range(count)]


def flip(path: Path, bit: int = 0) -> None:
    """Flips one bit of a file."""
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << (bit % 8)
    path.write_bytes(data)
