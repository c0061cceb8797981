"""Parts of an upload: each encrypted by itself, and bound to its call, its upload and its place."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from uuid import UUID

from otokura.ingest.call_keys import CallKey
from otokura.ingest.uploads.models import Part
from otokura.shared.cipher import Decryptor, Encryptor, decrypt, encrypt
from otokura.shared.errors import IntegrityError
from otokura.shared.keys import Kind, associated_data
from otokura.shared.objects import ObjectStore

PART_BYTES = 4 * 1024 * 1024
"""The most that one part holds: what a crash costs an upload, and what a request holds in memory."""
_PIECE = 256 * 1024
"""Bytes opened at once, so that live calls need not wait for a whole part."""


def uploads_prefix(tenant_id: UUID, call_id: UUID) -> str:
    """Under it lie the parts of a call's uploads."""
    return f"uploads/{tenant_id}/{call_id}/"


@dataclass(frozen=True, repr=False)
class PartKey:
    """What an upload's parts are encrypted under. Never shown."""

    call: CallKey
    upload_id: UUID

    @property
    def prefix(self) -> str:
        """Of the names of its objects."""
        return f"{uploads_prefix(self.call.tenant_id, self.call.call_id)}{self.upload_id}/"

    def name(self, start: int, epoch: int) -> str:
        """Of a part's object. With its epoch: a request that was taken over overwrites nothing."""
        return f"{self.prefix}{start}-{epoch}"

    def encryptor(self, start: int, epoch: int) -> Encryptor:
        """For a new part."""
        return Encryptor(self.call.of(Kind.UPLOAD), self._binding(start, epoch))

    def decryptor(self, start: int, epoch: int) -> Decryptor:
        """For a stored part."""
        return Decryptor(self.call.of(Kind.UPLOAD), self._binding(start, epoch))

    def seal_metadata(self, header: str) -> bytes:
        """The client's Upload-Metadata as ciphertext."""
        return encrypt(self.call.of(Kind.UPLOAD), header.encode("ascii"), self._binding())

    def open_metadata(self, sealed: bytes) -> str:
        """And back."""
        return decrypt(self.call.of(Kind.UPLOAD), sealed, self._binding()).decode("ascii")

    def _binding(self, start: int | None = None, epoch: int | None = None) -> bytes:
        # Of fixed width, so the upload's id may stand last.
        place = associated_data(
            self.call.tenant_id, self.call.call_id, Kind.UPLOAD, sequence=start, version=epoch
        )
        return place + self.upload_id.bytes


async def read_part(store: ObjectStore, bucket: str, key: PartKey, part: Part) -> AsyncGenerator[bytes]:
    """A part's bytes, in small pieces.

    Raises:
        IntegrityError: the object is not what was stored. Every piece before was authentic.
        NotFound: there is no object.
    """
    sealed = memoryview(await store.get(bucket, part.object_name))
    decryptor, size = key.decryptor(part.start, part.epoch), 0
    for start in range(0, len(sealed), _PIECE):
        end = start + _PIECE
        data = sealed[start:end]
        piece = decryptor.finalize(data) if end >= len(sealed) else decryptor.update(data)
        size += len(piece)
        yield piece
    if size != part.size:
        raise IntegrityError("A part of an upload has another length than its row.")
