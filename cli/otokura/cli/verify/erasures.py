"""Verifies a certificate of erasure: that the log holds what it says, and that it says nothing else.

Offline, with public keys alone: those of the log, and those of the services that wrote the entries. The
certificate's own signature is checked first; but every fact in it must follow from the entries beside it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from otokura.cli.verify.findings import Code, VerificationError
from otokura.cli.verify.notes import parse_vkey
from otokura.cli.verify.receipts import canonical, verify_receipt
from otokura.cli.verify.strict_json import as_object, as_objects

TYPE = "otokura.erasure-certificate.v1"
_DOMAIN = b"otokura.erasure-certificate.v1\n"
_WHERE = "certificate"
_BEGUN, _APPLIED, _FINAL = "erasure.begun", "erasure.applied", "erasure.final"
_ASKED_OF = frozenset({"access", "audit", "ingest", "transcribe"})
"""The services that keep something of a call: fewer confirmations prove less than they seem to."""


@dataclass(frozen=True)
class Erased:
    """What a certificate proves.

    Attributes:
        call_id: the call.
        kind: what went of it: `call`, `recording` or `transcript`.
        services: who confirmed.
        shredded_at: when the last wrapped key went.
        erased_at: when the last service had confirmed.
        final_at: when the last key was destroyed that had wrapped the call's key; None: not all are.
        pending: those that still exist, as far as the certificate knows.
    """

    call_id: str
    kind: str
    services: tuple[str, ...]
    shredded_at: str
    erased_at: str
    final_at: str | None
    pending: tuple[str, ...]


def verify_erasure(
    certificate: Mapping[str, Any], vkeys: Sequence[str], source_keys: Mapping[str, str]
) -> Erased:
    """Verifies a certificate as `GET /v1/calls/{id}/erasure-certificate` gives it.

    Args:
        certificate: its members.
        vkeys: public keys of the logs (one a year) in which its entries may stand.
        source_keys: by service, base64 of its Ed25519 public key.

    Raises:
        VerificationError: what does not hold, by name.
    """
    if certificate.get("type") != TYPE:
        raise VerificationError(Code.MALFORMED, _WHERE, f"not a {TYPE}")
    try:
        return _verify(certificate, vkeys, source_keys)
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        # Members are read only after their signature is verified; but a signer may have signed anything.
        raise VerificationError(
            Code.MALFORMED, _WHERE, f"a fact is missing or of another kind ({type(error).__name__})"
        ) from error


def _verify(certificate: Mapping[str, Any], vkeys: Sequence[str], source_keys: Mapping[str, str]) -> Erased:
    _check_signature(certificate, source_keys)
    logs: dict[str, list[str]] = {}
    for vkey in vkeys:
        logs.setdefault(parse_vkey(vkey).name, []).append(vkey)
    begun, applied, final = _entries(certificate, logs, source_keys)
    _check_confirmed(certificate, begun, applied)
    kek_ids = sorted({kek_id for detail in applied.values() for kek_id in detail["kek_ids"]})
    destroyed = _check_final(certificate, final, kek_ids)
    return Erased(
        call_id=str(certificate["call_id"]),
        kind=str(certificate["kind"]),
        services=tuple(sorted(applied)),
        shredded_at=str(certificate["shredded_at"]),
        erased_at=str(certificate["erased_at"]),
        final_at=None if final is None else str(final["final_at"]),
        pending=tuple(kek_id for kek_id in kek_ids if kek_id not in destroyed),
    )


def _check_signature(certificate: Mapping[str, Any], source_keys: Mapping[str, str]) -> None:
    """The audit service signed it: Ed25519 over the domain and the canonical JSON of all other members."""
    if "audit" not in source_keys:
        raise VerificationError(Code.CERTIFICATE_SIGNATURE, _WHERE, "no public key of 'audit' was given")
    signed = canonical({name: each for name, each in certificate.items() if name != "signature"}, _WHERE)
    try:
        signature = base64.b64decode(str(certificate.get("signature", "")), validate=True)
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(source_keys["audit"], validate=True))
        key.verify(signature, _DOMAIN + signed)
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise VerificationError(
            Code.CERTIFICATE_SIGNATURE, _WHERE, "the audit service did not sign it"
        ) from error


def _entries(
    certificate: Mapping[str, Any], logs: Mapping[str, Sequence[str]], source_keys: Mapping[str, str]
) -> tuple[Mapping[str, Any], dict[str, Mapping[str, Any]], Mapping[str, Any] | None]:
    """The details of the entries: that it began, by service that it was applied, and that it is final."""
    begun: list[Mapping[str, Any]] = []
    final: list[Mapping[str, Any]] = []
    applied: dict[str, Mapping[str, Any]] = {}
    for number, proof in enumerate(as_objects(certificate.get("proofs"), "proofs")):
        where = f"proof {number}"
        origin = str(proof.get("origin", ""))
        if origin not in logs:
            raise VerificationError(Code.WRONG_KEY, where, f"no public key of the log {origin!r} was given")
        entry = verify_receipt(proof, logs[origin], source_keys=source_keys).entry
        if entry is None:
            raise VerificationError(Code.CERTIFICATE_MISMATCH, where, "the entry's detail is deleted")
        detail, service = _about(certificate, entry, where)
        action = entry.get("action")
        if action == _APPLIED and detail.get("service") == service and service not in applied:
            applied[service] = detail
        elif action == _BEGUN and service == "access":
            begun.append(detail)
        elif action == _FINAL and service == "access":
            final.append(detail)
        else:
            raise VerificationError(
                Code.CERTIFICATE_MISMATCH, where, f"{service} has no business to say {action!r} here"
            )
    if len(begun) != 1 or len(final) > 1:
        raise VerificationError(Code.CERTIFICATE_MISMATCH, _WHERE, "it did not begin once, or ended twice")
    return begun[0], applied, final[0] if final else None


def _about(
    certificate: Mapping[str, Any], entry: Mapping[str, Any], where: str
) -> tuple[Mapping[str, Any], str]:
    """An entry's detail and the service that wrote it, if it is about this erasure."""
    detail = as_object(entry.get("detail"), where)
    told = (entry.get("tenant_id"), entry.get("call_id"), detail.get("erasure_id"), detail.get("kind"))
    if told != tuple(certificate.get(name) for name in ("tenant_id", "call_id", "erasure_id", "kind")):
        raise VerificationError(Code.CERTIFICATE_MISMATCH, where, "the entry is about another erasure")
    return detail, str(entry.get("source", "")).partition("/")[0]


