"""The errors of the audit service."""

from __future__ import annotations

from otokura.shared.errors import Conflict, NotFound


class NoSuchShard(NotFound):
    """The log has no shard of that year, or nothing was published in it yet."""

    title = "No such log"


class NoSuchTile(NotFound):
    """The path names no tile, or one that does not exist yet."""

    title = "No such tile"


class NoSuchEntry(NotFound):
    """The tenant's log has no such entry."""

    title = "No such entry"


class NotErased(Conflict):
    """Not every service has confirmed the erasure (yet): there is nothing to certify."""

    code, title = "not-erased", "Not erased"


class NotPublishedYet(Conflict):
    """The entry is in the log and no checkpoint covers it yet; it takes about a second."""

    code, title = "not-published-yet", "Not published yet"


class StaleAppender(Exception):  # noqa: N818 - an outcome, caught by the publisher
    """Somebody else published meanwhile; what was to be published is theirs now."""
