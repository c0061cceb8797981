"""Twilio Media Streams: `WSS /v1/streams/twilio`.

Twilio sends no headers of ours and allows no query: the API key comes as a `<Parameter>` of the stream. Where
the vendor has registered its account's auth token, each handshake must carry Twilio's signature.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from hashlib import sha1

from fastapi import APIRouter, WebSocket

from otokura.ingest.connections.views import Dialect
from otokura.ingest.dependencies import Caller, IngestState
from otokura.ingest.dialects.call_fields import CallFields
from otokura.ingest.dialects.media_streams import record
from otokura.ingest.dialects.websocket import serving, vendor_of_fields
from otokura.shared.errors import Unauthenticated

router = APIRouter()
SIGNATURE = "x-twilio-signature"


@router.websocket("/v1/streams/twilio")
async def stream(websocket: WebSocket, state: IngestState) -> None:
    """Record a stream; what is wrong closes it with 4000 + the status and a reason, which Twilio logs."""
    async with serving(websocket, state, Dialect.TWILIO) as socket:
        await socket.accept()

        async def identify(fields: CallFields, _token: str | None) -> Caller:
            caller = await vendor_of_fields(socket, state, fields)
            connection = await state.connections.find(caller.client_id, Dialect.TWILIO)
            if connection is not None and connection.secret is not None:
                check_signature(websocket, connection.secret)
            return caller

        await record(socket, state, Dialect.TWILIO, identify)


def check_signature(websocket: WebSocket, auth_token: bytes) -> None:
    """Whether Twilio signed this handshake (www.twilio.com/docs/usage/security#validating-requests).

    The signature is over the address as it stands in the TwiML. The proxy before us must pass on the `Host`
    that Twilio asked for; whether the address there had the port 443 cannot be seen here, so both count.

    Raises:
        Unauthenticated: it did not.
    """
    url = websocket.url.replace(scheme="wss")
    host = websocket.headers.get("host", "")
    bare = host.removesuffix(":443")
    signature = websocket.headers.get(SIGNATURE, "").encode()
    addresses = {str(url.replace(netloc=name)) for name in (host, bare, f"{bare}:443")}
    expected = [b64encode(hmac.new(auth_token, one.encode(), sha1).digest()) for one in addresses]
    if not any([hmac.compare_digest(signature, one) for one in expected]):  # noqa: C419 - all, always
        raise Unauthenticated(
            "The handshake does not carry Twilio's signature of this account. Register the account's current"
            " auth token, and let the proxy pass on the Host that Twilio asked for."
        )
