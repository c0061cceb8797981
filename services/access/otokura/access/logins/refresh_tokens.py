"""Refresh tokens: each is good once, and one that comes again ends its session (RFC 9700 §4.14.2). Pure.

`ort_<session>.<family>.<once>`: the family's secret stays for the whole session, the other changes with each
use. So a token that was used before is told from one that somebody made up, by two hashes and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from otokura.access.identity.secrets import new_secret

_PREFIX = "ort_"


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """One refresh token; its text is the secret."""

    session_id: UUID
    family: str
    once: str

    def __repr__(self) -> str:
        return f"RefreshToken({self.session_id})"

    @property
    def text(self) -> str:
        """What the client keeps."""
        return f"{_PREFIX}{self.session_id.hex}.{self.family}.{self.once}"

    def next(self) -> RefreshToken:
        """The one that takes its place."""
        return RefreshToken(self.session_id, self.family, new_secret())


def first(session_id: UUID) -> RefreshToken:
    """The first one of a session."""
    return RefreshToken(session_id, new_secret(), new_secret())


def parse(text: str) -> RefreshToken | None:
    """The token; None when it is none of ours."""
    if not text.startswith(_PREFIX):
        return None
    try:
        session, family, once = text.removeprefix(_PREFIX).split(".")
        return RefreshToken(UUID(hex=session), family, once)
    except ValueError:
        return None
