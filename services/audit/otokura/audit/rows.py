"""The tree's hashes and entries as PostgreSQL holds them: what tiles and proofs are made from."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

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
        self._ahead: Sequence[bytes] = ()
        self._ahead_from = 0

    async def read_ahead(self, start: int, stop: int) -> None:
        """Reads the leaves [start, stop) at once: bundles and tiles of level 0 are then made from these.

        They stay in memory as long as this object. Where a row is missing they are read tile by tile, which
        tells where.
        """
        found = (await self._session.exec(self._leaves_between(start, stop))).all()
        self._ahead, self._ahead_from = found if len(found) == stop - start else (), start

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
        if self._ahead_from <= tile.start and tile.stop <= self._ahead_from + len(self._ahead):
            return self._ahead[tile.start - self._ahead_from : tile.stop - self._ahead_from]
        found = await self._session.exec(self._leaves_between(tile.start, tile.stop))
        return self._complete(tile, found.all())

    def _leaves_between(self, start: int, stop: int) -> SelectOfScalar[bytes]:
        return (
            select(Entry.leaf)
            .where(Entry.shard == self._shard, Entry.index >= start, Entry.index < stop)
            .order_by(col(Entry.index))
        )

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
