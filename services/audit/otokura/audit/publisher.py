"""Publishing: what PostgreSQL committed, repeated as C2SP tiles, bundles and a signed checkpoint.

The files are a function of committed rows, so it does not matter who writes them, or how often. The
checkpoint comes last, is signed only after the rows are committed and checked against everything signed
before, and replaces exactly the checkpoint that was read: an appender that slept too long fails there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.audit import repository, sequencer
from otokura.audit.checks import check_tree
from otokura.audit.errors import StaleAppender
from otokura.audit.instruments import ALERTS, PUBLICATION_SECONDS, UNPUBLISHED
from otokura.audit.kept import remember
from otokura.audit.models import Shard
from otokura.audit.notes import Signer
from otokura.audit.openings import is_receipt_of_first, receipt_of_first
from otokura.audit.proofs import Prover
from otokura.audit.rows import Rows
from otokura.audit.shelf import OPENING, Shelf
from otokura.audit.tiles import TILE_WIDTH, Tile, tiles_between
from otokura.shared.audit_entries import Action
from otokura.shared.audit_events import AuditAlerted, CheckpointPublished
from otokura.shared.database import Database
from otokura.shared.errors import IntegrityError, Unavailable
from otokura.shared.logs import get_logger
from otokura.shared.outbox import publish

PUBLISHER_LOCK = 0x6F746F6B_75726110
"""Advisory lock key: "otokura" and 16. It only spares replicas double work; safety does not rest on it."""
MAX_STEP = 1 << 14
"""Entries that one checkpoint adds at most, so that a backlog is published in steps of seconds."""
_IDLE_SECONDS = 1.0
_RETRY_SECONDS = 2.0
_REST_SECONDS = 0.05
"""Between two steps of a backlog, which do not wait for the interval."""
_PARALLEL = 8

log = get_logger(__name__)


def _unpublished(shard: Shard) -> bool:
    """Whether something is sequenced that is not published, or not even the empty log is."""
    return shard.published_size < shard.size or shard.published_at is None


class Publisher:
    """Publishes whatever is committed and not published.

    Args:
        database: the service's own.
        shelf: the bucket.
        signer: the signer of a shard, by year.
        interval: seconds between two checkpoints, at least.
    """

    def __init__(
        self, database: Database, shelf: Shelf, signer: Callable[[int], Signer], interval: float
    ) -> None:
        self._database = database
        self._shelf = shelf
        self._signer = signer
        self._interval = interval
        self._wake = asyncio.Event()
        self._distrusted: dict[int, str] = {}
        self._year = 0
        self._opened: set[int] = set()

    def wake(self) -> None:
        """There is something new."""
        self._wake.set()

    async def check(self) -> None:
        """Readiness.

        Raises:
            IntegrityError: the log contradicts what was signed; nothing more is signed until it does not.
        """
        if self._distrusted:
            told = (f"{year}: {why}" for year, why in sorted(self._distrusted.items()))
            raise IntegrityError(" ".join(told))

    async def run(self) -> None:
        """Publishes for ever; the database and the store may come and go."""
        loop = asyncio.get_running_loop()
        while True:
            next_at = loop.time() + self._interval
            try:
                await self._shelf.open()
                await self.open_year(datetime.now(UTC).year)
                more = await self.publish_all()
            except (Unavailable, SQLAlchemyError) as error:
                log.warning("publication postponed", error=error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                await asyncio.sleep(_REST_SECONDS if more else next_at - loop.time())
                if not more:
                    await self._pause()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(_IDLE_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return  # another replica may have sequenced something; looking costs one query
        finally:
            self._wake.clear()

    async def open_year(self, year: int) -> None:
        """Makes the log of a year when it begins, so that readers tell "empty" from "away"."""
        if self._year < year:
            async with self._database.session() as session:
                await sequencer.open_shard(session, year)
            self._year = year

    async def publish_all(self) -> bool:
        """One step of every shard that has something new; whether there is more to do."""
        more = False
        async with self._database.session() as session:
            await sequencer.hold_at_most(session)
            won = text("SELECT pg_try_advisory_xact_lock(:key)").bindparams(key=PUBLISHER_LOCK)
            if not await (await session.connection()).scalar(won):
                return False
            shards = [shard for shard in await repository.shards(session) if _unpublished(shard)]
            UNPUBLISHED.set(sum(shard.size - shard.published_size for shard in shards))
            # What another replica has published meanwhile contradicts nothing any more.
            for year in self._distrusted.keys() - {shard.shard for shard in shards}:
                del self._distrusted[year]
            for shard in shards:
                more |= await self._try(session, shard)
        return more

    async def _try(self, session: AsyncSession, shard: Shard) -> bool:
        try:
            with PUBLICATION_SECONDS.time():
                left = await self.publish(session, shard.shard)
        except StaleAppender:
            log.info("publication overtaken", shard=shard.shard)
            return True
        except IntegrityError as error:
            await self._distrust(shard, error)
            return False
        self._distrusted.pop(shard.shard, None)
        return left > 0

    async def publish(self, session: AsyncSession, year: int) -> int:
        """Publishes one step of a shard; how many entries are left to publish.

        Args:
            session: reads rows; nothing is written through it.
            year: the shard.

        Raises:
            IntegrityError: rows, signed state and bucket contradict each other; nothing was signed.
            StaleAppender: another publisher was faster.
        """
        signer = self._signer(year)
        # The bucket first: what is signed is in the database before it can be in the bucket.
        published = await self._shelf.checkpoint(year, signer)
        if published is None:
            await self._recognise(session, year)
        shard = await repository.shard(session, year)
        size = min(shard.size, max(shard.published_size + MAX_STEP, shard.signed_size))
        rows = Rows(session, year)
        await rows.read_ahead(shard.published_size // TILE_WIDTH * TILE_WIDTH, size)
        root = await check_tree(shard, published, Prover(rows, size))
        tiles = list(tiles_between(shard.published_size, size))
        kept: dict[str, str] = {}
        for at in range(0, len(tiles), _PARALLEL):
            kept |= await self._put_tiles(rows, year, tiles[at : at + _PARALLEL])
        await self._record_signed(shard, size, root, kept)
        note = signer.sign(size, root)
        await self._shelf.put_checkpoint(year, note, published, signer)
        # Before it counts as published: whoever goes on after a crash does what is left once more.
        await self._put_opening(session, shard, Prover(rows, size), note)
        await self._shelf.clean(year, shard.published_size, size)
        await self._record_published(year, size, signer.origin, note)
        return shard.size - size

    async def _recognise(self, session: AsyncSession, year: int) -> None:
        """Before a shard's first checkpoint: that of the shard before is signed by a key of the log's."""
        before = await repository.year_before(session, year)
        if before is not None:
            await self._shelf.checkpoint(before, self._signer(before))

    async def _put_tiles(self, rows: Rows, year: int, tiles: list[Tile]) -> dict[str, str]:
        """Puts them; the versions of those that are full, by path."""
        encoded = [(tile, await rows.encoded(tile)) for tile in tiles]
        versions = await asyncio.gather(*(self._shelf.put_tile(year, tile, data) for tile, data in encoded))
        return {tile.path(): version for tile, version in zip(tiles, versions, strict=True) if version}

    async def _record_signed(self, shard: Shard, size: int, root: bytes, kept: Mapping[str, str]) -> None:
        """Before the signature exists, so that no later process can sign anything that contradicts it."""
        async with self._database.session() as session:
            await sequencer.hold_at_most(session)
            if not await repository.record_signed(session, shard.shard, shard.signed_size, size, root):
                raise StaleAppender
            await remember(session, shard.shard, kept)

    async def _record_published(self, year: int, size: int, origin: str, note: str) -> None:
        async with self._database.session() as session:
            await sequencer.hold_at_most(session)
            if await repository.record_published(session, year, size):
                await publish(session, CheckpointPublished(origin=origin, size=size, checkpoint=note))

    async def _put_opening(self, session: AsyncSession, shard: Shard, prover: Prover, note: str) -> None:
        """Publishes the first entry of a shard once, with its proof: it names the tree of the year before."""
        if prover.size == 0 or shard.shard in self._opened:
            return
        first = await repository.entry_at(session, shard.shard, 0)
        if first.action == Action.SHARD_OPENED:
            path = await prover.inclusion(0)
            signer = self._signer(shard.shard)
            receipt = receipt_of_first(first, path, signer.origin, note)
            ours = partial(is_receipt_of_first, first, signer)
            version = await self._shelf.put_opening(shard.shard, receipt, ours)
            async with self._database.session() as writing:
                await remember(writing, shard.shard, {OPENING: version} if version else {})
        self._opened.add(shard.shard)

    async def _distrust(self, shard: Shard, error: IntegrityError) -> None:
        self._distrusted[shard.shard] = error.detail
        source = f"log/{shard.shard}"
        now = datetime.now(UTC)
        alert = AuditAlerted(kind="integrity", source=source, detail={"reason": error.detail}, at=now)
        async with self._database.session() as session:
            raised = await repository.raise_alert(session, alert, error.detail)
        if raised:
            ALERTS.labels(alert.kind).inc()
            log.critical("the log contradicts itself; nothing more is signed", shard=shard.shard, error=error)
