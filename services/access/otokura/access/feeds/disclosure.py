"""The one way from a call to a feed, and its order, which is that of a read.

Which feed → may it → for what it was disclosed → `disclosure.opened` acknowledged → the text is opened and
redacted → noted that the feed has the call → sent → `disclosure.closed`.

No byte of content exists in this process before the entry is acknowledged: the key is unwrapped after it,
with the entry's id as the reason. Whatever is not certain is a reason to send nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from otokura.access.errors import NotYet
from otokura.access.feeds import facts as known
from otokura.access.feeds import rendering
from otokura.access.feeds.facts import Facts
from otokura.access.feeds.models import JobKind, JobState
from otokura.access.feeds.opening import Opened, draft, open_disclosure
from otokura.access.feeds.partials import partial_of
from otokura.access.feeds.queue import Job
from otokura.access.policy.decided import Decided, decide
from otokura.access.policy.denial import NO_POLICY
from otokura.access.reads.stored import stored_transcript
from otokura.access.state import AccessState
from otokura.shared.audit_entries import Action, AuditDraft
from otokura.shared.cloudevents import Record, encode_json
from otokura.shared.events import CallErased, TranscriptCompleted, TranscriptPartial
from otokura.shared.feeds import FeedTranscriptCompleted, FeedTranscriptPartial
from otokura.shared.policy.facts import Circumstances, PolicyAction
from otokura.shared.producer import Producer
from otokura.shared.redacted import redacted

HELD_BY_CUSTOMER = "held-by-customer"
NOT_REDACTED = "the transcript was never searched for what to redact"
TRANSCRIBED = "there is a transcript"
CHANGED = "the feed or the call changed meanwhile"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ends, of which version it told, and the entry that says so."""

    state: JobState
    version: int
    reason: str | None = None
    entry: AuditDraft | None = None


@dataclass(frozen=True, slots=True)
class Permitted:
    """That a feed may be given something of a call, by this decision."""

    facts: Facts
    job: Job
    decided: Decided


