"""The key provider `vault` on a real server: rights, tokens, and a server that is away."""

from __future__ import annotations

import os
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import hvac
import pytest

from otokura.shared.errors import IntegrityError, NotFound, Unavailable
from otokura.shared.keys import KeyContext, KeyUse, WrappedDek, new_dek
from otokura.shared.vault import VaultKeyProvider
from vault_server import VaultServer

SERVICES = ("ingest", "transcribe", "access")


@pytest.fixture
def context() -> KeyContext:
    return KeyContext(tenant_id=uuid4(), call_id=uuid4())


@pytest.fixture
async def wrapped(vault: VaultServer, context: KeyContext) -> WrappedDek:
    """As ingest wraps: the tenant's first wrap makes its key."""
    return await vault.provider("otokura-ingest").wrap(new_dek(), context)


@pytest.mark.guarantee("S21")
@pytest.mark.parametrize("service", SERVICES)
async def test_every_service_may_unwrap(
    vault: VaultServer, context: KeyContext, wrapped: WrappedDek, service: str
) -> None:
    provider = vault.provider(f"otokura-{service}")
    assert len(await provider.unwrap(wrapped, context, KeyUse.READ, "read")) == 32
    assert (await provider.keks(context.tenant_id)).current == wrapped.kek_id


@pytest.mark.guarantee("S21")
async def test_transcribe_may_not_wrap(vault: VaultServer, context: KeyContext, wrapped: WrappedDek) -> None:
    del wrapped
    provider = vault.provider("otokura-transcribe")
    for tenant_id in (context.tenant_id, uuid4()):
        with pytest.raises(Unavailable, match="refuses"):
            await provider.wrap(new_dek(), KeyContext(tenant_id, context.call_id))


@pytest.mark.guarantee("S21")
@pytest.mark.parametrize("service", SERVICES)
async def test_no_service_makes_or_ends_versions_of_keys(
    vault: VaultServer, context: KeyContext, wrapped: WrappedDek, service: str
) -> None:
    provider = vault.provider(f"otokura-{service}")
    name = wrapped.kek_id.partition(":")[0]
    await vault.provider("otokura-rotation").rotate()
    for change in (provider.rotate, lambda: provider.destroy([wrapped.kek_id])):
        with pytest.raises(Unavailable, match="refuses"):
            await change()
    client = asking_as(vault, f"otokura-{service}")
    for refused in (
        lambda: client.secrets.transit.rotate_key(name),
        lambda: client.secrets.transit.trim_key(name, min_version=2),
        lambda: client.secrets.transit.update_key_configuration(name, deletion_allowed=True),
        lambda: client.secrets.transit.export_key(name, "encryption-key"),
        lambda: client.secrets.transit.delete_key(name),
        lambda: client.secrets.transit.rewrap_data(name, ciphertext_of(wrapped), context=bound(context)),
        client.secrets.transit.list_keys,
        lambda: client.secrets.transit.create_key("other"),
    ):
        is_refused(refused)


@pytest.mark.guarantee("S21")
async def test_who_rotates_opens_and_wraps_nothing(
    vault: VaultServer, context: KeyContext, wrapped: WrappedDek
) -> None:
    rotation = vault.provider("otokura-rotation")
    with pytest.raises(Unavailable, match="refuses"):
        await rotation.unwrap(wrapped, context, KeyUse.ROTATE, "rotation")
    with pytest.raises(Unavailable, match="refuses"):
        await rotation.wrap(new_dek(), context)
    client, name = asking_as(vault, "otokura-rotation"), wrapped.kek_id.partition(":")[0]
    for refused in (
        lambda: client.secrets.transit.update_key_configuration(name, exportable=True),
        lambda: client.secrets.transit.update_key_configuration(name, deletion_allowed=True),
        lambda: client.secrets.transit.export_key(name, "encryption-key"),
        lambda: client.secrets.transit.delete_key(name),
    ):
        is_refused(refused)
    await rotation.rotate()
    await rotation.destroy([wrapped.kek_id])
    with pytest.raises(NotFound):
        await vault.provider("otokura-access").unwrap(wrapped, context, KeyUse.READ, "read")


async def test_a_rotation_touches_no_key_of_others(vault: VaultServer) -> None:
    vault.root.secrets.transit.create_key("of-others")
    await vault.provider("otokura-rotation").rotate()
    assert vault.root.secrets.transit.read_key("of-others")["data"]["latest_version"] == 1


async def test_a_key_never_leaves_the_server(vault: VaultServer, wrapped: WrappedDek) -> None:
    about = vault.root.secrets.transit.read_key(wrapped.kek_id.partition(":")[0])["data"]
    assert (about["derived"], about["exportable"], about["deletion_allowed"]) == (True, False, False)
    assert about["type"] == "aes256-gcm96"


async def test_a_destroyed_version_is_gone_and_not_only_forbidden(
    vault: VaultServer, context: KeyContext, wrapped: WrappedDek
) -> None:
    """Who may do everything cannot take it back by lowering the smallest version that decrypts."""
    rotation = vault.provider("otokura-rotation")
    await rotation.rotate()
    await rotation.destroy([wrapped.kek_id])
    name = wrapped.kek_id.partition(":")[0]
    with pytest.raises(hvac.exceptions.VaultError):
        vault.root.secrets.transit.update_key_configuration(name, min_decryption_version=1)
    with pytest.raises(NotFound):
        await vault.provider().unwrap(wrapped, context, KeyUse.READ, "read")


