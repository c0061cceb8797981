"""Searches over 10,000 and 100,000 transcripts: pages opened, policy-filtered and logged, one at a time.

Starts its own servers (PostgreSQL, SeaweedFS, Tansu, access) and loads a tenant's calls and their index in
bulk (`search_corpus.py`). Only the transcripts that can be asked for lie in the store: those of the newest
candidates of each question. Then readers of three kinds ask for rare phrases, for some in one call of a
hundred, and for one that a quarter of all calls hold, several pages of each, over HTTP; every answer is
checked. Prints one JSON line; exits 1 when the 95th hundredth, of all or of the frequent one, is too long.

    python bench/search.py [TRANSCRIPTS…]
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).parent))
import search_corpus as corpus
from search_corpus import FREQUENT, Spoken, hashed_chunk, hashes_of, spoken, transcript_of

import access_service
import servers
from access_audit import run
from access_calls import manifest_of, started_of
from otokura.access.search.entries import Properties, entries_of, probe_of
from otokura.access.search.hashes import IndexKey
from otokura.access.search.text import fold
from otokura.shared.cipher import encrypt
from otokura.shared.ids import uuid7
from otokura.shared.keys import KeyContext, Kind, associated_data, commitment, derive, new_dek
from otokura.shared.manifest import StoredObject

BARS_MS = {10_000: 200.0, 100_000: 500.0}
ROUNDS = 12
PAGES = 3
LIMIT = 20
STORED = 400
"""Candidates of a question that lie in the store, newest first: more than its pages open."""
CHUNK = 1000
QUALITY = frozenset({"quality"})
TABLES = ("calls", "call_keys", "transcripts", "search_index", "search_keys", "search_jobs")


@dataclass
class Bench:
    """A tenant with so many transcripts."""

    access: access_service.Access
    tenant: access_service.Tenant
    count: int
    key: IndexKey = field(init=False)

    async def load(self) -> None:
        """Calls, keys, transcripts and the index, by COPY; then the index over the hashes, as it is there."""
        url = self.access.database_url.replace("+asyncpg", "")
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(f"TRUNCATE {', '.join(TABLES)}")
            await connection.execute("DROP INDEX ix_search_index_hashes")
            await self._key(connection)
            rows = list(range(self.count))
            for start in range(0, self.count, CHUNK):
                await self._copy(connection, [spoken(n) for n in rows[start : start + CHUNK]])
            await self._index(connection)
            await connection.execute("SET maintenance_work_mem = '512MB'")
            await connection.execute(
                "CREATE INDEX ix_search_index_hashes ON search_index USING gin (hashes) WITH (fastupdate=off)"
            )
            await connection.execute("VACUUM ANALYZE")
        finally:
            await connection.close()

    async def _key(self, connection: Any) -> None:
        key_id, secret = uuid7(), new_dek()
        wrapped = await self.access.keys.wrap(secret, KeyContext(self.tenant.id, key_id))
        self.key = IndexKey(self.tenant.id, key_id, secret)
        await connection.execute(
            "INSERT INTO search_keys VALUES ($1, $2, $3, $4, now())",
            self.tenant.id, key_id, wrapped.kek_id, wrapped.wrapped,
        )  # fmt: skip

    async def _copy(self, connection: Any, calls: list[Spoken]) -> None:
        keys, tenant = self.access.keys, self.tenant.id
        wrapped = [await keys.wrap(call.dek, KeyContext(tenant, call.call_id)) for call in calls]
        commitments = [commitment(call.dek, call.call_id) for call in calls]
        call_rows = [_call_row(tenant, call, secret) for call, secret in zip(calls, commitments, strict=True)]
        await _insert(connection, "calls", call_rows)
        await _insert(connection, "call_keys", [
            {"call_id": call.call_id, "tenant_id": tenant, "version": 1, "kek_id": key.kek_id,
             "wrapped": key.wrapped, "commitment": secret}
            for call, key, secret in zip(calls, wrapped, commitments, strict=True)
        ])  # fmt: skip
        await _insert(connection, "transcripts", [
            {"call_id": call.call_id, "tenant_id": tenant, "version": 1, "failed_version": -1,
             "event": json.dumps(_event(tenant, call, b"")), "completed_at": call.started_at}
            for call in calls
        ])  # fmt: skip

    async def _index(self, connection: Any) -> None:
        chunks = [range(n, min(n + CHUNK, self.count)) for n in range(0, self.count, CHUNK)]
        with ProcessPoolExecutor(2) as pool:
            for made in pool.map(hashed_chunk, [self.key] * len(chunks), chunks):
                calls = [(spoken(number), hashes) for number, hashes in made]
                await _insert(connection, "search_index", [
                    {"call_id": call.call_id, "tenant_id": self.tenant.id, "version": 1,
                     "started_at": call.started_at, "agent_id": call.agent_id, "hashes": hashes}
                    for call, hashes in calls
                ])  # fmt: skip
        for number in range(20):
            call = spoken(number)
            said = entries_of(self.key, transcript_of(call), Properties(call.language, QUALITY))
            if said != hashes_of(self.key, call):
                raise SystemExit("the corpus is not indexed as access would index it")

    async def candidates(self, phrase: str, limit: int) -> tuple[int, list[UUID]]:
        """How many a phrase has, and the newest of them."""
        probe = probe_of(self.key, fold(phrase), Properties(purposes=QUALITY))
        found = "FROM search_index WHERE hashes @> $1::int[] OR hashes @> $2::int[]"
        connection = await asyncpg.connect(self.access.database_url.replace("+asyncpg", ""))
        try:
            count = await connection.fetchval(f"SELECT count(*) {found}", probe.redacted, probe.raw)
            rows = await connection.fetch(
                f"SELECT call_id {found} ORDER BY started_at DESC, call_id DESC LIMIT {limit}",
                probe.redacted, probe.raw,
            )  # fmt: skip
        finally:
            await connection.close()
        return int(count), [row["call_id"] for row in rows]

    async def store(self, call_ids: set[UUID]) -> None:
        """Puts the transcripts of these calls into the store, and says in their rows what lies there."""
        connection = await asyncpg.connect(self.access.database_url.replace("+asyncpg", ""))
        at_once = asyncio.Semaphore(16)
        async with self.access.store() as store:

            async def put(call: Spoken) -> tuple[str, UUID]:
                text = transcript_of(call).model_dump_json().encode()
                binding = associated_data(self.tenant.id, call.call_id, Kind.TRANSCRIPT, version=1)
                sealed = encrypt(derive(call.dek, Kind.TRANSCRIPT, call.call_id), text, binding)
                about = _event(self.tenant.id, call, text)
                async with at_once:
                    await store.put(about["bucket"], about["object"], sealed)
                return json.dumps(about), call.call_id

            rows = await asyncio.gather(*(put(spoken(one.int - corpus.BASE)) for one in call_ids))
        try:
            await connection.executemany("UPDATE transcripts SET event = $1 WHERE call_id = $2", rows)
        finally:
            await connection.close()

    async def sizes(self) -> dict[str, float]:
        """Of the index, in MB."""
        connection = await asyncpg.connect(self.access.database_url.replace("+asyncpg", ""))
        try:
            gin = await connection.fetchval("SELECT pg_relation_size('ix_search_index_hashes')")
            table = await connection.fetchval("SELECT pg_table_size('search_index')")
            held = await connection.fetchval("SELECT avg(cardinality(hashes)) FROM search_index")
        finally:
            await connection.close()
        return {"gin_mb": round(gin / 1e6, 1), "table_mb": round(table / 1e6, 1), "hashes": round(held)}


async def _insert(connection: Any, table: str, rows: list[dict[str, Any]]) -> None:
    records = [tuple(row.values()) for row in rows]
    await connection.copy_records_to_table(table, records=records, columns=list(rows[0]))


def _call_row(tenant_id: UUID, call: Spoken, secret: str) -> dict[str, Any]:
    started = started_of(
        call.call_id, tenant_id, agent_id=call.agent_id, started_at=call.started_at, language=call.language
    )
    stored = StoredObject(
        bucket="recordings",
        name="none",
        media_type="audio/flac",
        plaintext_bytes=1,
        plaintext_sha256="0" * 64,
    )
    manifest = manifest_of(started, stored, secret)
    plain = started.model_dump(mode="json")
    return {
        "call_id": call.call_id, "tenant_id": tenant_id, "started_version": 1, "ended_version": 2,
        "settled_version": 4, "sealed_version": 4, "external_id": started.external_id,
        "direction": plain["direction"], "agent_id": call.agent_id, "channels": json.dumps(plain["channels"]),
        "notice": json.dumps(plain["notice"]), "purposes": started.purposes, "language": call.language,
        "started_at": call.started_at, "ended_at": call.started_at, "outcome": "sealed",
        "manifest": manifest.model_dump_json(), "manifest_sha256": "0" * 64,
    }  # fmt: skip


def _event(tenant_id: UUID, call: Spoken, text: bytes) -> dict[str, Any]:
    return {
        "version": 1, "bucket": "transcripts", "object": f"transcripts/{tenant_id}/{call.call_id}/1",
        "language": call.language, "turns": len(call.sentences), "words": 1, "characters": 1,
        "duration_ms": 1, "plaintext_bytes": len(text), "plaintext_sha256": sha256(text).hexdigest(),
        "engine": "bench", "model": "rules", "completed_at": call.started_at.isoformat(),
    }  # fmt: skip


def asked(client: httpx.Client, phrase: str, times: list[float]) -> None:
    """Up to `PAGES` pages of a phrase; each must show the phrase in every call on it."""
    body: dict[str, Any] = {"phrase": phrase, "purpose": "quality", "limit": LIMIT}
    for _ in range(PAGES):
        began = time.perf_counter()
        response = client.post("/v1/search", json=body)
        times.append(1000 * (time.perf_counter() - began))
        if response.status_code != 200:
            raise SystemExit(f"a search was answered {response.status_code}: {response.text[:200]}")
        page = response.json()
        shown = [mark["text"] for item in page["items"] for mark in item["highlights"]]
        if page["unreadable"] or not all(fold(phrase) in fold(text) for text in shown):
            raise SystemExit(f"a page of {phrase!r} is not what was asked for")
        if page["next_cursor"] is None:
            return
        body["cursor"] = page["next_cursor"]


def measure(bench: Bench) -> dict[str, Any]:
    """Loads, asks, and says how long the answers took."""
    began = time.perf_counter()
    run(bench.load())
    counts, stored = {}, set[UUID]()
    for phrase in corpus.PLANTED:
        counts[phrase], newest = run(bench.candidates(phrase, STORED))
        stored |= set(newest)
    run(bench.store(stored))
    loaded = time.perf_counter() - began
    people = [bench.tenant.person("supervisor"), bench.tenant.person("analyst")]
    people.append(bench.tenant.person("supervisor", team="tokyo"))
    clients = [bench.access.client(one.token) for one in people]
    times: dict[str, list[float]] = {phrase: [] for phrase in corpus.PLANTED}
    for number in range(ROUNDS + 1):
        for client in clients:
            for phrase, some in times.items():
                asked(client, phrase, some if number else [])
    every = [one for some in times.values() for one in some]
    return {
        "transcripts": bench.count,
        "requests": len(every),
        **percentiles(every),
        "phrases": {
            phrase: {"candidates": counts[phrase], **percentiles(some)} for phrase, some in times.items()
        },
        **run(bench.sizes()),
        "loaded_s": round(loaded),
    }


def percentiles(times: list[float]) -> dict[str, float]:
    """In milliseconds."""
    hundredths = statistics.quantiles(times, n=100)
    return {"p50_ms": round(hundredths[49], 1), "p95_ms": round(hundredths[94], 1)}


def teams(tenant: access_service.Tenant) -> None:
    """The agents, half of them of one team."""
    for number in range(corpus.AGENTS):
        team = ("tokyo", "osaka")[number % 2]
        tenant.person("agent", agent_ids=[f"agent-{number}"], team=team)


def main() -> int:
    """Starts everything, measures each size, prints."""
    sizes = [int(text) for text in sys.argv[1:]] or list(BARS_MS)
    results: list[dict[str, Any]] = []
    with (
        servers.postgres() as postgres,
        servers.s3() as store,
        servers.kafka(lasting=True) as broker,
        access_service.running(postgres, store, access_service.kafka_of(broker)) as access,
    ):
        for size in sizes:
            tenant = access.tenant()
            teams(tenant)
            results.append(measure(Bench(access, tenant, size)))
    over = [
        one for one in results
        if max(one["p95_ms"], one["phrases"][FREQUENT]["p95_ms"]) >= BARS_MS.get(one["transcripts"], 500.0)
    ]  # fmt: skip
    print(json.dumps({"bench": "search", "limit": LIMIT, "sizes": results, "bars_ms": BARS_MS},
                     ensure_ascii=False))  # fmt: skip
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
