"""Whether somebody says nearly the same sentence again and again. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from otokura.shared.events import ChannelRole
from otokura.transcribe.insight.reading import Place, Reading
from otokura.transcribe.insight.rules import plain

SAME = 0.55
"""Jaccard similarity of two sentences' pairs of letters, from which on they say the same."""
SHORTEST = 8
"""Letters; shorter sentences are said again by everybody."""
MAX_SENTENCES = 600
"""The first ones; each is compared with all before it."""

_GRAM = 2


def repeated(readings: Sequence[Reading], at_least: int) -> list[tuple[Reading, Place]]:
    """The sentence that the customer says most often, wherever they say it; empty when fewer than `at_least`.

    Sentences with something redacted do not count: a number that is spelled again is no insistence.
    """
    groups: list[tuple[frozenset[str], list[tuple[Reading, Place]]]] = []
    for reading, place in _sentences(readings)[:MAX_SENTENCES]:
        grams = pairs(reading.turn.text[place[0] : place[1]])
        for known, members in groups:
            if len(grams & known) >= SAME * len(grams | known):
                members.append((reading, place))
                break
        else:
            groups.append((grams, [(reading, place)]))
    most = max((members for _, members in groups), key=len) if groups else []
    return most if len(most) >= at_least else []


def pairs(text: str) -> frozenset[str]:
    """The pairs of letters that follow each other."""
    letters = plain(text)
    return frozenset(letters[i : i + _GRAM] for i in range(max(1, len(letters) - _GRAM + 1)))


def _sentences(readings: Sequence[Reading]) -> list[tuple[Reading, Place]]:
    return [
        (reading, place)
        for reading in readings
        if reading.turn.role is not ChannelRole.AGENT
        for place in reading.sentences
        if not reading.is_redacted(place) and len(plain(reading.turn.text[place[0] : place[1]])) >= SHORTEST
    ]
