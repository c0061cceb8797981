"""Recording a stream of nothing but samples: binary messages, one after the other."""

from __future__ import annotations

from otokura.ingest.dialects.websocket import Left, Socket
from otokura.ingest.live import Live


async def record(socket: Socket, live: Live) -> None:
    """Record until the phone system says goodbye, which ends the call; a broken connection does not.

    Text messages are its control events; none of them matters to a recording.

    Raises:
        OtokuraError: why it cannot be recorded further.
    """

    async def handle(message: str | bytes | Left) -> bool:
        if isinstance(message, Left):
            if message.done:
                await live.end()
            return False
        if isinstance(message, bytes) and message:
            await live.paced(message)
        return True

    await live.run(socket.receive, handle)
