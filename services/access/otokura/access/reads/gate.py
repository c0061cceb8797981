"""The one way to the content of a call, and its order, which is what Otokura is for.

Who → where → may they → what for → `read.opened` acknowledged → bytes → `read.closed`.

No byte of content exists in this process before the entry is acknowledged: the key is unwrapped after it,
with the entry's id as the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from otokura.access.errors import HeldByCustomer, NotReady
from otokura.access.identity.subject import Reader, is_over, reader_from
from otokura.access.permission import entry, record_denial
from otokura.access.reads import repository
from otokura.access.reads.closing import Outcome
from otokura.access.reads.service import judge
from otokura.access.reads.views import facts_of
from otokura.access.state import AccessState
from otokura.shared.address import ResolvedAddress
from otokura.shared.audit_entries import Action
from otokura.shared.errors import IntegrityError, Unavailable
from otokura.shared.ids import uuid7
from otokura.shared.keys import KeyContext, KeyUse, WrappedDek, check_commitment
from otokura.shared.manifest import Manifest
from otokura.shared.policy.facts import PolicyAction
from otokura.shared.policy.questions import Question
from otokura.shared.tokens import Principal


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks for what, before anything is decided."""

    token: Principal
    place: ResolvedAddress
    call_id: UUID
    action: PolicyAction
    purpose: str | None = None
    reason: str | None = None
    read_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Permit:
    """A permission given just now; nothing has been read by it."""

    request: Request
    reader: Reader
    row: Mapping[str, Any]
    question: Question
    policies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """A read whose entry is acknowledged. It must be closed, however it ends."""

    state: AccessState
    permit: Permit
    read_id: UUID
    entry_id: UUID

    @property
    def headers(self) -> dict[str, str]:
        """What every response with content says of itself."""
        return {
            "Otokura-Read-Id": str(self.read_id),
            "Otokura-Entry-Id": str(self.entry_id),
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        }

    @property
    def key_commitment(self) -> str:
        """What the call's key must match: while there is no manifest, what came with the key."""
        commitment: str = self.permit.row["commitment"]
        return commitment

    async def unwrap(self) -> bytes:
        """The call's DEK, after its commitment is checked.

        Raises:
            IntegrityError: the wrapped key was changed, or is not the one to which is committed.
            Unavailable: the key provider cannot be reached.
        """
        row = self.permit.row
        wrapped = WrappedDek(row["kek_id"], row["wrapped"])
        context = KeyContext(row["tenant_id"], row["call_id"])
        dek = await self.state.keys.unwrap(wrapped, context, KeyUse.READ, str(self.entry_id))
        check_commitment(dek, row["call_id"], self.key_commitment)
        return dek

    async def look_again(self) -> Mapping[str, Any] | None:
        """The call as it is now; None when the reader may not go on.

        Asked again from the beginning, of the database as it is now.
        """
        request, state = self.permit.request, self.state
        row = await repository.read(state.database, request.token.subject, request.token.jti, request.call_id)
        if row is None or is_over(row, request.token) or row["call_id"] is None:
            return None
        reader = reader_from(row, request.token, request.place)
        asked = reader.circumstances(request.purpose, request.reason)
        denial = judge(state.policies.decide, reader, facts_of(row), request.action, asked)
        return row if denial is None else None

    async def still_permitted(self) -> bool:
        """Whether the reader may go on."""
        return await self.look_again() is not None

    def close(self, outcome: Outcome, sent: int) -> None:
        """Writes `read.closed`, beside the request."""
        detail = {
            "read_id": self.read_id,
            "opened": self.entry_id,
            "outcome": outcome.value,
            "bytes_sent": sent,
        }
        draft = entry(Action.READ_CLOSED, self.permit.reader, detail, self.permit.request.call_id)
        self.state.closings.add(draft)


@dataclass(frozen=True, slots=True)
class OpenedRead(Opened):
    """A read of a sealed recording, or of what was made of it."""

    manifest: Manifest

    @property
    def key_commitment(self) -> str:
        """That of the manifest."""
        return self.manifest.key_commitment


