"""Ingest's own database with calls in it, and the keyring that wrapped their keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from key_installations import Local
from keys_at_rest import KeysAtRest
from otokura.shared.database import Database, migrate
from otokura.shared.keyring import create_keyring
from vault_server import VaultServer, vault_server


@pytest.fixture
def keyring(tmp_path: Path) -> Path:
    create_keyring(tmp_path / "keyring.json")
    return tmp_path / "keyring.json"


@pytest.fixture
async def at_rest(database_url: str, tmp_path: Path) -> AsyncIterator[KeysAtRest]:
    """Ingest's tables, empty."""
    await migrate(database_url, "otokura.ingest.migrations")
    database = Database(database_url)
    yield KeysAtRest(database, Local(tmp_path))
    await database.close()


@pytest.fixture(scope="session")
def vault() -> Iterator[VaultServer]:
    """A running OpenBao."""
    with vault_server() as server:
        yield server
