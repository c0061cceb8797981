"""Who opens an AudioHook stream: a signed request, a vendor's client, a nonce that was not used before."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.websockets import WebSocket

from otokura.ingest.connections.lookup import Connection
from otokura.ingest.connections.models import UsedNonce
from otokura.ingest.connections.views import Dialect
from otokura.ingest.dependencies import Caller, vendor_by_key
from otokura.ingest.dialects.audiohook_signature import (
    MAX_AGE_SECONDS,
    MAX_SKEW_SECONDS,
    BadSignature,
    Signature,
    SignedRequest,
    read_signature,
    verify,
)
from otokura.ingest.repository import clock
from otokura.ingest.state import State
from otokura.shared.address import ClientAddressResolver, parse_address
from otokura.shared.errors import Forbidden, Unauthenticated

NONCE_LIFE = timedelta(seconds=MAX_AGE_SECONDS + MAX_SKEW_SECONDS + 2)
"""Longer than any signature with it can pass."""
_PRUNE = 100
_HTTPS = ":443"


@dataclass(frozen=True)
class Handshake:
    """A handshake that was verified.

    Attributes:
        caller: the vendor's client whose API key it is.
        connection: what that client registered.
        organization_id: the Genesys organization, as the signed header names it.
    """

    caller: Caller
    connection: Connection
    organization_id: UUID


def session_of(websocket: WebSocket) -> UUID | None:
    """The session's id, if the header has one; it is believed only with the signature."""
    try:
        return UUID(websocket.headers.get("audiohook-session-id", ""))
    except ValueError:
        return None


async def verified(websocket: WebSocket, state: State) -> Handshake:
    """Who has signed this request.

    Raises:
        Unauthenticated: nobody, as far as can be told. It is the same whatever is wrong.
        Unavailable: the database or the key provider is away.
    """
    try:
        return await _verified(websocket, state)
    except (BadSignature, Unauthenticated, Forbidden, ValueError):
        raise Unauthenticated(
            "The request is not signed with a client secret that is registered here."
        ) from None


async def _verified(websocket: WebSocket, state: State) -> Handshake:
    requests = signed_requests(websocket)
    signatures = [read_signature(request) for request in requests]
    caller, connection = await _registered(state, signatures[0].key_id)
    signature = _good(signatures, None if connection is None else connection.secret)
    if caller is None or connection is None:
        raise BadSignature("no such key")
    async with state.database.session() as session:
        if not await _use(session, caller.client_id, signature.nonce):
            raise BadSignature("the nonce was used before")
    organization = UUID(requests[0].fields["audiohook-organization-id"])
    if connection.organization_id not in (None, organization):
        raise BadSignature("another organization")
    return Handshake(caller, connection, organization)


def _good(signatures: list[Signature], key: bytes | None) -> Signature:
    """The signature that verifies, of one over each way of writing the authority; all are tried, always."""
    good: list[Signature] = []
    failure: BadSignature | None = None
    for signature in signatures:
        try:
            verify(signature, key, time.time())
            good.append(signature)
        except BadSignature as error:
            failure = error
    if not good:
        raise failure or BadSignature("nothing to verify")
    return good[0]


async def _registered(state: State, api_key: str) -> tuple[Caller | None, Connection | None]:
    """The client of the key and its connection; neither tells a signer whether it exists."""
    try:
        caller = await vendor_by_key(state, api_key)
    except (Unauthenticated, Forbidden):
        return None, None
    return caller, await state.connections.find(caller.client_id, Dialect.AUDIOHOOK)


def signed_requests(websocket: WebSocket) -> list[SignedRequest]:
    """What the signature may be over: one for each way in which the signer may have written the authority.

    The proxy before us must leave path and query as they were. It must either keep `Host`, or be one of the
    trusted proxies and put the original into `X-Forwarded-Host`.
    """
    scope = websocket.scope
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    target = raw.partition(b"?")[0] + (b"?" + query if query else b"")
    fields: dict[str, str] = {}
    for name, value in websocket.headers.items():
        text = value.strip(" \t")
        fields[name] = f"{fields[name]}, {text}" if name in fields else text
    return [SignedRequest(target.decode("latin-1"), one, fields) for one in _authorities(websocket)]


def _authorities(websocket: WebSocket) -> list[str]:
    """Host and port as the signer may have addressed them, in lower case.

    The scheme's own port is left out of the authority (RFC 9421 §2.2.3), but not every client knows that of
    `wss`, and which scheme it was cannot be seen behind a proxy: so 443 counts with and without.
    """
    resolver: ClientAddressResolver = websocket.app.state.address_resolver
    forwarded = websocket.headers.getlist("x-forwarded-host")
    peer = None if websocket.client is None else parse_address(websocket.client.host)
    trusted = peer is not None and resolver.trusts(peer)
    host = forwarded[0] if trusted and len(forwarded) == 1 else websocket.headers.get("host", "")
    bare = host.strip().lower().removesuffix(_HTTPS)
    return [bare, bare + _HTTPS]


async def _use(session: AsyncSession, client_id: UUID, nonce: str) -> bool:
    """Note that a nonce was used; False if it was noted before. Some that no longer matter are forgotten."""
    key = (col(UsedNonce.client_id), col(UsedNonce.nonce_sha256))
    old = select(*key).where(col(UsedNonce.expires_at) < clock()).limit(_PRUNE)
    await session.exec(delete(UsedNonce).where(tuple_(*key).in_(old.with_for_update(skip_locked=True))))
    noted = insert(UsedNonce).values(
        client_id=client_id,
        nonce_sha256=hashlib.sha256(nonce.encode()).digest(),
        expires_at=clock() + NONCE_LIFE,
    )
    return (await session.exec(noted.on_conflict_do_nothing())).rowcount == 1
