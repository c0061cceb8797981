"""Proofs: assembled from committed rows, checked against the signed checkpoint before they leave."""

from __future__ import annotations

import asyncio
import base64
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.audit import repository
from otokura.audit.checks import Published
from otokura.audit.errors import NoSuchEntry, NoSuchShard, NotPublishedYet
from otokura.audit.merkle import climb, leaf_hash
from otokura.audit.models import Entry
from otokura.audit.proofs import Prover, proof_text
from otokura.audit.rows import Rows
from otokura.audit.state import State
from otokura.audit.views import Consistency, Receipt, encoded_salt, opened
from otokura.shared.errors import BadRequest, IntegrityError

_LOOKS = 20
_LOOK_SECONDS = 0.1


async def receipt(state: State, tenant_id: UUID | None, entry_id: UUID) -> Receipt:
    """The receipt of a tenant's entry, against the newest checkpoint.

    Raises:
        NoSuchEntry: the tenant has none of that id.
        NotPublishedYet: no checkpoint covered it within two seconds.
    """
    async with state.database.session() as session:
        entry = await repository.entry(session, tenant_id, entry_id)
    if entry is None:
        raise NoSuchEntry("There is no entry of that id in your tenant's log.")
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
    )


async def _covering(state: State, entry: Entry) -> Published:
    """A checkpoint that covers the entry: what witnesses cosigned, or else the newest, once it does."""
    signer = state.signer(entry.shard)
    if state.settings.witnesses_file is not None:
        cosigned = await state.shelf.cosigned(entry.shard, signer)
        if cosigned is not None and cosigned.checkpoint.size > entry.index:
            return cosigned
    for _ in range(_LOOKS):
        published = await state.shelf.checkpoint(entry.shard, signer)
        if published is not None and published.checkpoint.size > entry.index:
            return published
        await asyncio.sleep(_LOOK_SECONDS)
    raise NotPublishedYet("The entry is sequenced, and its checkpoint is on the way; ask again in a second.")


async def _inclusion(session: AsyncSession, entry: Entry, published: Published) -> list[bytes]:
    size, root = published.checkpoint.size, published.checkpoint.root
    path = await Prover(Rows(session, entry.shard), size).inclusion(entry.index)
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
