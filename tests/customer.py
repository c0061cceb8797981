"""A customer who holds a key of their own."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


@cache
def private_key(number: int = 0, bits: int = 3072) -> rsa.RSAPrivateKey:
    """One of the customer's keys; making it takes its time."""
    del number
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def public_pem(key: rsa.RSAPrivateKey | None = None) -> str:
    """What the administrator configures."""
    public = (key or private_key()).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def key_file(folder: Path, key: rsa.RSAPrivateKey | None = None) -> Path:
    """The private key as the customer keeps it."""
    path = folder / "customer.pem"
    path.write_bytes((key or private_key()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path
