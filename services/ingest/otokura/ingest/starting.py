"""A call begins: its key is made, its row written, and everyone told, in one transaction."""

from __future__ import annotations

from base64 import b64encode

from sqlmodel.ext.asyncio.session import AsyncSession

from otokura.ingest.dependencies import Caller
from otokura.ingest.gates import change_gate
from otokura.ingest.models import Call
from otokura.ingest.repository import now
from otokura.ingest.service import began, check_purposes, started_event, stated
from otokura.ingest.state import State
from otokura.ingest.views import NoticeInput, StartCall
from otokura.shared.events import KeyWrapped, TenantSettings
from otokura.shared.ids import uuid7
from otokura.shared.outbox import publish


async def start(
    session: AsyncSession, state: State, vendor: Caller, asked: StartCall, settings: TenantSettings
) -> Call:
    """Write the call and its events.

    Raises:
        UnknownPurpose: a purpose that the tenant did not disclose.
        PurposeNeeded: none, where the tenant demands one.
        LimitReached: the client has as many calls, or has sent as many bytes, as it may.
        NotYetBegun: it begins in the future.
        Unavailable: the key provider is away, or audio of other calls cannot be stored.
    """
    state.check_takes_calls()
    check_purposes(asked.purposes, settings)
    moment = await now(session)
    started_at = began(asked.started_at, moment)
    call_id = uuid7()
    key, wrapped = await state.keys.create(vendor.tenant_id, call_id)
    await state.limits.admit_call(session, vendor.client_id)
    call = Call(
        id=call_id,
        tenant_id=vendor.tenant_id,
        client_id=vendor.client_id,
        external_id=asked.external_id,
        direction=asked.direction.value,
        agent_id=asked.agent_id,
        channels=[channel.model_dump(mode="json") for channel in asked.channels],
        notice=stated(asked.notice, started_at).model_dump(mode="json"),
        purposes=asked.purposes,
        language=asked.language or settings.language,
        personal=key.seal_numbers(asked.caller, asked.callee),
        kek_id=wrapped.kek_id,
        wrapped_dek=wrapped.wrapped,
        commitment=key.commitment(),
        started_at=started_at,
        last_audio_at=moment,
    )
    session.add(call)
    await session.flush()
    await publish(session, key_event(call))
    await publish(session, started_event(call))
    return call


async def give_notice(session: AsyncSession, call: Call, notice: NoticeInput) -> None:
    """Note on a locked live call how and when the caller was told."""
    call.notice = stated(notice, await now(session)).model_dump(mode="json")
    await change_gate(session, call)
    await publish(session, started_event(call))


def key_event(call: Call) -> KeyWrapped:
    """The call's key, as it is wrapped now."""
    return KeyWrapped(
        call_id=call.id,
        tenant_id=call.tenant_id,
        version=call.key_version,
        kek_id=call.kek_id,
        wrapped=b64encode(call.wrapped_dek),
        commitment=call.commitment,
    )
