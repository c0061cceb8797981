"""Keys are derived apart, committed to, and bound to what they are for."""

from __future__ import annotations

import json
import os
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from hypothesis import given
from hypothesis import strategies as st

from otokura.shared.errors import IntegrityError
from otokura.shared.keys import (
    KeyringError,
    Kind,
    LocalKeyProvider,
    associated_data,
    check_commitment,
    commitment,
    create_keyring,
    derive,
    key_provider,
    new_dek,
)

DEK = bytes(range(32))
CALL = UUID("0190a000-0000-7000-8000-000000000001")
number = st.one_of(st.none(), st.integers(0, 2**64 - 1))
binding = st.tuples(st.uuids(), st.uuids(), st.sampled_from(Kind), number, number, number)


def hmac(key: bytes, data: bytes) -> bytes:
    digest = HMAC(key, SHA256())
    digest.update(data)
    return digest.finalize()


def test_a_kinds_key_is_hkdf_as_rfc_5869_writes_it() -> None:
    """HKDF written out by hand: extract with a salt of zeros, expand by one block."""
    info = b"otokura/key/v1\0recording\0" + CALL.bytes
    assert derive(DEK, Kind.RECORDING, CALL) == hmac(hmac(bytes(32), DEK), info + b"\x01")


def test_every_kind_and_call_has_its_own_key() -> None:
    keys = {derive(DEK, kind, call) for kind in Kind for call in (CALL, uuid4())}
    assert len(keys) == 2 * len(Kind)
    assert DEK not in keys


def test_a_new_key_is_32_bytes_and_new() -> None:
    keys = {new_dek() for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {32}


@pytest.mark.guarantee("V3")
def test_only_the_committed_key_is_accepted() -> None:
    promised = commitment(DEK, CALL)
    check_commitment(DEK, CALL, promised)
    for dek, call in ((os.urandom(32), CALL), (DEK, uuid4())):
        with pytest.raises(IntegrityError, match="commits"):
            check_commitment(dek, call, promised)
    with pytest.raises(IntegrityError):
        check_commitment(DEK, CALL, promised[:-1] + ("0" if promised[-1] != "0" else "1"))


def test_a_commitment_gives_no_key_away() -> None:
    assert bytes.fromhex(commitment(DEK, CALL)) not in {derive(DEK, kind, CALL) for kind in Kind}


@given(first=binding, second=binding)
def test_different_things_are_bound_differently(
    first: tuple[UUID, UUID, Kind, int | None, int | None, int | None],
    second: tuple[UUID, UUID, Kind, int | None, int | None, int | None],
) -> None:
    assert (bound(*first) == bound(*second)) == (first == second)


@pytest.mark.parametrize("changed", range(6))
def test_each_part_of_the_binding_counts(changed: int) -> None:
    one = (CALL, CALL, Kind.SEGMENT, 0, 0, 0)
    for other in ((uuid4(), uuid4(), Kind.LIVE, 1, 1, 1), (uuid4(), uuid4(), Kind.EVENT, None, None, None)):
        assert bound(*one) != bound(*(other[i] if i == changed else part for i, part in enumerate(one)))  # type: ignore[arg-type]


def bound(
    tenant: UUID, call: UUID, kind: Kind, channel: int | None, sequence: int | None, version: int | None
) -> bytes:
    return associated_data(tenant, call, kind, channel=channel, sequence=sequence, version=version)


def test_a_keyring_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    create_keyring(path)
    assert path.stat().st_mode & 0o777 == 0o600
    LocalKeyProvider(path)
    with pytest.raises(FileExistsError):
        create_keyring(path)


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o660, 0o620, 0o650])
def test_a_keyring_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keyring.json"
    create_keyring(path)
    path.chmod(mode)
    with pytest.raises(KeyringError, match="chmod 600"):
        LocalKeyProvider(path)


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o640])
def test_a_keyring_may_be_read_by_a_group(tmp_path: Path, mode: int) -> None:
    """As Kubernetes mounts a Secret for a pod that is not root."""
    path = tmp_path / "keyring.json"
    create_keyring(path)
    path.chmod(mode)
    LocalKeyProvider(path)


@pytest.mark.parametrize(
    "content",
    [
        "not json",
        "{}",
        '{"current": "a", "keks": {}}',
        json.dumps({"current": "a", "keks": {"a": "c2hvcnQ="}}),
        json.dumps({"current": "a", "keks": {"a": "***not base64***"}}),
        json.dumps({"current": "a", "keks": {"a": "A" * 43 + "="}, "more": 1}),
    ],
)
def test_a_file_that_is_no_keyring_is_refused_without_showing_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keyring.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(KeyringError) as refusal:
        LocalKeyProvider(path)
    assert "keyring" in str(refusal.value)
    for secret in ("c2hvcnQ=", "not base64", "A" * 43):
        assert secret not in str(refusal.value)


def test_an_absent_keyring_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyringError, match="does not exist"):
        LocalKeyProvider(tmp_path / "none.json")


class Settings:
    def __init__(self, key_provider: str, keyring_file: Path) -> None:
        self.key_provider = key_provider
        self.keyring_file = keyring_file


def test_the_provider_is_found_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    create_keyring(path)
    assert isinstance(key_provider(Settings("local", path)), LocalKeyProvider)
    with pytest.raises(LookupError, match="no-such"):
        key_provider(Settings("no-such", path))
