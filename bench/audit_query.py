"""What auditors ask, of a log of many entries: each question through its HTTP route, as it is asked.

Starts its own servers: PostgreSQL, SeaweedFS, a broker, and the audit service as it is run. The log is filled
with COPY, entries that are real (salted, committed to, each opened and checked before it is shown) but not
signed by their sources and not in tiles: the questions need neither. Who did what is spread as a company's
log is: few tenants have most of it, few readers and calls are asked for often. Each question is asked of
other readers, calls, feeds and vendors each time, a third of the times within a month, a third from the
middle of the answer on. Prints one JSON line; exits 1 above the limit. Sizes: ENTRIES, ASKED.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import servers
from audit_service import AuditService
from otokura.audit.api import EntryCursor
from otokura.audit.leaves import commit
from otokura.shared.canonical_json import canonical_json
from otokura.shared.ids import uuid7

ENTRIES = int(os.environ.get("ENTRIES", "10000000"))
ASKED = int(os.environ.get("ASKED", "150"))
LIMIT_MS = 50.0
CHUNK = 50_000
WRITERS = 2
TENANTS, READERS, FEEDS, VENDORS = 20, 200, 10, 5
CALL_ENTRIES = 25
"""Entries of one call, on average."""
SPAN = timedelta(days=300)
COLUMNS = (
    "shard", "index", "entry_id", "source", "seq", "time", "tenant_id", "action", "reader", "call_id",
    "leaf", "salt", "recorded",
)  # fmt: skip
ACTIONS = {
    "read.opened": 30, "read.closed": 30, "calls.searched": 8, "transcripts.searched": 4,
    "disclosure.opened": 5, "disclosure.closed": 5, "recording.sealed": 5, "call.settled": 0.2,
    "recording.transcribed": 5, "token.issued": 5, "read.denied": 1.5, "login.refused": 0.5,
    "zone.changed": 0.02, "hold.set": 0.03, "settings.changed": 0.01, "entries.listed": 0.7,
}  # fmt: skip
OF_A_CALL = {"read.opened", "read.closed", "disclosure.opened", "disclosure.closed", "read.denied"} | {
    "recording.sealed", "recording.transcribed", "call.settled", "hold.set",
}  # fmt: skip


@dataclass
class Tenant:
    """One company, and its share of the log."""

    tenant_id: UUID
    readers: list[str]
    calls: list[UUID]
    feeds: list[UUID] = field(default_factory=lambda: [uuid7() for _ in range(FEEDS)])
    vendors: list[UUID] = field(default_factory=lambda: [uuid7() for _ in range(VENDORS)])


class Company:
    """Makes entries."""

    def __init__(self, year: int, tenants: Sequence[UUID]) -> None:
        self._dice = random.Random(6)
        self.year = year
        self.end = datetime.now(UTC)
        self.tenants = [self._tenant(rank, tenant_id) for rank, tenant_id in enumerate(tenants)]
        self._shares = [1 / (rank + 1) for rank in range(TENANTS)]
        self._source = f"access/{uuid7()}"

    def throw(self, dice: int) -> None:
        """Goes on with other dice: each writer has its own."""
        self._dice = random.Random(dice)

    @staticmethod
    def _tenant(rank: int, tenant_id: UUID) -> Tenant:
        share = 1 / (rank + 1) / sum(1 / (each + 1) for each in range(TENANTS))
        calls = max(1, int(ENTRIES * share / CALL_ENTRIES))
        return Tenant(tenant_id, [str(uuid7()) for _ in range(READERS)], [uuid7() for _ in range(calls)])

    def rows(self, start: int, count: int) -> Iterator[tuple[Any, ...]]:
        """Entries from an index on, as COPY takes them."""
        owners = self._dice.choices(self.tenants, self._shares, k=count)
        actions = self._dice.choices(list(ACTIONS), list(ACTIONS.values()), k=count)
        for at, (tenant, action) in enumerate(zip(owners, actions, strict=True), start=start):
            yield self._row(at, tenant, action)

    def _row(self, index: int, tenant: Tenant, action: str) -> tuple[Any, ...]:
        moment = self.end - SPAN * (1 - index / ENTRIES)
        text = moment.isoformat().replace("+00:00", "Z")
        call_id = pick(self._dice, tenant.calls) if action in OF_A_CALL else None
        entry_id, salt = uuid7(), self._dice.randbytes(16)
        members = {
            "entry_id": str(entry_id),
            "source": self._source,
            "seq": index + 1,
            "time": text,
            "tenant_id": str(tenant.tenant_id),
            "action": action,
            "reader": self._reader(tenant, action),
            "call_id": None if call_id is None else str(call_id),
            "detail": DETAIL,
            "signature": "A" * 88,
        }
        recorded = canonical_json(members)
        about = {name: members[name] for name in ("source", "seq", "time")}
        leaf = canonical_json({"v": 1, **about, "commitment": commit(salt, recorded)})
        who = (tenant.tenant_id, action, members["reader"], call_id)
        return self.year, index, entry_id, self._source, index + 1, moment, *who, leaf, salt, recorded

    def _reader(self, tenant: Tenant, action: str) -> str | None:
        if action.startswith("disclosure."):
            return f"feed/{pick(self._dice, tenant.feeds)}"
        if action in {"recording.sealed", "call.settled"}:
            return str(pick(self._dice, tenant.vendors))
        return None if action == "recording.transcribed" else pick(self._dice, tenant.readers)


DETAIL: dict[str, Any] = {
    "action": "listen", "purpose": "quality", "reason": "お客様からのお問い合わせの確認",
    "address": "192.0.2.10",
    "roles": ["supervisor"], "zones": ["office"], "policies": ["supervisors-listen-to-their-team"],
    "policy_version": "0" * 64, "manifest_sha256": "1" * 64, "range": {"start": 0, "stop": 65_536},
}  # fmt: skip


def pick(dice: random.Random, among: Sequence[Any]) -> Any:
    """One of them; the first far more often than the last."""
    return among[min(int(len(among) * dice.paretovariate(1.2) / 50), len(among) - 1)]


def fill(url: str, company: Company) -> float:
    """Fills the log; seconds. Indexes come when the rows are there: kept up row by row they cost most."""
    began = time.perf_counter()
    plain = url.replace("+asyncpg", "")
    indexes = asyncio.run(without_indexes(plain))
    with ProcessPoolExecutor(WRITERS, mp_context=multiprocessing.get_context("spawn")) as pool:
        for written in [pool.submit(write, plain, company, writer) for writer in range(WRITERS)]:
            written.result()
    asyncio.run(with_indexes(plain, indexes))
    return time.perf_counter() - began


async def without_indexes(url: str) -> list[str]:
    """Drops what can be made again, which is no constraint; the statements that make it."""
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetch(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'entries' AND indexname NOT IN"
            " (SELECT conname FROM pg_constraint WHERE conrelid = 'entries'::regclass)"
        )
        for name, _ in found:
            await connection.execute(f'DROP INDEX "{name}"')
        return [definition for _, definition in found]
    finally:
        await connection.close()


async def with_indexes(url: str, definitions: Sequence[str]) -> None:
    """Makes them, then fresh statistics and a visibility map, as autovacuum leaves them."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET maintenance_work_mem = '1GB'")
        for definition in definitions:
            await connection.execute(definition)
        await connection.execute("VACUUM ANALYZE entries")
    finally:
        await connection.close()


