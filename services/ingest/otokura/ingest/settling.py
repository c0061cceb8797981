"""The one transaction in which a call reaches its final state.

State, events and the audit entry commit together or not at all, and only under the claim that did the
work: however many instances tried, one call settles once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from otokura.ingest.instruments import SETTLED_CALLS
from otokura.ingest.models import Call, CallState, Origin
from otokura.ingest.repository import Claim, lock_claimed, now
from otokura.ingest.service import Audio, Outcome, build_manifest, ended_event
from otokura.ingest.state import State
from otokura.ingest.webhooks.announcing import announce_settled
from otokura.shared.audit import Action, AuditDraft
from otokura.shared.customer_keys import CustomerCopy
from otokura.shared.events import CallSettled, EventData, RecordingSealed
from otokura.shared.manifest import Manifest
from otokura.shared.outbox import publish, publish_audit


@dataclass(frozen=True)
class Failed:
    """The call cannot have a recording; the reason is for people and holds nothing secret."""

    reason: str


@dataclass(frozen=True)
class Empty:
    """The call ended without a sample."""


async def settle(
    state: State, claim: Claim, expected: CallState, outcome: Audio | Failed | Empty, lost: list[int]
) -> Call:
    """Commit the outcome and tell everyone.

    Args:
        state: the process's connections.
        claim: under which the work was done.
        expected: `sealing`, or `live` for an upload, which ends and seals in one step.
        outcome: what became of the call.
        lost: numbers of segments that were accepted and could not be read back.

    Raises:
        Fenced: another took the call over.
        CallClosed: it is settled already.
    """
    async with state.database.session() as session:
        call = await lock_claimed(session, claim, expected)
        moment = await now(session)
        # A resumable upload closed the call before its file told when the call itself had ended.
        ends_now = call.ended_at is None or call.origin == Origin.UPLOAD
        call.version += 1
        call.ended_at = _ended_at(call, outcome, moment)
        call.settled_at, call.owner, call.lease_until = moment, None, None
        news, entry = _conclude(call, outcome, moment, lost)
        await session.flush()
        if ends_now:
            await publish(session, ended_event(call, call.ended_at))
        for event in news:
            await publish(session, event)
        await publish_audit(session, entry)
        await announce_settled(session, call)
    SETTLED_CALLS.labels(call.state).inc()
    state.to_clean.set()
    state.to_deliver.set()
    return call


def _ended_at(call: Call, outcome: Audio | Failed | Empty, moment: datetime) -> datetime:
    """A file says how long the call was: so one that is uploaded later still ended when it did."""
    if isinstance(outcome, Audio) and outcome.origin == Origin.UPLOAD:
        return min(moment, call.started_at + timedelta(seconds=outcome.samples / outcome.sample_rate))
    return call.ended_at or moment


def _conclude(
    call: Call, outcome: Audio | Failed | Empty, moment: datetime, lost: list[int]
) -> tuple[list[EventData], AuditDraft]:
    """Write the outcome into the row; what is told of it."""
    if isinstance(outcome, Audio):
        if outcome.customer_key is not None:
            call.customer_key = outcome.customer_key.model_dump(mode="json")
        return _seal(call, build_manifest(call, outcome, call.ended_at or moment), moment, lost)
    result: Outcome = "failed" if isinstance(outcome, Failed) else "empty"
    call.state = CallState(result)
    call.failure = outcome.reason if isinstance(outcome, Failed) else None
    entry = _entry(call, Action.CALL_SETTLED, {"outcome": result, "reason": call.failure})
    return [_settled_event(call, result, moment)], entry


def _seal(
    call: Call, manifest: Manifest, moment: datetime, lost: list[int]
) -> tuple[list[EventData], AuditDraft]:
    digest = manifest.sha256()
    call.state = CallState.SEALED
    call.origin, call.sample_rate, call.samples = manifest.origin, manifest.sample_rate, manifest.samples
    call.manifest, call.manifest_sha256 = manifest.model_dump(mode="json"), digest
    sealed = RecordingSealed(
        call_id=call.id,
        tenant_id=call.tenant_id,
        version=call.version,
        manifest=call.manifest,
        manifest_sha256=digest,
        sealed_at=moment,
        customer_key=CustomerCopy.model_validate(call.customer_key) if call.customer_key else None,
    )
    detail: dict[str, Any] = {
        "manifest_sha256": digest,
        "plaintext_sha256": manifest.recording.plaintext_sha256,
        "origin": manifest.origin,
        "duration_ms": manifest.duration_ms,
        "lost_segments": lost,
    }
    if call.customer_key is not None:
        detail["customer_key"] = call.customer_key["key_sha256"]
    return [sealed, _settled_event(call, "sealed", moment)], _entry(call, Action.RECORDING_SEALED, detail)


def _settled_event(call: Call, outcome: Outcome, moment: datetime) -> CallSettled:
    return CallSettled(
        call_id=call.id,
        tenant_id=call.tenant_id,
        version=call.version,
        outcome=outcome,
        reason=call.failure,
        settled_at=moment,
    )


def _entry(call: Call, action: Action, detail: dict[str, Any]) -> AuditDraft:
    """Its reader is the vendor's client that sent the call."""
    sent_by = str(call.client_id)
    return AuditDraft(action=action, tenant_id=call.tenant_id, reader=sent_by, call_id=call.id, detail=detail)
