"""Every dialect over WebSocket, as routes of the service."""

from __future__ import annotations

from otokura.ingest.dialects import asterisk, audiohook, jambonz, raw, telnyx, twilio

ROUTERS = (raw.router, twilio.router, telnyx.router, asterisk.router, jambonz.router, audiohook.router)
