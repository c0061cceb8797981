"""The log's arithmetic alone: what sequencer and publisher compute for each entry, without any I/O."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence

from otokura.audit.handlers import MAX_BATCH
from otokura.audit.merkle import Frontier, leaf_hash
from otokura.audit.publisher import MAX_STEP
from otokura.audit.tiles import encode_bundle, tiles_between
from otokura.shared.canonical_json import canonical_json
from otokura.shared.ids import uuid7


def leaves(count: int) -> list[bytes]:
    """Leaves as long as real ones."""
    source = f"access/{uuid7()}"
    return [
        canonical_json(
            {
                "v": 1,
                "source": source,
                "seq": number + 1,
                "time": "2026-05-01T09:00:00.123456Z",
                "commitment": hashlib.sha256(number.to_bytes(8, "big")).hexdigest(),
            }
        )
        for number in range(count)
    ]


def tile_entries_per_second(count: int) -> float:
    """Entries a second through hashing, the tree's edge, tiles and bundles, in the log's own steps."""
    entries = leaves(count)
    began = time.perf_counter()
    frontier = Frontier()
    nodes: list[bytes] = []
    for at in range(0, count, MAX_BATCH):
        hashes = [leaf_hash(leaf) for leaf in entries[at : at + MAX_BATCH]]
        nodes += [hash_ for _, hash_ in frontier.extend(hashes)]
    size = sum(len(_publish(entries, at, min(at + MAX_STEP, count))) for at in range(0, count, MAX_STEP))
    taken = time.perf_counter() - began
    if not (frontier.root() and nodes and size > sum(map(len, entries))):
        raise AssertionError("nothing was computed")
    return count / taken


def _publish(entries: Sequence[bytes], old: int, new: int) -> bytes:
    """The new bundles and tiles of level 0; those above are one hash in 256."""
    parts: list[bytes] = []
    for tile in tiles_between(old, new):
        if tile.level is None:
            parts.append(encode_bundle(entries[tile.start : tile.stop]))
        elif tile.level == 0:
            parts += [leaf_hash(leaf) for leaf in entries[tile.start : tile.stop]]
    return b"".join(parts)
