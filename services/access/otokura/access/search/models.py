"""Tables of the search index: keys, what is indexed, and what is still to be."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, LargeBinary, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from otokura.access.models import Table, moment


class JobState(StrEnum):
    """Where the indexing of a call is; only `erased` is for good."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    ERASED = "erased"
    """The call is gone, and is never indexed again."""


class IndexKeyRecord(Table, table=True):
    """A tenant's index key, wrapped by its KEK in the context of `id`."""

    __tablename__ = "search_keys"  # pyright: ignore[reportAssignmentType] - SQLModel declares it as a directive

    tenant_id: UUID = Field(primary_key=True)
    id: UUID = Field(unique=True)
    kek_id: str
    wrapped: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = moment()


class IndexRecord(Table, table=True):
    """What the index holds of a call: keyed hashes, and what a search narrows down and orders by.

    No index leads by tenant or time: a search always comes by its hashes, which no two tenants share.
    """

    __tablename__ = "search_index"  # pyright: ignore[reportAssignmentType] - as above
    __table_args__ = (
        Index(
            "ix_search_index_hashes",
            "hashes",
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
        ),
    )

    call_id: UUID = Field(primary_key=True)
    tenant_id: UUID
    version: int = Field(sa_type=BigInteger)
    """Of the transcript."""
    started_at: datetime = moment()
    agent_id: str | None = None
    hashes: list[int] = Field(sa_column=Column(ARRAY(Integer), nullable=False))


class IndexJob(Table, table=True):
    """That a call's transcript is to be indexed, was, or never will be. `version`: of the transcript."""

    __tablename__ = "search_jobs"  # pyright: ignore[reportAssignmentType] - as above
    __table_args__ = (
        CheckConstraint(
            "state IN ('queued','running','done','failed','erased')", name="ck_search_jobs_state"
        ),
        CheckConstraint("(state = 'running') = (lease_id IS NOT NULL)", name="ck_search_jobs_lease"),
        CheckConstraint(
            "(state IN ('queued','running')) = (finished_at IS NULL)", name="ck_search_jobs_finished"
        ),
        Index("ix_search_jobs_open", "not_before", postgresql_where=text("finished_at IS NULL")),
    )

    call_id: UUID = Field(primary_key=True)
    tenant_id: UUID
    version: int = Field(sa_type=BigInteger)
    state: str = JobState.QUEUED
    attempts: int = 0
    failures: int = 0
    not_before: datetime = moment()
    lease_id: UUID | None = None
    lease_until: datetime | None = moment(nullable=True)
    reason: str | None = None
    created_at: datetime = moment()
    finished_at: datetime | None = moment(nullable=True)
