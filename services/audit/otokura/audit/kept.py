"""Which version of an immutable object was written first: readers get that, whatever is put over it later.

Object Lock keeps a version from being deleted. It keeps nobody who may write to the bucket from putting a
newer version, or a delete marker, over it; whoever reads without saying which version would get those.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.audit.models import KeptObject
from otokura.shared.database import Database

_CACHED = 1 << 16


async def remember(session: AsyncSession, year: int, versions: Mapping[str, str]) -> None:
    """Notes the version, by path, of objects of a shard; what is noted is never replaced."""
    if versions:
        rows = [{"shard": year, "path": path, "version_id": version} for path, version in versions.items()]
        await (await session.connection()).execute(upsert(KeptObject).on_conflict_do_nothing(), rows)


class Kept:
    """The versions as readers need them; what was found once is kept in memory, for it never changes.

    Args:
        database: the service's own.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[tuple[int, str], str] = {}

    async def version(self, year: int, path: str) -> str | None:
        """The version id of an immutable object; None when none is noted, as in a bucket without versions."""
        known = self._known.get((year, path))
        if known is not None:
            return known
        wanted = select(KeptObject.version_id).where(KeptObject.shard == year, KeptObject.path == path)
        async with self._database.session() as session:
            found = (await session.exec(wanted)).first()
        if found is not None:
            if len(self._known) >= _CACHED:
                self._known.clear()
            self._known[year, path] = found
        return found
