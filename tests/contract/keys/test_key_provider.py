"""What Otokura relies on in a key provider."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from otokura.shared.errors import IntegrityError, NotFound
from otokura.shared.keys import (
    KeyContext,
    KeyProvider,
    KeyUse,
    LocalKeyProvider,
    WrappedDek,
    create_keyring,
    new_dek,
)


@pytest.fixture(params=["local"])
def provider(tmp_path: Path) -> KeyProvider:
    create_keyring(tmp_path / "keyring.json")
    return LocalKeyProvider(tmp_path / "keyring.json")


@pytest.fixture
def context() -> KeyContext:
    return KeyContext(tenant_id=uuid4(), call_id=uuid4())


@pytest.mark.parametrize("use", KeyUse)
async def test_a_wrapped_key_comes_back(provider: KeyProvider, context: KeyContext, use: KeyUse) -> None:
    dek = new_dek()
    wrapped = await provider.wrap(dek, context)
    assert dek not in wrapped.wrapped
    assert await provider.unwrap(wrapped, context, use, str(context.call_id)) == dek


async def test_wrapping_twice_gives_two_ciphertexts(provider: KeyProvider, context: KeyContext) -> None:
    dek = new_dek()
    assert (await provider.wrap(dek, context)).wrapped != (await provider.wrap(dek, context)).wrapped


@pytest.mark.guarantee("V4")
async def test_a_wrapped_key_opens_only_for_its_tenant_and_call(
    provider: KeyProvider, context: KeyContext
) -> None:
    wrapped = await provider.wrap(new_dek(), context)
    for other in (replace(context, tenant_id=uuid4()), replace(context, call_id=uuid4())):
        with pytest.raises(IntegrityError):
            await provider.unwrap(wrapped, other, KeyUse.READ, "read")


@pytest.mark.guarantee("V4")
async def test_a_wrapped_key_with_a_flipped_bit_is_refused(
    provider: KeyProvider, context: KeyContext
) -> None:
    wrapped = await provider.wrap(new_dek(), context)
    for position in range(len(wrapped.wrapped)):
        changed = bytearray(wrapped.wrapped)
        changed[position] ^= 1
        with pytest.raises(IntegrityError):
            await provider.unwrap(
                WrappedDek(wrapped.kek_id, bytes(changed)), context, KeyUse.TRANSCRIBE, "job"
            )


@pytest.mark.parametrize("length", [0, 1, 59, 61])
async def test_a_wrapped_key_of_another_length_is_refused(
    provider: KeyProvider, context: KeyContext, length: int
) -> None:
    wrapped = await provider.wrap(new_dek(), context)
    changed = (wrapped.wrapped * 2)[:length]
    with pytest.raises(IntegrityError):
        await provider.unwrap(WrappedDek(wrapped.kek_id, changed), context, KeyUse.READ, "read")


async def test_a_key_of_another_length_is_not_wrapped(provider: KeyProvider, context: KeyContext) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        await provider.wrap(bytes(16), context)


async def test_a_wrapping_key_that_is_gone_is_not_found(provider: KeyProvider, context: KeyContext) -> None:
    wrapped = await provider.wrap(new_dek(), context)
    with pytest.raises(NotFound):
        await provider.unwrap(replace(wrapped, kek_id="destroyed"), context, KeyUse.READ, "read")


async def test_a_key_wrapped_by_another_installation_is_refused(
    provider: KeyProvider, context: KeyContext, tmp_path: Path
) -> None:
    create_keyring(tmp_path / "other.json")
    foreign = await LocalKeyProvider(tmp_path / "other.json").wrap(new_dek(), context)
    ours = await provider.wrap(new_dek(), context)
    with pytest.raises(IntegrityError):
        await provider.unwrap(WrappedDek(ours.kek_id, foreign.wrapped), context, KeyUse.READ, "read")
