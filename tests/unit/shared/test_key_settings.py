"""A key provider is chosen by settings that are checked at start, or by an entry point of somebody else."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from otokura.shared.key_settings import KeyProviderSettings
from otokura.shared.keys import key_provider
from otokura.shared.vault import VaultKeyProvider


class Settings(KeyProviderSettings):
    service: ClassVar[str] = "ingest"
    port: int = 8000


COMMON = {
    "database_url": "postgresql+asyncpg://u:p@h/d",
    "kafka_bootstrap": "h:9092",
    "s3_endpoint": "http://h",
    "s3_access_key": "k",
    "s3_secret_key": "s",
    "issuer": "i",
    "audit_signing_key_file": "/none",
}
VAULT = {"key_provider": "vault", "vault_address": "https://vault.example:8200"}


def settings(**values: Any) -> Settings:
    return Settings.model_validate({**COMMON, **values})


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({}, "KEYRING_FILE"),
        ({"key_provider": "vault", "vault_token_file": "/t"}, "VAULT_ADDRESS"),
        (VAULT, "VAULT_TOKEN_FILE"),
        ({**VAULT, "vault_token_file": "/t", "vault_kubernetes_role": "r"}, "either"),
        ({**VAULT, "vault_address": "http://vault:8200", "vault_token_file": "/t"}, "https"),
        ({**VAULT, "vault_address": "vault:8200", "vault_token_file": "/t"}, "vault_address"),
        ({**VAULT, "vault_mount": "../sys", "vault_token_file": "/t"}, "vault_mount"),
        ({**VAULT, "vault_timeout_seconds": 0, "vault_token_file": "/t"}, "vault_timeout_seconds"),
    ],
)
def test_settings_that_reach_no_provider_are_refused_at_start(values: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong):
        settings(**values)


def test_vault_is_made_without_asking_it_anything() -> None:
    """A service starts, and records what is under way, while the server is away."""
    for login in ({"vault_token_file": "/none"}, {"vault_kubernetes_role": "otokura-ingest"}):
        assert isinstance(key_provider(settings(**VAULT, **login)), VaultKeyProvider)


def test_another_provider_comes_by_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As docs/keys.md says: a factory that is given the settings, in the group `otokura.key_providers`."""
    (tmp_path / "of_others.py").write_text(
        "class Provider:\n    def __init__(self, settings):\n        self.chosen = settings.key_provider\n"
    )
    about = tmp_path / "of_others-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: of-others\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[otokura.key_providers]\nhsm = of_others:Provider\n")
    with pytest.raises(LookupError, match="hsm"):
        key_provider(settings(key_provider="hsm"))
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    found: Any = key_provider(settings(key_provider="hsm"))
    assert type(found).__name__ == "Provider"
    assert found.chosen == "hsm"
