"""Pure decisions of a search: what can be looked for, and which text of a call its reader may see."""

from __future__ import annotations

from otokura.access.identity.subject import Reader
from otokura.access.numbers import folded_number
from otokura.access.permission import tenant_of
from otokura.access.reads.repository import Scope, scope_of
from otokura.access.reads.service import Decide, has_broken_glass
from otokura.access.reads.views import View
from otokura.access.search.entries import Properties
from otokura.access.search.text import fold, pieces
from otokura.access.search.views import SearchBody
from otokura.shared.errors import Unprocessable
from otokura.shared.events import Role
from otokura.shared.policy.facts import CallFacts, Circumstances, PolicyAction, ReaderFacts


def phrase_of(body: SearchBody) -> str:
    """The phrase, folded.

    Raises:
        Unprocessable: there is nothing in it to look for, or too little.
    """
    phrase = fold(body.phrase)
    if not phrase:
        raise Unprocessable("The phrase has no letter and no digit in it: write what was said.")
    if not pieces(phrase):
        raise Unprocessable(
            "The phrase is too short: it takes two characters of Japanese, or three letters or digits."
        )
    return phrase


def properties_wanted(body: SearchBody) -> Properties:
    """What the call must be beside holding the phrase."""
    customer = [folded_number(body.customer)] if body.customer is not None else []
    return Properties(
        language=body.language,
        purposes=frozenset({body.purpose}),
        signals=frozenset(body.signals),
        customers=frozenset(customer),
    )


def scopes(decide: Decide, reader: Reader, body: SearchBody) -> tuple[Scope, Scope]:
    """Of which calls the reader may possibly see some text, and of which the raw text.

    They only save work and time: policies decide about each call. What an analyst may see of a call is its
    redacted text, so that nothing is looked for in the raw text of calls that they may see as analysts only;
    nor by the customer's number, which is redacted like any.
    """
    facts = reader.facts
    tenant_id, about = tenant_of(reader), (facts.team, facts.agent_ids)
    if has_broken_glass(decide, reader):
        return Scope.whole(tenant_id), Scope.whole(tenant_id)
    raw = scope_of(tenant_id, facts.roles - {Role.ANALYST}, *about)
    return raw if body.customer is not None else scope_of(tenant_id, facts.roles, *about), raw


def readable(decide: Decide, reader: ReaderFacts, call: CallFacts, asked: Circumstances) -> View | None:
    """The text of a call that a reader may see; None: none, or they may not know of the call."""
    if not decide(reader, PolicyAction.VIEW, call, asked).allowed:
        return None
    if decide(reader, PolicyAction.READ_TRANSCRIPT, call, asked).allowed:
        return View.RAW
    return View.REDACTED if decide(reader, PolicyAction.READ_REDACTED, call, asked).allowed else None