def write(url: str, company: Company, writer: int) -> None:
    """Writes this writer's part of the rows."""
    company.throw(writer)
    asyncio.run(copy(url, company, range(writer * CHUNK, ENTRIES, WRITERS * CHUNK)))


async def copy(url: str, company: Company, starts: Sequence[int]) -> None:
    """Copies the rows from each of these indexes on."""
    connection = await asyncpg.connect(url)
    try:
        for start in starts:
            rows = list(company.rows(start, min(CHUNK, ENTRIES - start)))
            await connection.copy_records_to_table("entries", records=rows, columns=COLUMNS)
    finally:
        await connection.close()


def questions(dice: random.Random, tenant: Tenant) -> dict[str, dict[str, str]]:
    """Each question once, about somebody."""
    return {
        "who-heard": {"call_id": str(pick(dice, tenant.calls))},
        "what-read": {"reader": pick(dice, tenant.readers)},
        "denials": {},
        "changes": {},
        "vendor-deliveries": {"vendor": str(pick(dice, tenant.vendors))},
        "feed-deliveries": {"feed": str(pick(dice, tenant.feeds))},
    }


def bounds(dice: random.Random, company: Company, turn: int) -> dict[str, str]:
    """Of the whole, within a month, or as a page from somewhere in the middle."""
    moment = company.end - SPAN * dice.random()
    if turn % 3 == 0:
        return {}
    if turn % 3 == 1:
        return {"from": moment.isoformat(), "to": (moment + timedelta(days=30)).isoformat()}
    return {"cursor": EntryCursor(time=moment, shard=company.year, index=0).encode()}


