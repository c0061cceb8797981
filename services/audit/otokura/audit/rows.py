"""The tree's hashes and entries as PostgreSQL holds them: what tiles and proofs are made from."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.audit.merkle import leaf_hash
from otokura.audit.models import Entry, TileNode
from otokura.audit.tiles import Tile, encode_bundle
from otokura.shared.errors import IntegrityError


class Rows:
    """One shard's rows, read in a session's transaction.

    Level 0 is hashed from the leaves each time: one truth, so that an altered row cannot go unnoticed.
    """

    def __init__(self, session: AsyncSession, shard: int) -> None:
        self._session = session
        self._shard = shard

    async def tile(self, tile: Tile) -> Sequence[bytes]:
        """The tile's hashes."""
        if tile.level == 0:
            return [leaf_hash(leaf) for leaf in await self.leaves(tile)]
        found = await self._session.exec(
            select(TileNode.hash)
            .where(TileNode.shard == self._shard, TileNode.level == tile.level)
            .where(TileNode.index >= tile.start, TileNode.index < tile.stop)
            .order_by(col(TileNode.index))
        )
        return self._complete(tile, found.all())

    async def leaves(self, tile: Tile) -> Sequence[bytes]:
        """The leaves under a tile of level 0, or of a bundle."""
        found = await self._session.exec(
            select(Entry.leaf)
            .where(Entry.shard == self._shard, Entry.index >= tile.start, Entry.index < tile.stop)
            .order_by(col(Entry.index))
        )
        return self._complete(tile, found.all())

    async def encoded(self, tile: Tile) -> bytes:
        """The tile's or bundle's bytes as they are published."""
        if tile.level is None:
            return encode_bundle(await self.leaves(tile))
        return b"".join(await self.tile(tile))

    def _complete(self, tile: Tile, found: Sequence[bytes]) -> Sequence[bytes]:
        if len(found) != tile.width:
            raise IntegrityError(
                f"The database holds {len(found)} of {tile.width} rows of {tile.path()}, shard {self._shard}."
            )
        return found
