"""The signed vCon in a bundle: a JWS (RFC 7515) by access, which names the audio by its hash."""

from __future__ import annotations

import base64
import binascii
from typing import cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from otokura.cli.verify.evidence_archive import EvidenceArchive
from otokura.cli.verify.findings import Code, VerificationError
from otokura.cli.verify.strict_json import as_object, as_objects, strict_object

VCON = "vcon.json"
_MOST = 512 << 20
"""A transcript of a day, several times over."""


def verify_vcon(
    archive: EvidenceArchive, key: Ed25519PublicKey, audio: str | None, sha512: bytes | None
) -> None:
    """Verifies the vCon's signature by the key of access, and that its dialog is the bundle's audio.

    Args:
        archive: the bundle.
        key: of access. The certificate in the vCon must be of the same key; it is not believed otherwise.
        audio: the name of the audio's file, where there is one.
        sha512: of that file.

    Raises:
        VerificationError: it is not so signed, or about other audio.
    """
    jws = strict_object(archive.read(VCON, _MOST), VCON)
    signatures = as_objects(jws.get("signatures"), VCON)
    if len(signatures) != 1:
        raise _malformed("not signed once")
    [signature] = signatures
    payload, protected = str(jws.get("payload")), str(signature.get("protected"))
    if strict_object(_decode(protected), VCON) != {"alg": "EdDSA"}:
        raise _malformed("signed with something else than EdDSA")
    chain = as_object(signature.get("header"), VCON).get("x5c")
    if _public_bytes(chain) != key.public_bytes_raw():
        raise VerificationError(Code.WRONG_KEY, VCON, "its certificate is not of the key of access")
    try:
        key.verify(_decode(str(signature.get("signature"))), f"{protected}.{payload}".encode())
    except InvalidSignature as error:
        raise VerificationError(Code.EVIDENCE_SIGNATURE, VCON, "access did not sign it") from error
    vcon = strict_object(_decode(payload), VCON)
    dialogs = as_objects(vcon.get("dialog"), VCON)
    if len(dialogs) != 1:
        raise _malformed("not of one dialog")
    [dialog] = dialogs
    expected = None if sha512 is None else f"sha512-{_encode(sha512)}"
    if (dialog.get("filename"), dialog.get("content_hash")) != (audio, expected):
        raise VerificationError(Code.EVIDENCE_MISMATCH, VCON, "its dialog is not the audio of the bundle")


def _public_bytes(chain: object) -> bytes:
    """The public key of the first certificate."""
    try:
        first = str(cast("list[object]", chain)[0]) if isinstance(chain, list) else ""
        key = x509.load_der_x509_certificate(base64.b64decode(first, validate=True)).public_key()
    except (IndexError, ValueError, binascii.Error, UnsupportedAlgorithm) as error:
        raise _malformed("without a certificate") from error
    return key.public_bytes_raw() if isinstance(key, Ed25519PublicKey) else b""


def _decode(text: str) -> bytes:
    """Base64url without padding, canonical: one way to write each value."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed("not base64url") from error
    if _encode(data) != text:
        raise _malformed("not canonical base64url")
    return data


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _malformed(detail: str) -> VerificationError:
    return VerificationError(Code.MALFORMED, VCON, detail)
