"""`otokura open`: at the customer's, with the key that the customer alone holds."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from otokura.shared.cipher import Decryptor
from otokura.shared.customer_keys import PADDING, fingerprint
from otokura.shared.errors import IntegrityError, OtokuraError
from otokura.shared.keys import Kind, associated_data, check_commitment, derive
from otokura.shared.sealed_files import SealedFileHeader

_BLOCK = 1 << 20
_SUFFIXES = {"application/json": "json", "audio/flac": "flac", "audio/wav": "wav", "audio/x-wav": "wav"}


class KeyUnfit(OtokuraError):  # noqa: N818 - named like its siblings
    """The private key is none that opens the file."""

    code, title = "key-unfit", "The key does not open this"


def open_sealed(
    file: Annotated[Path, typer.Argument(help="What GET …/sealed gave.", exists=True, dir_okay=False)],
    *,
    key: Annotated[Path, typer.Option(help="The customer's private key, PEM.", exists=True, dir_okay=False)],
    output: Annotated[
        Path | None, typer.Option(help="Where to write; by default beside the file, by the call's id.")
    ] = None,
) -> None:
    """Open a recording or transcript that only the customer's own key opens. Needs no network.

    What it writes is checked against the manifest, whose SHA-256 stands in the audit log.
    """
    try:
        with file.open("rb") as source:
            header = SealedFileHeader.read(source)
            target = output or file.with_name(_name(header))
            _write(source, header, _data_key(header, _private_key(key)), target)
    except (OtokuraError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{target}: {header.kind} of call {header.manifest.call_id}")
    typer.echo(f"Manifest {header.manifest_sha256}: compare it with the entry recording.sealed of the log.")


def _name(header: SealedFileHeader) -> str:
    suffix = _SUFFIXES.get(header.media_type, "bin")
    return f"{header.manifest.call_id}.{suffix}"


def _private_key(path: Path) -> RSAPrivateKey:
    content = path.read_bytes()
    password: bytes | None = None
    if b"ENCRYPTED" in content:
        password = str(typer.prompt("Password of the key", hide_input=True, err=True)).encode()
    try:
        key = load_pem_private_key(content, password)
    except (ValueError, TypeError):
        raise KeyUnfit(f"{path} is no private key in PEM, or its password is another.") from None
    if not isinstance(key, RSAPrivateKey):
        raise KeyUnfit(f"{path} holds a key that is not RSA.")
    return key


def _data_key(header: SealedFileHeader, key: RSAPrivateKey) -> bytes:
    """The DEK, after everything about it is checked.

    Raises:
        KeyUnfit: the file was sealed for another key.
        IntegrityError: header or wrapped key are not what was sealed.
    """
    manifest = header.manifest
    if not hmac.compare_digest(manifest.sha256(), header.manifest_sha256):
        raise IntegrityError("The manifest does not have the hash that the file says.")
    if fingerprint(key.public_key()) != header.customer_key.key_sha256:
        raise KeyUnfit(f"The file was sealed for the key {header.customer_key.key_sha256}.")
    try:
        dek = key.decrypt(header.customer_key.wrapped, PADDING)
    except ValueError:
        raise IntegrityError("The wrapped key was changed.") from None
    check_commitment(dek, manifest.call_id, manifest.key_commitment)
    return dek


def _write(source: BinaryIO, header: SealedFileHeader, dek: bytes, target: Path) -> None:
    """The plaintext, under its name only when it is whole and proven.

    Raises:
        IntegrityError: the ciphertext is not what was sealed.
        FileExistsError: there is such a file.
    """
    if target.exists():
        raise FileExistsError(f"{target} exists: give another --output")
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _decrypt(source, header, dek, file)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _decrypt(source: BinaryIO, header: SealedFileHeader, dek: bytes, file: BinaryIO) -> None:
    manifest = header.manifest
    kind = Kind.RECORDING if header.kind == "recording" else Kind.TRANSCRIPT
    bound = associated_data(manifest.tenant_id, manifest.call_id, kind, version=header.version)
    opener, digest, size = Decryptor(derive(dek, kind, manifest.call_id), bound), hashlib.sha256(), 0
    while block := source.read(_BLOCK):
        plaintext = opener.update(block)
        digest.update(plaintext)
        size += file.write(plaintext)
    plaintext = opener.finalize()
    digest.update(plaintext)
    size += file.write(plaintext)
    told = manifest.recording.plaintext_sha256 if kind is Kind.RECORDING else header.plaintext_sha256
    if size != header.plaintext_bytes or not hmac.compare_digest(digest.hexdigest(), told):
        raise IntegrityError("The content is not the one that the manifest tells of.")
