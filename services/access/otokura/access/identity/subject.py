"""Who asks, as the database knows them at this moment: one row, so that revocation holds at once.

A token only says which principal to look up. Roles, team and aliases are read for each request, together
with the tenant's zones, so that nothing that was taken away works until a token runs out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, cast
from uuid import UUID

from otokura.access.policy.decided import Decided
from otokura.access.policy.zones import Zone, zones_holding
from otokura.shared.address import ResolvedAddress
from otokura.shared.errors import Unauthenticated
from otokura.shared.events import Role
from otokura.shared.policy.facts import Circumstances, GrantFacts, ReaderFacts
from otokura.shared.tokens import Principal

SUBJECT_COLUMNS = """
    p.id AS reader_id, p.tenant_id AS reader_tenant_id, p.name AS reader_name, p.roles AS reader_roles,
    p.team AS reader_team,
    (p.disabled_at IS NOT NULL OR coalesce(t.disabled, false)
     OR EXISTS (
        SELECT 1 FROM revoked_tokens r
        WHERE r.jti IN (CAST(:jti AS text), split_part(CAST(:jti AS text), '.', 1)))) AS reader_revoked,
    p.tokens_since AS reader_tokens_since, p.paused_at IS NOT NULL AS reader_paused,
    (SELECT b.id FROM break_glass b WHERE b.asked_by = p.id AND b.until > now() AND b.ended_at IS NULL
     LIMIT 1) AS reader_break_glass,
    ARRAY(SELECT a.agent_id FROM agent_aliases a WHERE a.principal_id = p.id) AS reader_agent_ids,
    (SELECT json_agg(json_build_array(z.name, z.networks, z.valid_from, z.valid_until) ORDER BY z.name)
     FROM zones z WHERE z.tenant_id = p.tenant_id)::text AS tenant_zones,
    now() AS read_at
"""
SUBJECT_TABLES = "principals p LEFT JOIN tenants t ON t.id = p.tenant_id"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks, and from where.

    Attributes:
        facts: what policies know of them.
        name: theirs.
        place: where the request came from.
        zones: names of the tenant's zones that hold it now.
        paused: whether a leak signal keeps them from reading.
        break_glass: the id of the glass that is broken for them now.
        decided: what permitted them what they do; None while nothing did.
    """

    facts: ReaderFacts
    name: str
    place: ResolvedAddress
    zones: tuple[str, ...]
    paused: bool = False
    break_glass: UUID | None = None
    decided: Decided | None = None

    def by(self, decided: Decided | None) -> Reader:
        """The same, permitted by this: entries of what they do tell it."""
        return replace(self, decided=decided)

    def circumstances(
        self, purpose: str | None = None, reason: str | None = None, grant: GrantFacts | None = None
    ) -> Circumstances:
        """What policies are told about this request."""
        return Circumstances(
            self.place.address,
            self.zones,
            purpose,
            reason,
            grant=grant,
            break_glass=self.break_glass is not None,
        )

    def describe(self) -> dict[str, Any]:
        """Who and where, for an audit entry: the address decided by and everything it was found from."""
        address = self.place.address
        broken = {"break_glass": str(self.break_glass)} if self.break_glass else {}
        return broken | {
            "name": self.name,
            "roles": sorted(self.facts.roles),
            "address": str(address) if address else None,
            "peer": self.place.peer,
            "forwarded_for": list(self.place.chain),
            "zones": list(self.zones),
        }


def reader_from(row: Mapping[str, Any] | None, token: Principal, place: ResolvedAddress) -> Reader:
    """The reader behind a verified token.

    Args:
        row: the columns of `SUBJECT_COLUMNS`; None when there is no such principal.
        token: what the token says.
        place: where the request came from.

    Raises:
        Unauthenticated: the principal or the token is no longer good.
    """
    if row is None or is_over(row, token) or row["reader_tenant_id"] != token.tenant_id:
        raise Unauthenticated(
            "This token is no longer good: it, or whom it was given to, has been disabled, or the secret has"
            " changed."
        )
    facts = ReaderFacts(
        id=row["reader_id"],
        tenant_id=row["reader_tenant_id"],
        roles=frozenset(map(Role, row["reader_roles"])),
        team=row["reader_team"],
        agent_ids=frozenset(row["reader_agent_ids"]),
    )
    zones = zones_holding(parse_zones(row["tenant_zones"]), place.address, row["read_at"])
    return Reader(facts, row["reader_name"], place, zones, row["reader_paused"], row["reader_break_glass"])


def is_over(row: Mapping[str, Any], token: Principal) -> bool:
    """Whether the token, its principal, their tenant, or the secret that it was got with, is good no more."""
    since = row["reader_tokens_since"]
    return bool(row["reader_revoked"]) or (since is not None and token.issued_at < since)


@lru_cache(maxsize=1024)
def parse_zones(text: str | None) -> tuple[Zone, ...]:
    """Zones from the JSON of `SUBJECT_COLUMNS`; remembered by their very text."""
    rows = cast("list[tuple[str, list[str], str | None, str | None]]", json.loads(text or "[]"))
    return tuple(
        Zone(name, tuple(networks), _moment(valid_from), _moment(valid_until))
        for name, networks, valid_from, valid_until in rows
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
