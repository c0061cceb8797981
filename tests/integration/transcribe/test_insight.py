"""What a stored transcript tells of its call, by its tenant's rules and by the endpoint of the settings."""

from __future__ import annotations

import pytest

from access_calls import context_of
from otokura.shared import directory_updates
from otokura.shared.events import TenantSettings, TenantUpdated, TranscriptCompleted
from otokura.shared.insight import FindingKind, InsightRule, InsightRules, SummaryMethod
from otokura.transcribe.engine import HeardWord, Pcm16, Segment
from otokura.transcribe.insight.service import Insight
from otokura.transcribe.settings import Settings
from recordings import Recordings
from summary_endpoint import sentences, serving
from worker_support import TINY, Scripted, published, put, work_off

from .conftest import WorkerParts

pytestmark = [pytest.mark.postgres, pytest.mark.s3]

SAID = [" Wumpus", " is", " broken.", " Card", " 4111", " 1111", " 1111", " 1111."]
RULES = InsightRules(
    add=(InsightRule(id="wumpus", kind=FindingKind.COMPLAINT, label="product", phrases=["wumpus"]),),
    disable=("en.reason.defect",),
)


class Complains(Scripted):
    """Hears a complaint and a card's number on every channel."""

    async def hear(self, audio: Pcm16, language: str, vocabulary: object = ()) -> list[Segment]:
        del audio, language, vocabulary
        words = [
            HeardWord(text=word, start_ms=10 * i, end_ms=10 * i + 10, confidence=1)
            for i, word in enumerate(SAID)
        ]
        return [Segment(words=words, avg_logprob=0, no_speech_prob=0, compression_ratio=1)]


@pytest.mark.guarantee("T32")
@pytest.mark.guarantee("T33")
async def test_a_transcript_is_stored_with_its_tenants_findings_and_a_written_summary(
    parts: WorkerParts, recordings: Recordings
) -> None:
    call = await recordings.add(TINY, language="en")
    tenant = TenantUpdated(
        tenant_id=call.manifest.tenant_id, version=1, name="T", settings=TenantSettings(insight_rules=RULES)
    )
    async with parts.database.session() as session:
        await directory_updates._tenant_updated(session, tenant, context_of(tenant))
    await put(parts.database, call)
    with serving() as endpoint:
        endpoint.answer = sentences(("The wumpus is broken.", [0]))
        settings = {**parts.settings, "summary_url": endpoint.url, "summary_model": "small"}
        insight = Insight.from_settings(Settings.model_validate(settings))
        worker = parts.worker(Complains())
        worker._transcriber._insight = insight
        await work_off(worker, parts.database)
        await insight.close()
    [event] = await published(parts.database, TranscriptCompleted)
    stored = await recordings.transcript(call, event)
    assert stored.signals is not None
    assert stored.signals.reason is None
    assert {finding.rule for finding in stored.signals.complaints} == {"wumpus"}
    assert stored.summary is not None
    assert stored.summary.method is SummaryMethod.ABSTRACTIVE
    assert [sentence.text for sentence in stored.summary.sentences] == ["The wumpus is broken."]
    [(_, _, asked)] = endpoint.asked
    assert b"[card-number]" in asked
    assert b"4111" not in asked
