"""The container of a bundle: a ZIP archive of which every byte is accounted for.

Programs that open archives believe different parts of them: the directory at the end, or the headers before
each file. So nothing is left to belief. The signature in the comment is over every byte before it; and the
members lie one behind the other, each where the directory says, with nothing between, before or behind them.
Members are stored, not compressed: what is read is never larger than the file.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from otokura.cli.verify.findings import Code, VerificationError

MOST_MEMBERS = 64
_MARK = b"otokura.evidence-seal.v1 access "
_DOMAIN = b"otokura.evidence-seal.v1\n"
_SEAL_BYTES = len(_MARK) + 88
_END_BYTES = 22
_END, _LOCAL, _DESCRIPTOR = b"PK\x05\x06", b"PK\x03\x04", b"PK\x07\x08"
_LOCAL_BYTES = 30
_DESCRIPTOR_BYTES = 24
"""With sizes of 64 bits (APPNOTE.TXT §4.3.9.2)."""
_UNIX, _PLAIN_FILE = 3, 0o600 << 16
_LATER = 0xFFFFFFFF
_SIZES = b"\x01\x00\x10\x00" + bytes(16)
"""The only extra field of a local header: sizes of 64 bits, which are told behind the member."""
_CHUNK = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?")
_WHERE = "container"


@dataclass(frozen=True)
class Content:
    """A member's bytes, hashed."""

    size: int
    sha256: str
    sha512: bytes


class EvidenceArchive:
    """A bundle's file, once its seal and its form are verified.

    Args:
        path: of the file.
        key: the public key of access.

    Raises:
        VerificationError: it was changed, cut, extended, or is no such archive.
    """

    def __init__(self, path: Path, key: Ed25519PublicKey) -> None:
        self._file = path.open("rb")
        try:
            size = self._file.seek(0, 2)
            _check_seal(self._file, size, key)
            self._zip = _opened(self._file, size)
            self.members = {info.filename: info for info in _checked(self._zip, size)}
            _check_layout(self._file, list(self.members.values()), self._zip.start_dir)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()
        self._file.close()

    def read(self, name: str, most: int) -> bytes:
        """A member that is kept in memory, of at most so many bytes.

        Raises:
            VerificationError: it is not there, or larger.
        """
        info = self._member(name)
        if info.file_size > most:
            raise VerificationError(Code.MALFORMED, name, f"larger than {most} bytes")
        return b"".join(self._chunks(name))

    def measure(self, name: str) -> Content:
        """A member's size and hashes, a piece at a time."""
        size, sha256, sha512 = 0, hashlib.sha256(), hashlib.sha512()
        for chunk in self._chunks(name):
            size += len(chunk)
            sha256.update(chunk)
            sha512.update(chunk)
        return Content(size, sha256.hexdigest(), sha512.digest())

    def lines(self, name: str, most: int) -> Iterator[bytes]:
        """A member's lines, each of at most so many bytes."""
        with self._zip.open(self._member(name)) as file:
            while line := file.readline(most + 1):
                if len(line) > most or not line.endswith(b"\n"):
                    raise VerificationError(Code.MALFORMED, name, "a line is too long, or does not end")
                yield line

    def _chunks(self, name: str) -> Iterator[bytes]:
        try:
            with self._zip.open(self._member(name)) as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
        except zipfile.BadZipFile as error:
            raise VerificationError(Code.MALFORMED, name, str(error)) from error

    def _member(self, name: str) -> zipfile.ZipInfo:
        if name not in self.members:
            raise VerificationError(Code.MISSING, name, "it is not in the bundle")
        return self.members[name]


