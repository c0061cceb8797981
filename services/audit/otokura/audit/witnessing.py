"""Asking witnesses to cosign each checkpoint, beside publishing: no witness can hold a publication up.

What was cosigned is put twice: into `<year>/checkpoint`, if that still is this tree, and into
`<year>/cosigned`, the newest tree that a quorum has cosigned, for a log that grows faster than they answer.
A witness that saw another tree of this log than ours, or a larger one, is evidence of a fork: an alert.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import httpx
from sqlalchemy.exc import SQLAlchemyError

from otokura.audit import repository
from otokura.audit.checks import Published
from otokura.audit.errors import StaleAppender
from otokura.audit.instruments import ALERTS, UNWITNESSED, WITNESS_ANSWERS
from otokura.audit.notes import Signer
from otokura.audit.proofs import Prover
from otokura.audit.rows import Rows
from otokura.audit.shelf import Shelf
from otokura.audit.witnesses import Witness, add_lines, log_note, submission
from otokura.shared.audit_events import AuditAlerted, CheckpointPublished
from otokura.shared.database import Database
from otokura.shared.errors import IntegrityError, Unavailable
from otokura.shared.logs import get_logger
from otokura.shared.outbox import publish

_ROUNDS = 4
"""Requests to one witness for one checkpoint: what it has seen is learnt from its first answer."""
_MAX_ANSWER_BYTES = 1 << 16
_SIZE_DIGITS = 19
_LONGEST_PAUSE = 60.0

log = get_logger(__name__)


@dataclass(frozen=True)
class Patience:
    """How often and how long.

    Attributes:
        interval: seconds between two rounds.
        answer: seconds that a witness may take for one answer.
        silence: how long a witness may fail to cosign before somebody is told.
    """

    interval: float
    answer: float
    silence: timedelta


class Conflict(Exception):  # noqa: N818 - an outcome, told
    """A witness has seen something that our log contradicts."""

    def __init__(self, reason: str, size: int) -> None:
        self.reason = reason
        self.size = size
        super().__init__(reason)


class Witnessing:
    """Has checkpoints cosigned.

    Args:
        database: the service's own.
        shelf: the bucket.
        signer: the signer of a shard, by year.
        witnesses: whom to ask.
        quorum: how many of them make a tree worth being put into `<year>/cosigned`.
        patience: how often and how long.
    """

    def __init__(
        self,
        database: Database,
        shelf: Shelf,
        signer: Callable[[int], Signer],
        witnesses: Sequence[Witness],
        quorum: int,
        patience: Patience,
    ) -> None:
        self._database = database
        self._shelf = shelf
        self._signer = signer
        self._witnesses = witnesses
        self._quorum = quorum
        self._patience = patience
        self._seen: dict[tuple[str, int], int] = {}
        self._failing: dict[str, datetime] = {}
        self._pauses: dict[str, tuple[float, float]] = {}

    async def run(self) -> None:
        """Asks for ever; the database, the store and the witnesses may come and go."""
        async with httpx.AsyncClient(timeout=self._patience.answer) as client:
            while True:
                try:
                    await self.ask_all(client)
                except (Unavailable, SQLAlchemyError, IntegrityError) as error:
                    log.warning("cosigning postponed", error=error)
                await asyncio.sleep(self._patience.interval)

    async def ask_all(self, client: httpx.AsyncClient) -> None:
        """One round: every shard whose newest tree some witness has not cosigned."""
        async with self._database.session() as session:
            years = [shard.shard for shard in await repository.shards(session) if shard.published_size]
        unwitnessed = 0
        for year in years:
            unwitnessed += await self._ask_about(client, year)
        UNWITNESSED.set(unwitnessed)

    async def _ask_about(self, client: httpx.AsyncClient, year: int) -> int:
        """Has the newest tree of a shard cosigned; how many entries no tree of a quorum's covers.

        Who is asked is read off the note itself: a cosignature that was given, and did not get there, is
        asked for again.
        """
        published = await self._shelf.checkpoint(year, self._signer(year))
        if published is None:
            return 0
        now = asyncio.get_running_loop().time()
        waiting = [
            each
            for each in self._witnesses
            if self._pauses.get(each.name, (0, 0))[0] <= now
            and not each.good_lines(published.note, published.checkpoint)
        ]
        if waiting:
            answers = await asyncio.gather(*(self._try(client, each, year, published) for each in waiting))
            lines = [line for answer in answers for line in answer]
            if lines:
                await self._publish(year, published, lines)
        cosigned = await self._shelf.cosigned(year, self._signer(year))
        return max(0, published.checkpoint.size - (0 if cosigned is None else cosigned.checkpoint.size))

    async def _try(
        self, client: httpx.AsyncClient, witness: Witness, year: int, published: Published
    ) -> list[str]:
        """The witness's cosignatures; none when it gave none, which is told where it matters."""
        try:
            async with asyncio.timeout(_ROUNDS * self._patience.answer):
                lines = await self._ask(client, witness, year, published)
        except Conflict as conflict:
            WITNESS_ANSWERS.labels(witness.name, "conflict").inc()
            detail = {"witness": witness.name, "reason": conflict.reason, "size": conflict.size}
            key = f"{witness.name}/{conflict.size}"
            await self._alert(AuditAlerted(kind="witness-conflict", source=f"log/{year}", detail=detail,
                                           at=datetime.now(UTC)), key)  # fmt: skip
            return []
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            return await self._failed(witness, type(error).__name__)
        if isinstance(lines, str):
            return await self._failed(witness, lines)
        WITNESS_ANSWERS.labels(witness.name, "cosigned").inc()
        self._failing.pop(witness.name, None)
        self._pauses.pop(witness.name, None)
        self._seen[witness.name, year] = published.checkpoint.size
        return lines

    async def _ask(
        self, client: httpx.AsyncClient, witness: Witness, year: int, published: Published
    ) -> list[str] | str:
        """Its cosignatures, or in a word why it gave none.

        Raises:
            Conflict: it has seen what our log contradicts.
        """
        size = published.checkpoint.size
        note = log_note(published.note, published.checkpoint)
        old = min(self._seen.get((witness.name, year), 0), size)
        for _ in range(_ROUNDS):
            proof = await self._proof(year, old, size)
            status, answer = await _post(client, witness, submission(old, proof, note))
            if status == HTTPStatus.OK:
                return witness.good_lines(answer, published.checkpoint) or "answered without its cosignature"
            if status == HTTPStatus.UNPROCESSABLE_ENTITY:
                raise Conflict(f"the tree of {size} does not continue the one of {old} that it saw", old)
            told = answer.strip()
            if status != HTTPStatus.CONFLICT or not told.isdecimal() or len(told) > _SIZE_DIGITS:
                return f"answered {status}"
            seen = int(told)
            if seen == old:
                raise Conflict(f"it saw another tree of {seen}", seen)
            if seen > size:
                await self._explain(year, seen)
                return "has seen more"
            old = seen
        return "does not say what it has seen"

    async def _explain(self, year: int, seen: int) -> None:
        """Another process may have published more meanwhile; a tree that nobody signed is a fork."""
        async with self._database.session() as session:
            signed = (await repository.shard(session, year)).signed_size
        if seen > signed:
            raise Conflict(f"it saw a tree of {seen}, and we have signed none larger than {signed}", seen)

    async def _proof(self, year: int, old: int, size: int) -> list[bytes]:
        if old in (0, size):
            return []
        async with self._database.session() as session:
            return await Prover(Rows(session, year), size).consistency(old)

    async def _publish(self, year: int, published: Published, lines: Sequence[str]) -> None:
        """The cosigned note, on Kafka and where readers look for it.

        On Kafka first: what is not in the bucket after a crash is asked for, and so told, again.
        """
        signer, checkpoint = self._signer(year), published.checkpoint
        note = add_lines(published.note, lines, self._witnesses, checkpoint)
        enough = sum(bool(each.good_lines(note, checkpoint)) for each in self._witnesses) >= self._quorum
        if enough:
            told = CheckpointPublished(origin=signer.origin, size=checkpoint.size, checkpoint=note)
            async with self._database.session() as session:
                await publish(session, told)
        try:
            before = await self._shelf.cosigned(year, signer)
            if enough and (before is None or before.checkpoint.size <= checkpoint.size):
                await self._shelf.replace_note(f"{year}/cosigned", note, before)
            await self._shelf.replace_note(f"{year}/checkpoint", note, published)
        except StaleAppender:
            log.debug("a newer checkpoint is there already", shard=year, size=checkpoint.size)

    async def _failed(self, witness: Witness, reason: str) -> list[str]:
        """Counts, and tells once of a witness that has not cosigned for long."""
        WITNESS_ANSWERS.labels(witness.name, "failed").inc()
        now = datetime.now(UTC)
        since = self._failing.setdefault(witness.name, now)
        # The longer it fails, the less often it is asked: the others' answers must not wait for its.
        pause = min(_LONGEST_PAUSE, 2 * self._pauses.get(witness.name, (0, self._patience.interval / 2))[1])
        self._pauses[witness.name] = (asyncio.get_running_loop().time() + pause, pause)
        log.info("a witness did not cosign", witness=witness.name, reason=reason)
        if now - since >= self._patience.silence:
            detail = {"witness": witness.name, "reason": reason, "since": since.isoformat()}
            alert = AuditAlerted(kind="witness-silent", source="log", detail=detail, at=now)
            await self._alert(alert, f"{witness.name}/{since.isoformat()}")
        return []

    async def _alert(self, alert: AuditAlerted, key: str) -> None:
        async with self._database.session() as session:
            raised = await repository.raise_alert(session, alert, key)
        if raised:
            ALERTS.labels(alert.kind).inc()
            log.error("a witness of the log is to be looked at", kind=alert.kind, **alert.detail)


async def _post(client: httpx.AsyncClient, witness: Witness, body: str) -> tuple[int, str]:
    """The status, and the answer as far as one could be interesting."""
    read = bytearray()
    headers = {"Content-Type": "text/plain; charset=utf-8", "Accept-Encoding": "identity"}
    url = f"{witness.url}/add-checkpoint"
    async with client.stream("POST", url, content=body.encode(), headers=headers) as response:
        async for chunk in response.aiter_raw():
            read += chunk
            if len(read) > _MAX_ANSWER_BYTES:
                break
    return response.status_code, read[:_MAX_ANSWER_BYTES].decode(errors="replace")
