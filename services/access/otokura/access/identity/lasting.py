"""How long a session lasts, or a token that was got in none: what a reading under way goes on with.

A token of a session lives for minutes, and another is got again and again. What takes longer than one of them
goes on with the session, so that no long recording breaks off for a person who is still there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from otokura.access.identity.subject import is_over
from otokura.shared.tokens import Principal

SESSION_COLUMN = """
    (SELECT ARRAY[s.expires_at, s.used_at] FROM sessions s
     WHERE s.id = CAST(:session_id AS uuid) AND s.principal_id = p.id AND s.ended_at IS NULL
    ) AS reader_session
"""
"""Beside `SUBJECT_COLUMNS`: null when the token was got in no session, or in one that has ended."""


def session_over(expires_at: datetime, used_at: datetime, at: datetime, idle: timedelta) -> str | None:
    """Why a session is over at a time, as entries say it; None while it is not.

    Args:
        expires_at: its last moment, whatever is done in it.
        used_at: when a token was last got in it.
        at: the time.
        idle: after how long without a new token it ends.
    """
    if at >= expires_at:
        return "expired"
    return "idle" if at >= used_at + idle else None


def goes_on(row: Mapping[str, Any], token: Principal, idle_seconds: int) -> bool:
    """Whether a token, or the session that it was got in, is still good.

    Args:
        row: `SUBJECT_COLUMNS` and `SESSION_COLUMN`.
        token: what the token says. Its own time counts only if it was got in no session.
        idle_seconds: after how long without a new token a session ends.
    """
    if is_over(row, token):
        return False
    at: datetime = row["read_at"]
    if token.session_id is None:
        return token.good_until is None or at < token.good_until
    if row["reader_session"] is None:
        return False
    expires_at, used_at = row["reader_session"]
    return session_over(expires_at, used_at, at, timedelta(seconds=idle_seconds)) is None
