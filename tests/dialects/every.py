"""Every dialect that ingest speaks."""

from __future__ import annotations

from dialects.audiohook import AudioHook, AudioHookLinear
from dialects.audiosocket import AudioSocket, AudioSocketWide
from dialects.continuous import Asterisk, AsteriskPlain, Jambonz
from dialects.dialect import Dialect
from dialects.media_streams import Telnyx, TelnyxLinear, Twilio
from dialects.websocket_wire import WebSocketDialect

EVERY: tuple[Dialect, ...] = (
    Twilio(),
    Telnyx(),
    TelnyxLinear(),
    Asterisk(),
    AsteriskPlain(),
    Jambonz(),
    AudioSocket(),
    AudioSocketWide(),
    AudioHook(),
    AudioHookLinear(),
)

SOCKETS = [one for one in EVERY if isinstance(one, WebSocketDialect) and "-" not in one.name]
"""One of each adapter; its other forms differ in what they carry."""
