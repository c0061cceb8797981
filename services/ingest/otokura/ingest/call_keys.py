"""The keys of calls, as ingest uses them: made at the start, opened again only while the call is unsealed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID

from otokura.ingest.models import Call
from otokura.shared.cipher import encrypt
from otokura.shared.keys import (
    KeyContext,
    KeyProvider,
    KeyUse,
    Kind,
    WrappedDek,
    associated_data,
    check_commitment,
    commitment,
    derive,
    new_dek,
)


@dataclass(frozen=True, repr=False)
class CallKey:
    """A call's DEK, and what is derived from it. Never shown."""

    tenant_id: UUID
    call_id: UUID
    dek: bytes

    def commitment(self) -> str:
        """What the manifest commits to, lower-case hex."""
        return commitment(self.dek, self.call_id)

    def of(self, kind: Kind) -> bytes:
        """The 32-byte key for one kind of content."""
        return derive(self.dek, kind, self.call_id)

    def segment_binding(self, seq: int, epoch: int) -> bytes:
        """Associated data of a segment: its place, and the claim under which it was written."""
        return associated_data(self.tenant_id, self.call_id, Kind.SEGMENT, sequence=seq, version=epoch)

    def binding(self, kind: Kind) -> bytes:
        """Associated data of what a call has once: its recording, its personal fields."""
        return associated_data(self.tenant_id, self.call_id, kind)

    def seal_numbers(self, caller: str | None, callee: str | None) -> bytes | None:
        """The telephone numbers as ciphertext, or nothing if there are none."""
        if caller is None and callee is None:
            return None
        numbers = json.dumps({"caller": caller, "callee": callee}).encode()
        return encrypt(self.of(Kind.EVENT), numbers, self.binding(Kind.EVENT))


class CallKeys:
    """Makes and opens call keys through the configured provider."""

    def __init__(self, provider: KeyProvider) -> None:
        self._provider = provider

    async def create(self, tenant_id: UUID, call_id: UUID) -> tuple[CallKey, WrappedDek]:
        """A new key for a call, and its wrapped form.

        Raises:
            Unavailable: the provider cannot be reached.
        """
        key = CallKey(tenant_id, call_id, new_dek())
        return key, await self._provider.wrap(key.dek, KeyContext(tenant_id, call_id))

    async def open(self, call: Call) -> CallKey:
        """The key of a call that is not sealed yet.

        Raises:
            IntegrityError: the wrapped key was changed, or is another call's.
            NotFound: the key that wrapped it was destroyed.
            Unavailable: the provider cannot be reached.
        """
        return await self._open(call, KeyUse.SEAL, call.id)

    async def open_to_disclose(self, call: Call, entry_id: UUID) -> CallKey:
        """The same, to give text away, after the entry that says so.

        Raises:
            OtokuraError: as `open`.
        """
        return await self._open(call, KeyUse.DISCLOSE, entry_id)

    async def _open(self, call: Call, use: KeyUse, reference: UUID) -> CallKey:
        wrapped = WrappedDek(call.kek_id, call.wrapped_dek)
        context = KeyContext(call.tenant_id, call.id)
        dek = await self._provider.unwrap(wrapped, context, use, str(reference))
        check_commitment(dek, call.id, call.commitment)
        return CallKey(call.tenant_id, call.id, dek)
