"""Data encryption keys: made, committed to, derived from, and wrapped by a tenant's key-encryption key.

One 256-bit DEK per call. Nothing is encrypted under the DEK itself: `derive` gives each kind of content a key
of its own (HKDF-SHA256, RFC 5869). A wrapped DEK is stored in the databases of the services that need it,
never beside the object.
"""

from __future__ import annotations

import hmac
import os
import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from otokura.shared.errors import IntegrityError, NotFound, Unavailable
from otokura.shared.keyring import Keyring, KeyringError, create_keyring, read_keyring

__all__ = [
    "DEK_BYTES",
    "Keks",
    "KeyContext",
    "KeyProvider",
    "KeySettings",
    "KeyUse",
    "KeyringError",
    "Kind",
    "LocalKeyProvider",
    "WrappedDek",
    "associated_data",
    "check_commitment",
    "commitment",
    "create_keyring",
    "derive",
    "key_provider",
    "new_dek",
]

DEK_BYTES = 32
_NONCE_BYTES = 12
_WRAPPED_BYTES = _NONCE_BYTES + DEK_BYTES + 16
_NUMBER = struct.Struct(">BQ")


class Kind(StrEnum):
    """What a ciphertext holds; each kind has its own key."""

    SEGMENT = "segment"
    UPLOAD = "upload"
    RECORDING = "recording"
    TRANSCRIPT = "transcript"
    EVENT = "event"
    LIVE = "live"
    VENDOR_SECRET = "vendor-secret"  # noqa: S105 - a name, no secret


class KeyUse(StrEnum):
    """For what a key is unwrapped; a provider may refuse or log by it."""

    SEAL = "seal"
    TRANSCRIBE = "transcribe"
    READ = "read"
    DISCLOSE = "disclose"
    SEARCH = "search"
    INDEX = "index"
    VENDOR_SECRET = "vendor-secret"  # noqa: S105 - a name, no secret
    LOG_IN = "log-in"
    ROTATE = "rotate"


@dataclass(frozen=True, slots=True)
class KeyContext:
    """Whose key it is. A wrapped DEK opens only in the context in which it was wrapped.

    `call_id` is the id of whatever the key is for: for a second factor, the person's.
    """

    tenant_id: UUID
    call_id: UUID


@dataclass(frozen=True, slots=True)
class WrappedDek:
    """A DEK as it is stored: which key-encryption key wrapped it, and the ciphertext."""

    kek_id: str
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class Keks:
    """The key-encryption keys of a tenant that exist.

    Attributes:
        current: the one with which `wrap` wraps now; None while none was made.
        old: those before it, which unwrap still.
    """

    current: str | None
    old: tuple[str, ...] = ()


class KeyProvider(Protocol):
    """Wraps and unwraps DEKs: `local` (a keyring file), `vault` (Transit), or another by entry point."""

    async def wrap(self, dek: bytes, context: KeyContext) -> WrappedDek:
        """The DEK under the tenant's current key-encryption key."""
        ...

    async def unwrap(self, wrapped: WrappedDek, context: KeyContext, use: KeyUse, reference: str) -> bytes:
        """The DEK.

        Args:
            wrapped: what `wrap` gave.
            context: the same tenant and call.
            use: what the key is wanted for.
            reference: id of the call sealed, the job leased or the read opened: what justifies the use.

        Raises:
            IntegrityError: the wrapped key was changed, or belongs to another context.
            NotFound: the key-encryption key no longer exists; what it wrapped is erased.
            Unavailable: the provider cannot be reached, or refuses us.
        """
        ...

    async def keks(self, tenant_id: UUID) -> Keks:
        """Which key-encryption keys there are; never older knowledge than that of a `wrap` at the same time.

        An id names one key for ever, whichever tenant's: what is wrapped is looked for by it.

        Raises:
            Unavailable: the provider cannot be reached, or refuses us.
        """
        ...


