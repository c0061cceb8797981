"""What is decided about a call: pure functions of rows and settings, no clock and no network."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from otokura.ingest.audio_format import StreamFormat
from otokura.ingest.errors import (
    CallClosed,
    ChannelsDiffer,
    NoticeNeeded,
    NotYetBegun,
    PurposeNeeded,
    RateChanged,
    UnknownPurpose,
    WrongOrigin,
)
from otokura.ingest.models import Call, CallState, Origin
from otokura.ingest.timeline import milliseconds
from otokura.shared.customer_keys import CustomerCopy
from otokura.shared.events import CallEnded, CallStarted, Channel, Direction, Notice, TenantSettings
from otokura.shared.manifest import Gap, GapReason, Manifest, StoredObject

Outcome = Literal["sealed", "failed", "empty"]
CLOCKS_APART = timedelta(minutes=5)
"""A phone system's clock may be ahead of ours by so much."""


@dataclass(frozen=True)
class Audio:
    """What a recording turned out to be."""

    origin: Origin
    sample_rate: int
    samples: int
    """In each channel."""
    gaps: list[Gap]
    stored: StoredObject
    customer_key: CustomerCopy | None = None
    """The key for the tenant's own, where the tenant has one."""


def check_purposes(asked: list[str], settings: TenantSettings) -> None:
    """Only purposes that callers are told about may be attached.

    Raises:
        UnknownPurpose: names those that are not.
        PurposeNeeded: there is none, and the tenant demands one.
    """
    known = [purpose.name for purpose in settings.purposes]
    if settings.require_purpose and not asked:
        raise PurposeNeeded(known)
    unknown = [name for name in asked if name not in known]
    if unknown:
        raise UnknownPurpose(unknown, known)


def began(stated_at: datetime | None, moment: datetime) -> datetime:
    """When a call began, to the best of both clocks.

    Raises:
        NotYetBegun: the phone system says that it begins in the future.
    """
    if stated_at is None:
        return moment
    if stated_at > moment + CLOCKS_APART:
        raise NotYetBegun
    return min(stated_at, moment).astimezone(UTC)


def stated(notice: Notice, moment: datetime) -> Notice:
    """The notice as it is kept: one that was given has a time."""
    at = None if notice.given == "none" else (notice.at or moment).astimezone(UTC)
    return Notice(given=notice.given, at=at, version=notice.version)


def check_live(call: Call) -> None:
    """Whether the call has not ended.

    Raises:
        CallClosed: it has.
    """
    if call.state != CallState.LIVE or call.end_asked_at is not None:
        raise CallClosed("ending" if call.state == CallState.LIVE else call.state)


def check_open(call: Call, settings: TenantSettings) -> None:
    """Whether the call takes audio now.

    Raises:
        CallClosed: it has ended.
        NoticeNeeded: the tenant demands a notice, and none was given.
    """
    check_live(call)
    if withheld(False, call.notice, settings) == "unannounced":
        raise NoticeNeeded(call.id)


def check_stream(call: Call, wanted: StreamFormat) -> None:
    """Whether the call may be streamed in this format.

    Raises:
        OtokuraError: one that says what to change.
    """
    check_live(call)
    if wanted.channels != len(call.channels):
        raise ChannelsDiffer(len(call.channels), wanted.channels)
    if call.sample_rate is not None and call.sample_rate != wanted.rate:
        raise RateChanged(call.sample_rate, wanted.rate)


def withheld(paused: bool, notice: dict[str, Any], settings: TenantSettings) -> GapReason | None:
    """Why nothing may be recorded of a live call now; None: it may."""
    if settings.require_notice and Notice.model_validate(notice).given == "none":
        return "unannounced"
    return "paused" if paused else None


def check_upload(call: Call, settings: TenantSettings) -> None:
    """Whether a file may become the call's recording.

    Raises:
        OtokuraError: one that says what to change.
    """
    check_open(call, settings)
    if call.pieces:
        raise WrongOrigin(
            "This call already has streamed audio. End it with POST …/end, or start another call."
        )


def started_event(call: Call) -> CallStarted:
    """The call as others know it; sent again, with a higher version, when the notice changes."""
    return CallStarted(
        call_id=call.id,
        tenant_id=call.tenant_id,
        version=call.version,
        external_id=call.external_id,
        direction=Direction(call.direction),
        agent_id=call.agent_id,
        channels=[Channel.model_validate(channel) for channel in call.channels],
        notice=Notice.model_validate(call.notice),
        purposes=call.purposes,
        language=call.language,
        started_at=call.started_at,
        personal=None if call.personal is None else b64encode(call.personal),
    )


def ended_event(call: Call, ended_at: datetime) -> CallEnded:
    """That no more audio will come."""
    return CallEnded(call_id=call.id, tenant_id=call.tenant_id, version=call.version, ended_at=ended_at)


def build_manifest(call: Call, audio: Audio, ended_at: datetime) -> Manifest:
    """The manifest of a call's recording."""
    return Manifest(
        call_id=call.id,
        tenant_id=call.tenant_id,
        external_id=call.external_id,
        origin=audio.origin.value,
        direction=Direction(call.direction),
        channels=[Channel.model_validate(channel) for channel in call.channels],
        sample_rate=audio.sample_rate,
        samples=audio.samples,
        duration_ms=milliseconds(audio.samples, audio.sample_rate),
        gaps=audio.gaps,
        drift=call.drift or [],
        notice=Notice.model_validate(call.notice),
        purposes=call.purposes,
        language=call.language,
        started_at=call.started_at,
        ended_at=ended_at,
        recording=audio.stored,
        key_commitment=call.commitment,
    )
