"""The labelled calls of `calls.jsonl`, and how redactions are scored against their labels.

A line is a call: its turns, with what is to be redacted between tags (`<card-number>…</card-number>`), and,
for calls that are also spoken, how the synthesiser is to say a turn (`say`). Calls with `held_out` were
written before the rules and are not looked at when rules are changed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from otokura.shared.events import ChannelRole
from otokura.shared.redactions import Redaction, RedactionKind
from otokura.shared.transcripts import Turn

CALLS = Path(__file__).with_name("calls.jsonl")
_TAG = re.compile(r"<(?P<close>/?)(?P<kind>[a-z-]+)>")
_TURN_MS = 4000
_EDGES = " \t\n　、。,.-()（）〒+"


@dataclass(frozen=True, slots=True)
class Label:
    """Characters [start, end) of a turn that are of a kind."""

    turn: int
    start: int
    end: int
    kind: RedactionKind


@dataclass(frozen=True, slots=True)
class LabelledCall:
    """A call with what is to be found in it."""

    id: str
    language: str
    held_out: bool
    channels: list[int]
    texts: list[str]
    says: list[str | None]
    labels: list[Label]

    @property
    def spoken(self) -> bool:
        """Whether the call is also measured as it is heard."""
        return any(self.says)

    def turns(self) -> list[Turn]:
        """The turns as a transcript without word times has them."""
        return [
            Turn(
                channel=channel,
                role=(ChannelRole.AGENT, ChannelRole.CUSTOMER)[channel],
                start_ms=number * _TURN_MS,
                end_ms=(number + 1) * _TURN_MS - 500,
                text=text,
                words=[],
                avg_logprob=-0.2,
                no_speech_prob=0.0,
            )
            for number, (channel, text) in enumerate(zip(self.channels, self.texts, strict=True))
        ]


def load(path: Path = CALLS) -> list[LabelledCall]:
    """Every labelled call."""
    return [_call(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def _call(line: dict[str, Any]) -> LabelledCall:
    texts: list[str] = []
    labels: list[Label] = []
    for number, turn in enumerate(line["turns"]):
        text, found = untagged(turn["text"])
        texts.append(text)
        labels += [Label(number, start, end, kind) for start, end, kind in found]
    return LabelledCall(
        line["id"],
        line["language"],
        line["held_out"],
        [turn["channel"] for turn in line["turns"]],
        texts,
        [turn.get("say") for turn in line["turns"]],
        labels,
    )


def untagged(tagged: str) -> tuple[str, list[tuple[int, int, RedactionKind]]]:
    """A text without its tags, and where they stood."""
    text, at, begun = "", 0, 0
    found: list[tuple[int, int, RedactionKind]] = []
    for tag in _TAG.finditer(tagged):
        text += tagged[at : tag.start()]
        at = tag.end()
        if tag["close"]:
            found.append((begun, len(text), RedactionKind(tag["kind"])))
        begun = len(text)
    return text + tagged[at:], found


@dataclass
class Score:
    """Counts by kind."""

    labelled: Counter[RedactionKind] = field(default_factory=Counter[RedactionKind])
    recalled: Counter[RedactionKind] = field(default_factory=Counter[RedactionKind])
    hidden: Counter[RedactionKind] = field(default_factory=Counter[RedactionKind])
    """As recalled, whatever kind it was taken for."""
    found: Counter[RedactionKind] = field(default_factory=Counter[RedactionKind])
    right: Counter[RedactionKind] = field(default_factory=Counter[RedactionKind])

    def recall(self, kind: RedactionKind) -> float | None:
        """Labels that were wholly found, of all labels; None when there are none."""
        return self.recalled[kind] / self.labelled[kind] if self.labelled[kind] else None

    def precision(self, kind: RedactionKind) -> float | None:
        """What was found and is right, of all that was found."""
        return self.right[kind] / self.found[kind] if self.found[kind] else None

    def table(self) -> dict[str, dict[str, float | int | None]]:
        """Recall and precision by kind, and how many labels they rest on; what was hidden as any kind."""
        return {
            kind.value: {
                "labels": self.labelled[kind],
                "recall": _rounded(self.recall(kind)),
                "hidden": _rounded(self.hidden[kind] / self.labelled[kind] if self.labelled[kind] else None),
                "precision": _rounded(self.precision(kind)),
            }
            for kind in RedactionKind
            if self.labelled[kind] or self.found[kind]
        }


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def score_text(score: Score, call: LabelledCall, redactions: Sequence[Redaction]) -> list[str]:
    """Adds a call's figures for text, and tells what was missed or wrong.

    A label counts as recalled when every character of it, but for blanks and stops at its ends, is redacted
    as its kind. A redaction counts as right when half of it at least lies in labels of its kind.
    """
    wrong: list[str] = []
    for label in call.labels:
        score.labelled[label.kind] += 1
        telling = list(_telling(call.texts[label.turn], label))
        its = [one for one in redactions if one.turn == label.turn]
        score.hidden[label.kind] += all(any(one.start <= at < one.end for one in its) for at in telling)
        if all(_covered(at, label, redactions) for at in telling):
            score.recalled[label.kind] += 1
        else:
            wrong.append(f"missed {label.kind}: {call.texts[label.turn][label.start : label.end]}")
    for one in redactions:
        score.found[one.kind] += 1
        inside = sum(
            max(0, min(one.end, label.end) - max(one.start, label.start))
            for label in call.labels
            if (label.turn, label.kind) == (one.turn, one.kind)
        )
        if 2 * inside >= one.end - one.start:
            score.right[one.kind] += 1
        else:
            wrong.append(f"wrong {one.kind}: {call.texts[one.turn][one.start : one.end]}")
    return wrong


def _telling(text: str, label: Label) -> Iterator[int]:
    inside = range(label.start, label.end)
    kept = [at for at in inside if text[at] not in _EDGES]
    return iter(range(kept[0], kept[-1] + 1) if kept else inside)


def _covered(at: int, label: Label, redactions: Sequence[Redaction]) -> bool:
    return any(
        one.turn == label.turn and one.kind == label.kind and one.start <= at < one.end for one in redactions
    )