def _hkdf(key: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 to 32 bytes, without salt: `key` is uniformly random already (RFC 5869 §3.1)."""
    return HKDF(SHA256(), DEK_BYTES, None, info).derive(key)


def new_dek() -> bytes:
    """A fresh 256-bit key."""
    return secrets.token_bytes(DEK_BYTES)


def commitment(dek: bytes, call_id: UUID) -> str:
    """What binds the manifest to one key, lower-case hex.

    AES-GCM does not commit to its key: one ciphertext can open under two. SHA-256 is collision resistant, so
    no second DEK has this value.
    """
    return _hkdf(dek, b"otokura/commitment/v1\0" + call_id.bytes).hex()


def check_commitment(dek: bytes, call_id: UUID, expected: str) -> None:
    """Refuses a key other than the one that the manifest commits to. Call it before deriving anything.

    Raises:
        IntegrityError: the key is another.
    """
    if not hmac.compare_digest(commitment(dek, call_id), expected):
        raise IntegrityError("The key is not the one to which the manifest commits.")


def derive(dek: bytes, kind: Kind, call_id: UUID) -> bytes:
    """The 32-byte key for one kind of content of one call."""
    return _hkdf(dek, b"otokura/key/v1\0" + kind.encode() + b"\0" + call_id.bytes)


def associated_data(
    tenant_id: UUID,
    call_id: UUID,
    kind: Kind,
    *,
    channel: int | None = None,
    sequence: int | None = None,
    version: int | None = None,
) -> bytes:
    """What a ciphertext is bound to, as bytes: different arguments never give the same.

    Fixed-width fields, except the kind, which carries its length; an absent number differs from every number.
    """
    label = kind.encode()
    numbers = b"".join(
        b"\0" if number is None else _NUMBER.pack(1, number) for number in (channel, sequence, version)
    )
    head = b"otokura/aad/v1\0" + tenant_id.bytes + call_id.bytes
    return head + bytes((len(label),)) + label + numbers


class LocalKeyProvider:
    """Wraps with the keys of a keyring file; for development and small installations.

    Each tenant's key-encryption key is derived from one in the file and wraps DEKs with AES-256-GCM under a
    random nonce; key id, tenant and call are authenticated. The file is read again when it has changed.

    Args:
        keyring_file: the file, mode 0600 or 0640 at most.

    Raises:
        KeyringError: the file is absent, open to others, or not a keyring.
    """

    def __init__(self, keyring_file: Path) -> None:
        self._path = keyring_file
        self._keyring, self._read = read_keyring(keyring_file)

    async def wrap(self, dek: bytes, context: KeyContext) -> WrappedDek:
        """See `KeyProvider.wrap`."""
        if len(dek) != DEK_BYTES:
            raise ValueError(f"a DEK has {DEK_BYTES} bytes")
        keyring = self._current()
        kek_id = keyring.current
        nonce = secrets.token_bytes(_NONCE_BYTES)
        kek = _tenant_kek(keyring, kek_id, context.tenant_id)
        sealed = kek.encrypt(nonce, dek, _binding(kek_id, context))
        return WrappedDek(kek_id, nonce + sealed)

    async def unwrap(self, wrapped: WrappedDek, context: KeyContext, use: KeyUse, reference: str) -> bytes:
        """See `KeyProvider.unwrap`. A file cannot refuse a use, so the last two change nothing."""
        del use, reference
        kek = _tenant_kek(self._current(), wrapped.kek_id, context.tenant_id)
        if len(wrapped.wrapped) != _WRAPPED_BYTES:
            raise IntegrityError("The wrapped key has a length that no wrapped key has.")
        nonce, sealed = wrapped.wrapped[:_NONCE_BYTES], wrapped.wrapped[_NONCE_BYTES:]
        try:
            return kek.decrypt(nonce, sealed, _binding(wrapped.kek_id, context))
        except InvalidTag as error:
            raise IntegrityError("The wrapped key was changed, or belongs to another call.") from error

    async def keks(self, tenant_id: UUID) -> Keks:
        """See `KeyProvider.keks`. The keys of the file are the same for every tenant."""
        del tenant_id
        keyring = self._current()
        return Keks(keyring.current, tuple(sorted(keyring.keks.keys() - {keyring.current})))

    def _current(self) -> Keyring:
        """The keyring as the file is now.

        Raises:
            Unavailable: the file is gone, or cannot be used any more.
        """
        try:
            if _identity(self._path.stat()) != _identity(self._read):
                self._keyring, self._read = read_keyring(self._path)
        except (KeyringError, OSError) as error:
            raise Unavailable("The keyring cannot be read; the service's log says why.") from error
        return self._keyring


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def _tenant_kek(keyring: Keyring, kek_id: str, tenant_id: UUID) -> AESGCM:
    if kek_id not in keyring.keks:
        raise NotFound(f"The key-encryption key {kek_id!r} is not in the keyring.")
    return AESGCM(_hkdf(keyring.key(kek_id), b"otokura/tenant-kek/v1\0" + tenant_id.bytes))


def _binding(kek_id: str, context: KeyContext) -> bytes:
    # The two ids have a fixed width, so the id of the key, of any length, may stand last.
    return b"otokura/wrap/v1\0" + context.tenant_id.bytes + context.call_id.bytes + kek_id.encode()


class KeySettings(Protocol):
    """The settings that choose a key provider; `otokura.shared.key_settings` has those of the services."""

    @property
    def key_provider(self) -> str:
        """`local`, `vault`, or the name of an entry point in the group `otokura.key_providers`."""
        ...

    @property
    def keyring_file(self) -> Path | None:
        """The keyring of the `local` provider."""
        ...


def key_provider(settings: KeySettings) -> KeyProvider:
    """The provider that the settings name; others are entry points in the group `otokura.key_providers`.

    Raises:
        KeyringError: the keyring of `local` cannot be used.
        LookupError: no provider has that name.
    """
    if settings.key_provider == "local":
        if settings.keyring_file is None:
            raise KeyringError("the local key provider needs a keyring: set OTOKURA_KEYRING_FILE")
        return LocalKeyProvider(settings.keyring_file)
    if settings.key_provider == "vault":
        # Only here, so that hvac is needed where it is used.
        from otokura.shared.vault import vault_key_provider  # noqa: PLC0415

        return vault_key_provider(settings)
    for entry_point in entry_points(group="otokura.key_providers", name=settings.key_provider):
        factory: Callable[[KeySettings], KeyProvider] = entry_point.load()
        return factory(settings)
    raise LookupError(f"no key provider is named {settings.key_provider!r}: install one, or use 'local'")
