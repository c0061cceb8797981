"""What a running process of the audit service holds: made once in the lifespan, handed to everything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.requests import HTTPConnection

from otokura.audit.kept import Kept
from otokura.audit.notes import Signer
from otokura.audit.settings import Settings
from otokura.audit.shelf import Shelf
from otokura.shared.audit import AuditWriter
from otokura.shared.database import Database
from otokura.shared.directory import Directory

EXPORTS_AT_ONCE = 2
"""Of one process: each proves every entry, and must leave connections and time to who asks for less."""


@dataclass(frozen=True)
class State:
    """Connections and keys of this instance."""

    settings: Settings
    database: Database
    directory: Directory
    shelf: Shelf
    kept: Kept
    signer: Callable[[int], Signer]
    """The signer of the shard of a year."""
    writer: AuditWriter
    certificate_key: Ed25519PrivateKey
    """Signs certificates: the service's own key, whose public half verifiers have among the source keys."""
    exporting: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(EXPORTS_AT_ONCE))
    """Held by each export while it is made."""


def current(connection: HTTPConnection) -> State:
    """Dependency: the state of this process."""
    state: State = connection.app.state.audit
    return state
