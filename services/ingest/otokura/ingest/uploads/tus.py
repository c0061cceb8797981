"""tus 1.0.0 as it stands in headers: what clients say in them, and what they are told.

Source: https://tus.io/protocols/resumable-upload (core, creation, creation-with-upload, expiration, checksum,
termination). Pure: no network, no clock.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from otokura.ingest.uploads.errors import ChecksumMismatch, UnsupportedChecksum, WrongUploadMedia
from otokura.shared.errors import BadRequest

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,expiration,checksum,termination"
MEDIA_TYPE = "application/offset+octet-stream"
MAX_METADATA = 4096
"""Characters of Upload-Metadata: a file's name, its type, and a few values of the client's own."""

_ALGORITHMS: dict[str, Callable[[], Any]] = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}
_COUNT = re.compile(r"[0-9]{1,18}", re.ASCII)
_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]+", re.ASCII)

CHECKSUM_ALGORITHMS = ",".join(_ALGORITHMS)


def count(name: str, value: str | None) -> int:
    """The number of bytes in a header.

    Raises:
        BadRequest: it is missing, or not a number of bytes.
    """
    if value is None:
        raise BadRequest(f"Send the header {name}: a number of bytes.")
    if not _COUNT.fullmatch(value):
        raise BadRequest(f"{name} must be a whole number of bytes, in at most 18 digits.")
    return int(value)


def check_media_type(value: str | None) -> None:
    """Whether the body is what tus sends.

    Raises:
        WrongUploadMedia: it is declared as something else.
    """
    if value is None or value.partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise WrongUploadMedia(MEDIA_TYPE)


def check_metadata(value: str) -> None:
    """Whether an Upload-Metadata header has the form `key base64,key base64,key`.

    Raises:
        BadRequest: it has not, or is too long.
    """
    if len(value) > MAX_METADATA:
        raise BadRequest(f"Upload-Metadata may have {MAX_METADATA} characters.")
    keys: set[str] = set()
    for pair in value.split(","):
        key, _, encoded = pair.strip().partition(" ")
        if not _KEY.fullmatch(key) or key in keys or not _is_base64(encoded):
            raise BadRequest(
                "Upload-Metadata must be pairs of a key and its value in Base64, a space between the two, a"
                " comma between pairs, and no key twice."
            )
        keys.add(key)


def _is_base64(value: str) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def expires(moment: datetime) -> str:
    """A time as HTTP writes it (RFC 9110 §5.6.7)."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


class Checksum:
    """What Upload-Checksum says of a body, and the body's own as it comes.

    Args:
        header: `algorithm base64`.

    Raises:
        UnsupportedChecksum: another algorithm, or no digest of that algorithm.
    """

    def __init__(self, header: str) -> None:
        name, _, encoded = header.strip().partition(" ")
        if name not in _ALGORITHMS:
            raise UnsupportedChecksum(f"Use one of {CHECKSUM_ALGORITHMS} in Upload-Checksum.")
        self._digest = _ALGORITHMS[name]()
        try:
            self._expected = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            self._expected = b""
        if len(self._expected) != self._digest.digest_size:
            raise UnsupportedChecksum(f"Upload-Checksum does not hold a {name} digest in Base64.")

    def update(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        self._digest.update(data)

    def check(self) -> None:
        """Compare, at the end of the body.

        Raises:
            ChecksumMismatch: they differ.
        """
        if not hmac.compare_digest(self._digest.digest(), self._expected):
            raise ChecksumMismatch
