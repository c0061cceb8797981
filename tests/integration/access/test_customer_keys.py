"""A tenant whose customer's key alone opens its recordings: what is left here, and what can be taken."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

import customer
from access_calls import Call
from access_service import Access, Person, Tenant
from erasures import requested
from otokura.cli.__main__ import app
from otokura.shared.events import ErasedKind, KeyWrapped, TranscriptCompleted, TranscriptFailed

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
QUALITY = {"purpose": "quality"}
RUN = CliRunner()
KEYS = "SELECT kek_id FROM call_keys WHERE call_id = :id"


@pytest.fixture
def call(tenant: Tenant) -> Call:
    return tenant.call(customer_key=customer.public_pem())


@pytest.fixture
def supervisor(tenant: Tenant) -> Person:
    return tenant.person("supervisor")


def get(access: Access, who: Person, call: Call, what: str, **params: str) -> httpx.Response:
    with access.client(who.token) as client:
        return client.get(f"/v1/calls/{call.id}/{what}", params={**QUALITY, **params})


@pytest.mark.guarantee("S26")
def test_no_key_is_left_whatever_order_events_come_in(access: Access, call: Call) -> None:
    """And none comes back with an event that is repeated."""
    assert access.query(KEYS, id=call.id) == []
    for seed in range(6):
        for table in ("calls", "call_keys", "transcripts"):
            access.query(f"DELETE FROM {table} WHERE call_id = :id", id=call.id)  # noqa: S608 - ours
        events = [*call.events, *call.events]
        random.Random(seed).shuffle(events)
        access.apply(*events)
        assert access.query(KEYS, id=call.id) == [], seed


@pytest.mark.guarantee("S26")
def test_until_it_is_transcribed_the_key_is_here(access: Access, tenant: Tenant, call: Call) -> None:
    for table in ("calls", "call_keys", "transcripts"):
        access.query(f"DELETE FROM {table} WHERE call_id = :id", id=call.id)  # noqa: S608 - our own names
    before = [event for event in call.events if not isinstance(event, TranscriptCompleted)]
    access.apply(*before)
    assert len(access.query(KEYS, id=call.id)) == 1
    failed = TranscriptFailed(
        call_id=call.id,
        tenant_id=tenant.id,
        version=1,
        reason="Speech recognition failed",
        failed_at=call.manifest.ended_at,
    )
    access.apply(failed)
    assert access.query(KEYS, id=call.id) == []
    access.apply(*(event for event in before if isinstance(event, KeyWrapped)))
    assert access.query(KEYS, id=call.id) == []


@pytest.mark.guarantee("S26")
@pytest.mark.parametrize("kind", [ErasedKind.RECORDING, ErasedKind.TRANSCRIPT])
def test_what_retention_erases_first_leaves_no_key_and_brings_none_back(
    access: Access, tenant: Tenant, call: Call, kind: ErasedKind
) -> None:
    """Also of a recording that nobody will transcribe any more."""
    late = [event for event in call.events if isinstance(event, KeyWrapped)]
    for table in ("call_keys", "transcripts"):
        access.query(f"DELETE FROM {table} WHERE call_id = :id", id=call.id)  # noqa: S608 - our own names
    access.apply(*late)
    assert len(access.query(KEYS, id=call.id)) == 1
    access.apply(requested(call.id, tenant.id, kind))
    assert access.query(KEYS, id=call.id) == []
    access.apply(*late)
    assert access.query(KEYS, id=call.id) == []


def test_that_the_key_went_is_written_down_once(access: Access, tenant: Tenant, call: Call) -> None:
    access.apply(*call.events)
    access.audit.entry(action="key.handed-over", call_id=str(call.id), tenant_id=str(tenant.id))


@pytest.mark.guarantee("S26")
def test_nothing_of_it_is_heard_or_read_here(access: Access, supervisor: Person, call: Call) -> None:
    for what, params in (("audio", {}), ("transcript", {}), ("transcript", {"view": "redacted"})):
        refused = get(access, supervisor, call, what, **params)
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:otokura:problem:held-by-customer")
    with access.client(supervisor.token) as client:
        seen = client.get(f"/v1/calls/{call.id}").json()
    assert len(seen["customer_key_sha256"]) == 64
    assert seen["recording"]["duration_ms"] == 60_000


@pytest.mark.guarantee("S27")
def test_the_customer_takes_it_home_and_opens_it(
    access: Access, supervisor: Person, call: Call, tmp_path: Path
) -> None:
    key = customer.key_file(tmp_path)
    for name, params, wanted in (
        ("recording", {}, call.audio),
        ("transcript", {"transcript": "true"}, call.transcript.model_dump_json().encode()),
    ):
        taken = get(access, supervisor, call, "sealed", **params)
        assert (taken.status_code, taken.headers["Content-Type"]) == (200, "application/vnd.otokura.sealed")
        assert wanted not in taken.content
        [opened] = access.audit.entries(entry_id=taken.headers["Otokura-Entry-Id"])
        assert (opened["action"], opened["detail"]["kind"], opened["detail"]["of"]) == (
            "read.opened",
            "sealed",
            name,
        )
        assert access.audit.closed(opened["entry_id"])["detail"]["bytes_sent"] == len(taken.content)
        file, output = tmp_path / f"{name}.sealed", tmp_path / name
        file.write_bytes(taken.content)
        command = ["open", str(file), "--key", str(key), "--output", str(output)]
        result = RUN.invoke(app, command)
        assert result.exit_code == 0, result.stderr
        assert output.read_bytes() == wanted


@pytest.mark.guarantee("S27")
@pytest.mark.parametrize("role", ["analyst", "auditor", "admin"])
def test_who_may_not_hear_a_call_does_not_get_its_ciphertext(
    access: Access, tenant: Tenant, call: Call, role: str
) -> None:
    for params in ({}, {"transcript": "true"}):
        assert get(access, tenant.person(role), call, "sealed", **params).status_code in (403, 404)


@pytest.mark.guarantee("S27")
def test_ciphertext_needs_a_purpose_and_the_office_too(
    access: Access, supervisor: Person, call: Call
) -> None:
    assert get(access, supervisor, call, "sealed", purpose="training").status_code == 403
    with access.client(supervisor.token, address="198.51.100.9") as client:
        outside = client.get(f"/v1/calls/{call.id}/sealed", params=QUALITY)
    assert outside.status_code in (403, 404)
    other = access.tenant().person("supervisor")
    assert get(access, other, call, "sealed").status_code == 404


def test_a_call_that_was_sealed_for_nobody_else_is_not_given_so(
    access: Access, tenant: Tenant, supervisor: Person
) -> None:
    refused = get(access, supervisor, tenant.call(), "sealed")
    assert (refused.status_code, "sealed for nobody else" in refused.json()["detail"]) == (409, True)


def test_an_unfit_key_is_refused_by_the_settings(access: Access, tenant: Tenant, tmp_path: Path) -> None:
    private = customer.key_file(tmp_path).read_text()
    short = customer.public_pem(customer.private_key(bits=2048))
    for pem in (private, short, "x"):
        response = put_key(access, tenant, pem)
        assert response.status_code == 422
        assert pem not in response.text
    assert put_key(access, tenant, customer.public_pem()).status_code == 200
    assert put_key(access, tenant, None).status_code == 200


def put_key(access: Access, tenant: Tenant, pem: str | None) -> Any:
    with access.client(tenant.admin) as client:
        read = client.get("/v1/settings")
        match = {"If-Match": read.headers["ETag"]}
        return client.put("/v1/settings", json=read.json() | {"customer_key": pem}, headers=match)
