"""The settings of the services that hold wrapped keys: which key provider, and how it is reached."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from otokura.shared.settings import ServiceSettings

KUBERNETES_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class KeyProviderSettings(ServiceSettings):
    """`OTOKURA_…` variables of ingest, transcribe and access."""

    key_provider: str = "local"
    """`local`, `vault`, or the name of an entry point in the group `otokura.key_providers`."""
    keyring_file: Path | None = None
    """The keyring of the `local` key provider, mode 0600."""

    vault_address: str | None = Field(default=None, pattern=r"^https?://[^/\s]+$")
    """Of the server that speaks Vault's protocol. Plain HTTP in development only."""
    vault_mount: str = Field(default="transit", pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$")
    """Where its Transit engine is mounted."""
    vault_namespace: str | None = None
    vault_ca_file: Path | None = None
    """The authority that signed its certificate; None: those that Python's `certifi` knows."""
    vault_token_file: Path | None = None
    """Holds our token, and is read again when it changes: something else renews it, such as Vault Agent."""
    vault_kubernetes_role: str | None = None
    """In the place of a token: log in as this role with the pod's service account, and renew."""
    vault_kubernetes_mount: str = Field(default="kubernetes", pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$")
    vault_kubernetes_token_file: Path = KUBERNETES_TOKEN
    vault_timeout_seconds: float = Field(default=3.0, gt=0, le=60)
    """Of one request, of which there are at most three."""

    rewrap_settle_seconds: float = Field(default=120.0, ge=0)
    """How long after it heard of a rotation this service may still see a wrapping under the old key: as long
    as a changed keyring takes to every instance (a minute or two where it is a Kubernetes Secret)."""

    @property
    def rewrap_settle(self) -> timedelta:
        """The same as an interval."""
        return timedelta(seconds=self.rewrap_settle_seconds)

    @model_validator(mode="after")
    def _provider_can_be_reached(self) -> Self:
        if self.key_provider == "local" and self.keyring_file is None:
            raise ValueError("the key provider `local` needs a keyring: set OTOKURA_KEYRING_FILE")
        if self.key_provider == "vault":
            self._check_vault()
        return self

    def _check_vault(self) -> None:
        if self.vault_address is None:
            raise ValueError("the key provider `vault` needs an address: set OTOKURA_VAULT_ADDRESS")
        if self.vault_address.startswith("http:") and not self.development:
            raise ValueError(
                "keys do not travel over plain HTTP: OTOKURA_VAULT_ADDRESS must begin with https"
            )
        if (self.vault_token_file is None) is (self.vault_kubernetes_role is None):
            raise ValueError("set either OTOKURA_VAULT_TOKEN_FILE or OTOKURA_VAULT_KUBERNETES_ROLE")
