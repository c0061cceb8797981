"""Asterisk's AudioSocket: a TCP server beside the HTTP one.

A connection begins with the UUID that `POST /v1/calls/{id}/audiosocket` gave out, and goes on with frames of
audio. There is neither TLS nor a credential but that UUID. Whoever comes with another is told nothing: every
refusal is a closed socket, the same time after the UUID.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from otokura.ingest.connections.sockets import Leg, leg_of
from otokura.ingest.connections.views import Dialect
from otokura.ingest.dialects.audiosocket_call import CallRecording
from otokura.ingest.dialects.audiosocket_connection import READ_BYTES, Connection
from otokura.ingest.dialects.audiosocket_frames import BadFrame, Kind
from otokura.ingest.instruments import OPEN_STREAMS, REFUSED_SOCKETS
from otokura.ingest.state import State
from otokura.shared.address import parse_address
from otokura.shared.errors import OtokuraError
from otokura.shared.logs import get_logger

log = get_logger(__name__)

REFUSAL_SECONDS = 0.5
"""From the UUID to the end of a connection that is refused, whatever the reason."""
KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""A peer that vanished is noticed within a minute (seconds, seconds, times)."""


class Refused(Exception):  # noqa: N818 - named after what happened
    """The connection records nothing; the reason is for our metrics alone."""


class AudioSocketServer:
    """Takes AudioSocket connections until it is cancelled.

    Args:
        state: the process's connections; its settings name the port.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._open: dict[asyncio.StreamWriter, asyncio.Event] = {}
        """Each connection, with what is set when it has ended."""
        self._unnamed: dict[asyncio.StreamWriter, None] = {}
        """Those that have not said a UUID yet, the oldest first."""
        self._calls: dict[UUID, CallRecording] = {}

    async def run(self) -> None:
        """Listen. When this is cancelled, what has come is kept and the calls stay live."""
        settings = self._state.settings
        server = await asyncio.start_server(
            self._connected, settings.host, settings.audiosocket_port, limit=READ_BYTES
        )
        log.info("audiosocket.listening", host=settings.host, port=settings.audiosocket_port)
        try:
            await asyncio.Event().wait()
        finally:
            server.close()
            await asyncio.gather(*(call.stop() for call in list(self._calls.values())))
            ends = list(self._open.values())
            for writer in self._open:
                writer.transport.abort()
            await asyncio.gather(*(end.wait() for end in ends))

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= self._state.settings.audiosocket_connections and not self._make_room():
            REFUSED_SOCKETS.labels("full").inc()
            writer.transport.abort()
            return
        async with self._counted(writer):
            try:
                await self._serve(Connection(reader, writer), writer)
            except Refused as refused:
                REFUSED_SOCKETS.labels(str(refused)).inc()
                log.info("audiosocket.refused", reason=str(refused))

    def _make_room(self) -> bool:
        """Displace a connection that has said nothing: sockets that are only held open keep no call out."""
        for writer in self._unnamed:
            writer.transport.abort()
            del self._unnamed[writer]
            return True
        return False

    @asynccontextmanager
    async def _counted(self, writer: asyncio.StreamWriter) -> AsyncGenerator[None]:
        """Count the connection while it lasts, and close it in the end."""
        ended = self._open[writer] = asyncio.Event()
        self._unnamed[writer] = None
        _keep_alive(writer.get_extra_info("socket"))
        try:
            yield
        finally:
            self._unnamed.pop(writer, None)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            del self._open[writer]
            ended.set()

    async def _serve(self, connection: Connection, writer: asyncio.StreamWriter) -> None:
        name = await self._uuid(connection, writer)
        self._unnamed.pop(writer, None)
        refuse_at = asyncio.get_running_loop().time() + REFUSAL_SECONDS
        try:
            leg = await self._leg(name, writer)
        except Refused:
            await asyncio.sleep(refuse_at - asyncio.get_running_loop().time())
            raise
        call = await self._call(leg)
        with OPEN_STREAMS.labels(Dialect.AUDIOSOCKET.value).track_inprogress():
            await call.carry(leg.channel, connection)

    async def _uuid(self, connection: Connection, writer: asyncio.StreamWriter) -> UUID:
        """What the connection says first.

        Raises:
            Refused: it says something else, or nothing in time.
        """
        try:
            async with asyncio.timeout(self._state.settings.stream_start_seconds):
                frame = await connection.first()
        except TimeoutError:
            raise Refused("silent") from None
        except (BadFrame, OSError):
            raise Refused("malformed") from None
        if frame is None and writer not in self._unnamed:
            raise Refused("displaced")
        if frame is None or frame.kind != Kind.UUID:
            raise Refused("without-uuid")
        return frame.uuid

    async def _leg(self, name: UUID, writer: asyncio.StreamWriter) -> Leg:
        """What the UUID was given out for.

        Raises:
            Refused: nothing, its call is over, or it came from another network than the vendor's.
        """
        try:
            async with self._state.database.session() as session:
                leg = await leg_of(session, name)
            if leg is None or not await self._state.directory.is_active(leg.tenant_id):
                raise Refused("unknown")
            registered = await self._state.connections.find(leg.client_id, Dialect.AUDIOSOCKET)
        except OtokuraError as error:
            raise Refused(error.code) from None
        peer = writer.get_extra_info("peername")
        if registered is not None and not registered.allows(parse_address(peer[0]) if peer else None):
            raise Refused("network")
        return leg

    async def _call(self, leg: Leg) -> CallRecording:
        """The recording of the leg's call, begun if there is none that still takes legs."""
        while (call := self._calls.get(leg.call_id)) is not None:
            if call.taking:
                return call
            await asyncio.wait({call.task})
        call = self._calls[leg.call_id] = CallRecording(self._state, leg)
        call.task.add_done_callback(lambda _: self._forget(leg.call_id, call))
        return call

    def _forget(self, call_id: UUID, call: CallRecording) -> None:
        if self._calls.get(call_id) is call:
            del self._calls[call_id]


def _keep_alive(of: socket.socket | None) -> None:
    if of is None:
        return
    of.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if hasattr(socket, name):
            of.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
