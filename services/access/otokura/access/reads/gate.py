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
from otokura.access.grants import using
from otokura.access.grants.using import Given
from otokura.access.identity.lasting import goes_on
from otokura.access.identity.subject import Reader, reader_from
from otokura.access.permission import entry, record_denial
from otokura.access.policy.decided import Decided, decide
from otokura.access.policy.denial import Denial, grant_over, no_grant
from otokura.access.reads import repository
from otokura.access.reads.closing import Outcome
from otokura.access.reads.service import judge
from otokura.access.reads.views import facts_of
from otokura.access.signals.watch import Observation
from otokura.access.state import AccessState
from otokura.shared.address import ResolvedAddress
from otokura.shared.audit_entries import ENTRY_ID, Action
from otokura.shared.errors import IntegrityError, Unauthenticated, Unavailable
from otokura.shared.ids import uuid7
from otokura.shared.keys import KeyContext, KeyUse, WrappedDek, check_commitment
from otokura.shared.manifest import Manifest
from otokura.shared.policy.facts import PolicyAction
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
    grant: UUID | None = None


@dataclass(frozen=True, slots=True)
class Permit:
    """A permission given just now; nothing has been read by it. `grant` is the one that it rests on.

    The decision is the reader's: entries of what they do by it tell it.
    """

    request: Request
    reader: Reader
    row: Mapping[str, Any]
    grant: Given | None = None


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
            ENTRY_ID: str(self.entry_id),
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
        row = await repository.read(state.database, request.token, request.call_id)
        idle = state.settings.session_idle_seconds
        if row is None or row["call_id"] is None or not goes_on(row, request.token, idle):
            return None
        reader = reader_from(row, request.token, request.place)
        denial, *_ = await _judged(state, request, reader, row)
        return row if denial is None else None

    async def is_gone(self) -> bool:
        """Whether the call, or what of it was read, was erased after the read was permitted."""
        row, before = await self.look_again(), self.permit.row
        kinds = ("recording_erased_at", "transcript_erased_at")
        return row is None or any(row[kind] != before[kind] for kind in kinds)

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
    """Decides, with one query, and another for a grant. A denial is written down before it is told.

    Raises:
        Unauthenticated: the token, or whose it is, is no longer good.
        Forbidden: not from there, not in that role, not for that purpose, not by that grant, or not now.
        NotFound: there is no such call, or the reader may not know that there is.
        Unavailable: the denial could not be written.
    """
    row = await repository.read(state.database, request.token, request.call_id)
    reader = reader_from(row, request.token, request.place)
    if row is None or not goes_on(row, request.token, state.settings.session_idle_seconds):
        raise Unauthenticated("This token is no longer good: it, or the session that it is of, is over.")
    denial, decided, given = await _judged(state, request, reader, row)
    if denial is not None:
        await record_denial(state, reader, denial, request.action, decided, request.call_id)
        raise denial.error
    if decided is None:
        raise AssertionError("judge lets nobody have a call that is not there")
    return Permit(request, reader.by(decided), row, given)


async def _judged(
    state: AccessState, request: Request, reader: Reader, row: Mapping[str, Any] | None
) -> tuple[Denial | None, Decided | None, Given | None]:
    """Whether the reader may, what the policies were asked and said, and the grant that the request names."""
    call = facts_of(row) if row is not None and row["call_id"] is not None else None
    given = None
    if request.grant is not None:
        given = await using.find(state.database, reader, request.call_id, request.grant)
        if given is None:
            return no_grant(), None, None
        if given.over is not None:
            return grant_over(given.over), None, given
    asked = reader.circumstances(request.purpose, request.reason, given.facts if given else None)
    denial = judge(state.policies.decide, reader, call, request.action, asked)
    # About who is paused no policy was asked anything.
    if call is None or reader.paused:
        return denial, None, given
    return denial, decide(state.policies, reader.facts, request.action, call, asked), given


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
    """Writes `read.opened` and waits for its acknowledgement. A read by a grant uses it.

    Args:
        state: the service's.
        permit: the permission.
        manifest: of the recording that is read.
        about: what of it is read, and how.

    Raises:
        GrantOver: the grant was used as often as it may be.
        Unavailable: the entry was not acknowledged. There is no read.
    """
    opened = OpenedRead(state, permit, permit.request.read_id or uuid7(), uuid7(), manifest)
    await _write_down(opened, about)
    return opened


async def open_live(state: AccessState, permit: Permit, about: Mapping[str, Any]) -> Opened:
    """The same for a call that may still last, of which there is no manifest.

    Raises:
        NotReady: the call's key has not arrived.
        GrantOver: the grant was used as often as it may be.
        Unavailable: the entry was not acknowledged. There is no read.
    """
    require_key(permit)
    opened = Opened(state, permit, permit.request.read_id or uuid7(), uuid7())
    await _write_down(opened, about)
    return opened


async def _write_down(opened: Opened, about: Mapping[str, Any]) -> None:
    state, permit, request = opened.state, opened.permit, opened.permit.request
    await _count_use(opened)
    detail = {
        "read_id": opened.read_id,
        "action": request.action.value,
        "purpose": request.purpose,
        "reason": request.reason,
        "external_id": permit.row["external_id"],
        "manifest_sha256": permit.row["manifest_sha256"],
        **({"grant": request.grant} if request.grant else {}),
        **about,
    }
    draft = entry(Action.READ_OPENED, permit.reader, detail, request.call_id)
    try:
        await state.audit.write(draft, entry_id=opened.entry_id)
    except Unavailable:
        # While the writer holds it, it will arrive, and no read without an entry may hide behind it.
        if state.audit.holds(opened.entry_id):
            state.audit.reads.drop(permit.row["tenant_id"])
        opened.close(Outcome.UNWRITTEN, 0)  # the log shall say that nothing was read by it
        raise
    seen = Observation.of(permit.reader, denied=False, call_id=request.call_id, read_id=opened.read_id)
    state.watch.add(seen)


async def _count_use(opened: Opened) -> None:
    """A read by a grant is one of its uses, or goes on with one; that is decided before anything is opened.

    Raises:
        GrantOver: it was used as often as it may be, or ended just now.
    """
    state, permit = opened.state, opened.permit
    if permit.grant is None:
        return
    manifest = permit.row["manifest"]
    length_ms = manifest["duration_ms"] if manifest else 0
    over = await using.begin(state.database, permit.reader, permit.grant, opened.read_id, length_ms)
    if over is not None:
        denial, request = grant_over(over), permit.request
        # The policies permitted it: judged again, this is no decision of theirs.
        await record_denial(state, permit.reader, denial, request.action, None, request.call_id)
        raise denial.error


def outcome_of(error: BaseException) -> Outcome:
    """How a read ended that this ended."""
    if isinstance(error, IntegrityError):
        return Outcome.INTEGRITY
    if isinstance(error, Unavailable):
        return Outcome.UNAVAILABLE
    return Outcome.FAILED if isinstance(error, Exception) else Outcome.ABORTED
