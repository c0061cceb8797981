"""The cursor of a call's history holds the trees of all years for which a call can be kept."""

from __future__ import annotations

import base64
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from otokura.audit.custody import LONGEST_CURSOR, MOST_YEARS, CustodyCursor


def test_it_fits_a_query_with_the_most_years() -> None:
    call_id, key = UUID(int=1), Ed25519PrivateKey.generate()
    root = base64.b64encode(bytes(32)).decode()
    trees = {2026 + year: {"size": (1 << 63) - 1, "root": root} for year in range(MOST_YEARS)}
    cursor = CustodyCursor.model_validate({"shard": 2026, "index": (1 << 63) - 1, "trees": trees})
    text = cursor.sealed(key, call_id).encode()
    assert len(text) <= LONGEST_CURSOR
    again = CustodyCursor.decode(text)
    assert again is not None
    again.check(key, call_id)
    assert len(again.trees) == MOST_YEARS