@pytest.mark.guarantee("S22")
async def test_a_token_is_read_again_when_its_file_changes(
    vault: VaultServer, context: KeyContext, wrapped: WrappedDek
) -> None:
    path = vault.token_file("otokura-access")
    provider = VaultKeyProvider(vault.client(path))
    await provider.unwrap(wrapped, context, KeyUse.READ, "read")
    vault.root.auth.token.revoke(path.read_text().strip())
    with pytest.raises(Unavailable, match="refuses"):
        await provider.unwrap(wrapped, context, KeyUse.READ, "read")
    path.write_text("")  # emptied, and in the same tick of the file's time not yet written
    emptied_at = path.stat().st_mtime_ns
    with pytest.raises(Unavailable, match="cannot be read"):
        await provider.unwrap(wrapped, context, KeyUse.READ, "read")
    path.write_text(vault.token("otokura-access"))
    os.utime(path, ns=(emptied_at, emptied_at))
    await provider.unwrap(wrapped, context, KeyUse.READ, "read")
    path.unlink()
    with pytest.raises(Unavailable, match="cannot be read"):
        await provider.unwrap(wrapped, context, KeyUse.READ, "read")


@pytest.mark.guarantee("S22")
async def test_a_server_that_hangs_is_given_up_soon_and_used_again(
    vault: VaultServer, context: KeyContext, wrapped: WrappedDek
) -> None:
    provider = vault.provider("otokura-ingest", timeout=0.3)
    with vault.away():
        began = time.monotonic()
        with pytest.raises(Unavailable, match="cannot be reached"):
            await provider.unwrap(wrapped, context, KeyUse.READ, "read")
        assert time.monotonic() - began < 10
        with pytest.raises(Unavailable):
            await provider.wrap(new_dek(), context)
        with pytest.raises(Unavailable):
            await provider.keks(context.tenant_id)
    assert len(await provider.unwrap(wrapped, context, KeyUse.READ, "read")) == 32


async def test_a_mount_that_is_not_there_is_not_taken_for_one_without_keys(
    vault: VaultServer, context: KeyContext, wrapped: WrappedDek
) -> None:
    provider = vault.provider(mount="elsewhere")
    for attempt in (
        provider.keks(context.tenant_id),
        provider.wrap(new_dek(), context),
        provider.unwrap(wrapped, context, KeyUse.READ, "read"),
        provider.rotate(),
    ):
        with pytest.raises(Unavailable):
            await attempt


@pytest.mark.parametrize("kek_id", ["", "otokura", "x:v1", "otokura-1:v1"])
async def test_an_id_of_another_provider_is_not_found(
    vault: VaultServer, context: KeyContext, wrapped: WrappedDek, kek_id: str
) -> None:
    with pytest.raises(NotFound):
        await vault.provider().unwrap(WrappedDek(kek_id, wrapped.wrapped), context, KeyUse.READ, "read")


async def test_a_version_to_come_is_not_found(
    vault: VaultServer, context: KeyContext, wrapped: WrappedDek
) -> None:
    later = WrappedDek(wrapped.kek_id.replace(":v1", ":v7"), wrapped.wrapped)
    with pytest.raises(NotFound):
        await vault.provider().unwrap(later, context, KeyUse.READ, "read")


async def test_another_tenants_row_is_refused_before_the_server_is_asked(
    vault: VaultServer, context: KeyContext, wrapped: WrappedDek
) -> None:
    provider, other = vault.provider("otokura-access"), KeyContext(uuid4(), context.call_id)
    with vault.away(), pytest.raises(IntegrityError, match="another tenant"):
        await provider.unwrap(wrapped, other, KeyUse.READ, "read")


@pytest.mark.guarantee("S1")
async def test_no_log_line_shows_a_key_or_a_token(
    vault: VaultServer,
    context: KeyContext,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    dek, path = new_dek(), vault.token_file("otokura-ingest")
    provider = VaultKeyProvider(vault.client(path, timeout=0.3))
    wrapped = await provider.wrap(dek, context)
    await provider.unwrap(wrapped, context, KeyUse.READ, "read")
    with pytest.raises(IntegrityError):
        await provider.unwrap(WrappedDek(wrapped.kek_id, bytes(60)), context, KeyUse.READ, "read")
    token = path.read_text().strip()
    path.write_text(f"{token}x")
    with pytest.raises(Unavailable) as refusal:
        await provider.wrap(dek, context)
    path.write_text(token)
    with vault.away(), pytest.raises(Unavailable):
        await provider.wrap(dek, context)
    written = caplog.text + "".join(capfd.readouterr()) + str(refusal.value)
    assert "refused" in written
    for secret in (b64encode(dek).decode(), token, b64encode(wrapped.wrapped).decode(), dek.hex()):
        assert secret not in written


def asking_as(vault: VaultServer, policy: str) -> Any:
    """hvac itself, with a token of this policy."""
    return hvac.Client(url=vault.address, token=vault.token(policy))


def is_refused(ask: Callable[[], object]) -> None:
    with pytest.raises(hvac.exceptions.Forbidden):
        ask()


def ciphertext_of(wrapped: WrappedDek) -> str:
    version = wrapped.kek_id.rpartition(":v")[2]
    return f"vault:v{version}:{b64encode(wrapped.wrapped).decode()}"


def bound(context: KeyContext) -> str:
    ids: tuple[UUID, UUID] = context.tenant_id, context.call_id
    return b64encode(b"otokura/wrap/v1\0" + b"".join(one.bytes for one in ids)).decode()
