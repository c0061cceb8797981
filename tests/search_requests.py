"""Looking for what was said, as a client does: page by page, with the entries that it leaves."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from access_audit import PATIENCE_SECONDS
from access_calls import Call
from access_service import OFFICE, Access, Tenant
from searched_calls import saying

START = datetime(2026, 4, 1, tzinfo=UTC)


def at(minute: int) -> dict[str, Any]:
    """When a call began."""
    return {"started_at": START + timedelta(minutes=minute)}


def said(tenant: Tenant, *turns: str, **about: Any) -> Call:
    """A call in which this was said."""
    how = {name: about.pop(name) for name in ("hidden", "language", "signals") if name in about}
    return tenant.call(b"audio", said=saying(*turns, **how), **about)


def ids(*calls: Call) -> list[str]:
    """As answers have them."""
    return [str(call.id) for call in calls]


def indexed(access: Access, *calls: Call) -> None:
    """Waits until the newest transcripts of these calls are in the index."""
    ids = [call.id for call in calls]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        rows = access.query(
            "SELECT call_id FROM search_jobs WHERE call_id = ANY(:ids) AND state = 'done'", ids=ids
        )
        if len(rows) == len(ids):
            return
        assert time.monotonic() < deadline, "the calls were not indexed"
        time.sleep(0.05)


def look(access: Access, token: str, phrase: str, *, address: str = OFFICE, **about: Any) -> httpx.Response:
    """The answer to one question."""
    body = {"phrase": phrase, "purpose": "quality", **about}
    with access.client(token, address=address) as client:
        return client.post("/v1/search", json=body)


def page(access: Access, token: str, phrase: str, **about: Any) -> dict[str, Any]:
    """One page. Its entry names exactly the calls on it."""
    response = look(access, token, phrase, **about)
    assert response.status_code == 200, response.text
    shown: dict[str, Any] = response.json()
    entry_id = response.headers["Otokura-Entry-Id"]
    written = access.audit.of([entry_id])[entry_id]
    assert written["action"] == "transcripts.searched"
    assert written["detail"]["calls"] == [item["call"]["id"] for item in shown["items"]]
    assert written["detail"]["views"] == [item["view"] for item in shown["items"]]
    assert response.headers["Cache-Control"] == "private, no-store"
    return shown


def pages(access: Access, token: str, phrase: str, **about: Any) -> list[dict[str, Any]]:
    """All that is found, page by page."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        shown = page(access, token, phrase, **about, **cursor)
        found += shown["items"]
        assert shown["at_least"] == len(found)
        if shown["next_cursor"] is None:
            return found
        cursor = {"cursor": shown["next_cursor"]}


def found(access: Access, token: str, phrase: str, **about: Any) -> list[str]:
    """The ids of all calls that are found, newest first."""
    return [item["call"]["id"] for item in pages(access, token, phrase, **about)]
