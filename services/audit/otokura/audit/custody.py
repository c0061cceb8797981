"""The history of a call as the log has it: every entry about it, with proofs against one checkpoint a year.

It is what a bundle of evidence is made from. All pages of one asking are proved against the trees of its
first page, whatever is written meanwhile: put together they are one history, not the ends of several.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy import func, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.audit import repository
from otokura.audit.api import record
from otokura.audit.checks import Published
from otokura.audit.errors import NoSuchEntry, NotPublishedYet
from otokura.audit.merkle import climb, leaf_hash
from otokura.audit.models import Entry
from otokura.audit.proofs import Prover
from otokura.audit.rows import Rows
from otokura.audit.service import covering
from otokura.audit.state import State, current
from otokura.audit.views import WHY, Why, encoded_salt, opened, why
from otokura.shared.authentication import require
from otokura.shared.errors import BadRequest, Forbidden, IntegrityError, Unauthenticated, Unavailable
from otokura.shared.events import Role
from otokura.shared.pagination import DEFAULT_LIMIT, Cursor, Limit
from otokura.shared.problems import responses
from otokura.shared.tokens import Principal

_DOMAIN = b"otokura.custody-cursor.v1\n"
_LOOKS = 40
_LOOK_SECONDS = 0.1
_LOOKS_FOR_COSIGNED = 30
"""Witnesses are asked every other second: who waits longer waits for one that is away."""
MOST_YEARS = 40
LONGEST_CURSOR = 8192
"""A cursor names the trees that are still to be gone through: up to some 110 characters each."""

Custodian = Annotated[Principal, Depends(require(Role.AUDITOR, Role.EVIDENCE_OFFICER))]
Current = Annotated[State, Depends(current)]

router = APIRouter(prefix="/v1/calls", tags=["custody"])


class Tree(BaseModel):
    """One year's log, as it was when the history was asked for."""

    shard: int = Field(description="The year.")
    origin: str
    key: str = Field(description="Its public key (vkey). Get it from somewhere else too.")
    size: int = Field(description="Entries that its checkpoint covers.")
    checkpoint: str = Field(description="A signed note (C2SP tlog-checkpoint), with its cosignatures.")


class Held(BaseModel):
    """One entry, and what proves it in the tree of its year."""

    shard: int
    index: int
    leaf: dict[str, Any] = Field(description="What the log holds: v, source, seq, time and commitment.")
    entry: dict[str, Any] | None = Field(description="As its source signed it; null once it is erased.")
    salt: str | None = Field(description="Base64 of 16 bytes; null once it is erased.")
    erased_at: datetime | None = Field(description="When entry and salt were removed.")
    erased_why: Why | None = Field(description=WHY)
    path: list[str] = Field(description="Its audit path in the tree (RFC 6962 §2.1.1), base64.")


class Custody(BaseModel):
    """A page of a call's history, oldest entry first."""

    call_id: UUID
    trees: list[Tree] = Field(description="On the first page only: what all pages are proved against.")
    items: list[Held]
    next_cursor: str | None


class _Root(BaseModel):
    """A tree in a cursor: its size, and its root in base64."""

    size: int = Field(ge=1, lt=1 << 63)
    root: str = Field(max_length=44)


class CustodyCursor(Cursor):
    """After which entry a page goes on, and in which trees; those before `shard` are done with.

    Sealed by the service: with roots that somebody made up, an honest log would look altered.
    """

    shard: int
    index: int
    trees: dict[int, _Root] = Field(max_length=MOST_YEARS)
    seal: str = Field(default="", max_length=88)

    def sealed(self, key: Ed25519PrivateKey, call_id: UUID) -> CustodyCursor:
        """With its signature."""
        seal = base64.b64encode(key.sign(self._told(call_id))).decode()
        return self.model_copy(update={"seal": seal})

    def check(self, key: Ed25519PrivateKey, call_id: UUID) -> None:
        """That it was made here, for this call.

        Raises:
            BadRequest: it was not.
        """
        try:
            key.public_key().verify(base64.b64decode(self.seal, validate=True), self._told(call_id))
        except (InvalidSignature, ValueError):
            raise BadRequest("The cursor is not one of this list: leave it out to begin.") from None

    def _told(self, call_id: UUID) -> bytes:
        return _DOMAIN + call_id.bytes + self.model_dump_json(exclude={"seal"}).encode()