def _check_confirmed(
    certificate: Mapping[str, Any], begun: Mapping[str, Any], applied: Mapping[str, Mapping[str, Any]]
) -> None:
    asked = set(begun.get("services", ())) | _ASKED_OF
    if asked != set(applied):
        missing = ", ".join(sorted(asked ^ set(applied)))
        raise VerificationError(Code.NOT_CONFIRMED, _WHERE, f"not confirmed, or not asked: {missing}")
    names = ("service", "counts", "kek_ids", "shredded_at", "applied_at")
    expected = {service: {name: detail[name] for name in names} for service, detail in applied.items()}
    told = {str(each.get("service")): each for each in as_objects(certificate.get("confirmations"), _WHERE)}
    facts = {
        "ground": begun["ground"],
        "requested_at": begun["requested_at"],
        "shredded_at": _latest(detail["shredded_at"] for detail in applied.values()),
        "erased_at": _latest(detail["applied_at"] for detail in applied.values()),
    }
    if told != expected or any(certificate.get(name) != value for name, value in facts.items()):
        raise VerificationError(Code.CERTIFICATE_MISMATCH, _WHERE, "it says something else than the entries")


def _check_final(
    certificate: Mapping[str, Any], final: Mapping[str, Any] | None, kek_ids: Sequence[str]
) -> Mapping[str, str]:
    """By key, when it was destroyed."""
    said = (certificate.get("final_at"), certificate.get("destroyed"))
    if final is None:
        if said != (None, {}):
            raise VerificationError(Code.CERTIFICATE_MISMATCH, _WHERE, "no entry says that it is final")
        return {}
    destroyed = cast("Mapping[str, str]", as_object(final.get("destroyed"), _WHERE))
    alive = [kek_id for kek_id in kek_ids if kek_id not in destroyed]
    if said != (final.get("final_at"), destroyed) or alive or not kek_ids:
        raise VerificationError(Code.CERTIFICATE_MISMATCH, _WHERE, "it is not as final as it says")
    return destroyed


def _latest(times: Any) -> str:
    return str(max(times, key=datetime.fromisoformat))
