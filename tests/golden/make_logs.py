"""Golden logs: what the log of these entries, under this key, is at every size that matters, byte by byte.

`logs.json` holds for each size the checkpoint and the SHA-256 of every file; the logs of the sizes in `WHOLE`
stand beside it in full, for whoever wants to try a verifier of their own on them. Key, salts and entries are
fixed, and Ed25519 is deterministic, so that the same code gives the same bytes for ever.

    PYTHONPATH=tests python tests/golden/make_logs.py     writes all anew; a difference in git is a break
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from otokura.audit.leaves import prepare
from otokura.audit.merkle import HASH_BYTES, TILE_HEIGHT, Frontier, leaf_hash
from otokura.audit.notes import Signer
from otokura.audit.tiles import Tile, encode_bundle, tiles_between
from otokura.shared.audit_entries import canonical
from otokura.shared.audit_events import AuditRecorded

HERE = Path(__file__).parent
SIZES = (0, 1, 255, 256, 257, 65_535, 65_536, 65_537, 70_000)
"""Nothing, one, and each side of a full tile of level 0 and of level 1; and the size of the C2SP example."""
WHOLE = (0, 1, 257)
ORIGIN = "golden.example/log/2026"
SIGNER = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"golden log").digest()))

_SOURCE = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"golden source").digest())
_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


def _uuid(kind: int, number: int) -> UUID:
    """A UUIDv7 of a number: the same one each time."""
    return UUID(int=(0x0190_0000_0000_7000_8000 << 48) | (kind << 40) | number)


def entry(index: int) -> AuditRecorded:
    """Entry `index` of the golden log."""
    event = AuditRecorded(
        entry_id=_uuid(1, index),
        source=f"access/{_uuid(2, 0)}",
        seq=index + 1,
        time=_BEGINNING + timedelta(milliseconds=index),
        tenant_id=_uuid(3, index % 3),
        action="read.opened",
        reader=f"reader-{index % 7}",
        call_id=_uuid(4, index // 5),
        detail={"purpose": "品質管理", "range": [index, index + 1]},
        signature=base64.b64encode(b"unsigned"),
    )
    return event.model_copy(update={"signature": _SOURCE.sign(canonical(event))})


@cache
def leaves() -> Sequence[bytes]:
    """The leaves of the largest golden log; a smaller one holds the first of them."""
    return [prepare(entry(index), partial(_salt, index)).leaf for index in range(SIZES[-1])]


def _salt(index: int, length: int) -> bytes:
    return hashlib.sha256(b"salt %d" % index).digest()[:length]


def files(size: int) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each file of the log of `size` entries, made as the service makes them."""
    frontier = Frontier()
    levels: list[list[bytes]] = [[]]
    for leaf in leaves()[:size]:
        levels[0].append(leaf_hash(leaf))
        for node, hash_ in frontier.append(levels[0][-1]):
            level = node.height // TILE_HEIGHT
            levels.extend([] for _ in range(level - len(levels) + 1))
            levels[level].append(hash_)
    for tile in tiles_between(0, size):
        yield tile.path(), _tile(tile, levels)
    yield "checkpoint", SIGNER.sign(size, frontier.root()).encode()


def _tile(tile: Tile, levels: Sequence[Sequence[bytes]]) -> bytes:
    if tile.level is None:
        return encode_bundle(leaves()[tile.start : tile.stop])
    data = b"".join(levels[tile.level][tile.start : tile.stop])
    if len(data) != tile.width * HASH_BYTES:
        raise ValueError(f"{tile.path()} is not filled")
    return data


def describe(size: int) -> dict[str, Any]:
    """What `logs.json` says of the log of `size`: small enough to be kept, and says where a byte differs."""
    made = dict(files(size))
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(made.items())}
    note = made["checkpoint"].decode()
    full = {
        name: digest for name, digest in digests.items() if name.startswith("tile/") and ".p/" not in name
    }
    listing = "".join(f"{digest}  {name}\n" for name, digest in full.items())
    return {
        "size": size,
        "root": base64.b64decode(note.split("\n")[2]).hex(),
        "checkpoint": note,
        "full_tiles": len(full),
        "full_tiles_sha256": hashlib.sha256(listing.encode()).hexdigest(),
        "other_files": {name: digest for name, digest in digests.items() if name not in full},
    }


def write() -> None:
    """Writes `logs.json` and the whole logs."""
    described = {"vkey": SIGNER.vkey, "logs": [describe(size) for size in SIZES]}
    HERE.joinpath("logs.json").write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n")
    for size in WHOLE:
        folder = HERE / f"log-{size}"
        shutil.rmtree(folder, ignore_errors=True)
        put(folder, size)


def put(folder: Path, size: int) -> Path:
    """Writes the log of `size` into a folder, as it is served."""
    for name, data in files(size):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder


if __name__ == "__main__":
    write()
