"""The key providers under contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from key_installations import Installation, Local, Vault
from otokura.shared.keys import KeyProvider
from vault_server import VaultServer, vault_server


@pytest.fixture(scope="session")
def vault() -> Iterator[VaultServer]:
    """A running OpenBao."""
    with vault_server() as server:
        yield server


@pytest.fixture(params=["local", "vault"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Installation:
    """One of each kind."""
    if request.param == "local":
        return Local(tmp_path)
    return Vault(request.getfixturevalue("vault"), "transit").another()


@pytest.fixture
def provider(installation: Installation) -> KeyProvider:
    return installation.provider()
