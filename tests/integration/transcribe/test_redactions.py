"""What a worker stores: transcripts that tell what is redacted in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from otokura.shared.consumer import EventContext
from otokura.shared.directory import handlers
from otokura.shared.events import RedactionPolicy, TenantSettings, TenantUpdated, TranscriptCompleted
from otokura.shared.ids import uuid7
from otokura.shared.redacted import redacted
from otokura.shared.redactions import RedactionKind
from otokura.shared.transcripts import Transcript
from otokura.transcribe.engine import HeardWord, Pcm16, Segment
from recordings import Recordings
from redaction_texts import shows
from worker_support import TINY, Scripted, published, put, work_off

from .conftest import WorkerParts

pytestmark = [pytest.mark.postgres, pytest.mark.s3]
AT = datetime(2026, 4, 1, tzinfo=UTC)
SAID = ("カード", "番号", "は", "4111", "1111", "1111", "1111", "です")


class Dictated(Scripted):
    """An engine that hears a card number on the first channel, and nothing on the other."""

    async def hear(self, audio: Pcm16, language: str, vocabulary: Sequence[str] = ()) -> list[Segment]:
        heard = await super().hear(audio, language, vocabulary)
        if self.windows > 1:
            return []
        words = [
            HeardWord(text=text, start_ms=100 * at, end_ms=100 * at + 100, confidence=0.9)
            for at, text in enumerate(SAID)
        ]
        return [heard[0].model_copy(update={"words": words})]


async def transcribed(parts: WorkerParts, recordings: Recordings, policy: RedactionPolicy) -> Transcript:
    """The transcript of a call of a tenant with a policy; its event shows no digit."""
    call = await recordings.add(TINY, language="ja")
    settings = TenantSettings(redaction=policy)
    tenant = TenantUpdated(tenant_id=call.manifest.tenant_id, version=1, name="Test", settings=settings)
    update = {one.model: one.handler for one in handlers()}[TenantUpdated]
    async with parts.database.session() as session:
        await update(session, tenant, EventContext(uuid7(), "test", tenant.TYPE, AT, tenant.TOPIC, 0, 0, 1))
    await put(parts.database, call)
    await work_off(parts.worker(Dictated()), parts.database)
    [event] = await published(parts.database, TranscriptCompleted)
    assert not shows(event.model_dump_json(), "4111")
    return await recordings.transcript(call, event)


@pytest.mark.guarantee("T26")
async def test_a_new_transcript_tells_what_is_redacted_and_when_it_was_said(
    parts: WorkerParts, recordings: Recordings
) -> None:
    transcript = await transcribed(parts, recordings, RedactionPolicy())
    assert transcript.redactions is not None
    [found] = transcript.redactions
    assert (found.kind, found.start_ms, found.end_ms) == (RedactionKind.CARD_NUMBER, 180, 820)
    assert transcript.turns[found.turn].text[found.start : found.end] == "4111111111111111"
    assert redacted(transcript).turns[0].text == "カード番号は[card-number]です"


@pytest.mark.guarantee("T26")
async def test_a_kind_that_the_tenant_turned_off_is_left_in(
    parts: WorkerParts, recordings: Recordings
) -> None:
    """Searched all the same: an empty list is not the None of a transcript that nobody searched."""
    transcript = await transcribed(parts, recordings, RedactionPolicy(off=frozenset({"card-number"})))
    assert transcript.redactions == []
