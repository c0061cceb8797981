"""A summary in the call's own sentences, without a network. Pure.

Why the call was made and what was promised are taken from the signals; the rest are the sentences that have
most in common with the others: TextRank (Mihalcea and Tarau, 2004) over the cosine of TF-IDF vectors. The
units are words; in Japanese pairs of characters, of which one is no hiragana: that needs no dictionary.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from otokura.shared.insight import Finding, Signals, Summary, SummaryMethod, SummarySentence
from otokura.shared.insight.phrases import folded, words_of
from otokura.shared.transcripts import Transcript
from otokura.transcribe.insight.matching import places
from otokura.transcribe.insight.reading import Place, Reading, readings
from otokura.transcribe.insight.rules import Rules, plain
from otokura.transcribe.insight.timeline import UNSPACED

MAX_SENTENCES = 5
MAX_CHARACTERS = 300
"""Of one sentence; the recogniser sometimes writes no full stop for minutes."""
MAX_COMPARED = 800
"""Sentences of a long call that are compared with each other: those with the most to say."""
FEWEST_UNITS = 3
"""Words that are not common, or pairs of characters: a shorter sentence says nothing by itself."""
TOO_ALIKE = 0.5
"""Cosine from which on a sentence repeats one that was taken."""
_DAMPING = 0.85
_ROUNDS = 30

_HIRAGANA = re.compile(r"[\u3040-\u309f]+")

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class _Sentence:
    reading: Reading
    place: Place
    by_character: bool
    common: frozenset[str]

    @property
    def text(self) -> str:
        return self.reading.turn.text[self.place[0] : self.place[1]]

    @cached_property
    def units(self) -> list[str]:
        """What is compared."""
        if self.by_character:
            letters = plain(self.text)
            pairs = [letters[i : i + 2] for i in range(len(letters) - 1)]
            return [pair for pair in pairs if not _HIRAGANA.fullmatch(pair)]
        text = "".join(map(folded, self.text))
        words = [text[start:end] for start, end in words_of(text)]
        return [word for word in words if word not in self.common]


def summary(transcript: Transcript, signals: Signals, rules: Rules) -> Summary:
    """Up to `MAX_SENTENCES` sentences of a redacted transcript, in the order in which they were said.

    Args:
        transcript: redacted.
        signals: found in it; their sentences come first.
        rules: whose formulas, such as greetings, are left out.

    Raises:
        ValueError: nobody has looked for what to redact.
    """
    sentences = _candidates(transcript, rules)
    if not sentences:
        return Summary(method=SummaryMethod.EXTRACTIVE, sentences=[])
    likeness = _likeness(sentences)
    taken: list[int] = []
    for number in [*_pointed_at(sentences, signals), *_central(likeness)]:
        if len(taken) == MAX_SENTENCES:
            break
        if number not in taken and all(likeness[number, other] < TOO_ALIKE for other in taken):
            taken.append(number)
    return Summary(
        method=SummaryMethod.EXTRACTIVE,
        sentences=[
            SummarySentence(text=shortened(sentences[i].text), turns=[sentences[i].reading.number])
            for i in sorted(taken)
        ],
    )


def shortened(text: str) -> str:
    """`text` on one line, of at most `MAX_CHARACTERS` characters."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_CHARACTERS else f"{line[: MAX_CHARACTERS - 1].rstrip()}…"


def _candidates(transcript: Transcript, rules: Rules) -> list[_Sentence]:
    """Sentences that say something: no formulas; what the model doubts only when there is nothing else."""
    by_character = transcript.language in UNSPACED
    found: list[_Sentence] = []
    for reading in readings(transcript):
        formulas = [place for formula in rules.formulas for place in places(reading, formula)]
        for place in reading.sentences:
            sentence = _Sentence(reading, place, by_character, rules.common)
            is_formula = any(place[0] < end and start < place[1] for start, end in formulas)
            if not is_formula and len(sentence.units) >= FEWEST_UNITS:
                found.append(sentence)
    sure = [sentence for sentence in found if not sentence.reading.turn.doubtful] or found
    richest = sorted(sure, key=lambda sentence: -len(set(sentence.units)))[:MAX_COMPARED]
    return sorted(richest, key=lambda sentence: (sentence.reading.number, sentence.place))


def _pointed_at(sentences: Sequence[_Sentence], signals: Signals) -> list[int]:
    """The sentence of the reason, then one for each promise and follow-up, at most three."""
    reason: Iterable[Finding] = [signals.reason] if signals.reason else []
    agreed = [
        evidence for finding in (*signals.promises, *signals.follow_ups) for evidence in finding.evidence
    ]
    agreed.sort(key=lambda evidence: evidence.start_ms)
    first = [finding.evidence[0] for finding in reason]
    return [
        number
        for evidence in [*first, *agreed[-3:]]
        for number, sentence in enumerate(sentences)
        if sentence.reading.number == evidence.turn
        and sentence.place[0] < evidence.end
        and evidence.start < sentence.place[1]
    ]


def _likeness(sentences: Sequence[_Sentence]) -> Matrix:
    """The cosine of each pair's TF-IDF vectors, shape (sentences, sentences), zero on the diagonal."""
    counts = [Counter(sentence.units) for sentence in sentences]
    spread = Counter(unit for count in counts for unit in count)
    # What stands in one sentence only is like nothing, but makes its sentence longer.
    columns = {unit: column for column, unit in enumerate(sorted(u for u, n in spread.items() if n > 1))}
    vectors = np.zeros((len(sentences), max(1, len(columns))), dtype=np.float32)
    lengths = np.zeros(len(sentences), dtype=np.float32)
    for row, count in enumerate(counts):
        for unit, times in count.items():
            weight = times * math.log(1 + len(sentences) / spread[unit])
            lengths[row] += weight * weight
            if unit in columns:
                vectors[row, columns[unit]] = weight
    vectors /= np.maximum(np.sqrt(lengths), 1e-9)[:, None]
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, 0)
    return likeness.astype(np.float32)


def _central(likeness: Matrix) -> list[int]:
    """The sentences by their TextRank, the highest first; of equals the earlier."""
    size = len(likeness)
    flow = likeness / np.maximum(likeness.sum(axis=0), 1e-9)
    rank = np.full(size, 1 / size, dtype=np.float32)
    for _ in range(_ROUNDS):
        rank = (1 - _DAMPING) / size + _DAMPING * (flow @ rank)
    return [int(number) for number in np.argsort(-np.round(rank, 6), kind="stable")]
