"""Certificates of erasure: what the log holds of one, put together and signed, to be verified offline."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from otokura.audit import repository, service
from otokura.audit.api import record
from otokura.audit.errors import NotErased, NotPublishedYet
from otokura.audit.models import Entry
from otokura.audit.state import State, current
from otokura.audit.views import Receipt, opened
from otokura.shared.audit_entries import Action
from otokura.shared.authentication import require
from otokura.shared.canonical_json import canonical_json
from otokura.shared.errors import Forbidden, IntegrityError, Unauthenticated, Unavailable
from otokura.shared.events import ErasedKind, Role
from otokura.shared.problems import responses
from otokura.shared.tokens import Principal

TYPE: Literal["otokura.erasure-certificate.v1"] = "otokura.erasure-certificate.v1"
DOMAIN = b"otokura.erasure-certificate.v1\n"
"""Before what is signed, so that a signature of a certificate is never that of an entry."""
ACTIONS = (Action.ERASURE_BEGUN, Action.ERASURE_APPLIED, Action.ERASURE_FINAL)

Certifier = Annotated[Principal, Depends(require(Role.AUDITOR, Role.EVIDENCE_OFFICER))]
Current = Annotated[State, Depends(current)]

router = APIRouter(prefix="/v1/calls", tags=["erasures"])


class Confirmation(BaseModel):
    """What one service confirmed. Times as its entry has them."""

    service: str
    counts: dict[str, int] = Field(description="What went: rows by table, objects, details of entries.")
    kek_ids: list[str] = Field(description="The keys that had wrapped the call's key there.")
    shredded_at: str = Field(description="When its rows and its wrapped key went.")
    applied_at: str = Field(description="When its last object was gone.")


class Certificate(BaseModel):
    """That a call was erased. Everything in it follows from the entries in `proofs`."""

    type: Literal["otokura.erasure-certificate.v1"] = TYPE
    tenant_id: UUID
    call_id: UUID
    erasure_id: UUID
    kind: ErasedKind
    ground: str = Field(description="On what ground it was asked for.")
    requested_at: str
    confirmations: list[Confirmation] = Field(description="One of each service that had to confirm.")
    shredded_at: str = Field(description="When the last wrapped key went.")
    erased_at: str = Field(description="When the last service had confirmed.")
    final_at: str | None = Field(
        description="When the last key that had wrapped the call's key was destroyed, so that no copy opens."
    )
    destroyed: dict[str, str] = Field(description="By key, when it was destroyed.")
    issued_at: datetime
    proofs: list[Receipt] = Field(description="The entries, each with its proof of inclusion.")
    signature: str = Field(
        description=f"Ed25519 by the audit service over {DOMAIN.decode().strip()!r}, a line feed, and the "
        "canonical JSON of all other members; base64."
    )


@router.get(
    "/{call_id}/erasure-certificate",
    responses=responses(Unauthenticated, Forbidden, NotErased, NotPublishedYet, IntegrityError, Unavailable),
)
async def certify(
    request: Request,
    call_id: UUID,
    certifier: Certifier,
    state: Current,
    kind: Annotated[ErasedKind, Query(description="What was erased of the call.")] = ErasedKind.CALL,
) -> Certificate:
    """The signed certificate of a call's erasure; `otokura verify erasure` verifies it offline.

    It is there once every service has confirmed. `final_at` is null until the keys are destroyed that had
    wrapped the call's key: ask again then.
    """
    tenant_id = certifier.tenant_id
    if tenant_id is None:
        raise Forbidden("Calls are a tenant's own business, and you belong to no tenant.")
    async with state.database.session() as session:
        entries = await repository.entries_of_call(session, tenant_id, call_id, ACTIONS)
    found = select_entries(entries, kind)
    members = facts(tenant_id, call_id, kind, found)
    proofs = [await service.receipt(state, entry) for entry in found]
    await record(request, state, certifier, {"certificate": call_id, "kind": kind})
    return sign(members | {"issued_at": datetime.now(UTC), "proofs": proofs}, state.certificate_key)


def select_entries(entries: Sequence[Entry], kind: ErasedKind) -> list[Entry]:
    """The one that says that it began, each service's newest word, and the last, if it is final.

    Raises:
        NotErased: the call is not erased, or not everybody has confirmed.
    """
    newest: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        detail = detail_of(entry)
        if detail["kind"] == kind:
            newest[entry.action, str(detail.get("service", ""))] = entry
    begun = newest.pop((Action.ERASURE_BEGUN, ""), None)
    if begun is None:
        raise NotErased("The log knows of no such erasure of this call.")
    services: list[str] = detail_of(begun)["services"]
    missing = [name for name in services if (Action.ERASURE_APPLIED, name) not in newest]
    if missing:
        raise NotErased(f"Not confirmed yet: {', '.join(missing)}.", missing=missing)
    applied = [newest[Action.ERASURE_APPLIED, name] for name in services]
    final = newest.get((Action.ERASURE_FINAL, ""))
    return [begun, *applied, *([final] if final else [])]


def facts(tenant_id: UUID, call_id: UUID, kind: ErasedKind, found: Sequence[Entry]) -> dict[str, Any]:
    """What the entries say, in one place."""
    begun = detail_of(found[0])
    applied = [detail_of(entry) for entry in found if entry.action == Action.ERASURE_APPLIED]
    final = detail_of(found[-1]) if found[-1].action == Action.ERASURE_FINAL else None
    return {
        "tenant_id": tenant_id,
        "call_id": call_id,
        "erasure_id": begun["erasure_id"],
        "kind": kind,
        "ground": begun["ground"],
        "requested_at": begun["requested_at"],
        "confirmations": [Confirmation.model_validate(detail) for detail in applied],
        "shredded_at": max((detail["shredded_at"] for detail in applied), key=datetime.fromisoformat),
        "erased_at": max((detail["applied_at"] for detail in applied), key=datetime.fromisoformat),
        "final_at": final["final_at"] if final else None,
        "destroyed": final["destroyed"] if final else {},
    }


def detail_of(entry: Entry) -> dict[str, Any]:
    """The detail of an entry that is never deleted.

    Raises:
        IntegrityError: it was.
    """
    _, recorded = opened(entry)
    if recorded is None:
        raise IntegrityError(f"Entry {entry.index} of shard {entry.shard} lost its detail, which is proof.")
    detail: dict[str, Any] = recorded["detail"]
    return detail


def sign(members: dict[str, Any], key: Ed25519PrivateKey) -> Certificate:
    """The certificate, with its signature."""
    unsigned = Certificate.model_validate(members | {"signature": ""})
    told = canonical_json(unsigned.model_dump(mode="json", exclude={"signature"}))
    signature = base64.b64encode(key.sign(DOMAIN + told)).decode()
    return unsigned.model_copy(update={"signature": signature})
