"""Takes jobs one after the other, and sees to it that each recording is transcribed exactly once."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from otokura.shared.audit import Action, AuditDraft
from otokura.shared.database import Database
from otokura.shared.dead_letters import Burial
from otokura.shared.errors import IntegrityError, NotFound, OtokuraError, Unavailable
from otokura.shared.events import TranscriptCompleted, TranscriptFailed, TranscriptionRetried
from otokura.shared.ids import uuid7
from otokura.shared.logs import get_logger
from otokura.shared.outbox import publish, publish_audit, publish_dead
from otokura.transcribe import instruments, repository, service
from otokura.transcribe.errors import EngineFailed, LeaseLost
from otokura.transcribe.handing_over import hand_over
from otokura.transcribe.handlers import GROUP
from otokura.transcribe.repository import LeasedJob
from otokura.transcribe.settings import Settings
from otokura.transcribe.transcriber import Transcriber

log = get_logger(__name__)

_RETRY_SECONDS = 1.0


class Worker:
    """One job at a time: lease, transcribe while renewing the lease, commit.

    Whoever holds the lease at the commit has transcribed the recording; what any other attempt wrote is
    discarded. A worker that dies lets its lease end, and another begins anew.
    """

    def __init__(self, database: Database, transcriber: Transcriber, settings: Settings) -> None:
        self._database = database
        self._transcriber = transcriber
        self._settings = settings
        self._taken = 0
        self.id = uuid7()
        self.models: tuple[str, ...] = ()
        """What the model that this worker has may be asked for by; empty until its engine has started."""

    async def run(self) -> None:
        """Works for ever."""
        while True:
            try:
                worked = await self.step()
            except (Unavailable, EngineFailed) as error:
                log.warning("cannot look for jobs", error=error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                if not worked:
                    await asyncio.sleep(self._settings.poll_seconds)

    async def step(self) -> bool:
        """Takes one job and ends or returns it.

        Returns:
            Whether there was one.

        Raises:
            Unavailable: the database cannot be reached, and no job was taken.
            EngineFailed: the engine does not start, and no job was taken.
        """
        job = await self._lease()
        if job is None:
            return False
        attempt: asyncio.Task[None] = asyncio.create_task(self._attempt(job), name="attempt")
        renewal = asyncio.create_task(self._renew(job), name="renewal")
        try:
            await asyncio.wait({attempt, renewal}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            attempt.cancel()
            renewal.cancel()
            outcomes = await asyncio.gather(attempt, renewal, return_exceptions=True)
        ended = not attempt.cancelled() and attempt.exception() is None
        if ended:
            await self._discard_earlier(job)
        else:
            self._report(job, [error for error in outcomes if isinstance(error, Exception)])
        return True

    async def _lease(self) -> LeasedJob | None:
        self.models = await self._transcriber.models()
        first = service.lane_first(self._taken, self._settings.again_share)
        async with self._database.session() as session:
            job = await repository.lease(session, self._settings.lease, models=self.models, prefer=first)
        self._taken += job is not None
        return job

    def _report(self, job: LeasedJob, errors: list[Exception]) -> None:
        """What could not be written down is left to the end of the lease; anything else is a defect."""
        for error in errors:
            if not isinstance(error, LeaseLost | Unavailable):
                raise error
            log.warning("attempt lost", call_id=str(job.call_id), attempt=job.attempt, error=error)
        instruments.ATTEMPTS.labels("lost").inc()

    async def _discard_earlier(self, job: LeasedJob) -> None:
        """Deletes what earlier attempts may have left: ciphertext that no event names."""
        try:
            for version in job.earlier:
                await self._transcriber.discard(job, version)
        except Unavailable as error:
            log.warning("earlier attempts not discarded", call_id=str(job.call_id), error=error)

    async def _renew(self, job: LeasedJob) -> None:
        """Renews the lease until cancelled.

        Raises:
            LeaseLost: another worker took the job.
        """
        while True:
            await asyncio.sleep(self._settings.lease_seconds / 3)
            try:
                async with self._database.session() as session:
                    await repository.renew(session, job, self._settings.lease)
            except Unavailable as error:
                # While we cannot reach the database nobody else can take the job either.
                log.warning("lease not renewed", call_id=str(job.call_id), error=error)

    async def _attempt(self, job: LeasedJob) -> None:
        began = time.monotonic()
        if job.takeovers > self._settings.max_takeovers:
            why = "Too many workers died over this recording"
            await self._give_up(job, why, why)
            return
        try:
            event = await self._transcriber.transcribe(job)
        except NotFound as error:
            await self._failed(job, await self._judged_again(job, error))
            return
        except Exception as error:  # noqa: BLE001 - whatever happened to one recording must not stop the others
            await self._failed(job, error)
            return
        await self._succeeded(job, event)
        instruments.AUDIO_SECONDS.inc(event.duration_ms / 1000)
        instruments.DURATION_SECONDS.observe(time.monotonic() - began)

    async def _succeeded(self, job: LeasedJob, event: TranscriptCompleted) -> None:
        detail = event.model_dump(include={"object", "plaintext_sha256", "engine", "model", "language"})
        try:
            async with self._database.session() as session:
                await repository.finish(session, job, made_with=event.model)
                await hand_over(session, job.tenant_id, job.call_id)
                await publish(session, event)
                await publish_audit(
                    session,
                    AuditDraft(
                        action=Action.RECORDING_TRANSCRIBED,
                        tenant_id=job.tenant_id,
                        call_id=job.call_id,
                        detail=detail,
                    ),
                )
        except LeaseLost:
            await self._transcriber.discard(job, job.version)
            raise
        instruments.ATTEMPTS.labels("transcribed").inc()
        log.info(
            "recording transcribed",
            call_id=str(job.call_id),
            attempt=job.attempt,
            language=event.language,
            turns=event.turns,
        )

    async def _judged_again(self, job: LeasedJob, error: NotFound) -> OtokuraError:
        """The error; or that the key was wrapped anew, and the old one destroyed, meanwhile."""
        async with self._database.session() as session:
            anew = await repository.is_wrapped_anew(session, job)
        return Unavailable("The call's key was wrapped anew meanwhile.") if anew else error

    async def _failed(self, job: LeasedJob, error: Exception) -> None:
        verdict = service.judge(error)
        if isinstance(error, IntegrityError):
            log.error("recording fails its integrity check", call_id=str(job.call_id), error=error)
        else:
            log.warning("attempt failed", call_id=str(job.call_id), attempt=job.attempt, error=error)
        failed = verdict is service.Verdict.RETRY
        exhausted = failed and job.failures + 1 >= self._settings.max_failures
        if verdict is service.Verdict.GIVE_UP or exhausted:
            await self._give_up(job, service.reason(error), service.explain(error))
            return
        instruments.ATTEMPTS.labels("returned").inc()
        async with self._database.session() as session:
            await repository.release(session, job, service.delay(job.attempt), failed=failed)

    async def _give_up(self, job: LeasedJob, reason: str, explanation: str) -> None:
        """The job has failed, everybody is told, and its dead letter waits for somebody to look into it."""
        letter = TranscriptionRetried(
            call_id=job.call_id, tenant_id=job.tenant_id, version=job.version, job_id=job.id
        )
        async with self._database.session() as session:
            await repository.finish(session, job, reason=reason)
            await hand_over(session, job.tenant_id, job.call_id)
            await publish(
                session,
                TranscriptFailed(
                    call_id=job.call_id,
                    tenant_id=job.tenant_id,
                    version=job.version,
                    reason=reason,
                    failed_at=datetime.now(UTC),
                    request_id=job.request_id,
                ),
            )
            burial = Burial(GROUP, f"Call {job.call_id}: {explanation}", job.attempt)
            await publish_dead(session, letter, burial)
        instruments.ATTEMPTS.labels("given up").inc()
