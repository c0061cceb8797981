"""What the index holds of a call, and what a search looks for in it: pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from otokura.access.numbers import customer_numbers, folded_number
from otokura.access.search.hashes import Domain, IndexKey
from otokura.access.search.text import fold, pieces
from otokura.shared.cipher import decrypt
from otokura.shared.events import Direction
from otokura.shared.insight.models import Finding, Signals
from otokura.shared.insight.settings import FindingKind
from otokura.shared.keys import Kind, associated_data, derive
from otokura.shared.redacted import redacted
from otokura.shared.transcripts import Transcript


@dataclass(frozen=True, slots=True)
class Properties:
    """What else a search can ask of a call. `customers`: their numbers, folded."""

    language: str | None = None
    purposes: frozenset[str] = frozenset()
    signals: frozenset[str] = frozenset()
    customers: frozenset[str] = frozenset()

    def fit(self, wanted: Properties) -> bool:
        """Whether these are the properties of a call that a search wants."""
        return (
            wanted.language in {None, self.language}
            and wanted.purposes <= self.purposes
            and wanted.signals <= self.signals
            and wanted.customers <= self.customers
        )

    def terms(self) -> Iterator[str]:
        """Each as text, so that no two are the same."""
        if self.language is not None:
            yield f"language:{self.language}"
        yield from (f"purpose:{purpose}" for purpose in self.purposes)
        yield from (f"signal:{signal}" for signal in self.signals)
        yield from (f"customer:{number}" for number in self.customers)


@dataclass(frozen=True, slots=True)
class Probe:
    """What must all stand in a call's entries: of its redacted text, or of its raw text if that differs."""

    redacted: list[int]
    raw: list[int]


def properties_of(row: Mapping[str, Any], dek: bytes, transcript: Transcript) -> Properties:
    """The properties of a call.

    Args:
        row: `tenant_id`, `call_id`, `direction`, `purposes` and `personal` of the call.
        dek: its key, after the commitment was checked.
        transcript: its transcript, raw or redacted.

    Raises:
        IntegrityError: what is stored is not what was sealed.
    """
    return Properties(
        language=transcript.language,
        purposes=frozenset(row["purposes"]),
        signals=frozenset(names_of(transcript.signals)) if transcript.signals else frozenset(),
        customers=frozenset(map(folded_number, _customers_of(row, dek))),
    )


def names_of(signals: Signals) -> Iterator[str]:
    """The names of a call's findings: `complaint`, and `complaint/waiting`."""
    found: dict[FindingKind, list[Finding]] = {
        FindingKind.REASON: [signals.reason] if signals.reason else [],
        FindingKind.PROMISE: signals.promises,
        FindingKind.FOLLOW_UP: signals.follow_ups,
        FindingKind.COMPLAINT: signals.complaints,
        FindingKind.ABUSE: signals.abuse,
    }
    for kind, findings in found.items():
        if findings:
            yield kind.value
        yield from {f"{kind.value}/{finding.label}" for finding in findings}


def entries_of(key: IndexKey, transcript: Transcript, properties: Properties) -> list[int]:
    """What the index holds of a call, sorted.

    Text without what is redacted has hashes of its own, which are made of that text alone: who may read no
    more than that is answered by them. A transcript in which nothing is redacted has no others; one that
    nobody has searched has none of these.
    """
    said = _pieces_of(transcript)
    found = key.hashes(Domain.TERM, properties.terms())
    if transcript.redactions is None:
        return sorted(found | key.hashes(Domain.RAW, said))
    shown = _pieces_of(redacted(transcript)) if transcript.redactions else said
    found |= key.hashes(Domain.REDACTED, shown)
    if transcript.redactions:
        found |= key.hashes(Domain.RAW, said)
    return sorted(found)


def probe_of(key: IndexKey, phrase: str, wanted: Properties) -> Probe:
    """What to look for.

    Args:
        key: the tenant's.
        phrase: folded, and long enough to have a piece.
        wanted: the properties that the call must have.
    """
    terms = key.hashes(Domain.TERM, wanted.terms())
    found = pieces(phrase)
    return Probe(
        sorted(terms | key.hashes(Domain.REDACTED, found)), sorted(terms | key.hashes(Domain.RAW, found))
    )


def _pieces_of(transcript: Transcript) -> set[str]:
    """Of each turn by itself: a phrase is what one person says in one turn."""
    return {piece for turn in transcript.turns for piece in pieces(fold(turn.text))}


def _customers_of(row: Mapping[str, Any], dek: bytes) -> list[str]:
    """The customer's telephone numbers: of an internal call both sides'."""
    personal: bytes | None = row["personal"]
    if personal is None:
        return []
    call_id: UUID = row["call_id"]
    binding = associated_data(row["tenant_id"], call_id, Kind.EVENT)
    numbers: dict[str, str | None] = json.loads(decrypt(derive(dek, Kind.EVENT, call_id), personal, binding))
    return customer_numbers(Direction(row["direction"]), numbers)
