"""Bundles of long calls in little memory; and none without audit, or with too many at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

import access_service
import servers
from access_service import Access, Person, Tenant
from evidence_site import REASON
from history_stub import EMPTY, HistoryStub, history_stub
from otokura.cli.local.postgres import PostgresServer
from otokura.cli.local.seaweedfs import SeaweedServer
from process_memory import memory
from redacted_calls import RATE, clicks, flac, noise, recorded

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
MINUTES = 120


@pytest.fixture(scope="module")
def stub() -> Iterator[HistoryStub]:
    with history_stub() as found:
        yield found


@pytest.fixture(scope="module")
def access(
    postgres_server: PostgresServer,
    s3_server: SeaweedServer,
    kafka_server: servers.KafkaServer,
    stub: HistoryStub,
) -> Iterator[Access]:
    """Access alone, with a stand-in for audit."""
    kafka = access_service.kafka_of(kafka_server)
    settings = {"OTOKURA_AUDIT_URL": stub.url}
    with access_service.running(postgres_server, s3_server, kafka, **settings) as found:
        yield found


@pytest.fixture
def tenant(access: Access) -> Tenant:
    return access.tenant()


@pytest.fixture
def officer(tenant: Tenant) -> Person:
    return tenant.person("evidence-officer")


def make(access: Access, officer: Person, call_id: Any) -> httpx.Response:
    with access.client(officer.token) as client:
        return client.post(f"/v1/calls/{call_id}/evidence", json={"reason": REASON})


@pytest.mark.guarantee("L28")
def test_without_a_history_there_is_no_evidence_and_the_log_says_that_nothing_was_read(
    access: Access, stub: HistoryStub, tenant: Tenant, officer: Person
) -> None:
    said = noise(2)
    call = recorded(tenant, flac(said), [], samples=len(said))
    refusals = [(500, b"{}"), (404, b"{}"), (200, b"garbage"), (200, b"[]"), (302, b"")]
    for stub.status, stub.body in refusals:
        refused = make(access, officer, call.id)
        assert refused.status_code == 503, refused.text
    stub.status, stub.body = 200, json.dumps(EMPTY).encode()
    for opened in access.audit.entries(action="read.opened", call_id=str(call.id)):
        closed = access.audit.closed(opened["entry_id"])["detail"]
        assert (closed["outcome"], closed["bytes_sent"]) == ("unavailable", 0)
    stub.first = [409, 401, 503]
    assert make(access, officer, call.id).status_code == 200
    path, token = stub.asked[-1]
    [*_, opened] = access.audit.entries(action="read.opened", call_id=str(call.id))
    assert f"holding={opened['entry_id']}" in path
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["sub"], claims["roles"]) == (str(officer.id), ["evidence-officer"])
    assert claims["exp"] - claims["iat"] == 60


@pytest.mark.guarantee("L28")
def test_where_all_decoders_are_taken_nothing_is_sent(access: Access) -> None:
    """Four, as many as two companies take with two bundles each."""
    minutes = 30
    file = clicks(minutes)
    tenants = [access.tenant() for _ in range(3)]
    officers = [tenant.person("evidence-officer") for tenant in tenants]
    calls = [recorded(tenant, file, [], samples=minutes * 60 * RATE) for tenant in tenants]
    with ExitStack() as stack:
        for officer, call in [*zip(officers[:2], calls, strict=False)] * 2:
            client = stack.enter_context(access.client(officer.token))
            path = f"/v1/calls/{call.id}/evidence"
            stream = stack.enter_context(client.stream("POST", path, json={"reason": REASON}))
            assert stream.status_code == 200
        refused = make(access, officers[2], calls[2].id)
        assert refused.status_code == 503, refused.text
    [opened] = access.audit.entries(action="read.opened", call_id=str(calls[2].id))
    closed = access.audit.closed(opened["entry_id"])["detail"]
    assert (closed["outcome"], closed["bytes_sent"]) == ("unavailable", 0)


@pytest.mark.guarantee("L28")
def test_hours_take_the_memory_of_a_minute_and_a_company_makes_two_at_once(
    access: Access, tenant: Tenant, officer: Person
) -> None:
    said = noise(60)
    first = recorded(tenant, flac(said), [], samples=len(said))
    assert make(access, officer, first.id).status_code == 200
    call = recorded(tenant, clicks(MINUTES), [], samples=MINUTES * 60 * RATE)
    pid = access.program.pid
    assert pid is not None
    before = {path.name for path in access.folder.rglob("*")}
    path = f"/v1/calls/{call.id}/evidence"
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    resident = memory(pid, "VmRSS")
    size = 0
    with ExitStack() as stack:
        client = stack.enter_context(access.client(officer.token))
        streams = [
            stack.enter_context(client.stream("POST", path, json={"reason": REASON})) for _ in range(2)
        ]
        assert [stream.status_code for stream in streams] == [200, 200]
        assert make(access, officer, call.id).status_code == 429
        for chunk in streams[0].iter_raw(1 << 20):
            size += len(chunk)
    assert size > MINUTES * 60 * RATE * 4
    assert memory(pid, "VmHWM") - resident < 96 << 20
    assert {path.name for path in access.folder.rglob("*")} == before
    opened = access.audit.at_least(2, action="read.opened", call_id=str(call.id))
    outcomes = {access.audit.closed(it["entry_id"])["detail"]["outcome"] for it in opened}
    assert outcomes == {"complete", "aborted"}
    assert make(access, officer, first.id).status_code == 200
