"""A keyring changes whole or not at all, and never loses the key that wraps."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from otokura.shared.errors import Unavailable
from otokura.shared.ids import uuid7
from otokura.shared.keyring import KeyringError, add_kek, create_keyring, destroy_keks, read_keyring
from otokura.shared.keys import KeyContext, LocalKeyProvider, new_dek


@pytest.fixture
def keyring(tmp_path: Path) -> Path:
    path = tmp_path / "keyring.json"
    create_keyring(path)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640])
def test_a_changed_keyring_is_for_the_same_readers(keyring: Path, mode: int) -> None:
    keyring.chmod(mode)
    added = add_kek(keyring)
    assert keyring.stat().st_mode & 0o777 == mode
    found, _ = read_keyring(keyring)
    assert found.current == added
    assert len(found.keks) == 2
    assert [path.name for path in keyring.parent.iterdir()] == ["keyring.json"]


def test_a_change_that_cannot_be_written_leaves_the_file_as_it_was(
    keyring: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keyring.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        add_kek(keyring)
    assert keyring.read_bytes() == before
    assert [path.name for path in keyring.parent.iterdir()] == ["keyring.json"]


def test_keys_made_at_once_are_all_there(keyring: Path) -> None:
    makers = [threading.Thread(target=add_kek, args=(keyring,)) for _ in range(8)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert len(read_keyring(keyring)[0].keks) == 9


def test_the_key_that_wraps_is_not_destroyed(keyring: Path) -> None:
    old = read_keyring(keyring)[0].current
    new = add_kek(keyring)
    before = keyring.read_bytes()
    with pytest.raises(KeyringError, match="wraps now"):
        destroy_keks(keyring, [old, new])
    assert keyring.read_bytes() == before
    destroy_keks(keyring, [old, "gone"])
    assert list(read_keyring(keyring)[0].keks) == [new]


def test_an_unfit_keyring_is_not_changed(keyring: Path) -> None:
    keyring.chmod(0o644)
    with pytest.raises(KeyringError, match="chmod 600"):
        add_kek(keyring)


async def test_a_keyring_that_is_gone_wraps_and_opens_nothing(keyring: Path) -> None:
    """Not with what was read before either: that may hold a key that is destroyed."""
    provider, context = LocalKeyProvider(keyring), KeyContext(uuid7(), uuid7())
    moved = move(keyring, "moved")
    with pytest.raises(Unavailable, match="keyring"):
        await provider.wrap(new_dek(), context)
    move(moved, keyring.name)
    await provider.wrap(new_dek(), context)


def move(path: Path, name: str) -> Path:
    return path.rename(path.with_name(name))
