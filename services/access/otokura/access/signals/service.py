"""Pure decisions of leak signals: what a batch of observations holds, and what of it is unusual by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from functools import lru_cache
from ipaddress import IPv4Address, ip_network
from uuid import UUID
from zoneinfo import ZoneInfo

from otokura.access.identity.subject import Reader
from otokura.shared.address import Address
from otokura.shared.leak_rules import HoursRule

_V4_BITS, _V6_BITS = 24, 48


@dataclass(frozen=True, slots=True)
class Observation:
    """That somebody read, or was refused.

    Attributes:
        reader: who, as their tenant knows them.
        tenant_id: theirs.
        network: where they were, as `network_of`.
        denied: whether they were refused.
        call_id: what they read; None for a refusal.
        read_id: of the listening.
    """

    reader: UUID
    tenant_id: UUID | None
    network: str | None
    denied: bool
    call_id: UUID | None = None
    read_id: UUID | None = None

    @classmethod
    def of(
        cls, reader: Reader, *, denied: bool, call_id: UUID | None = None, read_id: UUID | None = None
    ) -> Observation:
        """What there is to count of a reader."""
        network = network_of(reader.place.address)
        return cls(reader.facts.id, reader.facts.tenant_id, network, denied, call_id, read_id)


@dataclass(slots=True)
class Seen:
    """What a batch tells of one reader."""

    tenant_id: UUID
    listenings: dict[UUID, list[UUID]] = field(default_factory=dict[UUID, list[UUID]])
    """For each call the different `read_id`, in order."""
    denials: int = 0
    networks: set[str] = field(default_factory=set[str])
    went_on: dict[UUID, set[UUID]] = field(default_factory=dict[UUID, set[UUID]])
    """For each call the `read_id` that were counted before the batch."""
    new_networks: list[str] = field(default_factory=list[str])
    """Where the reader was never seen before."""

    @property
    def begun(self) -> int:
        """How many listenings began: requests of one that went on before count no more."""
        return sum(
            one not in self.went_on.get(call, ()) for call, ids in self.listenings.items() for one in ids
        )


def tally(batch: Iterable[Observation]) -> dict[UUID, Seen]:
    """What a batch tells of each reader, in the order of their ids: transactions lock in one order."""
    found: dict[UUID, Seen] = {}
    for one in batch:
        if one.tenant_id is None:
            continue
        seen = found.setdefault(one.reader, Seen(one.tenant_id))
        seen.denials += one.denied
        if one.network is not None:
            seen.networks.add(one.network)
        if one.call_id is not None and one.read_id is not None:
            ids = seen.listenings.setdefault(one.call_id, [])
            if one.read_id not in ids:
                ids.append(one.read_id)
    return dict(sorted(found.items()))


def network_of(address: Address | None) -> str | None:
    """The network that stands for a place: an office's, or a home's, not one computer's."""
    if address is None:
        return None
    bits = _V4_BITS if isinstance(address, IPv4Address) else _V6_BITS
    return str(ip_network((address, bits), strict=False))


def outside(rule: HoursRule, at: datetime) -> bool:
    """Whether a moment lies outside the working hours of a rule."""
    local = at.astimezone(_zone(rule.time_zone))
    opens, closes = time.fromisoformat(rule.opens), time.fromisoformat(rule.closes)
    now, today = local.time().replace(tzinfo=None), local.isoweekday()
    if opens < closes:
        return not (today in rule.days and opens <= now < closes)
    yesterday = (local - timedelta(days=1)).isoweekday()
    return not ((today in rule.days and now >= opens) or (yesterday in rule.days and now < closes))


@lru_cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def tenants_of(found: Mapping[UUID, Seen]) -> dict[UUID, dict[UUID, Seen]]:
    """Tenant → its readers of a batch."""
    grouped: dict[UUID, dict[UUID, Seen]] = {}
    for reader, seen in found.items():
        grouped.setdefault(seen.tenant_id, {})[reader] = seen
    return dict(sorted(grouped.items()))