class Disclosures:
    """Publishes to feeds.

    Args:
        state: the service's.
        producer: one for feeds alone: what waits for a feed's topic holds up nothing else.
    """

    def __init__(self, state: AccessState, producer: Producer) -> None:
        self._state = state
        self._producer = producer

    async def carry_out(self, job: Job) -> Outcome:
        """Publishes what a job says, or decides that it may not be.

        Raises:
            NotYet: the beginning of the call, its key or its transcript has not come yet.
            Unavailable: the log, the broker, the store or the key provider is away.
            IntegrityError: the key or the object is not what was stored.
            NotFound: the key no longer exists.
        """
        facts = await known.load(self._state.database, job.feed_id, job.call_id)
        if job.kind is JobKind.ERASED:
            return await self._erased(facts, job)
        why = facts.closed()
        if why is not None:
            return Outcome(JobState.WITHHELD, job.version, why)
        decided = self._decide(facts, job)
        if isinstance(decided, Outcome):
            return decided
        if job.kind is JobKind.PARTIAL:
            return await self._partial(decided)
        return await self._completed(decided)

    def _decide(self, facts: Facts, job: Job) -> Permitted | Outcome:
        call = facts.call
        if call is not None and facts.row["wrapped"] is None and facts.row["customer_key"] is not None:
            return Outcome(JobState.WITHHELD, job.version, HELD_BY_CUSTOMER)
        if call is None or facts.row["wrapped"] is None:
            raise NotYet("The call's beginning or its key has not come yet.")
        live = job.kind is JobKind.PARTIAL
        action = PolicyAction.DISCLOSE if facts.feed.redacted else PolicyAction.DISCLOSE_RAW
        asked = Circumstances(None, (), facts.feed.purpose, live=live)
        decided = decide(self._state.policies, facts.feed, action, call, asked)
        if decided.allowed:
            return Permitted(facts, job, decided)
        why = list(decided.policies) or [NO_POLICY]
        detail = {"action": action.value, "why": why, **decided.told()}
        entry = draft(Action.DISCLOSURE_DENIED, facts, job, detail)
        # Written down with the transcript, not again for each piece of live text before it.
        return Outcome(JobState.WITHHELD, job.version, ", ".join(why), None if live else entry)

    async def _completed(self, may: Permitted) -> Outcome:
        facts, job = may.facts, may.job
        if facts.row["transcript"] is None or facts.row["manifest"] is None:
            raise NotYet("The transcript or the recording's manifest has not come yet.")
        ids = {"call_id": job.call_id, "tenant_id": facts.feed.tenant_id}
        announced = TranscriptCompleted.model_validate({**facts.row["transcript"], **ids})
        version = announced.version
        opened = await self._open(may, transcript_version=version)
        transcript = await stored_transcript(self._state.store, await opened.unwrap(), announced)
        if facts.feed.redacted:
            if transcript.redactions is None:
                closed = opened.close("withheld", why=NOT_REDACTED)
                return Outcome(JobState.WITHHELD, version, NOT_REDACTED, closed)
            transcript = redacted(transcript)
        disclosed = opened.disclosed(redacted=facts.feed.redacted)
        events = rendering.completed(transcript, announced, facts.row, facts.feed.fields, disclosed)
        records = [_record(facts, job, event, event.version, event.part) for event in events]
        if not await self._send(opened, records):
            return Outcome(JobState.WITHHELD, version, CHANGED, opened.close("withheld", why=CHANGED))
        sent = sum(len(record.value or b"") for record in records)
        closed = opened.close("complete", events=len(records), bytes_sent=sent)
        return Outcome(JobState.DONE, version, entry=closed)

    async def _partial(self, may: Permitted) -> Outcome:
        """Live text: one entry for all of a call's, which stands before the first."""
        facts, job = may.facts, may.job
        if facts.row["transcript"] is not None:
            return Outcome(JobState.WITHHELD, job.version, TRANSCRIBED)
        announced = TranscriptPartial.model_validate_json(job.announced or "")
        known_entry: UUID | None = facts.row["live_entry_id"]
        if known_entry is not None:
            opened = Opened(self._state, facts, job, known_entry)
        else:
            opened = await self._open(may, from_revision=announced.revision)
        event = partial_of(announced, await opened.unwrap(), opened.disclosed(redacted=True))
        record = _record(facts, job, event, event.epoch, event.revision)
        if not await self._send(opened, [record], live_entry_id=opened.entry_id):
            return Outcome(JobState.WITHHELD, job.version, CHANGED)
        return Outcome(JobState.DONE, job.version)

    async def _erased(self, facts: Facts, job: Job) -> Outcome:
        """Tells a feed that a call is gone. That holds no content, and goes to disabled feeds, too."""
        if facts.row["deleted"]:
            return Outcome(JobState.WITHHELD, job.version, facts.closed())
        event = CallErased(
            call_id=job.call_id,
            tenant_id=facts.feed.tenant_id,
            version=job.version,
            erased_at=facts.row["erased_at"],
        )
        await self._producer.send(_record(facts, job, event))
        entry = draft(Action.ERASURE_ANNOUNCED, facts, job, {"topic": facts.topic})
        return Outcome(JobState.DONE, job.version, entry=entry)

    async def _open(self, may: Permitted, **about: int) -> Opened:
        return await open_disclosure(self._state, may.facts, may.job, may.decided, **about)

    async def _send(
        self, opened: Opened, records: Sequence[Record], live_entry_id: UUID | None = None
    ) -> bool:
        """Sends, after a last look; False when the feed or the call is no longer as it was decided about."""
        async with self._state.database.session() as session:
            if not await known.begin(session, opened.facts, opened.job.call_id, live_entry_id):
                return False
        await self._producer.send(*records)
        return True


def _record(
    facts: Facts,
    job: Job,
    event: FeedTranscriptCompleted | FeedTranscriptPartial | CallErased,
    *which: int,
) -> Record:
    return encode_json(
        topic=facts.topic,
        key=str(job.call_id),
        event_type=event.TYPE,
        event_id=rendering.event_id(job.feed_id, job.call_id, event.TYPE, *which),
        source="otokura/access",
        time=datetime.now(UTC),
        data=event.model_dump_json().encode(),
    )
