"""That live text goes back over a session is a disclosure: permitted, written down, and only then opened.

Which tenant wants it, and for what → was that disclosed to this caller → `disclosure.opened` acknowledged →
the key is unwrapped, with the entry's id as the reason → … → `disclosure.closed`. The order is that of feeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from otokura.ingest.models import Call
from otokura.ingest.repository import find
from otokura.ingest.state import State
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.events import TenantSettings
from otokura.shared.ids import uuid7

NOT_DISCLOSED = "purpose-not-disclosed"


class Outcome(StrEnum):
    """How a disclosure ended."""

    COMPLETE = "complete"
    """With its session."""
    ABORTED = "aborted"
    """The client went away before that, or another session took its place."""
    REVOKED = "revoked"
    """The administrator switched it off, or disabled the vendor's client."""
    DENIED = "denied"
    """The caller was not told of the purpose: there never was one."""
    INTEGRITY = "integrity"
    """The key or the text is not what was sealed."""
    FAILED = "failed"
    """Something else went wrong on our side."""
    UNWRITTEN = "unwritten"
    """`disclosure.opened` was not acknowledged, so nothing was sent."""


class Over(Exception):  # noqa: N818 - named after what it is
    """Nothing more goes back over this session."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome


@dataclass(frozen=True)
class Recipient:
    """Whom text goes to.

    Attributes:
        tenant_id: of the call.
        client_id: the vendor's client whose session it is.
        organization_id: the Genesys organization.
        session_id: the session.
    """

    tenant_id: UUID
    client_id: UUID
    organization_id: UUID
    session_id: UUID


def wanted_for(settings: TenantSettings) -> str | None:
    """For which purpose the tenant wants its live text to go back; None: it does not."""
    return settings.audiohook_transcripts if settings.live_transcripts else None


class Disclosure:
    """The text of one call, over one session.

    Args:
        state: the process's connections.
        call_id: whose text it is.
        recipient: whom it goes to.
        purpose: what for, as the administrator has set it.
    """

    def __init__(self, state: State, call_id: UUID, recipient: Recipient, purpose: str) -> None:
        self.finals = self.events = self.bytes = 0
        """What was sent."""
        self._state = state
        self._call_id = call_id
        self._recipient = recipient
        self._purpose = purpose
        self._entry_id = uuid7()
        self._about: dict[str, Any] = {}
        self._asked = self._acknowledged = False
        """Whether `disclosure.opened` was handed on, and whether the broker has it."""

    async def check(self) -> None:
        """Whether the administrator still wants it, and the vendor is still one: asked before each message.

        Raises:
            Over: not any more.
            Unavailable: the database is away.
        """
        tenant = await self._state.directory.tenant(self._recipient.tenant_id)
        client = await self._state.directory.client(self._recipient.client_id)
        if tenant is None or tenant.disabled or client is None or client.disabled:
            raise Over(Outcome.REVOKED)
        if wanted_for(tenant.settings) != self._purpose:
            raise Over(Outcome.REVOKED)

    async def open(self) -> bytes:
        """Write the entry, and open the call's key once it is acknowledged.

        Asked again after a failure it goes on with the same entry.

        Raises:
            Over: the caller was not told of the purpose; that is written down.
            Unavailable: the entry was not acknowledged, or the database or the key provider is away.
            IntegrityError: the wrapped key was changed.
            NotFound: the key was destroyed.
        """
        async with self._state.database.session() as session:
            call = await find(session, self._call_id, self._recipient.tenant_id)
        self._about = self._about or self._described(call)
        if self._purpose not in call.purposes:
            await self._write(Action.DISCLOSURE_DENIED, {"why": [NOT_DISCLOSED]})
            raise Over(Outcome.DENIED)
        self._asked = True
        await self._write(Action.DISCLOSURE_OPENED, {})
        self._acknowledged = True
        return (await self._state.keys.open_to_disclose(call, self._entry_id)).dek

    def closing(self, outcome: Outcome) -> AuditDraft | None:
        """The entry that says how it ended; None if there is none of its beginning."""
        if not self._asked:
            return None
        sent = {"finals": self.finals, "events": self.events, "bytes_sent": self.bytes}
        how = outcome if self._acknowledged else Outcome.UNWRITTEN
        return self._draft(Action.DISCLOSURE_CLOSED, {"opened": self._entry_id, "outcome": how.value, **sent})

    async def _write(self, action: Action, detail: dict[str, Any]) -> None:
        await self._state.replies.audit.write(self._draft(action, detail), entry_id=self._entry_id)

    def _described(self, call: Call) -> dict[str, Any]:
        return {
            "kind": "audiohook",
            "purpose": self._purpose,
            "redacted": True,
            "external_id": call.external_id,
            "organization_id": self._recipient.organization_id,
            "session_id": self._recipient.session_id,
        }

    def _draft(self, action: Action, detail: dict[str, Any]) -> AuditDraft:
        return AuditDraft(
            action=action,
            tenant_id=self._recipient.tenant_id,
            reader=str(self._recipient.client_id),
            call_id=self._call_id,
            detail=self._about | detail,
        )
