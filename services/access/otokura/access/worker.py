"""Takes jobs one after the other and carries them out: each at least once, however often we are killed."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from datetime import timedelta
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.errors import LeaseLost, NotYet
from otokura.shared import logs
from otokura.shared.database import Database
from otokura.shared.errors import IntegrityError, OtokuraError, Unavailable

_ATTEMPT_SHARE = 0.6
"""Of the lease: an attempt is given up well before, so that what it does late does not overtake the next."""
MAX_FAILURES = 8
"""Attempts that failed for no reason that we know."""
MAX_WAIT = timedelta(days=7)
"""For the call's other events: as long as the keys' topic keeps them."""
FIRST_DELAY = timedelta(seconds=1)
LONGEST_DELAY = timedelta(minutes=5)
_RETRY_SECONDS = 1.0

log = logs.get_logger(__name__)


class Leased(Protocol):
    """A job that a worker holds."""

    @property
    def call_id(self) -> UUID:
        """What it is about."""
        ...

    @property
    def attempt(self) -> int:
        """Counts from 1."""
        ...

    @property
    def failures(self) -> int:
        """Attempts that failed for no reason that we know."""
        ...

    @property
    def age(self) -> timedelta:
        """Since it was last queued."""
        ...


J = TypeVar("J", bound=Leased)
R = TypeVar("R")


def delay(attempt: int) -> timedelta:
    """How long to wait after attempt number `attempt`: 1, 2, 4 … seconds, at most five minutes."""
    return min(FIRST_DELAY * (1 << min(attempt - 1, 30)), LONGEST_DELAY)


def is_hopeless(job: Leased, error: Exception) -> bool:
    """Whether what failed is not to be tried again."""
    if isinstance(error, Unavailable | TimeoutError):
        return False
    if isinstance(error, NotYet):
        return job.age > MAX_WAIT
    return isinstance(error, IntegrityError) or job.failures + 1 >= MAX_FAILURES


class Worker(ABC, Generic[J, R]):
    """One job at a time; run several for more.

    Args:
        database: the service's.
        kind: of the jobs, for the log.
        lease_seconds: how long a job is leased.
        poll_seconds: how often to look for one.
    """

    def __init__(self, database: Database, kind: str, lease_seconds: float, poll_seconds: float) -> None:
        self._database = database
        self._kind = kind
        self._lease = timedelta(seconds=lease_seconds)
        self._attempt_seconds = lease_seconds * _ATTEMPT_SHARE
        self._poll_seconds = poll_seconds

    @abstractmethod
    async def take(self, session: AsyncSession, duration: timedelta) -> J | None:
        """Leases the job that has been due for longest."""

    @abstractmethod
    async def carry_out(self, job: J) -> R:
        """Does what the job asks."""

    @abstractmethod
    async def end(self, job: J, result: R) -> None:
        """What is to be done after that, in all the time that it takes."""

    @abstractmethod
    async def give_up(self, job: J, error: Exception, told: str) -> bool:
        """Ends a job that nothing can come of; whether it was one."""

    @abstractmethod
    async def release(self, session: AsyncSession, job: J, wait: timedelta, *, failed: bool) -> None:
        """Gives a job back, to be tried again after `wait`."""

    async def run(self) -> None:
        """Works for ever."""
        while True:
            try:
                worked = await self.step()
            except Unavailable as error:
                log.warning("jobs.cannot_work", kind=self._kind, error=error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                if not worked:
                    await asyncio.sleep(self._poll_seconds)

    async def step(self) -> bool:
        """Takes one job, and ends it or gives it back.

        Returns:
            Whether there was one.

        Raises:
            Unavailable: the database cannot be reached; what was taken is taken again when its lease ends.
        """
        async with self._database.session() as session:
            job = await self.take(session, self._lease)
        if job is None:
            return False
        try:
            await self._attempt(job)
        except LeaseLost as lost:
            log.warning("jobs.lease_lost", kind=self._kind, call_id=job.call_id, error=lost)
        return True

    async def _attempt(self, job: J) -> None:
        try:
            async with asyncio.timeout(self._attempt_seconds):
                result = await self.carry_out(job)
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 - whatever happened to one call must not stop the others
            await self._failed(job, error)
        else:
            await self.end(job, result)

    async def _failed(self, job: J, error: Exception) -> None:
        """Tries again later what may still work; ends what cannot."""
        known = isinstance(error, Unavailable | NotYet | TimeoutError)
        # The text of an error that is not ours may hold content: only its kind is told.
        told = str(error) if isinstance(error, OtokuraError) else type(error).__name__
        log.warning("jobs.attempt_failed", kind=self._kind, call_id=job.call_id, error=told)
        if not await self.give_up(job, error, told):
            async with self._database.session() as session:
                await self.release(session, job, delay(job.attempt), failed=not known)
