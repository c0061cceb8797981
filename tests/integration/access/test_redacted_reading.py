"""The redacted transcript, read through the service as it runs: an analyst gets it, and nothing else."""

from __future__ import annotations

from uuid import UUID

import httpx
import pytest

from access_calls import Call, transcript_of
from access_service import Access, Person, Tenant
from otokura.shared.redactions import Redaction, RedactionKind
from otokura.shared.transcripts import Transcript, Word
from redaction_texts import shows

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
QUALITY = {"purpose": "quality"}
REDACTED = QUALITY | {"view": "redacted"}
NUMBER = "4111 1111 1111 1111"
SAID = f"番号は{NUMBER}です。"


def searched(call_id: UUID) -> Transcript:
    """A transcript with a card number that was found."""
    plain = transcript_of(call_id)
    words = [
        Word(text=part, start_ms=1000 + 100 * at, end_ms=1100 + 100 * at, confidence=0.9)
        for at, part in enumerate(("番号は", *NUMBER.split(), "です。"))
    ]
    turn = plain.turns[1].model_copy(update={"text": SAID, "words": words})
    found = Redaction(
        turn=1, start=3, end=3 + len(NUMBER), kind=RedactionKind.CARD_NUMBER, start_ms=1000, end_ms=1600
    )
    return plain.model_copy(update={"turns": [plain.turns[0], turn], "redactions": [found]})


@pytest.fixture
def call(tenant: Tenant) -> Call:
    return tenant.call(said=searched)


@pytest.fixture
def analyst(tenant: Tenant) -> Person:
    return tenant.person("analyst")


def transcript(access: Access, who: Person, call: Call, **params: str) -> httpx.Response:
    with access.client(who.token) as client:
        return client.get(f"/v1/calls/{call.id}/transcript", params=params)


@pytest.mark.guarantee("T24")
def test_an_analyst_reads_the_redacted_transcript(access: Access, analyst: Person, call: Call) -> None:
    """In every format, without a digit of the number; the entry says which view was read."""
    for form in ("json", "vtt", "srt", "text", "vcon"):
        response = transcript(access, analyst, call, **REDACTED, format=form)
        assert response.status_code == 200
        assert "[card-number]" in response.text
        assert not shows(response.text, "1111")
        [opened] = access.audit.entries(entry_id=response.headers["Otokura-Entry-Id"])
        assert (opened["detail"]["action"], opened["detail"]["view"]) == ("read-redacted", "redacted")
        assert opened["detail"]["policies"] == ["analyst-redacted-calls"]


@pytest.mark.guarantee("T24")
def test_an_analyst_is_refused_the_raw_transcript_and_the_audio(
    access: Access, analyst: Person, call: Call
) -> None:
    refused = transcript(access, analyst, call, **QUALITY)
    assert refused.status_code == 403
    assert "view=redacted" in refused.json()["detail"]
    with access.client(analyst.token) as client:
        assert client.get(f"/v1/calls/{call.id}/audio", params=QUALITY).status_code == 403
        assert [one["id"] for one in client.get("/v1/calls").json()["items"]] == [str(call.id)]
    denied = access.audit.entries(action="read.denied", reader=str(analyst.id))
    assert [entry["detail"]["action"] for entry in denied] == ["read-transcript", "listen"]


def test_who_reads_the_raw_transcript_may_ask_for_the_redacted(
    access: Access, tenant: Tenant, call: Call
) -> None:
    supervisor = tenant.person("supervisor")
    raw, without = (transcript(access, supervisor, call, **params) for params in (QUALITY, REDACTED))
    assert Transcript.model_validate_json(raw.content) == call.transcript
    assert Transcript.model_validate_json(without.content).turns[1].text == "番号は[card-number]です。"
    [opened] = access.audit.entries(entry_id=raw.headers["Otokura-Entry-Id"])
    assert (opened["detail"]["action"], opened["detail"]["view"]) == ("read-transcript", "raw")


@pytest.mark.guarantee("T25")
def test_a_transcript_that_nobody_searched_is_not_given_as_redacted(
    access: Access, tenant: Tenant, analyst: Person
) -> None:
    """Those of before have no redactions, which does not mean that there is nothing to redact."""
    old = tenant.call()
    response = transcript(access, analyst, old, **REDACTED)
    assert (response.status_code, response.json()["title"]) == (409, "Not ready")
    assert "transcribed again" in response.json()["detail"]
    assert "A < B" not in response.text
