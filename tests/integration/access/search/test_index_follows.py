"""The index follows the calls: a new version takes the old one's place; an erased call is gone at once."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from access_audit import run
from access_calls import Call, store_transcript
from access_service import Access, Tenant
from erasures import requested
from otokura.shared.events import ErasureRequested, KeyWrapped, TranscriptCompleted
from otokura.shared.keys import KeyContext, KeyUse, WrappedDek
from otokura.shared.transcripts import Transcript
from search_requests import found, indexed
from searched_calls import saying

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]


async def _again(
    access: Access, call: Call, said: Callable[[UUID], Transcript], version: int
) -> TranscriptCompleted:
    [key] = [event for event in call.events if isinstance(event, KeyWrapped)]
    [before] = [event for event in call.events if isinstance(event, TranscriptCompleted)]
    ids = (call.manifest.tenant_id, call.id)
    dek = await access.keys.unwrap(WrappedDek(key.kek_id, key.wrapped), KeyContext(*ids), KeyUse.READ, "test")
    async with access.store() as store:
        stored = await store_transcript(store, ids[0], dek, said(call.id), version)
    return TranscriptCompleted.model_validate({**before.model_dump(), **stored, "version": version})


def erased(call: Call) -> ErasureRequested:
    return requested(call.id, call.manifest.tenant_id)


@pytest.mark.guarantee("R46")
def test_a_new_version_takes_the_place_of_the_old_one(access: Access, tenant: Tenant) -> None:
    call = tenant.call(b"audio", said=saying("解約したい"))
    indexed(access, call)
    token = tenant.person("supervisor").token
    assert found(access, token, "解約") == [str(call.id)]
    newer = run(_again(access, call, saying("会約したい", "Cancel it"), 3))
    older = run(_again(access, call, saying("戒約"), 2))
    access.apply(newer, older)
    indexed(access, call)
    assert found(access, token, "解約") == []
    assert found(access, token, "戒約") == []
    assert found(access, token, "会約") == found(access, token, "cancel") == [str(call.id)]


@pytest.mark.guarantee("R45")
def test_an_erased_call_is_gone_at_once_and_for_good(access: Access, tenant: Tenant) -> None:
    calls = [tenant.call(b"audio", said=saying("解約したい")) for _ in range(2)]
    indexed(access, *calls)
    token = tenant.person("supervisor").token
    access.apply(erased(calls[0]))
    assert found(access, token, "解約") == [str(calls[1].id)]
    assert access.query("SELECT 1 FROM search_index WHERE call_id = :id", id=calls[0].id) == []
    access.apply(*calls[0].events, run(_again(access, calls[0], saying("解約したい"), 2)))
    marker = tenant.call(b"audio", said=saying("解約したい"))
    indexed(access, marker)
    assert set(found(access, token, "解約")) == {str(calls[1].id), str(marker.id)}


@pytest.mark.guarantee("R45")
def test_an_erasure_of_another_tenants_call_changes_nothing(access: Access, tenant: Tenant) -> None:
    call = tenant.call(b"audio", said=saying("解約したい"))
    indexed(access, call)
    access.apply(erased(call).model_copy(update={"tenant_id": access.tenant().id}))
    assert found(access, tenant.person("supervisor").token, "解約") == [str(call.id)]
