"""What access does not start with."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import ENVIRONMENT
from otokura.access.settings import Settings


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Enough to start with."""
    for name in ("TOKEN_SIGNING_KEY_FILE", "KEYRING_FILE"):
        monkeypatch.setenv(f"OTOKURA_{name}", str(tmp_path / "file"))
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize(
    "url", ["https://tsa.example", "http://10.0.0.1:3161/tsr", "https://tsa.example/a/b"]
)
def test_an_authority_is_named_by_its_address(environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("OTOKURA_TIMESTAMP_URL", url)
    assert Settings.load().timestamp_url == url


@pytest.mark.guarantee("L28")
@pytest.mark.parametrize(
    "url",
    [
        "https://me:hunter4@tsa.example/tsr",
        "https://hunter4@tsa.example",
        "https://tsa.example/tsr?token=hunter4",
        "https://tsa.example/tsr#hunter4",
        "ftp://tsa.example/hunter4",
        "https:///hunter4",
    ],
)
def test_what_every_bundle_tells_of_the_authority_holds_no_secret(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    environment.setenv("OTOKURA_TIMESTAMP_URL", url)
    with pytest.raises(SystemExit):
        Settings.load()
    shown = capsys.readouterr().err
    assert "OTOKURA_TIMESTAMP_URL" in shown
    assert "without user, password or query" in shown
    assert "hunter" not in shown
