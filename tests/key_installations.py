"""Every key provider behind one interface: wrap and unwrap, and what who rotates does."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from otokura.shared.keyring import add_kek, create_keyring, destroy_keks
from otokura.shared.keys import KeyProvider, LocalKeyProvider
from vault_server import VaultServer


class Installation(Protocol):
    """One set of key-encryption keys."""

    def provider(self) -> KeyProvider:
        """As another process has it."""
        ...

    def another(self) -> Installation:
        """One whose keys are others."""
        ...

    async def rotate(self) -> str | None:
        """Makes new keys; the id where one is everybody's."""
        ...

    async def destroy(self, kek_ids: Collection[str]) -> None: ...


@dataclass(frozen=True)
class Local:
    folder: Path

    def __post_init__(self) -> None:
        create_keyring(self.keyring)

    @property
    def keyring(self) -> Path:
        return self.folder / "keyring.json"

    def provider(self) -> KeyProvider:
        return LocalKeyProvider(self.keyring)

    def another(self) -> Installation:
        folder = self.folder / secrets.token_hex(4)
        folder.mkdir()
        return Local(folder)

    async def rotate(self) -> str | None:
        return add_kek(self.keyring)

    async def destroy(self, kek_ids: Collection[str]) -> None:
        destroy_keks(self.keyring, kek_ids)


@dataclass(frozen=True)
class Vault:
    server: VaultServer
    mount: str

    def provider(self) -> KeyProvider:
        return self.server.provider(mount=self.mount)

    def another(self) -> Installation:
        mount = f"transit-{secrets.token_hex(4)}"
        self.server.mount(mount)
        return Vault(self.server, mount)

    async def rotate(self) -> str | None:
        await self.server.provider(mount=self.mount).rotate()
        return None

    async def destroy(self, kek_ids: Collection[str]) -> None:
        await self.server.provider(mount=self.mount).destroy(kek_ids)