async def ask(audit: AuditService, company: Company) -> dict[str, list[float]]:
    """Milliseconds by question."""
    dice = random.Random(7)
    taken: dict[str, list[float]] = {}
    for tenant in (company.tenants[0], company.tenants[4], company.tenants[-1]):
        async with audit.client(tenant.tenant_id) as client:
            for turn in range(-3, ASKED // 3):
                for name, about in questions(dice, tenant).items():
                    params = about | bounds(dice, company, turn)
                    began = time.perf_counter()
                    answer = await client.get(f"/v1/questions/{name}", params=params)
                    spent = (time.perf_counter() - began) * 1000
                    if answer.status_code != 200:
                        raise SystemExit(f"{name}: {answer.status_code} {answer.text}")
                    if turn >= 0:
                        taken.setdefault(name, []).append(spent)
    return taken


def measure() -> dict[str, Any]:
    """Fills a log and asks; by question, milliseconds."""
    with ExitStack() as held:
        postgres = held.enter_context(servers.postgres(lasting=True))
        store, broker = held.enter_context(servers.s3()), held.enter_context(servers.kafka())
        folder = held.enter_context(servers.scratch_folder("bench"))
        url = asyncio.run(postgres.create_database("bench", "bench"))
        kafka: dict[str, object] = {
            "kafka_bootstrap": broker.bootstrap,
            "kafka_idempotence": broker.idempotence,
            "kafka_replication": 1,
            "kafka_min_insync": 1,
            "kafka_partitions": 1,
            "development": True,
        }
        where = servers.object_store_settings(store, "test")
        audit = AuditService(folder, url, where, kafka, "log-bench")
        asyncio.run(audit.prepare())
        tenants = [asyncio.run(audit.add_tenant()) for _ in range(TENANTS)]
        # Of last year: what the service itself writes while it is asked goes into this year's log.
        company = Company(audit.year - 1, tenants)
        seconds = fill(url, company)
        audit.start()
        held.callback(audit.program.kill)
        taken = asyncio.run(ask(audit, company))
    hundredths = {name: statistics.quantiles(each, n=100) for name, each in taken.items()}
    return {
        "entries": ENTRIES,
        "filled_per_s": round(ENTRIES / seconds),
        "asked": min(len(each) for each in taken.values()),
        "p50_ms": {name: round(each[49], 1) for name, each in hundredths.items()},
        "p95_ms": {name: round(each[94], 1) for name, each in hundredths.items()},
    }


def main() -> int:
    """Measures, prints, judges."""
    result = measure()
    met = max(result["p95_ms"].values()) < LIMIT_MS
    print(json.dumps({"bench": "audit-query", "met": met, "limit_ms": LIMIT_MS, **result}))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
