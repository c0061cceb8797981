"""What every service reads from its environment: `OTOKURA_<NAME>`, checked once at start.

A variable with our prefix that no setting has is an error, so that a typo never passes in silence.
"""

from __future__ import annotations

import os
import sys
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from otokura.shared.address import Network, unmap_network

PREFIX = "OTOKURA_"
TEST_PREFIX = "OTOKURA_TEST_"
"""Variables that steer the test suite, and reach the services that it starts; no setting has this prefix."""

MIB = 1 << 20


class ServiceSettings(BaseSettings):
    """The settings that all services share; each has its own subclass `Settings`, with `service`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        # A wrong value may be a secret that landed in the wrong variable.
        hide_input_in_errors=True,
    )
    service: ClassVar[str]
    """The service's name: `ingest`, `transcribe`, `access` or `audit`."""

    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    development: bool = False
    """Allows what production forbids, with a warning: a weak audit topic, plain HTTP."""
    max_body_bytes: int = Field(default=MIB, gt=0)
    """The largest body of a route that does not say otherwise, and the largest WebSocket message."""
    head_seconds: float = Field(default=10.0, gt=0)
    """How long a connection may take for the whole head of a request."""
    max_connections: int = Field(default=20_000, ge=1)
    """Open at once, in one process; fewer where the system permits fewer open files."""
    body_seconds: float = Field(default=30.0, gt=0)
    """How long the body of a request may take; uploads have rules of their own."""
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = ()
    """Networks of the proxies whose X-Forwarded-For is believed, separated by commas."""

    database_url: SecretStr
    """`postgresql+asyncpg://user:password@host:port/name`"""
    kafka_bootstrap: str = Field(min_length=1)
    """`host:port`, several separated by commas."""
    kafka_idempotence: bool = True
    """False for a broker that has no InitProducerId."""
    kafka_replication: int = Field(default=3, ge=1)
    kafka_min_insync: int = Field(default=2, ge=1)
    kafka_partitions: int = Field(default=3, ge=1)
    s3_endpoint: str = Field(pattern=r"^https?://[^/]+$")
    s3_access_key: str
    s3_secret_key: SecretStr
    s3_region: str = "us-east-1"

    issuer: str = Field(min_length=1)
    """The `iss` of the tokens that are accepted."""
    audience: str = "otokura"
    audit_signing_key_file: Path
    """This service's Ed25519 key, PKCS8 PEM."""

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split_networks(cls, value: object) -> object:
        """Commas separate networks, as in every other tool that takes a list of them."""
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _unmap_networks(cls, value: tuple[IPv4Network | IPv6Network, ...]) -> tuple[Network, ...]:
        return tuple(unmap_network(network) for network in value)

    @field_validator("database_url")
    @classmethod
    def _asyncpg(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith("postgresql+asyncpg://"):
            raise ValueError("must begin with postgresql+asyncpg://")
        return value

    @model_validator(mode="after")
    def _no_unknown_variables(self) -> Self:
        known = {f"{PREFIX}{name.upper()}" for name in type(self).model_fields}
        ours = {name.upper() for name in os.environ if name.upper().startswith(PREFIX)}
        unknown = sorted(name for name in ours - known if not name.startswith(TEST_PREFIX))
        if unknown:
            raise ValueError(
                f"no setting has the name of {', '.join(unknown)}: correct or remove it "
                "(Kubernetes: set enableServiceLinks to false)"
            )
        return self

    @classmethod
    def load(cls) -> Self:
        """The settings of this process, or the end of it.

        Raises:
            SystemExit: status 2, after one line on stderr for each variable that is missing or wrong.
        """
        try:
            return cls(**cast("dict[str, Any]", {}))
        except ValidationError as error:
            for found in error.errors(include_url=False, include_input=False, include_context=False):
                names = [f"{PREFIX}{str(part).upper()}" for part in found["loc"][:1]]
                sys.stderr.write(f"{': '.join([*names, found['msg']])}\n")
            raise SystemExit(2) from None
