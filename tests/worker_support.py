"""What the tests of transcribe's worker have in common: a scripted engine, and looks into the database."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlmodel import col, select

import speech
from otokura.shared.audit_entries import AuditDraft
from otokura.shared.database import Database
from otokura.shared.messaging_models import OutboxRow
from otokura.transcribe.engine import Description, HeardWord, Pcm16, Segment
from otokura.transcribe.models import Job
from otokura.transcribe.worker import Worker
from recordings import SealedCall, enqueue

ENGLISH = (speech.CALLS / "en-support.wav").read_bytes()


def silent_wav(seconds: int, channels: int = 2) -> bytes:
    """A telephone recording in which nobody speaks."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(2 * channels * 8000 * seconds))
    return content.getvalue()


TINY = silent_wav(1)


class Scripted:
    """A `RemoteEngine` that fails as often as it is told to, and then hears one word a window."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.windows = 0
        self.vocabulary: Sequence[str] = ()
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.languages_used: list[str] = []

    async def describe(self) -> Description:
        return Description(name="scripted", model="none", languages=frozenset({"en", "ja"}))

    async def languages(self, audio: Pcm16) -> dict[str, float]:
        return {"en": 1.0} if audio.size else {}

    async def hear(self, audio: Pcm16, language: str, vocabulary: Sequence[str] = ()) -> list[Segment]:
        self.vocabulary = vocabulary
        self.begun.set()
        await self.go_on.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.windows += 1
        self.languages_used.append(language)
        word = HeardWord(text=" word", start_ms=0, end_ms=len(audio) // 16, confidence=1)
        return [Segment(words=[word], avg_logprob=0, no_speech_prob=0, compression_ratio=1)]


async def put(database: Database, call: SealedCall) -> None:
    async with database.session() as session:
        await enqueue(session, call)


async def job_of(database: Database, call: SealedCall) -> Job:
    async with database.session() as session:
        return await session.get_one(Job, call.call_id)


async def due_now(database: Database) -> None:
    """Lets waits and leases be over."""
    async with database.session() as session:
        connection = await session.connection()
        await connection.execute(
            text("UPDATE jobs SET not_before = now(), lease_until = now() - interval '1 s'")
        )


async def published(database: Database, kind: type[Any]) -> list[Any]:
    async with database.session() as session:
        rows = (await session.exec(select(OutboxRow).order_by(col(OutboxRow.id)))).all()
    return [kind.model_validate_json(row.data) for row in rows if row.type == getattr(kind, "TYPE", None)]


async def entries(database: Database) -> list[AuditDraft]:
    async with database.session() as session:
        rows = (await session.exec(select(OutboxRow).where(OutboxRow.kind == "audit"))).all()
    return [AuditDraft.model_validate_json(row.data) for row in rows]


async def work_off(worker: Worker, database: Database) -> None:
    while await worker.step():
        await due_now(database)
