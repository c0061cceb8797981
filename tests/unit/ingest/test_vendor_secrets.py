"""Vendors' secrets come back to their owner, and to nobody else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from otokura.ingest.vendor_secrets import SealedSecret, VendorSecrets
from otokura.shared.cipher import encrypt
from otokura.shared.errors import IntegrityError, NotFound
from otokura.shared.ids import uuid7
from otokura.shared.keys import (
    KeyContext,
    Kind,
    LocalKeyProvider,
    associated_data,
    create_keyring,
    derive,
    new_dek,
)

SECRET = b"a secret of thirty-two bytes ...."


@pytest.fixture
def secrets(tmp_path: Path) -> VendorSecrets:
    create_keyring(tmp_path / "keyring.json")
    return VendorSecrets(LocalKeyProvider(tmp_path / "keyring.json"))


@pytest.fixture
def tenant() -> UUID:
    return uuid7()


@pytest.fixture
def owner() -> UUID:
    return uuid7()


@pytest.mark.parametrize("secret", [b"", b"x", SECRET, bytes(range(256)) * 300])
async def test_a_secret_comes_back(secrets: VendorSecrets, tenant: UUID, owner: UUID, secret: bytes) -> None:
    sealed = await secrets.seal(tenant, owner, secret)
    assert await secrets.open(tenant, owner, sealed) == secret


@pytest.mark.guarantee("A30")
async def test_a_sealed_secret_shows_nothing_of_the_secret(
    secrets: VendorSecrets, tenant: UUID, owner: UUID
) -> None:
    """Nor that two secrets are the same."""
    first, second = [await secrets.seal(tenant, owner, SECRET) for _ in range(2)]
    assert SECRET not in first.ciphertext + first.wrapped
    assert first.ciphertext != second.ciphertext
    assert first.wrapped != second.wrapped


@pytest.mark.guarantee("A30")
async def test_another_tenant_or_owner_opens_nothing(
    secrets: VendorSecrets, tenant: UUID, owner: UUID
) -> None:
    sealed = await secrets.seal(tenant, owner, SECRET)
    for other_tenant, other_owner in ((uuid7(), owner), (tenant, uuid7()), (owner, tenant)):
        with pytest.raises(IntegrityError):
            await secrets.open(other_tenant, other_owner, sealed)


@pytest.mark.guarantee("A30")
async def test_parts_of_two_secrets_do_not_make_a_third(
    secrets: VendorSecrets, tenant: UUID, owner: UUID
) -> None:
    """Neither across owners nor within one: key and ciphertext belong together."""
    ours = await secrets.seal(tenant, owner, SECRET)
    for foreign in (await secrets.seal(tenant, owner, b"other"), await secrets.seal(tenant, uuid7(), SECRET)):
        for mixed in (
            replace(ours, ciphertext=foreign.ciphertext),
            SealedSecret(foreign.kek_id, foreign.wrapped, ours.ciphertext),
        ):
            with pytest.raises(IntegrityError):
                await secrets.open(tenant, owner, mixed)


@pytest.mark.guarantee("A30")
async def test_a_flipped_bit_opens_nothing(secrets: VendorSecrets, tenant: UUID, owner: UUID) -> None:
    sealed = await secrets.seal(tenant, owner, SECRET)
    for position in range(len(sealed.ciphertext)):
        changed = bytearray(sealed.ciphertext)
        changed[position] ^= 1
        with pytest.raises(IntegrityError):
            await secrets.open(tenant, owner, replace(sealed, ciphertext=bytes(changed)))


async def test_a_destroyed_key_takes_its_secrets_along(
    secrets: VendorSecrets, tenant: UUID, owner: UUID
) -> None:
    sealed = await secrets.seal(tenant, owner, SECRET)
    with pytest.raises(NotFound):
        await secrets.open(tenant, owner, replace(sealed, kek_id="destroyed"))


@pytest.mark.guarantee("A30")
async def test_another_kind_of_content_under_the_same_key_is_no_secret(
    tmp_path: Path, tenant: UUID, owner: UUID
) -> None:
    create_keyring(tmp_path / "keyring.json")
    provider, dek = LocalKeyProvider(tmp_path / "keyring.json"), new_dek()
    wrapped = await provider.wrap(dek, KeyContext(tenant, owner))
    content = encrypt(derive(dek, Kind.EVENT, owner), SECRET, associated_data(tenant, owner, Kind.EVENT))
    with pytest.raises(IntegrityError):
        await VendorSecrets(provider).open(
            tenant, owner, SealedSecret(wrapped.kek_id, wrapped.wrapped, content)
        )
