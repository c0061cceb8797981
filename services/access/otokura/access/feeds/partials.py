"""Live text, from the internal event to that of a feed."""

from __future__ import annotations

from otokura.shared.events import TranscriptPartial
from otokura.shared.feeds import Disclosed, FeedTranscriptPartial
from otokura.shared.live_text import open_partial


def version_of(event: TranscriptPartial) -> int:
    """One number that grows as (`epoch`, `revision`) does."""
    return (event.epoch << 32) + event.revision


def partial_of(announced: TranscriptPartial, dek: bytes, disclosed: Disclosed) -> FeedTranscriptPartial:
    """The event of a feed. What is in it was redacted before it was sealed.

    Raises:
        IntegrityError: the text is not what was sealed, or belongs elsewhere.
    """
    partial = open_partial(dek, announced)
    return FeedTranscriptPartial.model_validate(
        {
            **disclosed.model_dump(),
            "epoch": announced.epoch,
            "revision": announced.revision,
            "since": announced.since,
            "final_through_ms": announced.final_through_ms,
            "language": announced.language,
            "turns": [turn.model_dump() for turn in partial.turns],
        }
    )