@router.get(
    "/{call_id}/custody",
    responses=responses(
        Unauthenticated, Forbidden, BadRequest, NoSuchEntry, NotPublishedYet, IntegrityError, Unavailable
    ),
)
async def get_custody(
    request: Request,
    call_id: UUID,
    custodian: Custodian,
    state: Current,
    *,
    holding: Annotated[
        UUID | None, Query(description="Wait until this entry is covered: the history then goes that far.")
    ] = None,
    read_id: Annotated[UUID | None, Query(description="The read that it is asked for: written down.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Annotated[
        str | None, Query(max_length=LONGEST_CURSOR, description="`next_cursor` of the page before; opaque.")
    ] = None,
) -> Custody:
    """Every entry about a call of the tenant, oldest first, each with its proof of inclusion.

    What is erased shows as erased, with its proof. Asking is itself an entry.
    """
    tenant_id = custodian.tenant_id
    if tenant_id is None:
        raise Forbidden("Calls are a tenant's own business, and you belong to no tenant.")
    position = CustodyCursor.decode(cursor)
    published: dict[int, Published] = {}
    if position is None:
        published = await _trees(state, tenant_id, call_id, holding)
        position = CustodyCursor(shard=0, index=-1, trees={year: _root(it) for year, it in published.items()})
    else:
        position.check(state.certificate_key, call_id)
    async with state.database.session() as session:
        found = await _entries(session, tenant_id, call_id, position, limit + 1)
        items = await _held(session, found[:limit], position.trees)
    about = {"custody": call_id, "shown": len(items), "read_id": read_id}
    await record(request, state, custodian, {name: it for name, it in about.items() if it is not None})
    after = _after(items[-1], position) if len(found) > limit else None
    sealed = None if after is None else after.sealed(state.certificate_key, call_id).encode()
    return Custody(call_id=call_id, trees=_views(state, published), items=items, next_cursor=sealed)


async def _trees(state: State, tenant_id: UUID, call_id: UUID, holding: UUID | None) -> dict[int, Published]:
    """By year, a checkpoint of each log that says anything about the call: what witnesses have cosigned.

    Where there are none, or they do not answer in time, it is the newest.

    Raises:
        NoSuchEntry: none does, for this tenant.
        NotPublishedYet: something of it, or the entry that is to be covered, is not after four seconds.
    """
    needed = await _newest(state, tenant_id, call_id)
    if holding is None and not needed:
        raise NoSuchEntry("The log of your tenant knows of no such call.")
    for look in range(_LOOKS):
        if holding is not None and (place := await _place(state, tenant_id, holding)) is not None:
            needed[place[0]] = max(place[1], needed.get(place[0], -1))
            holding = None
        waiting = look < _LOOKS_FOR_COSIGNED
        found = {year: await covering(state, year, index, waiting=waiting) for year, index in needed.items()}
        published = {year: tree for year, tree in found.items() if tree is not None}
        if holding is None and len(published) == len(found):
            return published
        await asyncio.sleep(_LOOK_SECONDS)
    raise NotPublishedYet("The newest entry is not in a signed tree yet; ask again in a second.")


async def _newest(state: State, tenant_id: UUID, call_id: UUID) -> dict[int, int]:
    """By year, the index of the newest entry about the call."""
    mine = (Entry.tenant_id == tenant_id, Entry.call_id == call_id)
    statement = select(Entry.shard, func.max(Entry.index)).where(*mine).group_by(col(Entry.shard))
    async with state.database.session() as session:
        return dict((await session.exec(statement)).all())


async def _place(state: State, tenant_id: UUID, entry_id: UUID) -> tuple[int, int] | None:
    async with state.database.session() as session:
        entry = await repository.entry(session, tenant_id, entry_id)
    return None if entry is None else (entry.shard, entry.index)


async def _entries(
    session: AsyncSession, tenant_id: UUID, call_id: UUID, position: CustodyCursor, limit: int
) -> Sequence[Entry]:
    """The next entries of the trees, oldest first."""
    within = [
        (col(Entry.shard) == year) & (col(Entry.index) < tree.size)
        & ((col(Entry.shard) > position.shard) | (col(Entry.index) > position.index))
        for year, tree in position.trees.items() if year >= position.shard
    ]  # fmt: skip
    statement = (
        select(Entry)
        .where(Entry.tenant_id == tenant_id, Entry.call_id == call_id, or_(*within))
        .order_by(col(Entry.shard), col(Entry.index))
        .limit(limit)
    )
    return (await session.exec(statement)).all() if within else ()


async def _held(session: AsyncSession, found: Sequence[Entry], trees: Mapping[int, _Root]) -> list[Held]:
    """The entries with their proofs, each checked against the root before it leaves."""
    provers: dict[int, Prover] = {}
    items: list[Held] = []
    for entry in found:
        leaf, recorded = opened(entry)
        tree = trees[entry.shard]
        prover = provers.setdefault(entry.shard, Prover(Rows(session, entry.shard), tree.size))
        path = await _proved(prover, entry, tree)
        items.append(
            Held(
                shard=entry.shard,
                index=entry.index,
                leaf=leaf,
                entry=recorded,
                salt=encoded_salt(entry),
                erased_at=entry.erased_at,
                erased_why=why(entry),
                path=[base64.b64encode(hash_).decode() for hash_ in path],
            )
        )
    return items


async def _proved(prover: Prover, entry: Entry, tree: _Root) -> list[bytes]:
    """The entry's audit path.

    Raises:
        IntegrityError: it does not lead to the tree's root: rows are not those that were signed.
    """
    path = await prover.inclusion(entry.index)
    root = climb(leaf_hash(entry.leaf), entry.index, tree.size, path)
    if base64.b64encode(root).decode() != tree.root:
        raise IntegrityError(
            f"Entry {entry.index} of shard {entry.shard} is not in the signed tree of {tree.size}: "
            "rows were altered after they were published."
        )
    return path


def _root(published: Published) -> _Root:
    checkpoint = published.checkpoint
    return _Root(size=checkpoint.size, root=base64.b64encode(checkpoint.root).decode())


def _views(state: State, published: Mapping[int, Published]) -> list[Tree]:
    return [
        Tree(
            shard=year,
            origin=it.checkpoint.origin,
            key=state.signer(year).vkey,
            size=it.checkpoint.size,
            checkpoint=it.note,
        )
        for year, it in sorted(published.items())
    ]


def _after(last: Held, position: CustodyCursor) -> CustodyCursor:
    trees = {year: tree for year, tree in position.trees.items() if year >= last.shard}
    return CustodyCursor(shard=last.shard, index=last.index, trees=trees)
