"""Tables of feeds: subscriptions, what is still to be published to them, and which had which call."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from otokura.access.models import Table, moment


class JobKind(StrEnum):
    """What is to be published."""

    COMPLETED = "completed"
    PARTIAL = "partial"
    ERASED = "erased"


class JobState(StrEnum):
    """Where a job is; the last three are final, until there is something newer to publish."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    WITHHELD = "withheld"
    """Not published, since it may not be: `reason` says why."""
    FAILED = "failed"


def _strings() -> Column[list[str]]:
    return Column(ARRAY(Text), nullable=False)


class FeedRecord(Table, table=True):
    """A subscription. `version` grows with each change.

    Nothing is published until the broker's topic and lists are as this row asks (`provisioned_version` equals
    `version`): a reader who was taken off the list gets nothing more.
    """

    __tablename__ = "feeds"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive
    __table_args__ = (
        CheckConstraint("redaction IN ('redacted','raw')", name="ck_feeds_redaction"),
        Index("ix_feeds_name", "tenant_id", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),
    )

    id: UUID = Field(primary_key=True)
    tenant_id: UUID = Field(foreign_key="tenants.id")
    name: str
    purpose: str
    fields: list[str] = Field(sa_column=_strings())
    redaction: str
    partials: bool
    principals: list[str] = Field(sa_column=_strings())
    enabled: bool
    version: int
    provisioned_version: int = 0
    problem: str | None = None
    """Why the broker is not as asked yet."""
    retry_at: datetime = moment()
    """When somebody may look at the broker again: until then another instance does, or has failed to."""
    created_at: datetime = moment()
    changed_at: datetime = moment()
    deleted_at: datetime | None = moment(nullable=True)


class FeedJob(Table, table=True):
    """Something about a call that a feed is still to be told, or was.

    There is one of a kind for each call: what is newer takes the place of what is older. `version` says how
    new: of a transcript its own, of live text epoch and revision together.
    """

    __tablename__ = "feed_jobs"  # pyright: ignore[reportAssignmentType] - as above
    __table_args__ = (
        CheckConstraint("kind IN ('completed','partial','erased')", name="ck_feed_jobs_kind"),
        CheckConstraint(
            "state IN ('queued','running','done','withheld','failed')", name="ck_feed_jobs_state"
        ),
        CheckConstraint("(state = 'running') = (lease_id IS NOT NULL)", name="ck_feed_jobs_lease"),
        CheckConstraint(
            "(state IN ('queued','running')) = (finished_at IS NULL)", name="ck_feed_jobs_finished"
        ),
        Index("ix_feed_jobs_open", "not_before", postgresql_where=text("finished_at IS NULL")),
        Index("ix_feed_jobs_call", "call_id"),
    )

    feed_id: UUID = Field(foreign_key="feeds.id", primary_key=True)
    call_id: UUID = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    version: int = Field(sa_type=BigInteger)
    announced: str | None = Field(default=None, sa_type=Text)
    """Of live text the event that told of it (JSON), in which the text is ciphertext."""
    state: str = JobState.QUEUED
    attempts: int = 0
    failures: int = 0
    not_before: datetime = moment()
    lease_id: UUID | None = None
    lease_until: datetime | None = moment(nullable=True)
    reason: str | None = None
    created_at: datetime = moment()
    finished_at: datetime | None = moment(nullable=True)


class FeedCall(Table, table=True):
    """A feed has, or may have, something of a call: written before the first event is sent."""

    __tablename__ = "feed_calls"  # pyright: ignore[reportAssignmentType] - as above
    __table_args__ = (Index("ix_feed_calls_call", "call_id"),)

    feed_id: UUID = Field(foreign_key="feeds.id", primary_key=True)
    call_id: UUID = Field(primary_key=True)
    live_entry_id: UUID | None = None
    """The audit entry under which the call's live text is disclosed."""
    first_at: datetime = moment()


class ErasedCall(Table, table=True):
    """A call of which nothing is published any more."""

    __tablename__ = "feed_erasures"  # pyright: ignore[reportAssignmentType] - as above

    call_id: UUID = Field(primary_key=True)
    tenant_id: UUID
    erased_at: datetime = moment()
