"""`GET /v1/alerts`: an auditor sees those of the own tenant, an operator those of the installation."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel
from sqlalchemy import tuple_
from sqlmodel import col, select

from otokura.audit.api import Current, record
from otokura.audit.models import Alert
from otokura.shared.audit_entries import ENTRY_ID, Action
from otokura.shared.audit_events import AlertKind
from otokura.shared.authentication import require
from otokura.shared.errors import BadRequest, Forbidden, Unauthenticated, Unavailable
from otokura.shared.events import Role
from otokura.shared.moments import Moment
from otokura.shared.pagination import DEFAULT_LIMIT, Cursor, CursorText, Limit, Page
from otokura.shared.problems import responses
from otokura.shared.tokens import Principal

Watcher = Annotated[Principal, Depends(require(Role.AUDITOR, Role.OPERATOR))]

router = APIRouter(
    prefix="/v1", tags=["audit"], responses=responses(Unauthenticated, Forbidden, BadRequest, Unavailable)
)


class AlertView(BaseModel):
    """Something to look at; docs/alerts.md says what each kind means and what to do."""

    id: UUID
    kind: str
    source: str
    at: datetime
    detail: dict[str, Any]


class AlertCursor(Cursor):
    """After which alert a page goes on."""

    at: Moment
    id: UUID


@router.get("/alerts")
async def list_alerts(
    request: Request,
    response: Response,
    watcher: Watcher,
    state: Current,
    *,
    kind: Annotated[AlertKind | None, Query(description="Of this kind.")] = None,
    since: Annotated[Moment | None, Query(alias="from", description="Not before (RFC 3339).")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
) -> Page[AlertView]:
    """Alerts, newest first: the tenant's for its auditors, those of no tenant for operators.

    Asking is itself an entry, which `Otokura-Entry-Id` names.
    """
    # `IS NULL` is read off the index as equality is, and `IS NOT DISTINCT FROM` is not.
    wanted = select(Alert).where(Alert.tenant_id == watcher.tenant_id)
    if kind is not None:
        wanted = wanted.where(Alert.kind == kind)
    if since is not None:
        wanted = wanted.where(Alert.at >= since)
    place = AlertCursor.decode(cursor)
    if place is not None:
        wanted = wanted.where(tuple_(col(Alert.at), col(Alert.id)) < (place.at, place.id))
    ordered = wanted.order_by(col(Alert.at).desc(), col(Alert.id).desc()).limit(limit + 1)
    async with state.database.session() as session:
        found = (await session.exec(ordered)).all()
    items = [AlertView.model_validate(alert, from_attributes=True) for alert in found[:limit]]
    given = {"kind": kind, "from": since}
    asked = {name: value for name, value in given.items() if value is not None}
    detail = {"filter": asked, "shown": len(items)}
    entry_id = await record(request, state, watcher, detail, Action.ALERTS_LISTED)
    response.headers[ENTRY_ID] = str(entry_id)
    after = AlertCursor(at=items[-1].at, id=items[-1].id).encode() if len(found) > limit else None
    return Page(items=items, next_cursor=after)
