"""A denial in words: what the reader is told, and what stands in the audit entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from otokura.access.errors import GrantOver, ReaderPaused
from otokura.shared.errors import Forbidden, NotFound, OtokuraError

NO_POLICY = "no-policy-permits"
ABSENT = "absent"
PAUSED = "reader-paused"
NO_GRANT = "no-such-grant"

_WORDS = {
    "unknown-address": "Your address cannot be told from this request, so no zone can hold it.",
    "outside-zones": "Your address is in none of the zones from which your company permits this.",
    "log-in-outside-zones": "Your address is in none of the zones from which people of your company log in.",
    "purpose-not-disclosed": "This purpose was not disclosed to the caller of this call.",
    "reason-required": "Your role needs a reason: say why in `reason`.",
    "beyond-the-grant": "The grant is not for this: another form, purpose or zone than it was given for.",
    "reason-required-to-search": "Your role needs a reason to search: say why in `reason`.",
    "no-tenant": "This is a tenant's own business, and you belong to no tenant.",
}
_OVER = {
    "grant-expired": "The grant has expired.",
    "grant-revoked": "The grant was revoked.",
    "grant-spent": "The grant was used as often as it may be; a listening goes on with its read_id.",
    "giver-disabled": "Who gave the grant may give nothing any more.",
}
_OTHERWISE = "Your role does not permit this."
_REDACTED = " It permits this without what is redacted: ask with view=redacted."


@dataclass(frozen=True, slots=True)
class Denial:
    """A refusal: the problem to answer with, and the policies behind it."""

    error: OtokuraError
    why: tuple[str, ...]


def denied(
    policies: Sequence[str], purposes: Sequence[str] | None = None, *, redacted: bool = False
) -> Denial:
    """A refusal of something that the reader may know to exist.

    Args:
        policies: ids of the policies that forbid; none when merely nothing permits.
        purposes: those disclosed for the call, told so that the reader can choose one.
        redacted: the reader may have the same without what is redacted.
    """
    why = tuple(policies) or (NO_POLICY,)
    words = " ".join(_WORDS[policy] for policy in why if policy in _WORDS) or _OTHERWISE
    error = Forbidden(words + _REDACTED if redacted else words, why=list(why))
    if purposes is not None:
        error.extensions["purposes"] = list(purposes)
    return Denial(error, why)


def absent() -> Denial:
    """A refusal that looks like absence, whether it is or not."""
    return Denial(NotFound("There is no such call."), (ABSENT,))


def no_grant() -> Denial:
    """A refusal of a read by a grant that is not this reader's, or not for this call: told as absence."""
    return Denial(absent().error, (NO_GRANT,))


def grant_over(why: str) -> Denial:
    """A refusal of a read by a grant that was good: whose it is may know all of it."""
    return Denial(GrantOver(_OVER[why], why=[why]), (why,))


def paused() -> Denial:
    """A refusal of whoever a leak signal keeps from reading."""
    words = "Reading is paused for you: how you read looks like a leak. Ask an administrator to look at it."
    return Denial(ReaderPaused(words, why=[PAUSED]), (PAUSED,))
