"""The public log is what C2SP tlog-tiles says: headers, paths, bytes; foreign tools read and verify it."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tlog_scales.backend import HttpBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tiles import leaf_hash as foreign_leaf_hash

import servers
from audit_fixtures import Log
from audit_logs import Scribe, prepared_entries, record
from audit_service import ORIGIN, AuditService
from otokura.cli.local.seaweedfs import SeaweedServer
from otokura.cli.verify import open_checkpoint, parse_vkey, verify_log, verify_receipt
from otokura.shared.database import Database
from otokura.shared.objects import ObjectStore

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]

FSCK = "github.com/transparency-dev/tessera/cmd/fsck@v1.0.4"
ENTRIES = 600


@pytest.fixture(scope="module")
def filled(audit: AuditService) -> AuditService:
    """The service with 600 entries of one source published."""

    async def fill() -> None:
        scribe = Scribe("access", audit.source_key)
        await audit.send(
            *(record(scribe.entry()) for _ in range(ENTRIES)), record(scribe.heartbeat(closed=True))
        )
        await audit.published(ENTRIES)

    asyncio.run(fill())
    return audit


@pytest.fixture
async def anybody(filled: AuditService) -> AsyncIterator[httpx.AsyncClient]:
    """A client without any credential."""
    async with httpx.AsyncClient(base_url=filled.log_url) as client:
        yield client


async def test_the_checkpoint_is_text_that_is_soon_stale(
    filled: AuditService, anybody: httpx.AsyncClient
) -> None:
    response = await anybody.get("/checkpoint")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["cache-control"] == "public, max-age=1"
    assert open_checkpoint(response.text, parse_vkey(filled.vkey)).size >= ENTRIES


@pytest.mark.parametrize("path", ["tile/0/000", "tile/0/001", "tile/entries/000", "tile/0/000.p/17"])
async def test_tiles_are_bytes_that_never_change(anybody: httpx.AsyncClient, path: str) -> None:
    response = await anybody.get(f"/{path}")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "content-encoding" not in response.headers
    if "/0/" in path:
        assert len(response.content) == 32 * (17 if ".p/" in path else 256)


async def test_a_partial_tile_is_the_beginning_of_its_full_one(anybody: httpx.AsyncClient) -> None:
    for kind in ("0", "entries"):
        full = (await anybody.get(f"/tile/{kind}/001")).content
        partial = (await anybody.get(f"/tile/{kind}/001.p/9")).content
        assert partial
        assert full.startswith(partial)


@pytest.mark.parametrize(
    "path",
    ["tile/0/999", "tile/9/000", "tile/0/00", "tile/0/x000/000", "tile/0/000.p/256", "tile/entries/900.p/3",
     "tile/0/..%2Fcheckpoint", "tile/0/000/../../../2026/checkpoint", "tiles", "tile/", "checkpoints/2026"],
)  # fmt: skip
async def test_what_is_no_tile_is_not_found(anybody: httpx.AsyncClient, path: str) -> None:
    response = await anybody.get(f"/{path}")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


async def test_the_key_and_the_list_of_logs(filled: AuditService, anybody: httpx.AsyncClient) -> None:
    assert (await anybody.get("/key")).text == filled.vkey + "\n"
    body = (await anybody.get(f"{filled.url}/log")).json()
    (item,) = body["items"]
    assert (item["shard"], item["key"]) == (filled.year, filled.vkey)
    assert item["size"] >= ENTRIES


@pytest.mark.guarantee("L19")
async def test_the_first_entry_is_public_and_proves_itself(
    filled: AuditService, anybody: httpx.AsyncClient
) -> None:
    response = await anybody.get("/opening")
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    verified = verify_receipt(response.json(), filled.vkey, source_keys=filled.source_keys())
    assert verified.index == 0
    assert verified.entry is not None
    assert (verified.entry["action"], verified.entry["tenant_id"]) == ("shard.opened", None)
    assert verified.entry["detail"] == {"origin": f"{ORIGIN}/{filled.year}", "previous": None}


@pytest.mark.parametrize("path", ["2001/checkpoint", "2001/key", "2001/tile/0/000", "2001/opening"])
async def test_a_year_without_a_log_is_not_found(filled: AuditService, path: str) -> None:
    async with httpx.AsyncClient(base_url=filled.url) as client:
        assert (await client.get(f"/log/{path}")).status_code == 404
        assert (await client.get("/log/1/checkpoint")).status_code == 422


async def test_nothing_private_is_public(anybody: httpx.AsyncClient) -> None:
    bundle = (await anybody.get("/tile/entries/000")).content
    assert b"commitment" in bundle
    for word in (b"yamada", b"read.opened", b"purpose", b"reader"):
        assert word not in bundle


def test_tlog_scales_reads_and_proves_it_over_http(filled: AuditService) -> None:
    reader = TilesReader(HttpBackend(filled.log_url))
    checkpoint = reader.get_checkpoint()
    checkpoint.verify(Vkey.from_string(filled.vkey))
    assert reader.calculate_root_hash() == checkpoint.root_hash
    for index in (0, 255, 256, checkpoint.size - 1):
        leaf = foreign_leaf_hash(reader.get_entry(index))
        reader.get_inclusion_proof(index, checkpoint.size).check(leaf, checkpoint.root_hash)


@pytest.mark.slow
@pytest.mark.parametrize("honest", [True, False])
def test_the_fsck_of_tessera_verifies_it(filled: AuditService, tmp_path: Path, honest: bool) -> None:
    """The transparency-dev project's own checker, in Go: a root rebuilt from bundles, every tile compared."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed: tessera's fsck did not check the log")
    key = tmp_path / "log.vkey"
    key.write_text(filled.vkey if honest else filled.vkey.replace(str(filled.year), "1999"))
    argv = [go, "run", FSCK, f"--storage_url={filled.log_url}/", f"--public_key={key}", "--ui=false"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    if "dial tcp" in done.stderr and "proxy" in done.stderr:
        pytest.skip("The Go module proxy cannot be reached: tessera's fsck did not check the log")
    assert (done.returncode == 0) is honest, done.stderr[-2000:]


async def test_our_own_verifier_agrees(filled: AuditService) -> None:
    report = verify_log(filled.log_url, filled.vkey)
    assert report.ok, report.findings
    assert report.entries >= ENTRIES


async def test_the_services_own_identity_at_the_store_suffices(
    database: Database, s3_server: SeaweedServer
) -> None:
    """Publishing, locking and clearing away partial tiles, with the rights that a deployment gives."""
    where = servers.object_store_settings(s3_server, "audit")
    store = ObjectStore(where.endpoint, where.access_key, where.secret_key)
    log = Log(database, store, "audit-log")
    try:
        for count in (10, 300):
            await log.append(prepared_entries(Scribe(), count), 2099)
            await log.publish()
        assert await log.alerts() == []
        names = set(await log.names("2099/tile/", versions=True))
    finally:
        await store.close()
    assert "2099/tile/0/000" in names
    assert not any(name.startswith("2099/tile/0/000.p/") for name in names)
