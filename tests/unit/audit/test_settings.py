"""Keys that cannot be used: audit does not start, and says which file and why."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from otokura.audit.notes import Signer
from otokura.audit.settings import Settings

pytestmark = pytest.mark.guarantee("L17")

KEY = Ed25519PrivateKey.generate()
PLAIN = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
ENCRYPTED = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
OF_ANOTHER_KIND = generate_private_key(SECP256R1()).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
VKEY = Signer("audit.example.jp/log/2025", KEY).vkey


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All that audit needs to start; the files lie in the folder."""
    tmp_path.joinpath("log.pem").write_bytes(PLAIN)
    values = {
        "DATABASE_URL": "postgresql+asyncpg://audit:secret@127.0.0.1/audit",
        "S3_ENDPOINT": "http://127.0.0.1:9000",
        "S3_ACCESS_KEY": "audit",
        "S3_SECRET_KEY": "secret",
        "KAFKA_BOOTSTRAP": "127.0.0.1:9092",
        "ISSUER": "https://access.test",
        "AUDIT_SIGNING_KEY_FILE": str(tmp_path / "log.pem"),
        "LOG_SIGNING_KEY_FILE": str(tmp_path / "log.pem"),
        "LOG_ORIGIN": "audit.example.jp/log",
        "SOURCE_KEYS_FILE": str(tmp_path / "sources.json"),
        "DEVELOPMENT": "true",
        "KAFKA_REPLICATION": "1",
        "KAFKA_MIN_INSYNC": "1",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"OTOKURA_{name}", value)
    return tmp_path


def test_with_good_keys_it_starts(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment.joinpath("others").write_text(f"# until 2025\n\n{VKEY}\n")
    monkeypatch.setenv("OTOKURA_LOG_OTHER_KEYS_FILE", str(environment / "others"))
    monkeypatch.setenv("OTOKURA_LOG_SECOND_SIGNING_KEY_FILE", str(environment / "log.pem"))
    assert Settings.load().log_other_keys_file == environment / "others"


@pytest.mark.parametrize("name", ["LOG_SIGNING_KEY_FILE", "LOG_SECOND_SIGNING_KEY_FILE"])
@pytest.mark.parametrize(
    "content",
    [None, b"", b"not a key", ENCRYPTED, OF_ANOTHER_KIND],
    ids=["gone", "empty", "text", "locked", "ec"],
)
def test_a_key_that_cannot_be_used_is_named(
    environment: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: bytes | None,
) -> None:
    path = environment / "spoilt.pem"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv(f"OTOKURA_{name}", str(path))
    with pytest.raises(SystemExit) as ended:
        Settings.load()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"OTOKURA_{name}: ")
    assert f"{path} holds no unencrypted Ed25519 key" in line


@pytest.mark.parametrize(
    "content",
    [None, "audit.example.jp", VKEY[:-4], VKEY.replace("2025", "2024"), "a+b+c"],
    ids=["gone", "name", "cut short", "of another year", "no key"],
)
def test_other_keys_that_are_none_are_named(
    environment: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: str | None,
) -> None:
    path = environment / "others"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("OTOKURA_LOG_OTHER_KEYS_FILE", str(path))
    with pytest.raises(SystemExit):
        Settings.load()
    assert f"OTOKURA_LOG_OTHER_KEYS_FILE: Value error, {path} cannot be used" in capsys.readouterr().err
