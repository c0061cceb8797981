"""The transcript without what is redacted: the one way from raw text to text that may be published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from otokura.shared.insight.models import Signals
from otokura.shared.insight.places import Replaced, moved
from otokura.shared.redactions import Redaction
from otokura.shared.transcripts import Transcript, Turn, Word


def redacted(transcript: Transcript) -> Transcript:
    """`transcript` with each redacted stretch replaced by its kind in brackets, such as `[card-number]`.

    The words that a stretch touches become one word of that text, with their times; a word that it only
    touches is lost whole. Stretches that overlap become one, named by the first. The offsets of `redactions`
    in the result are those of the brackets, so that a reader can tell them from spoken brackets.

    Raises:
        ValueError: nobody has looked for what to redact (`redactions` is None), or a stretch lies outside
            the text. Nothing of such a transcript may be published.
    """
    if transcript.redactions is None:
        raise ValueError("The transcript was never searched for what to redact.")
    by_turn = _by_turn(transcript)
    if any(number >= len(transcript.turns) for number in by_turn):
        raise ValueError("A redaction names a turn that there is not.")
    turns: list[Turn] = []
    shown: list[Redaction] = []
    for number, turn in enumerate(transcript.turns):
        replaced, places = _without(turn, by_turn.get(number, []))
        turns.append(replaced)
        shown.extend(places)
    signals = moved(transcript.signals, _replaced(by_turn)) if transcript.signals else None
    return transcript.model_copy(update={"turns": turns, "redactions": shown, "signals": signals})


def unredacted_signals(signals: Signals, transcript: Transcript) -> Signals:
    """Signals that were found in `redacted(transcript)`, as they stand in `transcript` itself."""
    back = {
        number: [one.reversed() for one in stretches]
        for number, stretches in _replaced(_by_turn(transcript)).items()
    }
    return moved(signals, back)


def _by_turn(transcript: Transcript) -> dict[int, list[Redaction]]:
    """For each turn its redactions in order, those that overlap made one."""
    by_turn: dict[int, list[Redaction]] = {}
    for redaction in transcript.redactions or ():
        by_turn.setdefault(redaction.turn, []).append(redaction)
    return {number: _merged(those) for number, those in by_turn.items()}


def _replaced(by_turn: Mapping[int, Sequence[Redaction]]) -> dict[int, list[Replaced]]:
    """Where each redacted stretch stands, and where its brackets will."""
    replaced: dict[int, list[Replaced]] = {}
    for number, redactions in by_turn.items():
        shift = 0
        for one in redactions:
            start = one.start + shift
            end = start + len(_mark(one))
            replaced.setdefault(number, []).append(Replaced(one.start, one.end, start, end))
            shift = end - one.end
    return replaced


def _mark(redaction: Redaction) -> str:
    return f"[{redaction.kind.value}]"


def word_offsets(turn: Turn) -> list[tuple[int, int]]:
    """For each word its [start, end) in the turn's text.

    A word that cannot be found there, in its place, is given the whole gap between its neighbours, so that
    it is rather redacted than shown.
    """
    found: list[tuple[int, int] | None] = []
    at = 0
    for word in turn.words:
        start = turn.text.find(word.text, at) if word.text else -1
        found.append(None if start < 0 else (start, start + len(word.text)))
        at = at if start < 0 else start + len(word.text)
    return [span or _gap(found, i, len(turn.text)) for i, span in enumerate(found)]


def _gap(found: Sequence[tuple[int, int] | None], i: int, length: int) -> tuple[int, int]:
    before = next((span[1] for span in reversed(found[:i]) if span), 0)
    after = next((span[0] for span in found[i + 1 :] if span), length)
    return before, max(before, after)


def _merged(redactions: Sequence[Redaction]) -> list[Redaction]:
    """In order, with those that overlap made one."""
    merged: list[Redaction] = []
    for one in sorted(redactions, key=lambda redaction: (redaction.start, -redaction.end)):
        if merged and one.start < merged[-1].end:
            last = merged[-1]
            merged[-1] = last.model_copy(
                update={
                    "end": max(last.end, one.end),
                    "start_ms": min(last.start_ms, one.start_ms),
                    "end_ms": max(last.end_ms, one.end_ms),
                }
            )
        else:
            merged.append(one)
    return merged


def _without(turn: Turn, redactions: Sequence[Redaction]) -> tuple[Turn, list[Redaction]]:
    if not redactions:
        return turn, []
    if redactions[-1].end > len(turn.text):
        raise ValueError("A redaction lies outside the text of its turn.")
    pieces: list[str] = []
    places: list[Redaction] = []
    at = length = 0
    for one in redactions:
        mark = _mark(one)
        pieces += [turn.text[at : one.start], mark]
        start = length + one.start - at
        length = start + len(mark)
        places.append(one.model_copy(update={"start": start, "end": length}))
        at = one.end
    pieces.append(turn.text[at:])
    words = list(_words(turn, redactions))
    return turn.model_copy(update={"text": "".join(pieces), "words": words}), places


def _words(turn: Turn, redactions: Sequence[Redaction]) -> Iterator[Word]:
    """The words, those that touch a stretch collapsed into one that names it.

    A word longer than the stretch (a whole name with its title, say) goes with it: its other characters
    stand in the text all the same.
    """
    spans = word_offsets(turn)
    owner = [_owner(span, redactions) for span in spans]
    for number, group in groupby(range(len(spans)), key=owner.__getitem__):
        words = [turn.words[i] for i in group]
        if number is None:
            yield from words
            continue
        yield Word(
            text=_mark(redactions[number]),
            start_ms=min(word.start_ms for word in words),
            end_ms=max(word.end_ms for word in words),
            confidence=min(word.confidence for word in words),
        )


def _owner(span: tuple[int, int], redactions: Sequence[Redaction]) -> int | None:
    """The number of the first stretch that the word touches."""
    start, end = span
    return next((i for i, one in enumerate(redactions) if start < one.end and one.start < end), None)
