"""Feeds come, change and go: each change is one transaction of state and audit entry."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.access.feeds import repository
from otokura.access.feeds.models import FeedRecord
from otokura.access.feeds.views import FeedBody, FeedChange
from otokura.access.identity import repository as identity
from otokura.access.identity.subject import Reader
from otokura.access.permission import entry, tenant_of
from otokura.shared.audit_entries import Action
from otokura.shared.errors import Conflict, NotFound, PreconditionFailed, Unprocessable
from otokura.shared.events import TenantSettings
from otokura.shared.feeds import FeedField
from otokura.shared.ids import uuid7
from otokura.shared.outbox import publish_audit

MAX_FEEDS = 50
"""Of one tenant: each has a topic, and each call is looked at for each."""


async def create(session: AsyncSession, body: FeedBody, admin: Reader) -> FeedRecord:
    """A new feed. It gets the calls whose transcripts are completed from now on.

    Raises:
        Conflict: the tenant has a feed of this name, or too many; or a reader belongs to another tenant.
        Unprocessable: the purpose is none of the tenant's.
    """
    tenant = await repository.lock_tenant(session, tenant_of(admin))
    if len(await repository.feeds(session, tenant.id)) >= MAX_FEEDS:
        raise Conflict(f"There are {MAX_FEEDS} feeds already: delete one that is not needed.")
    await _check(session, tenant.id, tenant.settings, body)
    at = await identity.now(session)
    record = FeedRecord(
        **_columns(body.model_dump()),
        id=uuid7(),
        tenant_id=tenant.id,
        enabled=True,
        version=1,
        retry_at=at,
        created_at=at,
        changed_at=at,
    )
    session.add(record)
    await publish_audit(session, entry(Action.FEED_CREATED, admin, {"feed": _described(record)}))
    return record


async def change(
    session: AsyncSession, feed_id: UUID, body: FeedChange, expected_version: int, admin: Reader
) -> FeedRecord:
    """Changes a feed. Nothing is published until the broker is as asked again.

    Raises:
        NotFound: the tenant has no such feed.
        PreconditionFailed: it has changed since `expected_version`.
        Conflict: the tenant has a feed of this name, or a reader belongs to another tenant.
        Unprocessable: the purpose is none of the tenant's.
    """
    tenant = await repository.lock_tenant(session, tenant_of(admin))
    record = await _find(session, feed_id, admin)
    if record.version != expected_version:
        raise PreconditionFailed("The feed has changed since you read it: read it again.")
    await _check(session, tenant.id, tenant.settings, body, now=record)
    before = _described(record)
    for name, value in _columns(body.model_dump(exclude_unset=True)).items():
        setattr(record, name, value)
    record.version += 1
    record.changed_at = await identity.now(session)
    session.add(record)
    changed = sorted(name for name, value in _described(record).items() if before[name] != value)
    detail = {"feed": _described(record), "changed": changed}
    await publish_audit(session, entry(Action.FEED_CHANGED, admin, detail))
    return record


async def delete(session: AsyncSession, feed_id: UUID, admin: Reader) -> None:
    """Ends a feed: nothing more is published to it, and its topic and the broker's lists go with it.

    Raises:
        NotFound: the tenant has no such feed.
    """
    record = await _find(session, feed_id, admin)
    record.deleted_at = record.changed_at = await identity.now(session)
    record.version += 1
    session.add(record)
    await session.flush()
    await repository.withdraw(session, feed_id, "the feed is deleted")
    await publish_audit(session, entry(Action.FEED_DELETED, admin, {"feed": _described(record)}))


async def _find(session: AsyncSession, feed_id: UUID, admin: Reader) -> FeedRecord:
    record = await repository.feed(session, tenant_of(admin), feed_id, lock=True)
    if record is None:
        raise NotFound("There is no such feed.")
    return record


async def _check(
    session: AsyncSession,
    tenant_id: UUID,
    settings: dict[str, Any],
    body: FeedBody | FeedChange,
    now: FeedRecord | None = None,
) -> None:
    purposes = [purpose.name for purpose in TenantSettings.model_validate(settings).purposes]
    if body.purpose is not None and body.purpose not in purposes:
        raise Unprocessable("The purpose is none of your company's: it is set with the settings.")
    renamed = body.name is not None and (now is None or body.name != now.name)
    if renamed and await repository.name_is_taken(session, tenant_id, str(body.name)):
        raise Conflict("There is a feed of this name.")
    if body.principals and await repository.foreign(session, tenant_id, body.principals):
        raise Conflict("One of these principals cannot be used: choose names that only your company has.")


def _columns(values: dict[str, Any]) -> dict[str, Any]:
    """What was asked for, as the table has it."""
    if "fields" in values:
        values["fields"] = sorted(FeedField(field).value for field in values["fields"])
    if "principals" in values:
        values["principals"] = sorted(set(values["principals"]))
    if "redaction" in values:
        values["redaction"] = values["redaction"].value
    return values


def _described(record: FeedRecord) -> dict[str, Any]:
    """The feed for an audit entry: what is given, for what, to whom."""
    names = {
        "id", "name", "purpose", "fields", "redaction", "partials", "principals", "enabled", "version",
    }  # fmt: skip
    return record.model_dump(mode="json", include=names)
