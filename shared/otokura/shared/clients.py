"""What every service is told of a vendor's client: the hashes of its keys, and its limits."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from otokura.shared.moments import Moment

Sha256Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_MOST = 1 << 53
"""Numbers in JSON are exact up to here (RFC 7493 §2.2)."""


class ClientKey(BaseModel):
    """A key that is good until `expires_at`, or until it is withdrawn."""

    model_config = ConfigDict(frozen=True)
    sha256: Sha256Hex
    expires_at: Moment | None = None

    def is_good(self, at: datetime) -> bool:
        """Whether it has not expired."""
        return self.expires_at is None or at < self.expires_at


class ClientLimits(BaseModel):
    """What one client may use of ingest. None: as ingest's settings say."""

    model_config = ConfigDict(frozen=True)
    calls: int | None = Field(default=None, ge=0, le=1_000_000)
    """Calls at once, over all instances. 0 stops new calls."""
    requests_per_minute: int | None = Field(default=None, ge=1, le=10_000_000)
    upload_bytes_per_hour: int | None = Field(default=None, ge=1, le=_MOST)
    """Audio, as it came, of uploads and streams together."""
