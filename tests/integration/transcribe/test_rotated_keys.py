"""Keys are rotated between the taking of a job and the opening of its key."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

import pytest

from otokura.shared.events import KeyWrapped, TranscriptCompleted, TranscriptFailed
from otokura.shared.keyring import add_kek, destroy_keks
from otokura.shared.keys import KeyContext, KeyUse, LocalKeyProvider, WrappedDek
from otokura.transcribe import repository
from recordings import Recordings, SealedCall
from worker_support import TINY, Scripted, due_now, published, put

from .conftest import WorkerParts

pytestmark = [pytest.mark.postgres, pytest.mark.s3]


class Overtaken(LocalKeyProvider):
    """Everything is rotated, and the old key destroyed, while the first opening is under way."""

    parts: WorkerParts
    call: SealedCall
    done = False

    async def unwrap(self, wrapped: WrappedDek, context: KeyContext, use: KeyUse, reference: str) -> bytes:
        if not self.done:
            self.done = True
            await self._rotate(wrapped, context)
        return await super().unwrap(wrapped, context, use, reference)

    async def _rotate(self, old: WrappedDek, context: KeyContext) -> None:
        add_kek(self._path)
        new = await self.wrap(self.call.dek, context)
        told = {**self.call.wrapped.model_dump(), "version": 2, "kek_id": new.kek_id}
        event = KeyWrapped.model_validate({**told, "wrapped": b64encode(new.wrapped)})
        async with self.parts.database.session() as session:
            await repository.store_key(session, event)
        destroy_keks(self._path, [old.kek_id])


@pytest.mark.guarantee("S23")
async def test_a_job_that_was_taken_before_a_rotation_is_not_given_up_after_it(
    parts: WorkerParts, recordings: Recordings
) -> None:
    call = await recordings.add(TINY)
    await put(parts.database, call)
    keys = Overtaken(parts.keys._path)
    keys.parts, keys.call = parts, call
    worker = replace(parts, keys=keys).worker(Scripted())
    assert await worker.step()
    assert await published(parts.database, TranscriptFailed) == []
    await due_now(parts.database)
    assert await worker.step()
    assert len(await published(parts.database, TranscriptCompleted)) == 1
