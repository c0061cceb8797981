"""Scores redactions of heard speech, whose text is not that of the labels: by time, and by what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from redaction.labels import Label, LabelledCall, Score

from otokura.shared.redactions import Redaction, RedactionKind
from otokura.shared.transcripts import Turn
from otokura.transcribe.redaction.runs import runs

_LEFT = 4
"""So many digits of a number in a row that can still be read are too many."""
_NUMBERS = frozenset(
    (
        RedactionKind.CARD_NUMBER,
        RedactionKind.MY_NUMBER,
        RedactionKind.PHONE_NUMBER,
        RedactionKind.BANK_ACCOUNT,
    )
)


@dataclass(frozen=True, slots=True)
class Said:
    """When a labelled turn is said."""

    channel: int
    start_ms: int
    end_ms: int


def score_speech(
    score: Score,
    call: LabelledCall,
    said: Sequence[Said],
    turns: Sequence[Turn],
    redactions: Sequence[Redaction],
) -> list[str]:
    """Adds a call's figures for speech, and tells what was missed or wrong.

    A label counts as recalled when a redaction of its kind lies in the time of its turn and, for numbers, not
    four of its digits in a row can be read there. A redaction counts as right when a turn with a label of its
    kind was said in its time, on its channel.
    """
    wrong: list[str] = []
    for label in call.labels:
        score.labelled[label.kind] += 1
        when = said[label.turn]
        kinds = {one.kind for one in redactions if _then(one, turns[one.turn], when)}
        hidden = bool(kinds) and not _left(call, label, when, turns, redactions)
        score.hidden[label.kind] += hidden
        if hidden and label.kind in kinds:
            score.recalled[label.kind] += 1
        else:
            texts = [turn.text for turn in turns if turn.channel == when.channel]
            wrong.append(f"missed {label.kind}: {call.texts[label.turn][label.start : label.end]} in {texts}")
    for one in redactions:
        score.found[one.kind] += 1
        labels = (said[label.turn] for label in call.labels if label.kind is one.kind)
        if any(_then(one, turns[one.turn], when) for when in labels):
            score.right[one.kind] += 1
        else:
            wrong.append(f"wrong {one.kind}: {turns[one.turn].text[one.start : one.end]}")
    return wrong


def _then(one: Redaction, turn: Turn, when: Said) -> bool:
    return turn.channel == when.channel and one.start_ms < when.end_ms and when.start_ms < one.end_ms


def _left(
    call: LabelledCall, label: Label, when: Said, turns: Sequence[Turn], redactions: Sequence[Redaction]
) -> bool:
    """Whether digits of the label can be read in its turn."""
    if label.kind not in _NUMBERS:
        return False
    labelled = "".join(_digits(call.texts[label.turn][label.start : label.end]))
    for number, turn in enumerate(turns):
        if turn.channel != when.channel or turn.end_ms <= when.start_ms or when.end_ms <= turn.start_ms:
            continue
        shown = list(turn.text)
        for one in redactions:
            if one.turn == number:
                shown[one.start : one.end] = "#" * (one.end - one.start)
        for digits in _digits("".join(shown)):
            if any(digits[at : at + _LEFT] in labelled for at in range(len(digits) - _LEFT + 1)):
                return True
    return False


def _digits(text: str) -> list[str]:
    return ["".join(atom.digits for atom in run.atoms) for run in runs(text)]
