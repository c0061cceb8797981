"""What access signs of a bundle: the manifest, and the vCon as its draft says it.

The key is the one with which access signs its entries of the log, which verifiers have among the source keys;
what is signed begins with a domain of its own, so that no signature can stand for another.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

_MANIFEST_DOMAIN = b"otokura.evidence-manifest.v1\n"
_BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
_NO_END = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""RFC 5280 §4.1.2.5: no well-defined expiration date."""


def public_text(key: Ed25519PrivateKey) -> str:
    """Base64 of the raw public key, as verifiers have it."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def sign_manifest(key: Ed25519PrivateKey, manifest: bytes) -> bytes:
    """The detached signature of a manifest, as the file that stands beside it."""
    return base64.b64encode(key.sign(_MANIFEST_DOMAIN + manifest)) + b"\n"


def signed_vcon(key: Ed25519PrivateKey, vcon: str) -> bytes:
    """A vCon in its signed form (draft-ietf-vcon-vcon-core-04 §5): a JWS in the general JSON serialization.

    `alg` is protected (RFC 7515 §10.7); the certificate stands in the unprotected header, as the draft wants
    it. The certificate is the key's own: it says which key, and nobody vouches for it.
    """
    protected = _encode(json.dumps({"alg": "EdDSA"}).encode())
    payload = _encode(vcon.encode())
    signature: dict[str, Any] = {
        "header": {"x5c": [base64.b64encode(certificate(key)).decode()]},
        "protected": protected,
        "signature": _encode(key.sign(f"{protected}.{payload}".encode())),
    }
    return json.dumps({"payload": payload, "signatures": [signature]}).encode()


def certificate(key: Ed25519PrivateKey) -> bytes:
    """A self-signed certificate of the key, DER; the same each time."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Otokura access")])
    serial = int.from_bytes(key.public_key().public_bytes_raw()[:16], "big") >> 1 | 1
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(_BEGINNING)
        .not_valid_after(_NO_END)
        .sign(key, None)
    )
    return made.public_bytes(Encoding.DER)


def _encode(data: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
