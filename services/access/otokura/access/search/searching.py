"""A search: candidates by their hashes, newest first, opened and checked a page at a time, written down.

Who, where, may they search at all → candidates, narrowed by a query and decided by the policies one by one →
their text opened, and the phrase looked for in what the reader may see of it → `transcripts.searched`, which
names the calls shown, acknowledged → the answer. Text that is opened and not shown leaves no trace here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.errors import IndexKeyLost
from otokura.access.identity.subject import Reader
from otokura.access.permission import entry, tenant_of
from otokura.access.reads.delivery import INTEGRITY_FAILURES
from otokura.access.reads.stored import stored_transcript
from otokura.access.reads.views import CallView, View, facts_of
from otokura.access.search import cursors, repository
from otokura.access.search.cursors import Place
from otokura.access.search.entries import Probe, Properties, probe_of, properties_of
from otokura.access.search.hashes import IndexKey
from otokura.access.search.matching import Match, match
from otokura.access.search.opening import announced_of, unwrap
from otokura.access.search.repository import Position, Wanted
from otokura.access.search.service import phrase_of, properties_wanted, readable, scopes
from otokura.access.search.views import FoundCall, SearchBody, SearchPage
from otokura.access.signals.watch import Observation
from otokura.access.state import AccessState
from otokura.shared import logs
from otokura.shared.audit_entries import Action
from otokura.shared.errors import IntegrityError, NotFound, Unavailable
from otokura.shared.ids import uuid7
from otokura.shared.keys import KeyUse
from otokura.shared.redacted import redacted

CANDIDATES = 100
"""Calls that one request looks at; then it answers with what it has found, and goes on when it is asked."""
_AT_LEAST = 8
"""Calls that are opened together, also where fewer are missing: not every candidate holds the phrase."""

_NEEDED = ("call_id", "external_id", "manifest", "wrapped", "transcript")

log = logs.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks what. The decision that they may search at all is the reader's."""

    state: AccessState
    reader: Reader
    body: SearchBody
    entry_id: UUID = field(default_factory=uuid7)

    @property
    def fingerprint(self) -> str:
        """All that a cursor is bound to."""
        return f"{self.reader.facts.id} {self.body.model_dump_json(exclude={'limit', 'cursor'})}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A call in which the phrase may stand, and which text of it the reader may see."""

    row: Mapping[str, Any]
    view: View


@dataclass(slots=True)
class Looked:
    """What a request has seen of the candidates so far."""

    items: list[FoundCall] = field(default_factory=list[FoundCall])
    opened: int = 0
    unreadable: list[UUID] = field(default_factory=list[UUID])
    stopped_at: Mapping[str, Any] | None = None
    """The row behind which there may be more; None: that was all."""


async def search(asked: Asked) -> SearchPage:
    """A page of the calls in which the phrase stands, in the text that the reader may see of them.

    Raises:
        Unprocessable: there is too little to look for.
        BadRequest: the cursor is of another search.
        Unavailable: the database, the store or the key provider is away, or the entry was not acknowledged;
            then nothing is shown.
    """
    phrase = phrase_of(asked.body)
    wanted = properties_wanted(asked.body)
    looked, rows = Looked(), list[dict[str, Any]]()
    async with asked.state.database.session() as session:
        key = await _key(asked, session)
        place = _place(asked, key)
        if key is not None:
            rows = await _candidates(asked, session, probe_of(key, phrase, wanted), place)
    await _look(asked, phrase, wanted, rows, looked)
    await _write_down(asked, key, phrase, looked)
    _note(asked, looked)
    found = (place.found if place else 0) + len(looked.items)
    return SearchPage(
        items=looked.items,
        next_cursor=_cursor(asked, key, looked, found),
        at_least=found,
        unreadable=len(looked.unreadable),
    )


async def _key(asked: Asked, session: AsyncSession) -> IndexKey | None:
    tenant_id = tenant_of(asked.reader)
    try:
        return await asked.state.index_keys.find(session, tenant_id, KeyUse.SEARCH, str(asked.entry_id))
    except IndexKeyLost as error:
        log.critical("search.index_key_lost", tenant_id=tenant_id, exc_info=error)
        # A worker looks whether that is so, and makes the index anew.
        async with asked.state.database.session() as other:
            await repository.doubt(other, tenant_id)
        raise Unavailable("The index is being made anew; try again later.") from error


def _place(asked: Asked, key: IndexKey | None) -> Place | None:
    cursor = asked.body.cursor
    if cursor is None:
        return None
    if key is None:
        raise cursors.stale()
    return cursors.opened(key, asked.fingerprint, cursor)


def _cursor(asked: Asked, key: IndexKey | None, looked: Looked, found: int) -> str | None:
    row = looked.stopped_at
    if row is None or key is None:
        return None
    place = Place(started_at=row["placed_at"], call_id=row["placed_id"], found=found)
    return cursors.sealed(key, asked.fingerprint, place)


