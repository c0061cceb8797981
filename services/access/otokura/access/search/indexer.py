"""Indexes a call: the one way of text into the index, which only ever holds hashes of it.

The transcript is opened in memory, for nobody to read: the key provider is told that it is for the index.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from otokura.access.errors import IndexKeyLost, NotYet
from otokura.access.reads.stored import stored_transcript
from otokura.access.search import queue, repository
from otokura.access.search.entries import entries_of, properties_of
from otokura.access.search.hashes import IndexKey
from otokura.access.search.models import JobState
from otokura.access.search.opening import announced_of, unwrap
from otokura.access.search.queue import Job
from otokura.access.state import AccessState
from otokura.shared import logs
from otokura.shared.keys import KeyUse

log = logs.get_logger(__name__)


class Indexer:
    """Carries out jobs.

    Args:
        state: the service's.
    """

    def __init__(self, state: AccessState) -> None:
        self._state = state

    async def carry_out(self, job: Job) -> None:
        """Indexes the newest transcript of the job's call, and ends the job in the same transaction.

        Raises:
            NotYet: the beginning of the call, its key or its transcript has not come yet; or the index is
                being made anew.
            Unavailable: the database, the store or the key provider is away.
            IntegrityError: the key or the object is not what was stored.
            NotFound: the call's key no longer exists.
            LeaseLost: another worker took the job over, or the call was erased.
        """
        database = self._state.database
        async with database.session() as session:
            row = await repository.facts(session, job.tenant_id, job.call_id)
        if row is not None and row["wrapped"] is None and row["customer_key"] is not None:
            # Only its customer opens it: nobody finds it by what was said.
            async with database.session() as session:
                await queue.finish(session, job, job.version, JobState.DONE)
            return
        if row is None or row["wrapped"] is None or row["manifest"] is None or row["transcript"] is None:
            raise NotYet("The call's beginning, its recording, its key or its transcript has not come yet.")
        # Before the index's own key, which counts as lost only where the provider has the others.
        dek = await unwrap(self._state.keys, row, KeyUse.INDEX, str(job.lease_id))
        key = await self._index_key(job)
        version, hashes = await self._made(row, dek, key)
        async with database.session() as session:
            # First: it waits for, and keeps out, whoever erases the call.
            await queue.finish(session, job, version, JobState.DONE)
            if not await repository.put(session, key, job.call_id, version, hashes):
                raise NotYet("The index is being made anew.")

    async def _index_key(self, job: Job) -> IndexKey:
        """The tenant's key. One that is lost takes the index with it, which is made anew."""
        keys, database = self._state.index_keys, self._state.database
        try:
            async with database.session() as session:
                return await keys.obtain(session, job.tenant_id, str(job.lease_id))
        except IndexKeyLost as error:
            log.critical("search.index_key_lost", tenant_id=job.tenant_id, exc_info=error)
            async with database.session() as session:
                await repository.forget(session, job.tenant_id, error.key_id)
        raise NotYet("The key of the index is lost: the index is being made anew.")

    async def _made(self, row: Mapping[str, Any], dek: bytes, key: IndexKey) -> tuple[int, list[int]]:
        announced = announced_of(row)
        transcript = await stored_transcript(self._state.store, dek, announced)
        properties = properties_of(row, dek, transcript)
        # A call of four hours takes a tenth of a second.
        hashes = await asyncio.to_thread(entries_of, key, transcript, properties)
        return announced.version, hashes
