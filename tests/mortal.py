"""A process that dies, or stands still, at one of its writes: the store and the database that it has."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.shared.database import Database
from otokura.shared.objects import ObjectInfo, ObjectStore

T = TypeVar("T")


class Killed(BaseException):
    """As `kill -9`: nothing that handles errors handles this."""


@dataclass
class Life:
    """Counts the writes of a process; something befalls it at one of them.

    Attributes:
        at: the number of that write, from 0; None for a process that is spared.
        before: happens just before it.
        after: happens just after it took effect.
        writes: what was written, in order: an object's name, or what else it was.
        checkpoints: those that this process put into the bucket, as a witness would have seen them.
    """

    at: int | None = None
    before: Callable[[], Awaitable[None]] | None = None
    after: Callable[[], Awaitable[None]] | None = None
    writes: list[str] = field(default_factory=list[str])
    checkpoints: list[str] = field(default_factory=list[str])
    _dead: bool = False

    async def die(self) -> None:
        """Something that can befall it."""
        self._dead = True
        raise Killed

    async def write(self, what: str, do: Callable[[], Awaitable[T]]) -> T:
        """One write."""
        self.breathe()
        here = len(self.writes) == self.at
        self.writes.append(what)
        if here and self.before:
            await self.before()
        done = await do()
        if here and self.after:
            await self.after()
        return done

    def breathe(self) -> None:
        """The dead do nothing more."""
        if self._dead:
            raise Killed


class MortalStore(ObjectStore):
    """The store of such a process: every object put or removed is a write."""

    life: Life

    async def put(self, bucket: str, name: str, data: bytes, **options: Any) -> ObjectInfo:
        async def do() -> ObjectInfo:
            info = await super(MortalStore, self).put(bucket, name, data, **options)
            if name.endswith("/checkpoint"):
                self.life.checkpoints.append(data.decode())
            return info

        return await self.life.write(f"put {name}", do)

    async def delete(self, bucket: str, name: str, *, version_id: str | None = None) -> None:
        gone = super().delete
        await self.life.write(f"delete {name}", lambda: gone(bucket, name, version_id=version_id))


class MortalDatabase(Database):
    """The database of such a process: every transaction that it commits is a write."""

    life: Life

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[AsyncSession, None]:
        self.life.breathe()
        async with self._sessions() as session:
            yield session
            await self.life.write("commit", session.commit)
