"""`otokura open`: whole and proven, or nothing."""

from __future__ import annotations

import hashlib
import json
import struct
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from typer.testing import CliRunner, Result

import customer
from access_calls import manifest_of, started_of
from otokura.cli.__main__ import app
from otokura.shared.cipher import encrypt
from otokura.shared.customer_keys import CustomerCopy, copy_for
from otokura.shared.ids import uuid7
from otokura.shared.keys import Kind, associated_data, commitment, derive, new_dek
from otokura.shared.manifest import StoredObject
from otokura.shared.sealed_files import MAGIC, SealedFileHeader

RUN = CliRunner()
AUDIO = bytes(range(256)) * 1000


def sealed(**changes: Any) -> bytes:
    """A recording as `GET …/sealed` gives it."""
    tenant, call, dek = uuid4(), uuid7(), new_dek()
    stored = StoredObject(
        bucket="recordings",
        name="r",
        media_type="audio/flac",
        plaintext_bytes=len(AUDIO),
        plaintext_sha256=hashlib.sha256(AUDIO).hexdigest(),
    )
    manifest = manifest_of(started_of(call, tenant), stored, commitment(dek, call))
    key_sha256, wrapped = copy_for(customer.public_pem(), dek)
    values: dict[str, Any] = {
        "kind": "recording",
        **stored.model_dump(include={"media_type", "plaintext_bytes", "plaintext_sha256"}),
        "manifest": manifest,
        "manifest_sha256": manifest.sha256(),
        "customer_key": CustomerCopy(key_sha256=key_sha256, wrapped=b64encode(wrapped)),
    }
    header = SealedFileHeader(**{**values, **changes})
    ciphertext = encrypt(
        derive(dek, Kind.RECORDING, call), AUDIO, associated_data(tenant, call, Kind.RECORDING)
    )
    return header.to_bytes() + ciphertext


def opened(folder: Path, content: bytes, *options: str) -> Result:
    file = folder / "call.sealed"
    file.write_bytes(content)
    key = [] if "--key" in options else ["--key", str(customer.key_file(folder))]
    return RUN.invoke(app, ["open", str(file), *key, "--output", str(folder / "out.flac"), *options])


@pytest.mark.guarantee("S27")
def test_the_customers_key_opens_it(tmp_path: Path) -> None:
    result = opened(tmp_path, sealed())
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "out.flac").read_bytes() == AUDIO
    assert (tmp_path / "out.flac").stat().st_mode & 0o777 == 0o600
    assert "recording of call" in result.stdout


def test_a_key_under_a_password_is_asked_for_it(tmp_path: Path) -> None:
    path = tmp_path / "locked.pem"
    locked = customer.private_key().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"a word")
    )
    path.write_bytes(locked)
    file = tmp_path / "call.sealed"
    file.write_bytes(sealed())
    command = ["open", str(file), "--key", str(path), "--output", str(tmp_path / "out")]
    assert RUN.invoke(app, command, input="wrong\n").exit_code == 1
    assert RUN.invoke(app, command, input="a word\n").exit_code == 0


@pytest.mark.guarantee("S27")
def test_another_key_does_not_open_it_and_says_which_would(tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    result = opened(tmp_path, sealed(), "--key", str(customer.key_file(folder, customer.private_key(1))))
    assert (result.exit_code, "sealed for the key" in result.stderr) == (1, True)
    assert not (tmp_path / "out.flac").exists()


def flipped(content: bytes) -> bytes:
    return content[:-100] + bytes([content[-100] ^ 1]) + content[-99:]


def with_header(change: Callable[[dict[str, Any]], None]) -> Callable[[bytes], bytes]:
    def changed(content: bytes) -> bytes:
        start = len(MAGIC) + 4
        [length] = struct.unpack_from(">I", content, len(MAGIC))
        header = json.loads(content[start : start + length])
        change(header)
        body = json.dumps(header).encode()
        return MAGIC + struct.pack(">I", len(body)) + body + content[start + length :]

    return changed


@pytest.mark.guarantee("S27")
@pytest.mark.parametrize(
    "change",
    [
        flipped,
        lambda content: content[:-1],
        lambda content: content[:-70_000],
        lambda content: content + b"x",
        lambda content: content[: len(content) - 257_000],
        with_header(lambda header: header["manifest"].update(external_id="another call")),
        with_header(lambda header: header["manifest"].update(key_commitment="0" * 64)),
        with_header(lambda header: header.update(kind="transcript", version=1)),
        with_header(lambda header: header["customer_key"].update(wrapped=b64encode(bytes(384)).decode())),
        with_header(lambda header: header.update(plaintext_bytes=5)),
    ],
)
def test_what_was_changed_is_not_opened(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    result = opened(tmp_path, change(sealed()))
    assert result.exit_code == 1
    assert result.stderr.strip()
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []


@pytest.mark.parametrize("content", [b"", b"RIFF", MAGIC, MAGIC + b"\xff\xff\xff\xff", MAGIC + bytes(4)])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    result = opened(tmp_path, content)
    assert result.exit_code == 1
    assert "Traceback" not in result.output


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "out.flac").write_text("mine")
    result = opened(tmp_path, sealed())
    assert (result.exit_code, "exists" in result.stderr) == (1, True)
    assert (tmp_path / "out.flac").read_text() == "mine"
