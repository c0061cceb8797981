"""What the routes of access work with, in one typed place."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from otokura.access.evidence.workshop import Workshop
from otokura.access.identity.signing import SigningKeys
from otokura.access.identity.throttle import RefusalThrottle
from otokura.access.logins.hashing import Hashing
from otokura.access.logins.stand_in import StandIn
from otokura.access.oidc.verifier import OidcVerifier
from otokura.access.places import Places
from otokura.access.reads.closing import Closings
from otokura.access.reads.decoders import Decoders
from otokura.access.search.keys import IndexKeys
from otokura.access.settings import Settings
from otokura.access.signals.watch import Watch
from otokura.shared.audit import AuditWriter
from otokura.shared.database import Database
from otokura.shared.keys import KeyProvider
from otokura.shared.live_hub import Hub
from otokura.shared.objects import ObjectStore
from otokura.shared.policy.engine import PolicyEngine
from otokura.shared.sealed_objects import HeaderCache
from otokura.shared.tokens import TokenIssuer

_OPENING = 16
"""Half of what the store's client does at once: searches leave room for reads."""
_SEARCHES = 4
"""Of one reader at once: each opens a hundred transcripts, and all readers' go through those places."""
_FINDINGS = 2
"""Of one tenant at once: each has the numbers of all its calls opened."""


@dataclass(frozen=True, slots=True)
class AccessState:
    """Opened by the lifespan, closed by it."""

    settings: Settings
    database: Database
    audit: AuditWriter
    policies: PolicyEngine
    keys: KeyProvider
    store: ObjectStore
    signing: SigningKeys
    issuer: TokenIssuer
    oidc: OidcVerifier
    closings: Closings
    headers: HeaderCache
    watch: Watch
    index_keys: IndexKeys
    evidence: Workshop
    refusals: RefusalThrottle = field(default_factory=RefusalThrottle)
    live: Hub = field(default_factory=Hub)
    hashing: Hashing = field(default_factory=Hashing)
    stand_in: StandIn = field(default_factory=StandIn)
    decoding: Decoders = field(default_factory=lambda: Decoders(4))
    opening: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_OPENING))
    """For transcripts that searches open."""
    searches: Places = field(default_factory=lambda: Places(_SEARCHES))
    findings: Places = field(default_factory=lambda: Places(_FINDINGS))
    """Of a customer's calls."""


async def access_state(connection: HTTPConnection) -> AccessState:
    """The state of the app; a coroutine, since FastAPI runs dependencies that are none in a thread."""
    state: AccessState = connection.app.state.access
    return state


State = Annotated[AccessState, Depends(access_state)]
"""The state in the signature of a route."""
