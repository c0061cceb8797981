"""The entry that stands before every disclosure, and the key that only it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from otokura.access.feeds.facts import Facts
from otokura.access.feeds.queue import Job
from otokura.access.policy.decided import Decided
from otokura.access.state import AccessState
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.feeds import Disclosed
from otokura.shared.ids import uuid7
from otokura.shared.keys import KeyContext, KeyUse, WrappedDek, check_commitment


@dataclass(frozen=True, slots=True)
class Opened:
    """A disclosure whose entry is acknowledged."""

    state: AccessState
    facts: Facts
    job: Job
    entry_id: UUID

    def disclosed(self, *, redacted: bool) -> Disclosed:
        """What every event says of itself."""
        feed = self.facts.feed
        return Disclosed(
            feed_id=feed.id,
            tenant_id=feed.tenant_id,
            call_id=self.job.call_id,
            purpose=feed.purpose,
            redacted=redacted,
            entry_id=self.entry_id,
        )

    async def unwrap(self) -> bytes:
        """The call's DEK, after its commitment is checked.

        Raises:
            IntegrityError: the wrapped key was changed, or is not the one that was committed to.
            NotFound: the key-encryption key is destroyed.
            Unavailable: the key provider cannot be reached.
        """
        row, feed = self.facts.row, self.facts.feed
        wrapped = WrappedDek(row["kek_id"], row["wrapped"])
        context = KeyContext(feed.tenant_id, self.job.call_id)
        dek = await self.state.keys.unwrap(wrapped, context, KeyUse.DISCLOSE, str(self.entry_id))
        # Of a call that still goes on there is no manifest yet; ingest told the commitment with the key.
        expected = row["manifest"]["key_commitment"] if row["manifest"] else row["commitment"]
        check_commitment(dek, self.job.call_id, expected)
        return dek

    def close(self, outcome: str, **about: Any) -> AuditDraft:
        """The entry that says how it ended."""
        detail = {"opened": self.entry_id, "outcome": outcome, **about}
        return draft(Action.DISCLOSURE_CLOSED, self.facts, self.job, detail)


async def open_disclosure(
    state: AccessState,
    facts: Facts,
    job: Job,
    decided: Decided,
    **about: Any,
) -> Opened:
    """Writes `disclosure.opened` and waits for its acknowledgement.

    Args:
        state: the service's.
        facts: the feed and the call, as they were decided about.
        job: what is to be published.
        decided: what the policies permitted, and which of them.
        about: what exactly is disclosed.

    Raises:
        Unavailable: the entry was not acknowledged. Nothing is disclosed.
    """
    detail = {
        "action": decided.question.action.value,
        "kind": job.kind.value,
        "topic": facts.topic,
        "fields": sorted(facts.feed.fields),
        "manifest_sha256": facts.row["manifest_sha256"],
        **decided.told(),
        **about,
    }
    entry_id = await state.audit.write(draft(Action.DISCLOSURE_OPENED, facts, job, detail), entry_id=uuid7())
    return Opened(state, facts, job, entry_id)


def draft(action: Action, facts: Facts, job: Job, detail: dict[str, Any]) -> AuditDraft:
    """What happened between a feed and a call."""
    feed = facts.feed
    about = {
        "feed_id": feed.id,
        "name": facts.row["feed_name"],
        "purpose": feed.purpose,
        "redacted": feed.redacted,
        "external_id": facts.row["external_id"],
    }
    return AuditDraft(
        action=action,
        tenant_id=feed.tenant_id,
        reader=f"feed/{feed.id}",
        call_id=job.call_id,
        detail=about | detail,
    )
