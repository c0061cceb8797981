"""What vendors send and see of their connections. A secret goes in and never comes out."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from otokura.ingest.connections.errors import UnfitConnection
from otokura.ingest.connections.models import StoredConnection
from otokura.ingest.views import ChannelInput, NoticeVersion, PurposeName
from otokura.shared.address import Network, unmap_network
from otokura.shared.events import Direction

LEAST_SECRET_BYTES = 16
"""A shorter key could be tried out (RFC 2104 §3 advises 32 for HMAC-SHA256)."""


class Dialect(StrEnum):
    """The ways in which a phone system may stream to us and start calls by itself."""

    TWILIO = "twilio"
    TELNYX = "telnyx"
    AUDIOHOOK = "audiohook"
    AUDIOSOCKET = "audiosocket"
    ASTERISK = "asterisk"
    JAMBONZ = "jambonz"


class NoticeDefault(BaseModel):
    """How every caller of this phone system is told that the call is recorded."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    given: Literal["announced", "attested", "none"] = "none"
    version: NoticeVersion | None = None


class CallDefaults(BaseModel):
    """What a call is that the phone system starts just by streaming, where its protocol does not say."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    direction: Direction = Direction.INBOUND
    purposes: list[PurposeName] = Field(default_factory=list[str], max_length=20)
    """Of those that the tenant disclosed."""
    notice: NoticeDefault = NoticeDefault()
    language: str | None = Field(default=None, pattern=r"^[a-z]{2}$")
    channels: list[ChannelInput] | None = Field(default=None, min_length=1, max_length=2)
    """Whose voice each channel carries, in the protocol's own order; None is the dialect's usual one."""


Secret = Annotated[SecretStr, StringConstraints(min_length=1, max_length=512)]


class ConnectionInput(BaseModel):
    """A registration. A dialect takes the members that are its own, and refuses the others."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "client_secret": "WW91IG11c3QgbWFrZSB5b3VyIG93biBzZWNyZXQuLi4=",
                    "organization_id": "d7934305-0972-4844-938e-9060eef73d05",
                    "defaults": {
                        "direction": "inbound",
                        "purposes": ["quality"],
                        "notice": {"given": "attested", "version": "2026-04"},
                        "language": "ja",
                    },
                }
            ]
        },
    )
    auth_token: Secret | None = None
    """Twilio: the account's auth token, with which it signs. Left out: the one registered before stays."""
    client_secret: Secret | None = None
    """AudioHook: the client secret, base64, as it is entered at Genesys. Left out: the earlier one stays."""
    organization_id: UUID | None = None
    """AudioHook: the only Genesys organization from which calls are taken."""
    networks: list[Network] | None = Field(default=None, min_length=1, max_length=50)
    """AudioSocket: the only networks from which a socket may come."""
    defaults: CallDefaults = CallDefaults()

    def secret_for(self, dialect: Dialect) -> bytes | None:
        """The secret's bytes, as they are computed with; None if it was left out.

        Raises:
            UnfitConnection: a member is another dialect's, or the secret is not one.
        """
        wanted = _MEMBERS[dialect]
        unfit = sorted(name for name in self.model_fields_set - wanted if getattr(self, name) is not None)
        if unfit:
            names = ", ".join(sorted(wanted))
            raise UnfitConnection(f"{dialect} takes {names}; leave out {', '.join(unfit)}.")
        if self.auth_token is not None:
            return _long_enough(self.auth_token.get_secret_value().encode(), "auth_token")
        if self.client_secret is not None:
            return _long_enough(_decoded(self.client_secret), "client_secret")
        return None

    def settings(self) -> ConnectionSettings:
        """All but the secret."""
        networks = None if self.networks is None else [unmap_network(network) for network in self.networks]
        return ConnectionSettings(
            organization_id=self.organization_id, networks=networks, defaults=self.defaults
        )


_MEMBERS: dict[Dialect, frozenset[str]] = {
    **{dialect: frozenset({"defaults"}) for dialect in Dialect},
    Dialect.TWILIO: frozenset({"auth_token", "defaults"}),
    Dialect.AUDIOHOOK: frozenset({"client_secret", "organization_id", "defaults"}),
    Dialect.AUDIOSOCKET: frozenset({"networks", "defaults"}),
}

SIGNING = frozenset({Dialect.TWILIO, Dialect.AUDIOHOOK})
"""Dialects whose streams are signed: without a secret nothing of theirs can be taken."""


def _decoded(secret: SecretStr) -> bytes:
    try:
        return base64.b64decode(secret.get_secret_value(), validate=True)
    except (binascii.Error, ValueError):
        raise UnfitConnection("The client_secret must be base64, as it is entered at Genesys.") from None


def _long_enough(secret: bytes, name: str) -> bytes:
    if len(secret) < LEAST_SECRET_BYTES:
        raise UnfitConnection(f"The {name} must have at least {LEAST_SECRET_BYTES} bytes.")
    return secret


class ConnectionSettings(BaseModel):
    """What is kept of a registration beside its secret."""

    model_config = ConfigDict(frozen=True)
    organization_id: UUID | None = None
    networks: list[Network] | None = None
    defaults: CallDefaults = CallDefaults()


class ConnectionView(BaseModel):
    """A connection as its vendor sees it."""

    dialect: Dialect
    secret_registered: bool
    organization_id: UUID | None
    networks: list[Network] | None
    defaults: CallDefaults
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, stored: StoredConnection) -> Self:
        """The view of a row."""
        settings = ConnectionSettings.model_validate(stored.settings)
        return cls(
            dialect=Dialect(stored.dialect),
            secret_registered=stored.secret is not None,
            organization_id=settings.organization_id,
            networks=settings.networks,
            defaults=settings.defaults,
            created_at=stored.created_at,
            updated_at=stored.updated_at,
        )
