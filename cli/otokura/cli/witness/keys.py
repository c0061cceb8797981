"""The witness's key, and the logs that it believes: files in its folder."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from otokura.cli.verify.cosignatures import (
    COSIGNED_ED25519,
    COSIGNED_MLDSA,
    ed25519_message,
    mldsa_message,
)
from otokura.cli.verify.notes import Checkpoint, VerifierKey, is_name, key_id, parse_vkey, split_note

KEY_FILE, NAME_FILE, LOGS_FILE, BOOK_FILE = "key.pem", "name", "logs", "witness.sqlite"


class CosigningKey:
    """A witness's private key under its name."""

    def __init__(self, name: str, private: Ed25519PrivateKey | MLDSA44PrivateKey) -> None:
        self._private = private
        kind = COSIGNED_ED25519 if isinstance(private, Ed25519PrivateKey) else COSIGNED_MLDSA
        public = private.public_key().public_bytes_raw()
        self.public = VerifierKey(name, key_id(name, public, kind), public, kind)

    def cosign(self, checkpoint: Checkpoint, at: int) -> str:
        """The signature line over a checkpoint, at a time in seconds since 1970 (C2SP tlog-cosignature)."""
        if isinstance(self._private, Ed25519PrivateKey):
            message = ed25519_message(at, split_note(checkpoint.note)[0])
        else:
            message = mldsa_message(self.public.name, at, checkpoint)
        blob = self.public.key_id + at.to_bytes(8, "big") + self._private.sign(message)
        return f"\N{EM DASH} {self.public.name} {base64.b64encode(blob).decode()}\n"


def create(folder: Path, name: str, *, post_quantum: bool) -> CosigningKey:
    """Makes a witness's folder and key, which nobody else can read.

    Raises:
        ValueError: the name cannot be a key's.
        FileExistsError: there is a key already; it is never replaced.
    """
    if not is_name(name) or len(name.encode()) > 255:  # noqa: PLR2004 - a length byte holds no more
        raise ValueError("a witness's name has no spaces and no plus, and at most 255 bytes")
    private = MLDSA44PrivateKey.generate() if post_quantum else Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (folder / KEY_FILE).exists():
        raise FileExistsError(f"there is a witness in {folder} already")
    # The name first: without a key the folder is no witness yet, and can be made again.
    folder.joinpath(NAME_FILE).write_text(f"{name}\n")
    descriptor = os.open(folder / KEY_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    folder.joinpath(LOGS_FILE).touch()
    return CosigningKey(name, private)


def load(folder: Path) -> CosigningKey:
    """The key in a witness's folder.

    Raises:
        ValueError: others can read it, or it is of a kind that does not cosign.
        FileNotFoundError: there is none.
    """
    path = folder / KEY_FILE
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ValueError(f"others can read {path}: chmod 600, and consider the key known")
    private = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(private, Ed25519PrivateKey | MLDSA44PrivateKey):
        raise ValueError(f"{path} holds neither an Ed25519 nor an ML-DSA-44 key")  # noqa: TRY004 - a wrong file
    return CosigningKey(folder.joinpath(NAME_FILE).read_text().strip(), private)


class Logs:
    """The logs that a witness believes: vkeys in a file, one a line, read again when it changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at: tuple[int, int] | None = None
        self._known: Mapping[str, Sequence[VerifierKey]] = {}

    def __call__(self) -> Mapping[str, Sequence[VerifierKey]]:
        """By origin, the keys.

        Raises:
            OSError, VerificationError: the file is away, or a line is no log's key.
        """
        about = self._path.stat()
        stamp = (about.st_mtime_ns, about.st_size)
        if stamp != self._read_at:
            self._known = _parse_logs(self._path.read_text())
            self._read_at = stamp
        return self._known


def _parse_logs(text: str) -> dict[str, list[VerifierKey]]:
    known: dict[str, list[VerifierKey]] = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            key = parse_vkey(line)
            known.setdefault(key.name, []).append(key)
    return known
