"""What a batch of messages tells of one source."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from aiokafka import ConsumerRecord

from otokura.shared.audit_events import AuditHeartbeat

Message: TypeAlias = ConsumerRecord[bytes | None, bytes | None]


@dataclass
class News:
    """What was heard of one source.

    Attributes:
        partition: of the audit topic.
        seqs: the numbers of its entries, as they came.
        declared: of each heartbeat, its time and the number that it said, as they came.
        closed: whether it said that it closes.
        heartbeat: the message of the last heartbeat.
    """

    partition: int
    seqs: list[int] = field(default_factory=list[int])
    declared: list[tuple[datetime, int]] = field(default_factory=list[tuple[datetime, int]])
    closed: bool = False
    heartbeat: Message | None = None

    @property
    def last_seq(self) -> int:
        """The highest number that a heartbeat said."""
        return max((number for _, number in self.declared), default=0)

    def declare(self, heartbeat: AuditHeartbeat, message: Message) -> None:
        """Adds what a heartbeat says."""
        self.heartbeat = message
        self.declared.append((heartbeat.time, heartbeat.last_seq))
        self.closed = self.closed or heartbeat.closed

    def follow(self, later: News) -> None:
        """Adds what was heard after this."""
        self.seqs += later.seqs
        self.declared += later.declared
        self.closed = self.closed or later.closed
        self.heartbeat = later.heartbeat or self.heartbeat
