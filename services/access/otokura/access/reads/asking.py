"""What every reading request says of itself; each route adds what it asks to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query

from otokura.access.reads import gate
from otokura.shared.address import ClientAddress, ResolvedAddress
from otokura.shared.authentication import Authenticated
from otokura.shared.policy.facts import PolicyAction
from otokura.shared.tokens import Principal


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks from where, what for, and by what grant."""

    token: Principal
    place: ResolvedAddress
    purpose: str
    reason: str | None
    read_id: UUID | None
    grant: UUID | None

    def to(self, action: PolicyAction, call_id: UUID) -> gate.Request:
        """The request to do this to a call."""
        return gate.Request(
            self.token, self.place, call_id, action, self.purpose, self.reason, self.read_id, self.grant
        )


async def asked(
    token: Authenticated,
    place: ClientAddress,
    *,
    purpose: Annotated[
        str,
        Query(
            pattern=r"^[a-z][a-z0-9-]{0,62}$", description="What for: one of the call's disclosed purposes."
        ),
    ],
    reason: Annotated[str | None, Query(min_length=1, max_length=500, description="Why, in words.")] = None,
    read_id: Annotated[
        UUID | None, Query(description="Groups the requests of one listening; a new one if absent.")
    ] = None,
    grant: Annotated[
        UUID | None, Query(description="Read by this grant, and by nothing else that you may.")
    ] = None,
) -> Asked:
    """Dependency: the request, as far as all routes of reading have it in common."""
    return Asked(token, place, purpose, reason, read_id, grant)


Asking = Annotated[Asked, Depends(asked)]
"""In the signature of a route that reads."""
