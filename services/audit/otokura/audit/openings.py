"""The first entry of each shard: it names the tree in which the shard before was left.

A year that is dropped, cut short or rewritten is then noticed by whoever has the next one: the entry is
signed by this service, its leaf is in every tree of the new log, and it is public, for it says nothing of
anybody.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from otokura.audit.leaves import Prepared, prepare
from otokura.audit.merkle import Frontier
from otokura.audit.models import Entry
from otokura.audit.notes import Signer
from otokura.audit.proofs import proof_text
from otokura.audit.views import Receipt, encoded_salt, opened
from otokura.shared.audit_entries import Action, canonical
from otokura.shared.audit_events import AuditRecorded
from otokura.shared.ids import uuid7

Left: TypeAlias = tuple[int, Frontier]
"""The year of a shard, and the tree in which it was left."""
Opening: TypeAlias = Callable[[int, Left | None], Prepared]
"""Makes the first entry of the shard of a year; None for what came before the first."""


def opener(origin: str, key: Ed25519PrivateKey) -> Opening:
    """Makes first entries.

    Args:
        origin: the logs' name without the year.
        key: with which this service signs its entries.
    """

    def opening(year: int, before: Left | None) -> Prepared:
        previous: dict[str, Any] | None = None
        if before is not None:
            left, tree = before
            root = base64.b64encode(tree.root()).decode()
            previous = {"origin": f"{origin}/{left}", "size": tree.size, "root": root}
        # A source of its own, of one entry: it is sequenced without a broker, and nobody waits for more.
        unsigned = AuditRecorded(
            entry_id=uuid7(),
            source=f"audit/{uuid7()}",
            seq=1,
            time=datetime.now(UTC),
            tenant_id=None,
            action=Action.SHARD_OPENED,
            reader=None,
            call_id=None,
            detail={"origin": f"{origin}/{year}", "previous": previous},
            signature=base64.b64encode(b"unsigned"),
        )
        return prepare(unsigned.model_copy(update={"signature": key.sign(canonical(unsigned))}))

    return opening


def receipt_of_first(entry: Entry, path: Sequence[bytes], origin: str, note: str) -> bytes:
    """The receipt of a shard's first entry, as it is published: JSON, which `otokura verify` reads.

    Args:
        entry: the first.
        path: its proof in the tree of `note`.
        origin: the shard's.
        note: a checkpoint.
    """
    leaf, recorded = opened(entry)
    proof = proof_text(entry.index, path, note)
    receipt = Receipt(
        origin=origin,
        shard=entry.shard,
        index=entry.index,
        leaf=leaf,
        entry=recorded,
        salt=encoded_salt(entry),
        proof=proof,
    )
    return receipt.model_dump_json().encode()


def is_receipt_of_first(entry: Entry, signer: Signer, data: bytes) -> bool:
    """Whether this is a receipt of the entry, in whichever of the log's trees."""
    try:
        receipt = Receipt.model_validate_json(data)
    except ValidationError:
        return False
    _, _, note = receipt.proof.partition("\n\n")
    same = (receipt.leaf, receipt.entry) == opened(entry) and receipt.salt == encoded_salt(entry)
    return same and signer.signed(note.encode())
