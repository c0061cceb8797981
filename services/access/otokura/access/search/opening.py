"""Opens the transcript of a call, for the index or for a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otokura.shared.events import TranscriptCompleted
from otokura.shared.keys import KeyContext, KeyProvider, KeyUse, WrappedDek, check_commitment


def announced_of(row: Mapping[str, Any]) -> TranscriptCompleted:
    """What transcribe said of the newest transcript of the call in a row."""
    ids = {"call_id": row["call_id"], "tenant_id": row["tenant_id"]}
    return TranscriptCompleted.model_validate({**row["transcript"], **ids})


async def unwrap(keys: KeyProvider, row: Mapping[str, Any], use: KeyUse, reference: str) -> bytes:
    """The call's DEK, after its commitment is checked.

    Args:
        keys: the key provider.
        row: of a call that has a recording and a key.
        use: what the key is wanted for.
        reference: what justifies it.

    Raises:
        IntegrityError: the wrapped key was changed, or is not the one to which the manifest commits.
        NotFound: the key-encryption key is destroyed.
        Unavailable: the key provider cannot be reached.
    """
    context = KeyContext(row["tenant_id"], row["call_id"])
    dek = await keys.unwrap(WrappedDek(row["kek_id"], row["wrapped"]), context, use, reference)
    check_commitment(dek, row["call_id"], row["manifest"]["key_commitment"])
    return dek
