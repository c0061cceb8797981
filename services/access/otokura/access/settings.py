"""What access reads from its environment (`OTOKURA_…`)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from otokura.access.oidc.settings import OidcSettings
from otokura.shared.key_settings import KeyProviderSettings


class Settings(OidcSettings, KeyProviderSettings):
    """The settings of access."""

    service: ClassVar[str] = "access"

    port: int = 8443

    token_signing_key_file: Path
    """Signs access tokens: Ed25519, PKCS8 PEM."""
    token_lifetime_seconds: int = Field(default=900, ge=60, le=86_400)

    invitation_lifetime_seconds: int = Field(default=3 * 86_400, ge=60, le=30 * 86_400)
    """How long a person has to accept an invitation."""
    session_lifetime_seconds: int = Field(default=12 * 3600, ge=300, le=30 * 86_400)
    """After how long a person logs in again, whatever they do (NIST SP 800-63B-4 §2.2.3)."""
    session_idle_seconds: int = Field(default=3600, ge=60)
    """After how long without a refresh a session ends; longer than a token lives."""

    bootstrap_token: SecretStr | None = None
    """Makes the first operator, once. Remove it afterwards."""
    bootstrap_lifetime_seconds: int = Field(default=3600, ge=60)
    """How long a bootstrap token works after the service has first seen it."""

    policy_dir: Path | None = None
    """Holds `schema.cedarschema` and `*.cedar` files that take the place of the built-in policies."""

    feed_retention_days: int = Field(default=7, ge=1, le=365)
    """How long a feed's topic keeps its events, for replays; erased text is gone from it after that, too."""
    feed_workers: int = Field(default=2, ge=1, le=32)
    """Jobs of feeds that this process carries out at once."""
    feed_lease_seconds: float = Field(default=90.0, gt=1)
    """After how long a job of a process that died is taken by another."""
    feed_poll_seconds: float = Field(default=0.5, gt=0)
    """How often it looks for such jobs when there are none."""

    index_workers: int = Field(default=1, ge=1, le=32)
    """Transcripts that this process indexes at once."""
    index_lease_seconds: float = Field(default=90.0, gt=1)
    """After how long the indexing of a call, by a process that died, is taken by another."""
    index_poll_seconds: float = Field(default=0.5, gt=0)
    """How often it looks for transcripts to index when there are none."""
    retention_look_seconds: float = Field(default=60.0, gt=0)
    """How often is looked for what is kept no longer, and for erasures that have become final."""
    customer_calls_opened: int = Field(default=50_000, ge=1)
    """The most calls of which the numbers are opened to find those of one customer."""

    audit_url: str | None = Field(default=None, pattern=r"^https?://[^/?#\s]+/?$")
    """Where the audit service answers, `http://host:port`: evidence holds the history that it gives."""

    history_page: int = Field(default=100, ge=1, le=200)
    """How many entries of a call's history are asked for at once."""

    timestamp_url: str | None = None
    """A time-stamping authority (RFC 3161) that is told the hash of each bundle's manifest."""
    timestamp_required: bool = False
    """There is no evidence while it gives no timestamps; else bundles say that they have none."""
    timestamp_ca_file: Path | None = None
    """PEM: certificates that its own must lead to. Without, who verifies a bundle says whom they believe."""
    timestamp_seconds: float = Field(default=10.0, gt=0)
    """How long it may take."""

    recheck_seconds: float = Field(default=5.0, gt=0)
    """How often a reading under way is asked again whether it is still permitted."""

    decoders: int = Field(default=4, ge=1, le=64)
    """Redacted recordings that are heard at once, half of them by one reader; each by a process that may
    take half a gigabyte."""
    stalled_seconds: float = Field(default=60.0, gt=0)
    """After how long such a process no longer waits for a reader who takes nothing; a range goes on there."""

    @field_validator("timestamp_url")
    @classmethod
    def _tells_no_secret(cls, value: str | None) -> str | None:
        """Bundles and the log of the service name the authority as it stands here."""
        if value is None or re.fullmatch(r"https?://[^/@?#\s]+(/[^@?#\s]*)?", value):
            return value
        raise ValueError("http(s)://host/path without user, password or query: every bundle names it")
