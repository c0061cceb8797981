"""A key that the customer alone holds: calls' DEKs are wrapped for it, and the server's copies destroyed.

RSA-OAEP with SHA-256 and MGF1 of SHA-256 (RFC 8017 §7.1), without a label, so that key management services
and `openssl pkeyutl` open it, too. To which call it belongs is told by the manifest's commitment to the DEK.
"""

from __future__ import annotations

import hashlib
from typing import Annotated

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from pydantic import AfterValidator, Base64Bytes, BaseModel, ConfigDict, Field

from otokura.shared.clients import Sha256Hex

SMALLEST_BITS, LARGEST_BITS = 3072, 8192
PADDING = OAEP(mgf=MGF1(SHA256()), algorithm=SHA256(), label=None)


def _checked(pem: str) -> str:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("must be a public key in PEM (BEGIN PUBLIC KEY)") from None
    if not isinstance(key, RSAPublicKey) or not SMALLEST_BITS <= key.key_size <= LARGEST_BITS:
        raise ValueError(f"must be an RSA key of {SMALLEST_BITS} to {LARGEST_BITS} bits")
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


CustomerKey = Annotated[str, Field(max_length=8192), AfterValidator(_checked)]
"""An RSA public key, PEM."""


class CustomerCopy(BaseModel):
    """A call's DEK as its customer has it.

    `key_sha256` is that of the public key that wrapped it, DER (SubjectPublicKeyInfo).
    """

    model_config = ConfigDict(frozen=True)
    key_sha256: Sha256Hex
    wrapped: Base64Bytes


def copy_for(customer_key: str, dek: bytes) -> tuple[str, bytes]:
    """The DEK for the holder of the private key.

    Returns:
        The SHA-256 of the public key, lower-case hex, and what only the private key opens.
    """
    key = load_pem_public_key(customer_key.encode())
    if not isinstance(key, RSAPublicKey):
        raise TypeError("a customer's key was checked to be RSA")
    return fingerprint(key), key.encrypt(dek, PADDING)


def fingerprint(key: RSAPublicKey) -> str:
    """SHA-256 of a public key, lower-case hex, as `openssl pkey -pubin -outform DER | sha256sum` says it."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
