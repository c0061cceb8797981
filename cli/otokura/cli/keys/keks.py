"""Where key-encryption keys are made and destroyed: a keyring file, or a server that speaks Vault's protocol.

Services have no right to either. Who runs the command has: the file's owner, or who holds a token of the
policy `otokura-rotation`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from otokura.shared.keyring import add_kek, destroy_keks

if TYPE_CHECKING:
    from otokura.shared.vault import VaultKeyProvider

TIMEOUT_SECONDS = 10.0


class KekStore(Protocol):
    """Makes and destroys key-encryption keys. Either may be done again after an interruption.

    Raises:
        KeyringError: the file cannot be used.
        Unavailable: the server cannot be reached, or refuses the token.
    """

    def make(self) -> str | None:
        """New keys, which wrap from here on; the id where one is everybody's."""
        ...

    def destroy(self, kek_ids: Collection[str]) -> None:
        """Ends old keys for good."""
        ...


@dataclass(frozen=True)
class KeyringFile:
    """The keyring of the `local` key provider."""

    path: Path

    def make(self) -> str | None:
        """See `KekStore.make`."""
        return add_kek(self.path)

    def destroy(self, kek_ids: Collection[str]) -> None:
        """See `KekStore.destroy`."""
        destroy_keks(self.path, kek_ids)


@dataclass(frozen=True)
class VaultServer:
    """The Transit keys of the `vault` key provider."""

    address: str
    token_file: Path
    mount: str = "transit"
    namespace: str | None = None
    ca_file: Path | None = None

    def make(self) -> str | None:
        """See `KekStore.make`. Every tenant has its own."""
        asyncio.run(self._provider().rotate())
        return None

    def destroy(self, kek_ids: Collection[str]) -> None:
        """See `KekStore.destroy`."""
        asyncio.run(self._provider().destroy(kek_ids))

    def _provider(self) -> VaultKeyProvider:
        # Only here: hvac takes as long to load as all of the command.
        from otokura.shared.vault import VaultKeyProvider  # noqa: PLC0415
        from otokura.shared.vault_client import FileToken, VaultClient  # noqa: PLC0415

        client = VaultClient(
            self.address,
            FileToken(self.token_file),
            timeout=TIMEOUT_SECONDS,
            namespace=self.namespace,
            ca_file=self.ca_file,
        )
        return VaultKeyProvider(client, self.mount)
