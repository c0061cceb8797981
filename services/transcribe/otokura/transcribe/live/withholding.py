"""What of a live call's text may be shown now. Pure.

A card number is said in pieces, and each piece alone looks harmless. So every numeral is held back, marked by
`HELD`, while the turn that it is in is not closed, and as long as anybody in the call is in the middle of a
number: until then nobody can tell what it is part of, nor what the other is repeating. Then the rules of the
transcript's redaction decide (`otokura.transcribe.redaction`), with what was said around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from otokura.shared.redactions import Redaction, RedactionPolicy
from otokura.shared.transcripts import PartialTurn, Turn
from otokura.transcribe.redaction import find
from otokura.transcribe.redaction.runs import TURN_END, runs

HELD = "[…]"
"""In the place of numerals that are held back."""
CONTINUED_MS = 30_000
"""A number is not gone on with after a pause of so long."""


def holds_numerals(turn: Turn) -> bool:
    """Whether anything in the turn may be part of a number."""
    return bool(runs(turn.text))


def in_a_number(turns: Sequence[Turn], now_ms: int) -> bool:
    """Whether a channel may be in the middle of a number.

    Args:
        turns: what the channel said lately, in order.
        now_ms: how far its audio is understood.
    """
    lately = [turn for turn in turns if now_ms - turn.end_ms < CONTINUED_MS]
    if not lately:
        return False
    text = TURN_END.join(turn.text for turn in lately)
    # Whether a digit that followed now would go on a row that there is.
    last = runs(text + TURN_END + "0")[-1]
    return last.atoms[0].start < len(text)


def shown(turns: Sequence[Turn], about: Iterable[int], language: str, policy: RedactionPolicy) -> list[str]:
    """The texts of all turns, redacted.

    Args:
        turns: of both channels, in order of their beginnings.
        about: the numbers of those whose numerals are held back.
        language: of the call.
        policy: the tenant's.
    """
    held = set(about)
    found = find(turns, language, policy)
    return [
        _without(turn.text, _spans(number, turn, found, held=number in held))
        for number, turn in enumerate(turns)
    ]


def partial_turn(turn: Turn, text: str, *, final: bool) -> PartialTurn:
    """The turn as it is published."""
    about = turn.model_dump(include={"channel", "role", "start_ms", "end_ms"})
    return PartialTurn(**about, text=text, final=final)


def _spans(number: int, turn: Turn, found: Sequence[Redaction], *, held: bool) -> list[tuple[int, int, str]]:
    spans = [(one.start, one.end, f"[{one.kind.value}]") for one in found if one.turn == number]
    if held:
        spans += [(run.atoms[0].start, run.atoms[-1].end, HELD) for run in runs(turn.text)]
    apart: list[tuple[int, int, str]] = []
    for start, stop, instead in sorted(spans):
        if apart and start < apart[-1][1]:
            # In the middle of a number what is found may be something else when it is whole.
            apart[-1] = (apart[-1][0], max(apart[-1][1], stop), HELD)
        else:
            apart.append((start, stop, instead))
    return apart


def _without(text: str, spans: Sequence[tuple[int, int, str]]) -> str:
    pieces: list[str] = []
    at = 0
    for start, stop, instead in spans:
        pieces += [text[at:start], instead]
        at = stop
    return "".join([*pieces, text[at:]])
