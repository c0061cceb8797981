"""A live call's segments read back and made one FLAC file, with flat memory.

FLAC's header tells what is known only at the end, and an object cannot be rewritten: so the segments are
read and encoded twice (see `otokura.shared.media.flac`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from otokura.ingest.audio_format import PCM_BYTES, Encoding, StreamFormat
from otokura.ingest.call_keys import CallKey
from otokura.ingest.instruments import LOST_SEGMENTS
from otokura.ingest.models import Call, Piece
from otokura.ingest.objects import check_bucket
from otokura.ingest.state import State
from otokura.ingest.timeline import gaps
from otokura.shared.cipher import decrypt
from otokura.shared.errors import IntegrityError, NotFound
from otokura.shared.keys import Kind
from otokura.shared.logs import get_logger
from otokura.shared.manifest import Gap, StoredObject
from otokura.shared.media.flac import MEDIA_TYPE, flac_stream
from otokura.shared.sealed_objects import seal

log = get_logger(__name__)


class Assembly:
    """One attempt to make a call's recording.

    Args:
        state: the process's connections.
        call: the call, whose sample rate its first segment fixed.
        key: its key.
        timeline: its pieces in order.
    """

    def __init__(self, state: State, call: Call, key: CallKey, timeline: list[Piece]) -> None:
        if call.sample_rate is None:
            raise ValueError("a call with segments has a sample rate")
        self.sample_rate = call.sample_rate
        self._state = state
        self._call = call
        self._key = key
        self._segment_key = key.of(Kind.SEGMENT)
        self._timeline = timeline
        self._frame = PCM_BYTES * len(call.channels)
        self._lost: set[int] = set()
        self._read_before = False

    @property
    def lost(self) -> list[int]:
        """Numbers of accepted segments that the store no longer has as they were stored."""
        return sorted(self._lost)

    @property
    def nothing_left(self) -> bool:
        """Whether not one segment could be read."""
        return all(piece.object_name is None or piece.seq in self._lost for piece in self._timeline)

    def gaps(self) -> list[Gap]:
        """The spans without audio, those of lost segments among them."""
        return gaps((piece, self._reason(piece)) for piece in self._timeline)

    async def write(self, name: str) -> StoredObject:
        """Write the recording; gaps are silence in it, so that its clock is the call's.

        Raises:
            IntegrityError: a segment could be read the first time and not the second.
            Unavailable: the store is away.
        """
        bucket = self._state.settings.recordings_bucket
        info = await seal(
            self._state.store,
            bucket,
            name,
            flac_stream(self._pcm, self.sample_rate, len(self._call.channels)),
            key=self._key.of(Kind.RECORDING),
            associated_data=self._key.binding(Kind.RECORDING),
        )
        return StoredObject(
            bucket=bucket,
            name=name,
            media_type=MEDIA_TYPE,
            plaintext_bytes=info.plaintext_bytes,
            plaintext_sha256=info.plaintext_sha256,
        )

    async def _pcm(self) -> AsyncIterator[bytes]:
        """The call from its beginning, in blocks of at most a segment."""
        second, self._read_before = self._read_before, True
        for piece in self._timeline:
            pcm = None if self._reason(piece) else await self._segment(piece, again=second)
            if pcm is not None:
                yield pcm
                continue
            for start in range(0, piece.samples, self.sample_rate):
                yield bytes(self._frame * min(self.sample_rate, piece.samples - start))

    def _reason(self, piece: Piece) -> str | None:
        return "lost" if piece.seq in self._lost else piece.gap

    async def _segment(self, piece: Piece, *, again: bool) -> bytes | None:
        """The piece's audio; None, and noted, if the store does not have it as it was stored."""
        try:
            return await self._open(piece)
        except (IntegrityError, NotFound) as error:
            await check_bucket(self._state.store, self._state.settings.recordings_bucket)
            if again:
                raise
            log.exception("segment.unreadable", call_id=str(self._call.id), seq=piece.seq, reason=error.code)
            LOST_SEGMENTS.labels(error.code).inc()
            self._lost.add(piece.seq)
            return None

    async def _open(self, piece: Piece) -> bytes:
        bucket = self._state.settings.recordings_bucket
        sealed = await self._state.store.get(bucket, piece.object_name or "")
        data = decrypt(self._segment_key, sealed, self._key.segment_binding(piece.seq, piece.epoch))
        coded = StreamFormat(Encoding(piece.encoding), self.sample_rate, len(self._call.channels))
        if len(data) != piece.samples * coded.frame_bytes:
            raise IntegrityError("A segment has another length than its row.")
        return coded.decode(data)
