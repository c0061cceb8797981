"""Settings of webhooks: the environment, read once with the rest of ingest's."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from otokura.shared.address import Network, unmap_network
from otokura.shared.settings import ServiceSettings

RETRY_SECONDS = (5.0, 30.0, 120.0, 600.0, 1800.0, 7200.0, 21600.0, 43200.0, 86400.0, 86400.0)
"""The pauses after the first, second … failure: 2.9 days in all, each about a third of the next."""


class WebhookSettings(ServiceSettings):
    """`OTOKURA_WEBHOOK…` variables."""

    webhooks_per_client: int = Field(default=10, ge=1, le=1000)
    webhook_slots: int = Field(default=64, ge=1, le=1024)
    """Deliveries that one process makes at once."""
    webhook_concurrency: int = Field(default=4, ge=1, le=64)
    """Deliveries that one endpoint gets at once, over all processes; one, while it fails."""
    webhook_connect_seconds: float = Field(default=5.0, gt=0)
    """For finding the address, connecting, and again for TLS."""
    webhook_timeout_seconds: float = Field(default=15.0, gt=0)
    """For a whole attempt."""
    webhook_retry_seconds: Annotated[tuple[float, ...], NoDecode] = RETRY_SECONDS
    """Pauses between attempts, separated by commas; when they are used up the delivery has failed."""
    webhook_disable_seconds: float = Field(default=5 * 86400.0, gt=0)
    """An endpoint that nothing has reached for so long is disabled."""
    webhook_keep_days: float = Field(default=30.0, gt=0)
    """How long deliveries can be listed and replayed."""

    webhook_allow_http: bool = False
    """Allows endpoints without TLS, as `development` does: bodies are signed, and can be read on the way."""
    webhook_allowed_networks: Annotated[tuple[Network, ...], NoDecode] = ()
    """Private networks where endpoints may be all the same, separated by commas."""
    webhook_ca_file: Path | None = None
    """Further certificate authorities that endpoints may have their certificates from, PEM."""

    @field_validator("webhook_allowed_networks", "webhook_retry_seconds", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value

    @field_validator("webhook_allowed_networks")
    @classmethod
    def _unmap_allowed(cls, value: tuple[IPv4Network | IPv6Network, ...]) -> tuple[Network, ...]:
        return tuple(unmap_network(network) for network in value)

    @field_validator("webhook_retry_seconds")
    @classmethod
    def _pauses(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or not all(0 < pause < float("inf") for pause in value):
            raise ValueError("must be one or more numbers of seconds, each above 0")
        return value

    @property
    def plain_http_allowed(self) -> bool:
        """Whether an endpoint may be without TLS."""
        return self.development or self.webhook_allow_http

    @property
    def webhook_lease(self) -> timedelta:
        """How long an attempt's row is left alone: longer than any attempt, so that two are never at once."""
        return timedelta(seconds=2 * self.webhook_timeout_seconds)
