"""Vendors' secrets that must be usable again: signing secrets of webhooks, shared secrets of phone systems.

What is only compared is kept as a hash. These are computed with, so they are kept as ciphertext: each under a
fresh key of its own, which the tenant's key-encryption key wraps, bound to the tenant and to the one thing
that it belongs to. A row copied to another tenant or owner opens nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from otokura.shared.cipher import decrypt, encrypt
from otokura.shared.keys import (
    KeyContext,
    KeyProvider,
    KeyUse,
    Kind,
    WrappedDek,
    associated_data,
    derive,
    new_dek,
)


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A secret as it is stored, all of it harmless without the key provider.

    Attributes:
        kek_id: which key-encryption key wrapped the secret's own key.
        wrapped: that key, wrapped.
        ciphertext: the secret, AES256-GCM-HKDF (`otokura.shared.cipher`).
    """

    kek_id: str
    wrapped: bytes
    ciphertext: bytes


class VendorSecrets:
    """Seals and opens vendors' secrets through the configured key provider."""

    def __init__(self, provider: KeyProvider) -> None:
        self._provider = provider

    async def seal(self, tenant_id: UUID, owner_id: UUID, secret: bytes) -> SealedSecret:
        """The secret, as it may be stored.

        Args:
            tenant_id: whose key-encryption key protects it.
            owner_id: the one thing that it belongs to, such as a webhook or a credential. Two secrets of one
                owner could stand for each other: give each an owner of its own where that matters.
            secret: its bytes.

        Raises:
            Unavailable: the key provider cannot be reached.
        """
        key = new_dek()
        wrapped = await self._provider.wrap(key, KeyContext(tenant_id, owner_id))
        ciphertext = encrypt(_content_key(key, owner_id), secret, _binding(tenant_id, owner_id))
        return SealedSecret(wrapped.kek_id, wrapped.wrapped, ciphertext)

    async def open(self, tenant_id: UUID, owner_id: UUID, sealed: SealedSecret) -> bytes:
        """The secret again. Keep it no longer than it is used.

        Raises:
            IntegrityError: it was changed, or belongs to another tenant or owner.
            NotFound: the key-encryption key was destroyed.
            Unavailable: the key provider cannot be reached.
        """
        wrapped = WrappedDek(sealed.kek_id, sealed.wrapped)
        context = KeyContext(tenant_id, owner_id)
        key = await self._provider.unwrap(wrapped, context, KeyUse.VENDOR_SECRET, str(owner_id))
        return decrypt(_content_key(key, owner_id), sealed.ciphertext, _binding(tenant_id, owner_id))


def _content_key(key: bytes, owner_id: UUID) -> bytes:
    return derive(key, Kind.VENDOR_SECRET, owner_id)


def _binding(tenant_id: UUID, owner_id: UUID) -> bytes:
    return associated_data(tenant_id, owner_id, Kind.VENDOR_SECRET)
