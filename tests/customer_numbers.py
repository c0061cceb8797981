"""The numbers of calls, as ingest would have sealed them."""

from __future__ import annotations

import json

from access_audit import run
from access_calls import Call
from access_service import Access
from otokura.shared.cipher import encrypt
from otokura.shared.keys import KeyContext, KeyUse, Kind, WrappedDek, associated_data, derive


def number_of(access: Access, call: Call, number: str) -> None:
    """The caller's number, as ingest would have sent it."""
    [key] = access.query("SELECT * FROM call_keys WHERE call_id = :id", id=call.id)

    async def sealed() -> bytes:
        context = KeyContext(call.manifest.tenant_id, call.id)
        wrapped = WrappedDek(key.kek_id, key.wrapped)
        dek = await access.keys.unwrap(wrapped, context, KeyUse.READ, "test")
        binding = associated_data(call.manifest.tenant_id, call.id, Kind.EVENT)
        numbers = json.dumps({"caller": number, "callee": "+81120000000"}).encode()
        return encrypt(derive(dek, Kind.EVENT, call.id), numbers, binding)

    change = "UPDATE calls SET personal = :personal WHERE call_id = :id"
    access.query(change, personal=run(sealed()), id=call.id)
