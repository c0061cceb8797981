"""What it takes to hear a call: its key, its tenant's settings, and where its text stands."""

from __future__ import annotations

from dataclasses import dataclass, field

from otokura.shared.cipher import decrypt
from otokura.shared.database import Database
from otokura.shared.directory import Directory
from otokura.shared.errors import NotFound
from otokura.shared.events import ErasedKind, LiveChunk, TenantSettings
from otokura.shared.keys import KeyContext, KeyProvider, KeyUse, Kind, associated_data, derive
from otokura.shared.tombstones import is_erased
from otokura.transcribe.live import repository
from otokura.transcribe.live.call import LiveCall


@dataclass(repr=False)
class Opened:
    """A call that this worker hears, and its DEK, which is never shown."""

    call: LiveCall
    dek: bytes
    settings: TenantSettings
    chunk_language: str | None
    live_key: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.live_key = derive(self.dek, Kind.LIVE, self.call.call_id)

    def plaintext(self, chunk: LiveChunk) -> bytes:
        """The chunk's samples.

        Raises:
            IntegrityError: they are not what was sent for this call and place.
        """
        if chunk.sealed is None:
            return b""
        binding = associated_data(
            chunk.tenant_id, chunk.call_id, Kind.LIVE, sequence=chunk.seq, version=chunk.epoch
        )
        return decrypt(self.live_key, chunk.sealed, binding)


async def open_call(
    database: Database, keys: KeyProvider, directory: Directory, chunk: LiveChunk
) -> Opened | None:
    """Takes a call; None when its key has not arrived yet.

    Raises:
        NotFound: the key, or the call, is erased.
        IntegrityError: the wrapped key was changed.
        Unavailable: the database or the key provider cannot be reached.
    """
    async with database.session() as session:
        wrapped = await repository.key_of(session, chunk.call_id)
    if wrapped is None:
        return None
    context = KeyContext(chunk.tenant_id, chunk.call_id)
    dek = await keys.unwrap(wrapped, context, KeyUse.TRANSCRIBE, str(chunk.call_id))
    tenant = await directory.tenant(chunk.tenant_id)
    settings = tenant.settings if tenant else TenantSettings()
    async with database.session() as session:
        if await is_erased(session, chunk.call_id, *ErasedKind):
            raise NotFound("The call is erased.")
        resumed = await repository.take(session, chunk)
    call = LiveCall(chunk, resumed, settings.redaction)
    return Opened(call, dek, settings, chunk.language or settings.language)
