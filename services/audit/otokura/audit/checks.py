"""What must hold before a tree is signed. A log that signs twice differently is worth nothing."""

from __future__ import annotations

from dataclasses import dataclass

from otokura.audit.models import Shard
from otokura.audit.notes import Checkpoint
from otokura.audit.proofs import Prover
from otokura.audit.sequencer import frontier_of
from otokura.shared.errors import IntegrityError


@dataclass(frozen=True, slots=True)
class Published:
    """The checkpoint in the bucket, as a signed note too, and the ETag of exactly that object."""

    checkpoint: Checkpoint
    note: str
    etag: str


async def check_tree(shard: Shard, published: Published | None, prover: Prover) -> bytes:
    """Checks the tree that is about to be signed against everything that was signed before.

    Args:
        shard: the tree's state in the database.
        published: the newest checkpoint in the bucket.
        prover: the rows, at the size to be signed.

    Returns:
        The root to sign.

    Raises:
        IntegrityError: it is smaller than, or not a continuation of, a tree that was signed.
    """
    root = await prover.root()
    if prover.size == shard.size and frontier_of(shard).root() != root:
        raise IntegrityError(f"The rows of shard {shard.shard} do not give the root of its state.")
    if shard.signed_root is not None:
        await _check_prefix(shard, prover, shard.signed_size, shard.signed_root, "that was signed")
    if published is not None:
        checkpoint = published.checkpoint
        if checkpoint.size > shard.signed_size:
            raise IntegrityError(
                f"The database knows of {shard.signed_size} signed entries of shard {shard.shard}, "
                f"the bucket's checkpoint of {checkpoint.size}: the database is older than the log."
            )
        await _check_prefix(shard, prover, checkpoint.size, checkpoint.root, "in the bucket")
    return root


async def _check_prefix(shard: Shard, prover: Prover, size: int, root: bytes, which: str) -> None:
    if size > prover.size or await prover.root(size) != root:
        raise IntegrityError(
            f"The {prover.size} entries of shard {shard.shard} do not continue the checkpoint "
            f"of {size} {which}."
        )
