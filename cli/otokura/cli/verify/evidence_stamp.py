"""The timestamp of a bundle (RFC 3161): an authority's word that the manifest existed at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from cryptography import x509
from rfc3161_client import TimeStampResponse, VerifierBuilder, decode_timestamp_response
from rfc3161_client import VerificationError as StampError

from otokura.cli.verify.evidence_archive import EvidenceArchive
from otokura.cli.verify.findings import Code, VerificationError

TIMESTAMP = "manifest.json.tsr"
_MOST = 1 << 20
_GRANTED = {0, 1}
"""RFC 3161 §2.4.2: granted, granted with modifications."""
_HASHES = {
    "2.16.840.1.101.3.4.2.1": hashlib.sha256,
    "2.16.840.1.101.3.4.2.2": hashlib.sha384,
    "2.16.840.1.101.3.4.2.3": hashlib.sha512,
}
"""By object identifier (RFC 5754 §2)."""


@dataclass(frozen=True)
class Stamp:
    """A timestamp.

    Attributes:
        at: the authority's time, RFC 3339.
        authority: where it was asked, as the bundle says.
        trusted: whether it was verified with a certificate that was given; else nobody vouches for it.
    """

    at: str
    authority: str
    trusted: bool


def verify_stamp(
    archive: EvidenceArchive, manifest: Mapping[str, Any], raw: bytes, roots: Sequence[bytes]
) -> Stamp | None:
    """Verifies the timestamp over the manifest's bytes, where the manifest says that there is one.

    Args:
        archive: the bundle.
        manifest: its manifest.
        raw: the manifest's bytes.
        roots: certificates (PEM) that are believed. Without any the signature cannot be verified.

    Raises:
        VerificationError: it is not there, not of this manifest, or not by who is believed.
    """
    told = manifest.get("timestamp")
    named = cast("dict[str, Any]", told).get("file") if isinstance(told, dict) else None
    if (named is not None) != (TIMESTAMP in archive.members) or named not in {None, TIMESTAMP}:
        raise VerificationError(Code.EVIDENCE_MISMATCH, TIMESTAMP, "the manifest says otherwise")
    if named is None:
        return None
    authority = str(cast("dict[str, Any]", told).get("authority"))
    try:
        response = decode_timestamp_response(archive.read(TIMESTAMP, _MOST))
        _check_subject(response, raw)
        at = response.tst_info.gen_time.isoformat().replace("+00:00", "Z")
        if not roots:
            return Stamp(at, authority, trusted=False)
        builder = VerifierBuilder(roots=[])
        for certificate in read_certificates(roots):
            builder = builder.add_root_certificate(certificate)
        builder.build().verify_message(response, raw)
    except (StampError, ValueError) as error:
        raise VerificationError(Code.TIMESTAMP, TIMESTAMP, str(error)) from error
    return Stamp(at, authority, trusted=True)


def read_certificates(roots: Sequence[bytes]) -> list[x509.Certificate]:
    """The certificates in these files.

    Raises:
        ValueError: one is no PEM of certificates.
    """
    return [certificate for pem in roots for certificate in x509.load_pem_x509_certificates(pem)]


def _check_subject(response: TimeStampResponse, raw: bytes) -> None:
    """That it was granted, and for the manifest: whoever is believed, one about something else is none."""
    if response.status not in _GRANTED:
        raise ValueError("the authority refused it")
    imprint = response.tst_info.message_imprint
    digest = _HASHES.get(imprint.hash_algorithm.dotted_string)
    if digest is None or digest(raw).digest() != imprint.message:
        raise ValueError("it is not of this manifest")
