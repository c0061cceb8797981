"""The events of a call's live text: its audio in small pieces, and what was understood so far.

Neither is a record. Audio on its way here may be lost with a process; the recording may not, and its
transcript replaces all of this.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Base64Bytes, Field

from otokura.shared.events.base import CallEvent, ChannelRole, Topic
from otokura.shared.gaps import Gap, GapReason


class LiveChunk(CallEvent):
    """The next span of a live call: all its channels' audio, or the reason why there is none.

    Spans of one epoch follow each other without overlap. A jump of `start_sample` is audio that was dropped
    on the way here. A greater epoch is a newer connection, whose audio holds from its start on; what comes
    later under a smaller one is void. `version` is the epoch.
    """

    TOPIC = Topic.LIVE
    TYPE = "otokura.live.chunk-recorded.v1"
    epoch: int
    seq: int = Field(ge=0)
    """From 0 in each epoch, without holes in what was made; a hole is what was dropped."""
    start_sample: int = Field(ge=0)
    samples: int = Field(ge=0)
    rate: int = Field(gt=0)
    encoding: Literal["pcm_s16le", "mulaw", "alaw"]
    roles: list[ChannelRole] = Field(min_length=1)
    """Whose voice each channel carries; samples are interleaved in this order."""
    language: str | None = None
    gap: GapReason | None = None
    """Why no channel has audio here; there is no `sealed` then."""
    absent: list[Gap] = Field(default_factory=list[Gap])
    """Spans that single channels lack."""
    sealed: Base64Bytes | None = None
    """The samples as they came over the wire: ciphertext of kind `live`, bound to tenant, call, `seq` and
    `epoch`."""
    ended: bool = False
    """The call is over; no samples."""
    recorded_at: datetime


class TranscriptPartial(CallEvent):
    """What is understood of a live call so far. Revisable, but for the turns that it calls final.

    Of two, the one with the greater (`epoch`, `revision`) holds; an older one is dropped. `version` is the
    revision, which grows through all epochs.
    """

    TOPIC = Topic.TRANSCRIPTS
    TYPE = "otokura.transcript.partial.v1"
    epoch: int = Field(ge=1)
    """Grows with each worker that takes the call."""
    revision: int = Field(ge=1)
    since: int = Field(ge=0)
    """The turns that became final in revisions after this one are all here."""
    final_through_ms: int = Field(ge=0)
    """All that was said before is final."""
    language: str
    sealed: Base64Bytes
    """A `otokura.shared.transcripts.PartialTranscript`, JSON: ciphertext of kind `event`, bound to tenant,
    call, `revision` and `epoch`."""
    at: datetime
