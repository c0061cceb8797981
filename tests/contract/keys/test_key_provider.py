"""What Otokura relies on in a key provider."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from key_installations import Installation
from otokura.shared.errors import IntegrityError, NotFound
from otokura.shared.keyring import KeyringError
from otokura.shared.keys import Keks, KeyContext, KeyProvider, KeyUse, WrappedDek, new_dek


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
    installation: Installation, provider: KeyProvider, context: KeyContext
) -> None:
    foreign = await installation.another().provider().wrap(new_dek(), context)
    ours = await provider.wrap(new_dek(), context)
    with pytest.raises(IntegrityError):
        await provider.unwrap(WrappedDek(ours.kek_id, foreign.wrapped), context, KeyUse.READ, "read")


async def test_the_key_that_wraps_is_the_current_one(provider: KeyProvider, context: KeyContext) -> None:
    wrapped = await provider.wrap(new_dek(), context)
    assert await provider.keks(context.tenant_id) == Keks(wrapped.kek_id)


async def test_a_tenant_for_whom_nothing_was_wrapped_has_no_old_key(provider: KeyProvider) -> None:
    assert (await provider.keks(uuid4())).old == ()


async def test_after_a_rotation_everybody_wraps_anew_and_the_old_still_opens(
    installation: Installation, context: KeyContext
) -> None:
    """Another process sees it at once, without a restart."""
    one, other, dek = installation.provider(), installation.provider(), new_dek()
    before = await one.wrap(dek, context)
    await installation.rotate()
    for provider in (one, other):
        after = await provider.wrap(dek, context)
        assert after.kek_id != before.kek_id
        assert await provider.keks(context.tenant_id) == Keks(after.kek_id, (before.kek_id,))
        assert await provider.unwrap(before, context, KeyUse.READ, "read") == dek
        assert await provider.unwrap(after, context, KeyUse.READ, "read") == dek


@pytest.mark.guarantee("S20")
async def test_what_a_destroyed_key_wrapped_opens_no_more(
    installation: Installation, provider: KeyProvider, context: KeyContext
) -> None:
    dek = new_dek()
    copied = await provider.wrap(dek, context)
    await installation.rotate()
    living = await provider.wrap(dek, context)
    await installation.destroy([copied.kek_id])
    with pytest.raises(NotFound):
        await provider.unwrap(copied, context, KeyUse.READ, "read")
    # Nor does it open as if the new key had wrapped it.
    with pytest.raises(IntegrityError):
        await provider.unwrap(replace(copied, kek_id=living.kek_id), context, KeyUse.READ, "read")
    assert await provider.unwrap(living, context, KeyUse.READ, "read") == dek
    assert await provider.keks(context.tenant_id) == Keks(living.kek_id)


async def test_keys_are_destroyed_once_however_often_it_is_asked(
    installation: Installation, provider: KeyProvider, context: KeyContext
) -> None:
    old = []
    for _ in range(3):
        old.append((await provider.wrap(new_dek(), context)).kek_id)
        await installation.rotate()
    await installation.destroy(old[:1])
    assert (await provider.keks(context.tenant_id)).old == tuple(sorted(old[1:]))
    for _ in range(2):
        await installation.destroy(old)
    assert (await provider.keks(context.tenant_id)).old == ()


async def test_the_key_that_wraps_now_cannot_be_destroyed(
    installation: Installation, provider: KeyProvider, context: KeyContext
) -> None:
    wrapped = await provider.wrap(new_dek(), context)
    with pytest.raises((KeyringError, ValueError), match="wraps now"):
        await installation.destroy([wrapped.kek_id])
    await provider.unwrap(wrapped, context, KeyUse.READ, "read")
