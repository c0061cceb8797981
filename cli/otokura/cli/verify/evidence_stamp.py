"""The timestamp of a bundle (RFC 3161): an authority's word that the manifest existed at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from cryptography import x509
from rfc3161_client import VerificationError as StampError
from rfc3161_client import VerifierBuilder, decode_timestamp_response

from otokura.cli.verify.evidence_archive import EvidenceArchive
from otokura.cli.verify.findings import Code, VerificationError

TIMESTAMP = "manifest.json.tsr"
_MOST = 1 << 20


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
        at = response.tst_info.gen_time.isoformat().replace("+00:00", "Z")
        if not roots:
            return Stamp(at, authority, trusted=False)
        builder = VerifierBuilder(roots=[])
        for pem in roots:
            for certificate in x509.load_pem_x509_certificates(pem):
                builder = builder.add_root_certificate(certificate)
        builder.build().verify_message(response, raw)
    except (StampError, ValueError) as error:
        raise VerificationError(Code.TIMESTAMP, TIMESTAMP, str(error)) from error
    return Stamp(at, authority, trusted=True)
