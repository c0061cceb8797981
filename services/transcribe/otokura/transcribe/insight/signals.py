"""All signals of a call, from its redacted transcript. Pure: the same input gives the same signals."""

from __future__ import annotations

from otokura.shared.insight import FindingKind, Signals
from otokura.shared.transcripts import Transcript
from otokura.transcribe.insight import timeline
from otokura.transcribe.insight.findings import find
from otokura.transcribe.insight.reading import readings
from otokura.transcribe.insight.rules import Rules


def signals(transcript: Transcript, rules: Rules) -> Signals:
    """How a call went.

    Args:
        transcript: redacted (`otokura.shared.redacted.redacted`); positions in the result are those in it.
        rules: of its language and tenant (`otokura.transcribe.insight.rules.rules_for`).

    Raises:
        ValueError: nobody has looked for what to redact.
    """
    found = find(readings(transcript), rules, transcript.duration_ms)
    phrases = timeline.phrases_of(transcript)
    return Signals(
        talk=timeline.talk(transcript, phrases),
        silence=timeline.silence(phrases, transcript.duration_ms),
        interruptions=timeline.interruptions(phrases, rules.backchannels),
        reason=found.reason,
        promises=found.by_kind[FindingKind.PROMISE],
        follow_ups=found.by_kind[FindingKind.FOLLOW_UP],
        complaints=found.by_kind[FindingKind.COMPLAINT],
        abuse=found.by_kind[FindingKind.ABUSE],
    )
