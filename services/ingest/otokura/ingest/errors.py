"""What can go wrong with a call, said so that a phone system's engineer knows what to do."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from otokura.shared.errors import BadRequest, Conflict, NotFound, OtokuraError, Unavailable, Unprocessable


class CallNotFound(NotFound):
    """No such call in the caller's tenant; another tenant's call looks the same."""

    code: ClassVar[str] = "call-not-found"
    title: ClassVar[str] = "No such call"

    def __init__(self, call_id: UUID) -> None:
        super().__init__(f"There is no call {call_id} in your tenant. Start one with POST /v1/calls.")


class CallClosed(Conflict):
    """The call takes no more audio."""

    code: ClassVar[str] = "call-closed"
    title: ClassVar[str] = "The call has ended"

    def __init__(self, state: str) -> None:
        super().__init__(
            f"The call is {state} and takes no more audio. Start another with POST /v1/calls.", state=state
        )


class Fenced(Conflict):
    """A newer connection records this call now; what this one still held was not accepted."""

    code: ClassVar[str] = "fenced"
    title: ClassVar[str] = "A newer connection took over"

    def __init__(self) -> None:
        super().__init__(
            "A newer connection records this call. Audio after the last accepted sample was not stored from"
            " here: send it on the newer connection."
        )


class GateChanged(Conflict):
    """What may be recorded changed (a pause, its end, the notice) before the writer heard of it."""

    code: ClassVar[str] = "gate-changed"
    title: ClassVar[str] = "What may be recorded has changed"

    def __init__(self, gate: int) -> None:
        super().__init__("What may be recorded of this call has just changed; look at it again.")
        self.gate = gate


class PauseNotConfirmed(Unavailable):
    """The instance that records the call did not say in time that it heard of a pause or its end."""

    code: ClassVar[str] = "pause-not-confirmed"
    title: ClassVar[str] = "Not confirmed yet"

    def __init__(self) -> None:
        super().__init__(
            "The change is noted, but the instance that records this call has not confirmed it: audio may"
            " still be recorded as before. Repeat the request until it answers 200.",
            headers={"Retry-After": "1"},
        )


class StreamSilent(OtokuraError):  # noqa: N818
    """Nothing came on an open stream for too long (RFC 9110 §15.5.9)."""

    status: ClassVar[int] = 408
    code: ClassVar[str] = "stream-silent"
    title: ClassVar[str] = "The stream is silent"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Nothing came for {seconds:g} seconds. Connect again when there is audio to send.")


class NotStored(Unavailable):
    """Audio could not be stored within the time that a client is made to wait."""

    code: ClassVar[str] = "not-stored"
    title: ClassVar[str] = "Audio is not stored yet"


class NoticeNeeded(Conflict):
    """The tenant accepts no audio before the caller was told of the recording."""

    code: ClassVar[str] = "notice-needed"
    title: ClassVar[str] = "The caller was not told yet"

    def __init__(self, call_id: UUID) -> None:
        super().__init__(
            "This tenant records nothing before the caller is told. Announce the recording, say so with"
            f" PUT /v1/calls/{call_id}/notice, then send audio."
        )


class WrongOrigin(Conflict):
    """A call is either streamed or uploaded, never both."""

    code: ClassVar[str] = "wrong-origin"
    title: ClassVar[str] = "The call already has audio of the other kind"


class RateChanged(Conflict):
    """A call keeps the sample rate of its first audio."""

    code: ClassVar[str] = "rate-changed"
    title: ClassVar[str] = "The sample rate cannot change during a call"

    def __init__(self, rate: int, asked: int) -> None:
        super().__init__(
            f"This call is recorded at {rate} Hz and cannot go on at {asked} Hz. Connect with rate={rate}."
        )


class ChannelsDiffer(Unprocessable):
    """The audio has another number of channels than the call declared."""

    code: ClassVar[str] = "channels-differ"
    title: ClassVar[str] = "Wrong number of channels"

    def __init__(self, declared: int, found: int) -> None:
        super().__init__(
            f"The call was started with {declared} channel(s), the audio has {found}. Send audio with"
            f" {declared}, or start a call that declares {found}."
        )


class UnknownPurpose(Unprocessable):
    """A purpose that the tenant never disclosed cannot be attached to a call."""

    code: ClassVar[str] = "unknown-purpose"
    title: ClassVar[str] = "Unknown purpose"

    def __init__(self, unknown: list[str], known: list[str]) -> None:
        super().__init__(
            f"The tenant has not disclosed: {', '.join(unknown)}. Known purposes:"
            f" {', '.join(known) or 'none yet; an administrator sets them with PUT /v1/settings'}.",
            unknown=unknown,
        )


class NotYetBegun(Unprocessable):
    """A call cannot begin in the future."""

    code: ClassVar[str] = "not-yet-begun"
    title: ClassVar[str] = "The call begins in the future"

    def __init__(self) -> None:
        super().__init__(
            "started_at lies in the future. Leave it out for a call that begins now; for an old recording"
            " check its time zone."
        )


class PurposeNeeded(Unprocessable):
    """The tenant records no call without a purpose."""

    code: ClassVar[str] = "purpose-needed"
    title: ClassVar[str] = "A purpose is needed"

    def __init__(self, known: list[str]) -> None:
        super().__init__(
            "This tenant records no call without a purpose: send at least one of"
            f" {', '.join(known) or 'its purposes, of which it has published none'} in purposes.",
            known=known,
        )


class MalformedAudio(BadRequest):
    """Bytes that cannot be audio of the agreed format."""

    code: ClassVar[str] = "malformed-audio"
    title: ClassVar[str] = "Malformed audio"


class MalformedMessage(BadRequest):
    """A control message that is not one of those that a client may send."""

    code: ClassVar[str] = "malformed-message"
    title: ClassVar[str] = "Malformed message"


class EmptyAudio(Unprocessable):
    """A file without a byte, or without a sample."""

    code: ClassVar[str] = "empty-audio"
    title: ClassVar[str] = "No audio"


class UploadStalled(OtokuraError):  # noqa: N818 - named after what happened, like its siblings
    """The client stopped sending in the middle of a file (RFC 9110 §15.5.9)."""

    status: ClassVar[int] = 408
    code: ClassVar[str] = "upload-stalled"
    title: ClassVar[str] = "The upload stalled"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Nothing came for {seconds:g} seconds. The file was not kept: send it again.")
