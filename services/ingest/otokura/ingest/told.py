"""What a process has told a phone system of a call's text: which turns, under which ids. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID, uuid4, uuid5

from otokura.shared.live_text import Place
from otokura.shared.transcripts import PartialTurn


@dataclass
class Told:
    """One call's, over all its sessions."""

    finals: dict[Place, tuple[UUID, int]] = field(default_factory=dict[Place, tuple[UUID, int]])
    """The final turns, each with the session and the message it was in."""
    drafts: dict[Place, PartialTurn] = field(default_factory=dict[Place, PartialTurn])
    """The turns that are not final, as they were told last."""
    ids: dict[Place, str] = field(default_factory=dict[Place, str])
    """Of both."""

    def name(self, call_id: UUID, turns: Mapping[Place, PartialTurn]) -> None:
        """Give each turn an id.

        Where a draft begins moves by some milliseconds as more of it is heard, and with it what live text
        knows it by. So a turn that overlaps a draft which is there no more is that draft, and keeps its id.
        Any other has one that every process makes alike.
        """
        for place, turn in turns.items():
            if place in self.ids:
                continue
            before = self._revised(turn, turns)
            if before is None:
                self.ids[place] = self._new_id(call_id, place)
            else:
                self.ids[place] = self.ids.pop(before)
                del self.drafts[before]

    def _revised(self, turn: PartialTurn, turns: Mapping[Place, PartialTurn]) -> Place | None:
        overlaps = {
            place: min(turn.end_ms, draft.end_ms) - max(turn.start_ms, draft.start_ms)
            for place, draft in self.drafts.items()
            if place not in turns and draft.channel == turn.channel
        }
        best = max(overlaps, key=lambda place: overlaps[place], default=None)
        return best if best is not None and overlaps[best] > 0 else None

    def _new_id(self, call_id: UUID, place: Place) -> str:
        usual = str(uuid5(call_id, f"{place[0]}/{place[1]}"))
        # A turn that has moved away may have taken it along.
        return usual if usual not in self.ids.values() else str(uuid4())

    def gone(self, turns: Mapping[Place, PartialTurn]) -> dict[Place, PartialTurn]:
        """The drafts that came to nothing, as what they are now: empty."""
        return {
            place: draft.model_copy(update={"text": ""})
            for place, draft in self.drafts.items()
            if place not in turns
        }

    def note(self, place: Place, turn: PartialTurn, session_id: UUID, number: int) -> None:
        """A turn was told, in a message of a session."""
        if turn.final:
            self.drafts.pop(place, None)
            self.finals[place] = (session_id, number)
        elif turn.text:
            self.drafts[place] = turn
        else:
            self.drafts.pop(place, None)
            self.ids.pop(place, None)

    def heard(self, session_id: UUID, number: int) -> None:
        """The client has heard that much of an earlier session: what came after it is news again."""
        told = self.finals.items()
        for place in [place for place, (said_in, seq) in told if said_in == session_id and seq > number]:
            del self.finals[place]
