"""Decisions about calls."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from otokura.ingest.audio_format import Encoding, StreamFormat
from otokura.ingest.errors import (
    CallClosed,
    ChannelsDiffer,
    NoticeNeeded,
    RateChanged,
    UnknownPurpose,
    WrongOrigin,
)
from otokura.ingest.models import Call, CallState, Origin
from otokura.ingest.service import (
    Audio,
    build_manifest,
    check_open,
    check_purposes,
    check_stream,
    check_upload,
    started_event,
    stated,
)
from otokura.ingest.views import CallView
from otokura.shared.events import Notice, Purpose, TenantSettings
from otokura.shared.manifest import Manifest, StoredObject

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
QUALITY = Purpose(name="quality", label_ja="応対品質の向上", label_en="Quality of service")
OPEN = TenantSettings(purposes=[QUALITY])
STRICT = TenantSettings(purposes=[QUALITY], require_notice=True)
STEREO = StreamFormat(Encoding.MULAW, 8000, 2)


def call(**changes: Any) -> Call:
    values: dict[str, Any] = {
        "id": UUID(int=1),
        "tenant_id": UUID(int=2),
        "client_id": UUID(int=3),
        "external_id": "cti-1",
        "direction": "inbound",
        "channels": [{"role": "customer"}, {"role": "agent"}],
        "notice": Notice(given="none").model_dump(mode="json"),
        "purposes": ["quality"],
        "personal": b"\xff\x00ciphertext",
        "kek_id": "k1",
        "wrapped_dek": b"wrapped",
        "commitment": "ab" * 32,
        "started_at": NOW,
        "last_audio_at": NOW,
        **changes,
    }
    return Call(**values)


def test_disclosed_purposes_may_be_attached() -> None:
    check_purposes(["quality"], OPEN)
    check_purposes([], TenantSettings())


def test_an_undisclosed_purpose_is_named() -> None:
    """The vendor learns which purpose is wrong and which exist."""
    with pytest.raises(UnknownPurpose, match=r"marketing.*Known purposes: quality") as refused:
        check_purposes(["quality", "marketing"], OPEN)
    assert refused.value.extensions == {"unknown": ["marketing"]}


@pytest.mark.parametrize("state", [state for state in CallState if state is not CallState.LIVE])
def test_only_a_live_call_takes_audio(state: CallState) -> None:
    with pytest.raises(CallClosed, match=state.value):
        check_stream(call(state=state), STEREO)
    with pytest.raises(CallClosed, match=state.value):
        check_upload(call(state=state), OPEN)


def test_a_tenant_that_demands_notice_takes_no_audio_before_it() -> None:
    """Neither way in is open, and the words say how to open it."""
    with pytest.raises(NoticeNeeded, match="/notice"):
        check_open(call(), STRICT)
    with pytest.raises(NoticeNeeded, match="/notice"):
        check_upload(call(), STRICT)


@pytest.mark.parametrize("given", ["announced", "attested"])
def test_either_notice_opens_the_way(given: str) -> None:
    told = call(notice={"given": given, "at": NOW.isoformat(), "version": None})
    check_open(told, STRICT)
    check_upload(told, STRICT)


def test_channels_must_be_those_declared() -> None:
    with pytest.raises(ChannelsDiffer, match=r"2 channel\(s\), the audio has 1"):
        check_stream(call(), StreamFormat(Encoding.MULAW, 8000, 1))


def test_the_rate_stays_while_the_encoding_may_change() -> None:
    """One recording has one rate; G.711 and PCM are the same samples."""
    begun = call(sample_rate=8000, pieces=1, samples=40_000)
    check_stream(begun, StreamFormat(Encoding.PCM_S16LE, 8000, 2))
    with pytest.raises(RateChanged, match="8000 Hz"):
        check_stream(begun, StreamFormat(Encoding.PCM_S16LE, 16000, 2))


def test_streamed_audio_is_never_replaced_by_a_file() -> None:
    with pytest.raises(WrongOrigin, match="already has streamed audio"):
        check_upload(call(pieces=1, samples=8), OPEN)


def test_a_notice_that_was_given_has_a_time() -> None:
    """A vendor that does not say when is taken to mean now; no notice has no time."""
    assert stated(Notice(given="announced"), NOW).at == NOW
    assert stated(Notice(given="none", at=NOW), NOW).at is None


def test_the_event_of_a_start_survives_the_wire() -> None:
    """Ciphertext is binary, and comes out of JSON as it went in."""
    event = started_event(call())
    again = type(event).model_validate_json(event.model_dump_json())
    assert again.personal == b"\xff\x00ciphertext"
    assert again == event


def test_manifest_and_view_tell_the_same_recording() -> None:
    stored = StoredObject(
        bucket="recordings",
        name="recordings/x/y/3",
        media_type="audio/flac",
        plaintext_bytes=9,
        plaintext_sha256="0" * 64,
    )
    sealed = call(state=CallState.SEALED, sample_rate=8000, samples=12_345, ended_at=NOW, settled_at=NOW)
    manifest = build_manifest(sealed, Audio(Origin.LIVE, 8000, 12_345, [], stored), NOW)
    sealed.manifest, sealed.manifest_sha256 = manifest.model_dump(mode="json"), manifest.sha256()
    assert Manifest.model_validate(sealed.manifest).sha256() == sealed.manifest_sha256
    view = CallView.of(sealed)
    assert view.recording is not None
    assert view.recording.duration_ms == manifest.duration_ms == 1543
    assert view.accepted_ms == {"0": 1543, "1": 1543}
    assert view.accepted_samples == 12_345