def _check_seal(file: IO[bytes], size: int, key: Ed25519PublicKey) -> None:
    """The comment is access's signature over every byte before it, and the last thing in the file."""
    covered = size - _SEAL_BYTES
    if covered < _END_BYTES:
        raise VerificationError(Code.MALFORMED, _WHERE, "too short for a bundle")
    file.seek(covered - _END_BYTES)
    end = file.read(_END_BYTES)
    seal = file.read(_SEAL_BYTES)
    if end[:4] != _END or int.from_bytes(end[20:], "little") != _SEAL_BYTES or not seal.startswith(_MARK):
        raise VerificationError(Code.EVIDENCE_SEAL, _WHERE, "it does not end with a seal: cut, or extended")
    encoded = seal.removeprefix(_MARK)
    digest = hashlib.sha256()
    file.seek(0)
    left = covered
    while left and (chunk := file.read(min(_CHUNK, left))):
        digest.update(chunk)
        left -= len(chunk)
    try:
        signature = base64.b64decode(encoded, validate=True)
        if base64.b64encode(signature) != encoded:
            raise ValueError("not canonical")  # noqa: TRY301 - one reason as good as the other
        key.verify(signature, _DOMAIN + digest.digest())
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise VerificationError(
            Code.EVIDENCE_SEAL, _WHERE, "access did not sign these bytes: something was changed"
        ) from error


def _opened(file: IO[bytes], size: int) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError) as error:
        raise VerificationError(Code.MALFORMED, _WHERE, f"no archive, in {size} bytes: {error}") from error


def _checked(archive: zipfile.ZipFile, size: int) -> Sequence[zipfile.ZipInfo]:
    """The members in their order, with names that are safe and sizes that can be."""
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise VerificationError(Code.MALFORMED, _WHERE, f"more than {MOST_MEMBERS} members")
    names: set[str] = set()
    for info in members:
        folded = info.filename.casefold()
        if _NAME.fullmatch(info.orig_filename) is None or info.orig_filename != info.filename:
            raise VerificationError(Code.MALFORMED, _WHERE, f"a member has the name {info.orig_filename!r}")
        if folded in names:
            raise VerificationError(Code.MALFORMED, _WHERE, f"two members have the name {info.filename!r}")
        names.add(folded)
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            raise VerificationError(Code.MALFORMED, info.filename, "compressed, which no member is")
        if info.flag_bits & ~0x808 or info.file_size > size or info.comment:
            raise VerificationError(Code.MALFORMED, info.filename, "encrypted, or larger than the file")
        if (info.create_system, info.external_attr) != (_UNIX, _PLAIN_FILE) or not _only_sizes(info.extra):
            raise VerificationError(
                Code.MALFORMED, info.filename, "a link, or has another name beside its own"
            )
    return members


def _only_sizes(extra: bytes) -> bool:
    """Whether a directory's entry has no extra field but the sizes of a large member (APPNOTE 4.5.3)."""
    return not extra or (extra[:2] == _SIZES[:2] and len(extra) == 4 + int.from_bytes(extra[2:4], "little"))


def _local_header(info: zipfile.ZipInfo) -> bytes:
    """What stands before a member that came in pieces: its sum and sizes follow it (APPNOTE 4.3.7)."""
    year, month, day, hour, minute, second = info.date_time
    moment = (hour << 11 | minute << 5 | second // 2, (year - 1980) << 9 | month << 5 | day)
    name = len(info.orig_filename.encode())
    return _LOCAL + struct.pack(
        "<HHHHHIIIHH", info.extract_version, info.flag_bits, 0, *moment, 0, _LATER, _LATER, name, len(_SIZES)
    )


def _check_layout(file: IO[bytes], members: Sequence[zipfile.ZipInfo], directory: int) -> None:
    """Each member begins where the one before ends, and the directory where the last does."""
    at = 0
    for info in members:
        file.seek(at)
        head = file.read(_LOCAL_BYTES)
        if info.header_offset != at or head != _local_header(info):
            raise VerificationError(Code.MALFORMED, info.filename, "not where, or what, the directory says")
        name = info.filename.encode()
        if file.read(len(name)) != name or file.read(len(_SIZES)) != _SIZES:
            raise VerificationError(Code.MALFORMED, info.filename, "its header has another name")
        file.seek(info.compress_size, 1)
        tail = file.read(_DESCRIPTOR_BYTES)
        expected = b"".join(
            it.to_bytes(width, "little")
            for it, width in ((info.CRC, 4), (info.compress_size, 8), (info.file_size, 8))
        )
        if tail != _DESCRIPTOR + expected:
            raise VerificationError(Code.MALFORMED, info.filename, "followed by something else than its sum")
        at = file.tell()
    if at != directory:
        raise VerificationError(Code.MALFORMED, _WHERE, "there is something between members and directory")
