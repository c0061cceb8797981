"""Where segments go, and what is on its way there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from otokura.ingest.accepting import NewPiece, accept
from otokura.ingest.objects import discard, put_segment, segment_name
from otokura.ingest.repository import Claim, renew
from otokura.ingest.spool import Label, Spool
from otokura.shared.database import Database
from otokura.shared.errors import Unavailable
from otokura.shared.logs import get_logger
from otokura.shared.objects import ObjectStore

log = get_logger(__name__)


@dataclass
class Item:
    """Something on its way. `sealed` is empty for a gap, an end, and what lies in the spool."""

    label: Label
    sealed: bytes
    cut_at: float
    spooled: bool = False
    stored: bool = False

    @property
    def object_name(self) -> str | None:
        """The object that this is to become; a gap becomes none."""
        label = self.label
        if label.ends or label.gap is not None:
            return None
        return segment_name(label.tenant_id, label.call_id, label.epoch, label.seq)


@dataclass(frozen=True)
class Outlet:
    """Where segments go. `ended` is set when a call begins to wait for sealing."""

    database: Database
    store: ObjectStore
    bucket: str
    spool: Spool
    lease_seconds: float
    ended: asyncio.Event

    @property
    def lease(self) -> timedelta:
        """How long a dead process's calls wait."""
        return timedelta(seconds=self.lease_seconds)

    async def store_object(self, item: Item) -> None:
        """Bring an item's audio to the store.

        Raises:
            Unavailable: the store is away.
        """
        if item.object_name is None or item.stored:
            return
        try:
            sealed = await self.spool.read(item.label) if item.spooled else item.sealed
        except FileNotFoundError:
            # Somebody took it from the disk: the timeline goes on, and tells what is missing.
            log.exception("spool.lost", call_id=str(item.label.call_id), seq=item.label.seq)
            item.label = item.label.model_copy(update={"gap": "lost", "absent": []})
            return
        await put_segment(self.store, self.bucket, item.object_name, sealed)
        item.stored = True

    async def accept(self, item: Item, claim: Claim, gate: int) -> None:
        """Write an item's row, and with it accept its audio.

        Raises:
            OtokuraError: as `accepting.accept`.
        """
        label = item.label
        piece = NewPiece(
            label.seq,
            label.start_sample,
            label.samples,
            label.rate,
            gate,
            label.encoding,
            item.object_name,
            label.gap,
            tuple(label.absent),
            label.drift,
        )
        async with self.database.reading() as connection:
            await accept(connection, claim, piece, self.lease)

    async def forget(self, item: Item) -> None:
        """Take away what an item left in the spool."""
        if item.spooled:
            await self.spool.remove(item.label)

    async def discard(self, item: Item) -> None:
        """Take away everything of an item that was refused."""
        await self.forget(item)
        if item.stored and item.object_name is not None:
            await discard(self.store, self.bucket, item.object_name)

    async def renew(self, claim: Claim) -> None:
        """Keep the claim while nothing can be accepted under it."""
        try:
            async with self.database.session() as session:
                await renew(session, claim, self.lease)
        except Unavailable:
            log.warning("lease.not-renewed", call_id=str(claim.call_id))
