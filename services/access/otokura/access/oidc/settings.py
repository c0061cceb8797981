"""Settings of identity providers: the environment, read once with the rest of access's."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from otokura.shared.address import Network, unmap_network
from otokura.shared.settings import ServiceSettings


class OidcSettings(ServiceSettings):
    """`OTOKURA_OIDC_…` variables."""

    oidc_timeout_seconds: float = Field(default=5.0, gt=0)
    """For fetching an issuer's metadata and keys, both together."""
    oidc_fresh_seconds: float = Field(default=300.0, gt=0)
    """How old keys may be before they are fetched anew: how long a withdrawn key works at most."""
    oidc_refetch_seconds: float = Field(default=10.0, gt=0)
    """Keys of one issuer are fetched no more often, whatever unknown key ids tokens name."""
    oidc_stale_seconds: float = Field(default=3600.0, gt=0)
    """How old keys may be while the issuer cannot be reached; after that its tokens are refused."""
    oidc_allowed_networks: Annotated[tuple[Network, ...], NoDecode] = ()
    """Private networks where issuers may be all the same, separated by commas."""
    oidc_ca_file: Path | None = None
    """Further certificate authorities that issuers may have their certificates from, PEM."""

    @field_validator("oidc_allowed_networks", mode="before")
    @classmethod
    def _split_oidc_networks(cls, value: object) -> object:
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value

    @field_validator("oidc_allowed_networks")
    @classmethod
    def _unmap_oidc_networks(cls, value: tuple[IPv4Network | IPv6Network, ...]) -> tuple[Network, ...]:
        return tuple(unmap_network(network) for network in value)
