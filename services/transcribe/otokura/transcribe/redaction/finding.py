"""Finds what is to be redacted in a call's turns. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from otokura.shared.redactions import Redaction, RedactionKind, RedactionPolicy
from otokura.shared.transcripts import Turn
from otokura.transcribe.redaction import names, writing
from otokura.transcribe.redaction.addresses import addresses
from otokura.transcribe.redaction.cues import Cue, cue_of
from otokura.transcribe.redaction.echoes import NEAR_TURNS, echoes
from otokura.transcribe.redaction.found import Found
from otokura.transcribe.redaction.numbers import CueOf, numbers
from otokura.transcribe.redaction.runs import Run, Window, runs
from otokura.transcribe.redaction.streams import Piece, Stream, streams
from otokura.transcribe.redaction.timing import said_between
from otokura.transcribe.redaction.unproven import unproven

# Where stretches overlap, the kind that is named first is kept, and the stretch covers all of both.
_ORDER = (
    RedactionKind.CARD_NUMBER,
    RedactionKind.MY_NUMBER,
    RedactionKind.EMAIL,
    RedactionKind.BANK_ACCOUNT,
    RedactionKind.PHONE_NUMBER,
    RedactionKind.ADDRESS,
    RedactionKind.POSTAL_CODE,
    RedactionKind.NAME,
    RedactionKind.NUMBER,
)


def find(turns: Sequence[Turn], language: str, policy: RedactionPolicy) -> list[Redaction]:
    """What of a call is redacted, in the order of the turns; no two stretches of it overlap.

    A number that is dictated over several turns of a channel is found whole, and given for each turn.
    Kinds that the policy turns off are left out last: digits of a card are no telephone number because
    cards are not redacted.

    Args:
        turns: of the whole call, in order.
        language: of the call (ISO 639-1).
        policy: the tenant's.
    """
    found = [(stream, _in_stream(stream, turns, language)) for stream in streams(turns)]
    every = list(chain.from_iterable(_pieces(stream, one) for stream, ones in found for one in ones))
    every += _echoes(turns, found, every)
    every += _names_again(turns, every)
    every += _left(turns, [stream for stream, _ in found], every)
    wanted = [(piece, kind) for piece, kind in _apart(every) if policy.redacts(kind)]
    return [_redaction(turns, piece, kind) for piece, kind in wanted]


Marked = tuple[Piece, RedactionKind]


def _in_stream(stream: Stream, turns: Sequence[Turn], language: str) -> list[Found]:
    text = stream.text
    written = [
        *writing.emails(text),
        *writing.ibans(text),
        *addresses(text, language),
        *names.names(text, language),
    ]
    if language != "ja":
        written += writing.postcodes(text)
    covered = bytearray(len(text))
    for one in written:
        covered[one.start : one.end] = b"\x01" * (one.end - one.start)
    free = [run for run in runs(text) if not _within(run, covered)]
    return [*written, *numbers(free, _naming(stream, turns), language, text)]


def _naming(stream: Stream, turns: Sequence[Turn]) -> CueOf:
    """What windows of the stream are called."""

    def named(window: Window) -> Cue | None:
        last, at = stream.place(window.end - 1)
        return cue_of(turns, stream.place(window.start), (last, at + 1))

    return named


def _within(run: Run, covered: bytearray) -> bool:
    return all(covered[run.atoms[0].start : run.atoms[-1].end])


def _pieces(stream: Stream, found: Found) -> Iterator[Marked]:
    """The found stretch turn by turn; of a number, no fillers at the edges of a turn."""
    for piece in stream.pieces(found.start, found.end):
        if found.digits:
            yield from ((inner, found.kind) for inner in _tight(stream, piece, found))
        else:
            yield piece, found.kind


def _tight(stream: Stream, piece: Piece, found: Found) -> Iterator[Piece]:
    offset = stream.offset(piece.turn)
    said = stream.text[offset + piece.start : offset + piece.end]
    # Read within the found stretch only, so that nothing before it counts.
    atoms = [atom for run in runs(said) for atom in run.atoms]
    if atoms:
        start = piece.start if piece.start + offset == found.start else piece.start + atoms[0].start
        end = piece.end if piece.end + offset == found.end else piece.start + atoms[-1].end
        yield Piece(piece.turn, start, end)


def _echoes(
    turns: Sequence[Turn], found: Sequence[tuple[Stream, list[Found]]], every: Sequence[Marked]
) -> list[Marked]:
    """What is said again of a number that was found."""
    known = [
        (one.digits, one.kind, stream.place(one.start)[0], stream.place(one.end - 1)[0])
        for stream, ones in found
        for one in ones
        if one.digits
    ]
    taken: dict[int, list[Piece]] = {}
    for piece, _ in every:
        taken.setdefault(piece.turn, []).append(piece)
    marked: list[Marked] = []
    for number, turn in enumerate(turns):
        free = [run for run in runs(turn.text) if not _touched(run, taken.get(number, []))]
        near = (
            [
                (digits, kind, first - NEAR_TURNS <= number <= last + NEAR_TURNS)
                for digits, kind, first, last in known
            ]
            if free
            else []
        )
        for run in free:
            marked += [(Piece(number, one.start, one.end), one.kind) for one in echoes(run, near)]
    return marked


def _touched(run: Run, pieces: Iterable[Piece]) -> bool:
    return any(run.atoms[0].start < piece.end and piece.start < run.atoms[-1].end for piece in pieces)


def _left(turns: Sequence[Turn], every_stream: Iterable[Stream], every: Sequence[Marked]) -> list[Marked]:
    """Rows of digits that nobody calls harmless, and that were found to be nothing else."""
    marked: list[Marked] = []
    for stream in every_stream:
        taken, its = bytearray(len(stream.text)), set(stream.turns)
        for piece, _ in every:
            if piece.turn in its:
                offset = stream.offset(piece.turn)
                taken[offset + piece.start : offset + piece.end] = b"\x01" * (piece.end - piece.start)
        left = unproven(runs(stream.text), taken, _naming(stream, turns), stream.text)
        marked += chain.from_iterable(_pieces(stream, one) for one in left)
    return marked


def _names_again(turns: Sequence[Turn], every: Sequence[Marked]) -> list[Marked]:
    known = {
        turns[piece.turn].text[piece.start : piece.end] for piece, kind in every if kind is RedactionKind.NAME
    }
    return [
        (Piece(number, one.start, one.end), one.kind)
        for number, turn in enumerate(turns)
        for one in names.again(turn.text, known)
    ]


def _apart(every: Iterable[Marked]) -> list[Marked]:
    """In order, with those that overlap made one of the more telling kind."""
    apart: list[Marked] = []
    for piece, kind in sorted(every, key=lambda one: (one[0].turn, one[0].start, one[0].end)):
        last, last_kind = apart[-1] if apart else (None, kind)
        if last and last.turn == piece.turn and piece.start < last.end:
            together = Piece(piece.turn, last.start, max(last.end, piece.end))
            apart[-1] = (together, min(kind, last_kind, key=_ORDER.index))
        else:
            apart.append((piece, kind))
    return apart


def _redaction(turns: Sequence[Turn], piece: Piece, kind: RedactionKind) -> Redaction:
    start_ms, end_ms = said_between(turns, piece.turn, piece.start, piece.end)
    return Redaction(
        turn=piece.turn, start=piece.start, end=piece.end, kind=kind, start_ms=start_ms, end_ms=end_ms
    )