async def permit(state: AccessState, request: Request) -> Permit:
    """Decides, with one query. A denial is written down before it is told.

    Raises:
        Unauthenticated: the token, or whose it is, is no longer good.
        Forbidden: not from there, not in that role, not for that purpose.
        NotFound: there is no such call, or the reader may not know that there is.
        Unavailable: the denial could not be written.
    """
    row = await repository.read(state.database, request.token.subject, request.token.jti, request.call_id)
    reader = reader_from(row, request.token, request.place)
    known = row is not None and row["call_id"] is not None
    call = facts_of(row) if row is not None and known else None
    asked = reader.circumstances(request.purpose, request.reason)
    denial = judge(state.policies.decide, reader, call, request.action, asked)
    question = Question.of(reader.facts, request.action, call, asked) if call is not None else None
    if denial is not None:
        await record_denial(state, reader, denial, request.action, question, request.call_id)
        raise denial.error
    if row is None or question is None:
        raise AssertionError("judge lets nobody have a call that is not there")
    return Permit(request, reader, row, question, state.policies.judge(question).policies)


def require_manifest(permit: Permit) -> Manifest:
    """The manifest of the call's recording, which can be opened here.

    Raises:
        NotReady: the call has no recording (yet), or its key has not arrived.
        HeldByCustomer: the key was here, and is not any more.
    """
    manifest = require_recording(permit)
    require_key(permit)
    return manifest


def require_recording(permit: Permit) -> Manifest:
    """The manifest of the call's recording, whoever can open it.

    Raises:
        NotReady: the call has no recording (yet).
    """
    row = permit.row
    if row["manifest"] is None:
        raise NotReady(f"The call has no recording: it is {row['state']}.", state=row["state"])
    return Manifest.model_validate(row["manifest"])


def require_key(permit: Permit) -> None:
    """That the call's key is here.

    Raises:
        NotReady: it has not arrived.
        HeldByCustomer: it was here, and is not any more.
    """
    row = permit.row
    if row["wrapped"] is None and row["customer_key"] is not None:
        raise HeldByCustomer("Take it with GET …/sealed, and open it with `otokura open`.")
    if row["wrapped"] is None:
        raise NotReady("The call's key has not arrived yet.", state=row["state"])


async def open_read(
    state: AccessState, permit: Permit, manifest: Manifest, about: Mapping[str, Any]
) -> OpenedRead:
    """Writes `read.opened` and waits for its acknowledgement.

    Args:
        state: the service's.
        permit: the permission.
        manifest: of the recording that is read.
        about: what of it is read, and how.

    Raises:
        Unavailable: the entry was not acknowledged. There is no read.
    """
    opened = OpenedRead(state, permit, permit.request.read_id or uuid7(), uuid7(), manifest)
    await _write_down(opened, about)
    return opened


async def open_live(state: AccessState, permit: Permit, about: Mapping[str, Any]) -> Opened:
    """The same for a call that may still last, of which there is no manifest.

    Raises:
        NotReady: the call's key has not arrived.
        Unavailable: the entry was not acknowledged. There is no read.
    """
    require_key(permit)
    opened = Opened(state, permit, permit.request.read_id or uuid7(), uuid7())
    await _write_down(opened, about)
    return opened


async def _write_down(opened: Opened, about: Mapping[str, Any]) -> None:
    state, permit, request = opened.state, opened.permit, opened.permit.request
    detail = {
        "read_id": opened.read_id,
        "action": request.action.value,
        "purpose": request.purpose,
        "reason": request.reason,
        "external_id": permit.row["external_id"],
        "manifest_sha256": permit.row["manifest_sha256"],
        "question": permit.question.described(),
        "policies": list(permit.policies),
        "policy_version": state.policies.version,
        **about,
    }
    draft = entry(Action.READ_OPENED, permit.reader, detail, request.call_id)
    try:
        await state.audit.write(draft, entry_id=opened.entry_id)
    except Unavailable:
        # It may still arrive: then the log shall say that nothing was read by it.
        opened.close(Outcome.UNWRITTEN, 0)
        raise


def outcome_of(error: BaseException) -> Outcome:
    """How a read ended that this ended."""
    if isinstance(error, IntegrityError):
        return Outcome.INTEGRITY
    if isinstance(error, Unavailable):
        return Outcome.UNAVAILABLE
    return Outcome.FAILED if isinstance(error, Exception) else Outcome.ABORTED