async def _candidates(
    asked: Asked, session: AsyncSession, probe: Probe, place: Place | None
) -> list[dict[str, Any]]:
    """One more than a request looks at, where there are so many."""
    body = asked.body
    wanted = Wanted(
        agent_id=body.agent_id,
        since=body.since,
        until=body.until,
        after=Position(place.started_at, place.call_id) if place else None,
    )
    seen, raw = scopes(asked.state.policies.decide, asked.reader, body)
    return await repository.candidates(session, probe, wanted, seen, raw, CANDIDATES + 1)


async def _look(
    asked: Asked, phrase: str, wanted: Properties, rows: list[dict[str, Any]], looked: Looked
) -> None:
    """Opens candidates until the page is full, or there are no more in this request."""
    limit, last = asked.body.limit, rows[:CANDIDATES]
    candidates = _permitted(asked, last)
    while chunk := list(islice(candidates, max(limit - len(looked.items), _AT_LEAST))):
        looked.opened += len(chunk)
        found = await asyncio.gather(*(_opened(asked, one, phrase, wanted, looked) for one in chunk))
        for candidate, matched in zip(chunk, found, strict=True):
            if matched is None:
                continue
            looked.items.append(_shown(candidate, matched))
            if len(looked.items) == limit:
                whole = candidate.row is rows[-1]
                looked.stopped_at = None if whole else candidate.row
                return
    looked.stopped_at = last[-1] if len(rows) > len(last) else None


def _permitted(asked: Asked, rows: list[dict[str, Any]]) -> Iterator[Candidate]:
    """Decides about a call when its turn has come: most pages need few of them."""
    decide, facts = asked.state.policies.decide, asked.reader.facts
    circumstances = asked.reader.circumstances(asked.body.purpose, asked.body.reason)
    for row in rows:
        if any(row[name] is None for name in _NEEDED):
            continue  # it is being erased
        view = readable(decide, facts, facts_of(row), circumstances)
        # Found by its raw text or by a number only, it is not there for who may see neither.
        by_redacted = row["by_redacted"] and asked.body.customer is None
        if view is View.RAW or (view is View.REDACTED and by_redacted):
            yield Candidate(row, view)


async def _opened(
    asked: Asked, candidate: Candidate, phrase: str, wanted: Properties, looked: Looked
) -> Match | None:
    """Whether the phrase stands in the text that may be seen. What cannot be opened is told and counted.

    Raises:
        Unavailable: the store or the key provider is away.
    """
    row, state = candidate.row, asked.state
    try:
        async with state.opening:
            dek = await unwrap(state.keys, row, KeyUse.SEARCH, str(asked.entry_id))
            transcript = await stored_transcript(state.store, dek, announced_of(row))
        if candidate.view is View.REDACTED:
            if transcript.redactions is None:
                return None
            transcript = redacted(transcript)
        if not properties_of(row, dek, transcript).fit(wanted):
            return None
        return match(transcript, phrase)
    except NotFound:
        return None  # the key is destroyed: the call is erased
    except (IntegrityError, ValueError) as error:
        INTEGRITY_FAILURES.inc()
        log.critical(
            "integrity failure", call_id=row["call_id"], entry_id=asked.entry_id, error=type(error).__name__
        )
        looked.unreadable.append(row["call_id"])
        return None


def _shown(candidate: Candidate, matched: Match) -> FoundCall:
    return FoundCall(
        call=CallView.of(candidate.row),
        view=candidate.view,
        transcript_version=candidate.row["transcript"]["version"],
        matches=matched.count,
        highlights=matched.highlights,
    )


async def _write_down(asked: Asked, key: IndexKey | None, phrase: str, looked: Looked) -> None:
    """The entry. It holds neither phrase nor number: auditors read no content, and entries outlive calls."""
    body = asked.body
    detail = {
        "purpose": body.purpose,
        "reason": body.reason,
        "phrase": {"mac": key.mac(phrase) if key else None, "characters": len(phrase)},
        "filter": {
            **body.model_dump(include={"agent_id", "language", "signals"}),
            "customer": body.customer is not None,
            "from": body.since,
            "to": body.until,
        },
        "calls": [item.call.id for item in looked.items],
        "views": [item.view for item in looked.items],
        "versions": [item.transcript_version for item in looked.items],
        "opened": looked.opened,
        "unreadable": looked.unreadable,
    }
    draft = entry(Action.TRANSCRIPTS_SEARCHED, asked.reader, detail)
    await asked.state.audit.write(draft, entry_id=asked.entry_id)


def _note(asked: Asked, looked: Looked) -> None:
    """What is shown of a call are its sentences: for leak rules that is a reading of each."""
    for item in looked.items:
        reading = {"call_id": item.call.id, "read_id": asked.entry_id}
        asked.state.watch.add(Observation.of(asked.reader, denied=False, **reading))
