"""Idempotency-Key: a creating POST that is sent twice creates once.

The header is that of draft-ietf-httpapi-idempotency-key-header. The first answer is kept
in the transaction that did the work, so that there is never one without the other; a repeat within 24
hours gets it again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, cast

from fastapi import Depends, Header
from pydantic import BaseModel
from sqlalchemy import Column, DateTime, Index, Integer, MetaData, Table, Text, delete, func, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from otokura.shared.authentication import Authenticated
from otokura.shared.errors import BadRequest, Conflict, Unprocessable

KEPT = timedelta(hours=24)
REPLAYED_HEADER = "Idempotent-Replayed"
_LOCK_SPACE = 0x49444B59
"""First half of the two-part advisory locks; one-part locks (migrations, relay) never meet these."""
_PRUNE = 100
_KEY = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)

idempotency_metadata = MetaData()
idempotency_keys = Table(
    "idempotency_keys",
    idempotency_metadata,
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("body_sha256", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("idempotency_keys_created_at", "created_at"),
)


@dataclass(frozen=True, slots=True)
class Created:
    """The answer of a creating operation.

    Attributes:
        body: what is answered, as JSON.
        status: the HTTP status.
        headers: further response headers, such as ETag.
        replay: what a repeat is answered, where `body` holds a secret: secrets are shown once and not kept.
    """

    body: BaseModel
    status: int = 201
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    replay: BaseModel | None = None


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """One request that carries an Idempotency-Key.

    Attributes:
        scope: tenant, client and route: keys of others never meet.
        key: the header.
        body_sha256: in hexadecimal, of the bytes of the body.
    """

    scope: str
    key: str
    body_sha256: str

    async def run(self, session: AsyncSession, create: Callable[[], Awaitable[Created]]) -> Response:
        """Creates in the session's transaction and keeps the answer, or gives the answer kept before.

        Args:
            session: its transaction is committed by the caller, after this.
            create: does the work in that same transaction. When it raises, nothing is kept.

        Raises:
            Conflict: a request with this key is being served right now.
            Unprocessable: the key was used with another body.
        """
        connection = await session.connection()
        await self._lock(connection)
        kept = await self._kept(connection)
        if kept is not None:
            return kept
        created = await create()
        await self._keep(connection, created)
        return _response(created.status, created.headers, created.body.model_dump_json())

    async def _lock(self, connection: AsyncConnection) -> None:
        """Held until the transaction ends; a unique key alone would make the second request wait."""
        digest = hashlib.sha256(json.dumps([self.scope, self.key]).encode()).digest()
        number = int.from_bytes(digest[:4], "big", signed=True)
        locked = await connection.scalar(select(func.pg_try_advisory_xact_lock(_LOCK_SPACE, number)))
        if not locked:
            raise Conflict(
                "A request with this Idempotency-Key is being served; repeat it for its answer.",
                headers={"Retry-After": "1"},
            )

    async def _kept(self, connection: AsyncConnection) -> Response | None:
        table = idempotency_keys.c
        query = select(table.body_sha256, table.status, table.headers, table.body).where(
            table.scope == self.scope, table.key == self.key, table.created_at > func.now() - KEPT
        )
        row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        if row.body_sha256 != self.body_sha256:
            raise Unprocessable(
                "This Idempotency-Key came before with another body: use a new key for a new request."
            )
        headers = cast("dict[str, str]", row.headers)
        return _response(row.status, {**headers, REPLAYED_HEADER: "true"}, row.body)

    async def _keep(self, connection: AsyncConnection, created: Created) -> None:
        table = idempotency_keys
        await connection.execute(
            delete(table).where(table.c.scope == self.scope, table.c.key == self.key)  # an expired one
        )
        await connection.execute(
            insert(table).values(
                scope=self.scope,
                key=self.key,
                body_sha256=self.body_sha256,
                status=created.status,
                headers=dict(created.headers),
                body=(created.replay or created.body).model_dump_json(),
            )
        )
        await _prune(connection)


async def _prune(connection: AsyncConnection) -> None:
    """Deletes a few expired answers, passing over those that another transaction is deleting."""
    table = idempotency_keys.c
    expired = (
        select(table.scope, table.key)
        .where(table.created_at <= func.now() - KEPT)
        .limit(_PRUNE)
        .with_for_update(skip_locked=True)
    )
    rows = (await connection.execute(expired)).all()
    for row in rows:
        await connection.execute(
            delete(idempotency_keys).where(table.scope == row.scope, table.key == row.key)
        )


def _response(status: int, headers: Mapping[str, str], body: str) -> Response:
    return Response(body, status, dict(headers), media_type="application/json")


async def idempotent_request(
    request: Request,
    principal: Authenticated,
    idempotency_key: Annotated[
        str | None, Header(description="A new random value for each new request.")
    ] = None,
) -> IdempotentRequest:
    """Dependency: the request's Idempotency-Key, scoped to tenant, client and route.

    Raises:
        BadRequest: the header is missing or malformed.
    """
    if idempotency_key is None:
        raise BadRequest("Send an Idempotency-Key header: a new random value, such as a UUID.")
    if not _KEY.fullmatch(idempotency_key):
        raise BadRequest("The Idempotency-Key must be 1 to 128 visible ASCII characters without spaces.")
    scope = f"{principal.tenant_id or '-'}/{principal.subject}/{request.method} {request.url.path}"
    body_sha256 = hashlib.sha256(await request.body()).hexdigest()
    return IdempotentRequest(scope, idempotency_key, body_sha256)


Idempotency = Annotated[IdempotentRequest, Depends(idempotent_request)]
"""In the signature of a creating route; `await idempotency.run(session, create)` is its body."""
