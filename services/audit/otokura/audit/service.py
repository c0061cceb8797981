"""Proofs: assembled from committed rows, checked against the signed checkpoint before they leave."""

from __future__ import annotations

import asyncio
import base64
import time
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.audit import repository
from otokura.audit.answers import OF_ALL
from otokura.audit.checks import Published
from otokura.audit.errors import NoSuchEntry, NoSuchShard, NotPublishedYet
from otokura.audit.merkle import climb, leaf_hash
from otokura.audit.models import Entry
from otokura.audit.proofs import Prover, proof_text
from otokura.audit.rows import Rows
from otokura.audit.state import State
from otokura.audit.views import Consistency, Receipt, encoded_salt, opened, why
from otokura.shared.audit_entries import Action
from otokura.shared.errors import BadRequest, IntegrityError
from otokura.shared.events import Role
from otokura.shared.tokens import Principal

_LOOKS = 20
_LOOK_SECONDS = 0.1
READINGS = frozenset(
    {
        Action.READ_OPENED,
        Action.READ_CLOSED,
        Action.CALLS_SEARCHED,
        Action.CUSTOMER_SEARCHED,
        Action.TRANSCRIPTS_SEARCHED,
    }
)
"""What readers may have receipts of: what was given to them. A denial may tell what they may not know."""
YOUNG_SECONDS = 60.0
"""An entry that is not there may still come when its id was made so recently."""
AGAIN = {"Retry-After": "1"}
_TIMED, _RANDOM_BITS = 7, 80
"""UUIDv7 (RFC 9562 §5.7): 48 bits of milliseconds before the rest."""


async def find_entry(state: State, asker: Principal, entry_id: UUID) -> Entry:
    """An entry that somebody may have the receipt of: auditors of any of their tenant, readers of their own.

    Raises:
        NoSuchEntry: they may have none of that id, or it has not come yet.
    """
    async with state.database.session() as session:
        entry = await repository.entry(session, asker.tenant_id, entry_id)
        if entry is None and Role.AUDITOR in asker.roles:
            common = await repository.entry(session, None, entry_id)
            entry = common if common is not None and common.action in OF_ALL else None
    if entry is None or not _may_have(asker, entry):
        raise _no_such(entry_id)
    return entry


def _may_have(asker: Principal, entry: Entry) -> bool:
    """Whether they audit their tenant's log, or the entry tells of a reading of their own."""
    own = entry.reader == str(asker.subject) and entry.action in READINGS
    return own or Role.AUDITOR in asker.roles


def _no_such(entry_id: UUID) -> NoSuchEntry:
    """An entry that was acknowledged a moment ago may be on its way; its id tells when it was made."""
    made = (entry_id.int >> _RANDOM_BITS) / 1000 if entry_id.version == _TIMED else 0.0
    words = "There is no entry of that id that you may have the receipt of."
    if abs(time.time() - made) < YOUNG_SECONDS:
        return NoSuchEntry(f"{words} It may be on its way: ask again.", headers=dict(AGAIN))
    return NoSuchEntry(words)


async def receipt(state: State, entry: Entry) -> Receipt:
    """The receipt of an entry, against the newest checkpoint.

    Raises:
        NotPublishedYet: no checkpoint covered it within two seconds.
        IntegrityError: its row was altered.
    """
    leaf, recorded = opened(entry)
    published = await _covering(state, entry)
    async with state.database.session() as session:
        path = await _inclusion(session, entry, published)
    return Receipt(
        origin=published.checkpoint.origin,
        shard=entry.shard,
        index=entry.index,
        leaf=leaf,
        entry=recorded,
        salt=encoded_salt(entry),
        proof=proof_text(entry.index, path, published.note),
        erased_at=entry.erased_at,
        erased_why=why(entry),
    )


async def _covering(state: State, entry: Entry) -> Published:
    """A checkpoint that covers the entry, once there is one."""
    for _ in range(_LOOKS):
        published = await covering(state, entry.shard, entry.index)
        if published is not None:
            return published
        await asyncio.sleep(_LOOK_SECONDS)
    raise NotPublishedYet(
        "The entry is sequenced, and its checkpoint is on the way; ask again in a second.",
        headers=dict(AGAIN),
    )


async def covering(state: State, year: int, index: int, *, waiting: bool = False) -> Published | None:
    """A checkpoint that covers an entry: what witnesses cosigned, or else the newest; None if there is none.

    Args:
        state: the service's.
        year: the entry's shard.
        index: its place there.
        waiting: for witnesses, where there are any: the newest is not taken yet.
    """
    signer = state.signer(year)
    if state.settings.witnesses_file is not None:
        cosigned = await state.shelf.cosigned(year, signer)
        if cosigned is not None and cosigned.checkpoint.size > index:
            return cosigned
        if waiting:
            return None
    newest = await state.shelf.checkpoint(year, signer)
    return newest if newest is not None and newest.checkpoint.size > index else None


async def _inclusion(session: AsyncSession, entry: Entry, published: Published) -> list[bytes]:
    return await checked_path(Prover(Rows(session, entry.shard), published.checkpoint.size), entry, published)


async def checked_path(prover: Prover, entry: Entry, published: Published) -> list[bytes]:
    """The audit path of an entry in a published tree.

    Raises:
        IntegrityError: it does not lead to the root that was signed.
    """
    size, root = published.checkpoint.size, published.checkpoint.root
    path = await prover.inclusion(entry.index)
    if climb(leaf_hash(entry.leaf), entry.index, size, path) != root:
        raise IntegrityError(
            f"Entry {entry.index} of shard {entry.shard} is not the one in the signed tree of {size}: "
            "rows were altered after they were published."
        )
    return path


async def consistency(state: State, year: int, old: int, new: int | None) -> Consistency:
    """The proof between two sizes of a shard; up to the published one when `new` is not given."""
    async with state.database.session() as session:
        shard = await repository.shard(session, year)
        size = shard.published_size if new is None else new
        if size > shard.published_size or not 0 < old <= size:
            raise BadRequest(
                f"Sizes must hold 0 < from ≤ to ≤ {shard.published_size}, the published size of {year}."
            )
        prover = Prover(Rows(session, year), size)
        hashes = await prover.consistency(old)
    encoded = [base64.b64encode(hash_).decode() for hash_ in hashes]
    return Consistency(shard=year, from_size=old, to_size=size, hashes=encoded)


async def known_shard(state: State, year: int) -> None:
    """Makes sure that the log has a shard of that year.

    Raises:
        NoSuchShard: it has not.
    """
    async with state.database.session() as session:
        if (await repository.shard(session, year)).published_at is None:
            raise NoSuchShard(f"Nothing is published in shard {year} yet.")
