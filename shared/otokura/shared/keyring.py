"""The keyring file of the `local` key provider: read, made, and changed whole or not at all.

JSON, `{"current": id, "keks": {id: base64 of 32 bytes}}`, mode 0600 or 0640 at most. Whoever reads it while
it is changed sees the file before or the file after.
"""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
import stat
from collections.abc import Collection, Generator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

KEK_BYTES = 32


class KeyringError(Exception):
    """The keyring file cannot be used; the text says what to do and holds no key."""


class Keyring(BaseModel):
    """What the file holds. `current` wraps; the others only unwrap still."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    current: str = Field(min_length=1)
    keks: dict[str, SecretStr]

    @model_validator(mode="after")
    def _whole(self) -> Keyring:
        if self.current not in self.keks:
            raise ValueError("the current key is not among the keys")
        if any(len(self.key(kek_id)) != KEK_BYTES for kek_id in self.keks):
            raise ValueError(f"every key must have {KEK_BYTES} bytes")
        return self

    def key(self, kek_id: str) -> bytes:
        """The 32 bytes of one key; KeyError when it is not there."""
        return base64.b64decode(self.keks[kek_id].get_secret_value(), validate=True)


def create_keyring(path: Path) -> None:
    """Writes a new keyring with one key, mode 0600.

    Raises:
        FileExistsError: there is one; its keys may have wrapped something, so it is never overwritten.
    """
    kek_id, kek = _new_kek()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(_content(Keyring(current=kek_id, keks={kek_id: kek})))
        file.flush()
        os.fsync(descriptor)


def read_keyring(path: Path) -> tuple[Keyring, os.stat_result]:
    """The keyring, and the status of the very file that was read.

    Raises:
        KeyringError: the file is absent, open to others, or not a keyring.
    """
    # Opened before it is checked, and checked by descriptor, so that the file checked is the file read.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise KeyringError(f"{path} does not exist: create it with `create_keyring`") from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        # A group may read it: Kubernetes gives a Secret to a pod's group, and to nobody else.
        if not stat.S_ISREG(status.st_mode) or status.st_mode & (stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO):
            raise KeyringError(f"{path} must be a file that others cannot touch: chmod 600 {path}")
        content = file.read()
    try:
        return Keyring.model_validate_json(content), status
    except ValidationError as error:
        problems = "; ".join(problem["msg"] for problem in error.errors(include_input=False))
        raise KeyringError(f"{path} is not a keyring: {problems}") from None


def add_kek(path: Path) -> str:
    """Makes a new key and lets it wrap from here on; those before go on unwrapping.

    Returns:
        Its id.

    Raises:
        KeyringError: as `read_keyring`.
    """
    with _changing(path):
        keyring, status = read_keyring(path)
        kek_id, kek = _new_kek()
        _replace(path, Keyring(current=kek_id, keks={**keyring.keks, kek_id: kek}), status)
    return kek_id


def destroy_keks(path: Path, kek_ids: Collection[str]) -> None:
    """Removes keys: what they wrapped opens no more. Those that are gone already are no error.

    The old file's blocks are not overwritten, which no file system promises: keep the keyring on a disk that
    is encrypted, and out of backups that outlive a rotation.

    Raises:
        KeyringError: as `read_keyring`; or the key that wraps now is among them, and nothing is removed.
    """
    with _changing(path):
        keyring, status = read_keyring(path)
        if keyring.current in kek_ids:
            raise KeyringError(f"{keyring.current} wraps now: it cannot be destroyed before another does")
        left = {kek_id: kek for kek_id, kek in keyring.keks.items() if kek_id not in kek_ids}
        if len(left) < len(keyring.keks):
            _replace(path, Keyring(current=keyring.current, keks=left), status)


def _new_kek() -> tuple[str, SecretStr]:
    kek = base64.b64encode(secrets.token_bytes(KEK_BYTES)).decode()
    return secrets.token_hex(8), SecretStr(kek)


def _content(keyring: Keyring) -> bytes:
    shown = {kek_id: kek.get_secret_value() for kek_id, kek in keyring.keks.items()}
    return _File(current=keyring.current, keks=shown).model_dump_json().encode() + b"\n"


class _File(BaseModel):
    """The keyring with its keys in the open, as nothing but the file shows them."""

    current: str
    keks: dict[str, str]


@contextmanager
def _changing(path: Path) -> Generator[None]:
    """One process at a time changes the keyring: the lock is the folder's, since the file is replaced."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(path: Path, keyring: Keyring, before: os.stat_result) -> None:
    """Puts a new file in the place of the old one, for the same owner and readers."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if (before.st_uid, before.st_gid) != (os.getuid(), os.getgid()):
                os.fchown(descriptor, before.st_uid, before.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
            file.write(_content(keyring))
            file.flush()
            os.fsync(descriptor)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
