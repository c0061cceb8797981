"""The file in which a customer takes a call's ciphertext home, to be opened with the customer's own key.

OTOKURA1 | length of the header, uint32 big-endian | header, JSON | ciphertext (`otokura.shared.cipher`)
"""

from __future__ import annotations

import struct
from typing import BinaryIO, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from otokura.shared.customer_keys import CustomerCopy
from otokura.shared.errors import BadRequest
from otokura.shared.events import Sha256Hex
from otokura.shared.manifest import Manifest

MEDIA_TYPE = "application/vnd.otokura.sealed"
MAGIC = b"OTOKURA1"
_LENGTH = struct.Struct(">I")
_MOST = 16 * 1024 * 1024


class SealedFileHeader(BaseModel):
    """What the ciphertext is. Hashes and lengths are of the plaintext; `version` is the transcript's."""

    model_config = ConfigDict(frozen=True)
    kind: Literal["recording", "transcript"]
    media_type: str
    plaintext_bytes: int = Field(ge=0)
    plaintext_sha256: Sha256Hex
    version: int | None = None
    manifest: Manifest
    manifest_sha256: Sha256Hex
    customer_key: CustomerCopy

    def to_bytes(self) -> bytes:
        """The beginning of the file."""
        body = self.model_dump_json().encode()
        return MAGIC + _LENGTH.pack(len(body)) + body

    @classmethod
    def read(cls, file: BinaryIO) -> Self:
        """The header; the file then stands at the ciphertext.

        Raises:
            BadRequest: the file is not one of these.
        """
        head = file.read(len(MAGIC) + _LENGTH.size)
        if len(head) < len(MAGIC) + _LENGTH.size or not head.startswith(MAGIC):
            raise BadRequest("The file is none that Otokura sealed for a customer.")
        [length] = _LENGTH.unpack_from(head, len(MAGIC))
        if length > _MOST:
            raise BadRequest("The file's header is longer than any.")
        try:
            return cls.model_validate_json(file.read(length))
        except ValidationError:
            raise BadRequest("The file's header cannot be read.") from None
