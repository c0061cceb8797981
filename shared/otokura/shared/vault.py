"""The key provider `vault`: key-encryption keys that never leave a server (Transit, by hvac).

One Transit key a tenant, `otokura-<tenant>`, of type aes256-gcm96. Its first wrap makes it. It is derived:
the server derives from it a key for each context, which is tenant and call, so a wrapped DEK opens nowhere
else. Of the server's `vault:v3:<base64>` the bytes are kept as what is wrapped, and `otokura-<tenant>:v3` as
`kek_id`.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, cast
from uuid import UUID

import hvac
from hvac import exceptions

from otokura.shared.errors import IntegrityError, NotFound, Unavailable
from otokura.shared.key_settings import KeyProviderSettings
from otokura.shared.keys import DEK_BYTES, Keks, KeyContext, KeySettings, KeyUse, WrappedDek
from otokura.shared.vault_client import FileToken, KubernetesToken, VaultClient

PREFIX = "otokura-"
_KEK_ID = re.compile(r"(otokura-[0-9a-f-]{36}):v([1-9][0-9]{0,8})", re.ASCII)
_CIPHERTEXT = re.compile(r"vault:v([1-9][0-9]{0,8}):(.+)", re.ASCII)


def vault_key_provider(settings: KeySettings) -> VaultKeyProvider:
    """The provider that a service's settings describe.

    Raises:
        TypeError: they are not those of a service.
    """
    if not isinstance(settings, KeyProviderSettings) or settings.vault_address is None:
        raise TypeError("the key provider `vault` is set up by KeyProviderSettings")
    if settings.vault_token_file is not None:
        tokens: FileToken | KubernetesToken = FileToken(settings.vault_token_file)
    else:
        tokens = KubernetesToken(
            str(settings.vault_kubernetes_role),
            settings.vault_kubernetes_mount,
            settings.vault_kubernetes_token_file,
        )
    client = VaultClient(
        settings.vault_address,
        tokens,
        timeout=settings.vault_timeout_seconds,
        namespace=settings.vault_namespace,
        ca_file=settings.vault_ca_file,
    )
    return VaultKeyProvider(client, settings.vault_mount)


class VaultKeyProvider:
    """Wraps and unwraps with a tenant's Transit key.

    Args:
        client: reaches the server.
        mount: where its Transit engine is.
    """

    def __init__(self, client: VaultClient, mount: str = "transit") -> None:
        self._client = client
        self._mount = mount

    async def wrap(self, dek: bytes, context: KeyContext) -> WrappedDek:
        """See `KeyProvider.wrap`."""
        if len(dek) != DEK_BYTES:
            raise ValueError(f"a DEK has {DEK_BYTES} bytes")
        name, plaintext, bound = _name(context.tenant_id), b64encode(dek).decode(), _context(context)

        def encrypt(client: hvac.Client) -> Any:
            return self._transit(client).encrypt_data(
                name, plaintext=plaintext, context=bound, type="aes256-gcm96", mount_point=self._mount
            )

        try:
            answer = await self._client.ask(encrypt)
        except (exceptions.InvalidRequest, exceptions.InvalidPath):
            raise _unusable() from None
        found = _CIPHERTEXT.fullmatch(str(_data(answer)["ciphertext"]))
        if found is None:
            raise _unusable()
        return WrappedDek(f"{name}:v{found[1]}", b64decode(found[2], validate=True))

    async def unwrap(self, wrapped: WrappedDek, context: KeyContext, use: KeyUse, reference: str) -> bytes:
        """See `KeyProvider.unwrap`. What it is for stands in our own log: the server's knows our token."""
        del use, reference
        found = _KEK_ID.fullmatch(wrapped.kek_id)
        if found is None:
            raise NotFound("The key-encryption key is none of this key provider.")
        name, version = found[1], found[2]
        if name != _name(context.tenant_id):
            raise IntegrityError("The wrapped key belongs to another tenant.")
        ciphertext, bound = f"vault:v{version}:{b64encode(wrapped.wrapped).decode()}", _context(context)

        def decrypt(client: hvac.Client) -> Any:
            return self._transit(client).decrypt_data(
                name, ciphertext=ciphertext, context=bound, mount_point=self._mount
            )

        try:
            answer = await self._client.ask(decrypt)
        except exceptions.InvalidRequest:
            # The words for why differ between servers and versions; which keys there are does not.
            keks = await self.keks(context.tenant_id)
            if wrapped.kek_id not in {keks.current, *keks.old}:
                raise NotFound("The key-encryption key was destroyed.") from None
            raise IntegrityError("The wrapped key was changed, or belongs to another call.") from None
        except exceptions.InvalidPath:
            raise _unusable() from None
        return _dek(_data(answer))

    async def keks(self, tenant_id: UUID) -> Keks:
        """See `KeyProvider.keks`."""
        name = _name(tenant_id)
        try:
            answer = await self._client.ask(lambda client: self._read(client, name))
        except exceptions.InvalidPath as error:
            # Of a key that is not there nothing is said; of a mount that is not there, that it is not.
            if error.errors:
                raise _unusable() from None
            return Keks(None)
        except exceptions.InvalidRequest:
            raise _unusable() from None
        about = _data(answer)
        latest = int(about["latest_version"])
        oldest = max(1, int(about["min_decryption_version"]), int(about.get("min_available_version") or 0))
        return Keks(f"{name}:v{latest}", tuple(f"{name}:v{one}" for one in range(oldest, latest)))

    async def rotate(self) -> None:
        """Makes a new version of every tenant's key; wraps use it from here on. For who rotates.

        Raises:
            Unavailable: the server cannot be reached, or refuses us.
        """
        for name in await self._names():
            await self._change(partial(self._rotate, name))

    async def destroy(self, kek_ids: Collection[str]) -> None:
        """Ends versions of keys for good, with every version before them. For who rotates.

        Raises:
            ValueError: an id is none of this provider, or that of a key's newest version.
            Unavailable: the server cannot be reached, or refuses us.
        """
        newest: dict[str, int] = defaultdict(int)
        for kek_id in kek_ids:
            found = _KEK_ID.fullmatch(kek_id)
            if found is None:
                raise ValueError(f"{kek_id} is no key of this key provider")
            newest[found[1]] = max(newest[found[1]], int(found[2]))
        for name, version in newest.items():
            await self._destroy(name, version)

    async def _destroy(self, name: str, version: int) -> None:
        about = _data(await self._client.ask(lambda client: self._read(client, name)))
        if version >= int(about["latest_version"]):
            raise ValueError(f"{name}:v{version} wraps now: it cannot be destroyed before another does")
        first = version + 1
        # Encryption first: its version may never be below that of decryption. One at a time, since hvac would
        # have them differ. All of it may be done again.
        if int(about["min_encryption_version"]) < first:
            await self._configure(name, min_encryption_version=first)
        if int(about["min_decryption_version"]) < first:
            await self._configure(name, min_decryption_version=first)
        if int(about.get("min_available_version") or 0) < first:
            await self._change(
                lambda client: self._transit(client).trim_key(
                    name, min_version=first, mount_point=self._mount
                )
            )

    async def _configure(self, name: str, **versions: int) -> None:
        await self._change(
            lambda client: self._transit(client).update_key_configuration(
                name, mount_point=self._mount, **versions
            )
        )

    def _rotate(self, name: str, client: hvac.Client) -> Any:
        return self._transit(client).rotate_key(name, mount_point=self._mount)

    async def _names(self) -> list[str]:
        try:
            answer = await self._client.ask(
                lambda client: self._transit(client).list_keys(mount_point=self._mount)
            )
        except exceptions.InvalidPath as error:
            if error.errors:
                raise _unusable() from None
            return []
        return sorted(str(name) for name in _data(answer)["keys"] if str(name).startswith(PREFIX))

    async def _change(self, change: Callable[[hvac.Client], Any]) -> None:
        try:
            await self._client.ask(change)
        except (exceptions.InvalidRequest, exceptions.InvalidPath):
            raise _unusable() from None

    def _read(self, client: hvac.Client, name: str) -> Any:
        return self._transit(client).read_key(name, mount_point=self._mount)

    @staticmethod
    def _transit(client: hvac.Client) -> Any:
        return cast("Any", client).secrets.transit


def _name(tenant_id: UUID) -> str:
    return f"{PREFIX}{tenant_id}"


def _context(context: KeyContext) -> str:
    return b64encode(b"otokura/wrap/v1\0" + context.tenant_id.bytes + context.call_id.bytes).decode()


def _data(answer: Any) -> dict[str, Any]:
    """What an answer says. hvac gives the response itself where it is no JSON object."""
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), dict):
        raise _unusable()
    return cast("dict[str, Any]", answer["data"])


def _dek(data: dict[str, Any]) -> bytes:
    try:
        dek = b64decode(str(data["plaintext"]), validate=True)
    except (binascii.Error, KeyError):
        raise _unusable() from None
    if len(dek) != DEK_BYTES:
        raise IntegrityError("The wrapped key is none of ours: it has another length.")
    return dek


def _unusable() -> Unavailable:
    return Unavailable("The key provider answers what was not expected: see to its address and mount.")
