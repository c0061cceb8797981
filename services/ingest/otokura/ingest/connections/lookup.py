"""What a dialect's adapter asks: the connection of a client, with its secret opened."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from uuid import UUID

from otokura.ingest.connections import repository
from otokura.ingest.connections.models import StoredConnection
from otokura.ingest.connections.views import CallDefaults, ConnectionSettings, Dialect
from otokura.ingest.vendor_secrets import SealedSecret, VendorSecrets
from otokura.ingest.views import ChannelInput, NoticeInput, StartCall
from otokura.shared.address import Address, Network
from otokura.shared.database import Database
from otokura.shared.events import ChannelRole, Direction, TenantSettings

MAX_AGE = 1.0
"""Seconds that an answer may be old: how long a changed or deleted connection still counts at most."""
_MAX_ENTRIES = 1_000


@dataclass(frozen=True)
class Connection:
    """What a vendor registered.

    Attributes:
        client_id: the vendor's client.
        tenant_id: its tenant.
        dialect: how its phone system streams.
        secret: with which the phone system signs, ready to compute with; never shown.
        organization_id: the one Genesys organization that may connect, or None for any.
        networks: the only networks that may connect, or None for any.
        defaults: for the calls that the dialect starts itself.
    """

    client_id: UUID
    tenant_id: UUID
    dialect: Dialect
    secret: bytes | None = field(repr=False)
    organization_id: UUID | None
    networks: tuple[Network, ...] | None
    defaults: CallDefaults

    def allows(self, address: Address | None) -> bool:
        """Whether a socket may come from this address; an unknown one is in no network."""
        if self.networks is None:
            return True
        return address is not None and any(address in network for network in self.networks)


class Connections:
    """Answers from the database, with what it read at most `MAX_AGE` seconds ago.

    Args:
        database: has the table of connections.
        secrets: opens what is sealed there.
    """

    def __init__(self, database: Database, secrets: VendorSecrets) -> None:
        self._database = database
        self._secrets = secrets
        self._cache: dict[tuple[UUID, Dialect], tuple[float, Connection | None]] = {}

    async def find(self, client_id: UUID, dialect: Dialect) -> Connection | None:
        """What the client registered for the dialect, if anything.

        Raises:
            Unavailable: the database or the key provider is away.
            IntegrityError: the stored secret was changed.
        """
        now = time.monotonic()
        kept = self._cache.get((client_id, dialect))
        if kept is not None and now < kept[0]:
            return kept[1]
        async with self._database.session() as session:
            stored = await repository.find(session, client_id, dialect)
        found = None if stored is None else await self._open(stored)
        if len(self._cache) >= _MAX_ENTRIES:
            self._cache.clear()
        # The age counts from before the query, so that it bounds how old the answer can be.
        self._cache[(client_id, dialect)] = (now + MAX_AGE, found)
        return found

    async def _open(self, stored: StoredConnection) -> Connection:
        settings = ConnectionSettings.model_validate(stored.settings)
        return Connection(
            client_id=stored.client_id,
            tenant_id=stored.tenant_id,
            dialect=Dialect(stored.dialect),
            secret=await self._secret(stored),
            organization_id=settings.organization_id,
            networks=None if settings.networks is None else tuple(settings.networks),
            defaults=settings.defaults,
        )

    async def _secret(self, stored: StoredConnection) -> bytes | None:
        if stored.kek_id is None or stored.wrapped_key is None or stored.secret is None:
            return None
        sealed = SealedSecret(stored.kek_id, stored.wrapped_key, stored.secret)
        return await self._secrets.open(stored.tenant_id, stored.id, sealed)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a dialect itself says of a call; None is not said, and the connection's default counts.

    Attributes:
        external_id: the phone system's own id of the call.
        channels: whose voice each channel carries by the dialect's own words.
        direction: who called whom.
        caller: the calling number.
        callee: the called number.
        agent_id: who speaks for the company.
        language: ISO 639-1.
    """

    external_id: str
    channels: list[ChannelRole]
    direction: Direction | None = None
    caller: str | None = None
    callee: str | None = None
    agent_id: str | None = None
    language: str | None = None


def start_call(told: Told, defaults: CallDefaults, settings: TenantSettings) -> tuple[StartCall, list[str]]:
    """The call that a dialect asks for: what it says, filled up with what was registered.

    Args:
        told: what the dialect says.
        defaults: what the vendor registered.
        settings: the tenant's, whose disclosed purposes bound the defaults.

    Returns:
        The call, and the default purposes that the tenant no longer discloses: the call is recorded without
        them, since refusing would lose it, and nobody may read it for a purpose that it does not have.
    """
    known = {purpose.name for purpose in settings.purposes}
    withdrawn = [name for name in defaults.purposes if name not in known]
    channels = [ChannelInput(role=role) for role in told.channels]
    if defaults.channels is not None and len(defaults.channels) == len(channels):
        channels = defaults.channels
    asked = StartCall(
        external_id=told.external_id,
        direction=told.direction or defaults.direction,
        caller=told.caller,
        callee=told.callee,
        agent_id=told.agent_id,
        channels=channels,
        notice=NoticeInput(given=defaults.notice.given, version=defaults.notice.version),
        purposes=[name for name in defaults.purposes if name in known],
        language=told.language or defaults.language,
    )
    return asked, withdrawn
