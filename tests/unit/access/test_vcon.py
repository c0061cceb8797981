"""A call as a vCon: valid by the draft's rules, and with nothing in it that the transcript does not say."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from otokura.access.reads.vcon import AudioFile, vcon
from otokura.shared.events import Channel, ChannelRole, Direction
from otokura.shared.insight import Signals, Silence, Summary, SummaryMethod, SummarySentence
from otokura.shared.transcripts import Transcript
from transcripts import transcript, turn
from vcons import CALL, SCHEMA, source

SUMMARY = Summary(
    method=SummaryMethod.EXTRACTIVE, sentences=[SummarySentence(text="交換します。", turns=[1])]
)
SIGNALS = Signals(talk=[], silence=Silence(total_ms=0, ratio=0), interruptions=None)


def said() -> Transcript:
    turns = (turn("動きません。"), turn("交換します。", role=ChannelRole.AGENT))
    return transcript(*turns).model_copy(update={"signals": SIGNALS, "summary": SUMMARY})


def checked(of: str) -> dict[str, Any]:
    """The document, after the schema and the references between its parts are checked."""
    document: dict[str, Any] = json.loads(of)
    Draft202012Validator(SCHEMA, format_checker=FormatChecker()).validate(document)
    parties = len(document["parties"])
    for dialog in document["dialog"]:
        assert all(index < parties for index in [*dialog["parties"], dialog.get("originator", 0)])
    assert all(analysis["dialog"] < len(document["dialog"]) for analysis in document["analysis"])
    return document


@pytest.mark.guarantee("T35")
def test_a_vcon_holds_the_transcript_the_summary_and_the_signals() -> None:
    document = checked(vcon(said(), source()))
    found = {analysis["type"]: analysis["body"] for analysis in document["analysis"]}
    assert sorted(found) == ["report", "summary", "transcript"]
    stored = said().model_dump(mode="json")
    assert found["summary"] == stored.pop("summary")
    assert found["report"] == stored.pop("signals")
    assert found["transcript"] == stored
    assert document["created_at"] == "2026-11-24T20:00:01.250Z"
    assert "redacted" not in document


def test_the_dialog_is_the_recording_without_its_audio() -> None:
    document = checked(vcon(said(), source()))
    assert document["dialog"] == [
        {
            "type": "recording",
            "start": "2026-11-24T19:30:00.000Z",
            "duration": 60.0,
            "parties": [0, 1],
            "mediatype": "audio/flac",
            "originator": 1,
        }
    ]
    assert document["parties"] == [
        {"type": "person", "role": "agent"},
        {"type": "person", "role": "customer"},
    ]


@pytest.mark.parametrize(
    ("about", "originator"),
    [
        ({"direction": Direction.OUTBOUND}, None),
        ({"direction": Direction.INBOUND}, 1),
        ({"channels": [Channel(role=ChannelRole.CUSTOMER), Channel(role=ChannelRole.AGENT)]}, None),
        ({"channels": [Channel(role=ChannelRole.MIXED)]}, None),
    ],
    ids=["we call", "they call", "they call and come first", "one channel"],
)
def test_who_called_is_the_originator(about: dict[str, Any], originator: int | None) -> None:
    [dialog] = checked(vcon(said(), source(**about)))["dialog"]
    assert dialog.get("originator") == originator


def test_an_old_transcript_without_insight_is_a_vcon_too() -> None:
    old = transcript(turn("もしもし")).model_copy(update={"redactions": None})
    assert [one["type"] for one in checked(vcon(old, source()))["analysis"]] == ["transcript"]


def test_ids_are_of_version_8_and_tell_versions_and_forms_apart() -> None:
    whole, again, redacted, newer = (
        checked(vcon(said(), one)) for one in (source(), source(), source(redacted=True), source(version=2))
    )
    ids = [UUID(document["uuid"]) for document in (whole, redacted, newer)]
    assert whole == again
    assert len(set(ids)) == 3
    assert {one.version for one in ids} == {8}
    assert {one.bytes[:6] for one in ids} == {CALL.bytes[:6]}
    assert redacted["redacted"]["uuid"] == whole["uuid"]


def test_nothing_of_the_store_or_of_other_systems_is_told() -> None:
    shown = vcon(said(), source(agent_id="2041"))
    for secret in ("recordings", "cti-", "2041", "https:", "key_commitment"):
        assert secret not in shown


@pytest.mark.guarantee("T35")
def test_one_in_a_bundle_of_evidence_names_the_audio_and_is_valid_without_a_transcript() -> None:
    bundle = UUID("0199c0de-0000-7000-8000-00000000000e")
    audio = AudioFile("audio/received.flac", hashlib.sha512(b"audio").digest(), bundle)
    whole, evidence = (vcon(said(), replace(source(), audio=it)) for it in (None, audio))
    [dialog] = checked(evidence)["dialog"]
    assert dialog["filename"] == "audio/received.flac"
    assert dialog["content_hash"].startswith("sha512-")
    assert checked(evidence)["uuid"] != checked(whole)["uuid"]
    assert checked(vcon(None, replace(source(), audio=audio)))["analysis"] == []
