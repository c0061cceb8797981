"""Any number of issuers on this machine that publish metadata and a key, and log nobody in."""

from __future__ import annotations

import json
import threading
import time
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from otokura.cli.local.ports import free_ports
from otokura.shared.ids import uuid7

_WELL_KNOWN = "/.well-known/openid-configuration"


class _Publishing(BaseHTTPRequestHandler):
    """Every path is an issuer of its own."""

    jwk: dict[str, object]

    def do_GET(self) -> None:
        if self.path.endswith(_WELL_KNOWN):
            issuer = f"http://{self.headers['Host']}{self.path.removesuffix(_WELL_KNOWN)}"
            told: dict[str, object] = {"issuer": issuer, "jwks_uri": f"{issuer}/jwks"}
        else:
            told = {"keys": [self.jwk]}
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        del format, args


@cache
def _key() -> ec.EllipticCurvePrivateKey:
    """The one key of all of them."""
    return ec.generate_private_key(ec.SECP256R1())


@cache
def _port() -> int:
    """Of the server, which lives as long as this process."""
    key = ECAlgorithm.to_jwk(_key().public_key(), as_dict=True)
    _Publishing.jwk = {**key, "kid": "key", "use": "sig", "alg": "ES256"}
    server = ThreadingHTTPServer(("127.0.0.1", free_ports(1)[0]), _Publishing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def new_issuer_url() -> str:
    """An issuer that nobody trusts yet."""
    return f"http://127.0.0.1:{_port()}/{uuid7()}"


def logout_token(issuer: str, audience: str, subject: str) -> str:
    """What an issuer says when somebody logs out there (OpenID Connect Back-Channel Logout 1.0 §2.4)."""
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": audience,
        "sub": subject,
        "iat": now,
        "exp": now + 120,
        "jti": str(uuid7()),
    }
    events: dict[str, object] = {"http://schemas.openid.net/event/backchannel-logout": {}}
    head = {"kid": "key", "typ": "logout+jwt"}
    return jwt.encode(claims | {"events": events}, _key(), "ES256", head)
