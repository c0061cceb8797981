"""What a person is given of their calls: redacted, whole, and written down call by call."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from contextlib import suppress
from typing import Any

import httpx
import numpy as np
import pytest

import customer
from access_calls import Call
from access_service import ELSEWHERE, Access, Person, Tenant, once
from redacted_calls import Hidden, flac, noise, recorded, wav_samples, without

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
HIDDEN: Hidden = [(1, 1000, 2000)]
SAID = noise(5)


@pytest.fixture
def officer(tenant: Tenant) -> Person:
    return tenant.person("evidence-officer")


def call_of(tenant: Tenant, hidden: Hidden | None = HIDDEN) -> Call:
    return recorded(tenant, flac(SAID), hidden, samples=len(SAID))


def export(client: httpx.Client, *calls: Call, **body: Any) -> httpx.Response:
    told = {"call_ids": [str(call.id) for call in calls], "reason": "開示のご請求 2026-131", **body}
    return client.post("/v1/exports", json=told)


@pytest.mark.guarantee("Z9")
def test_the_archive_holds_each_call_redacted_and_each_is_written_down(
    access: Access, tenant: Tenant, officer: Person
) -> None:
    first, second = call_of(tenant), call_of(tenant)
    unsearched = call_of(tenant, None)
    with access.client(officer.token) as client:
        response = export(client, first, second, unsearched)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(response.content)) as file:
        assert file.testzip() is None
        content = {name: file.read(name) for name in file.namelist()}
    assert sorted(content) == [
        *(
            f"calls/{n:03d}/{part}"
            for n in (1, 2)
            for part in ("audio.wav", "transcript.json", "transcript.txt")
        ),
        "index.html",
        "manifest.json",
    ]
    assert np.array_equal(wav_samples(content["calls/001/audio.wav"]), without(SAID, HIDDEN))
    assert "[card-number]" in content["calls/002/transcript.txt"].decode()
    manifest = json.loads(content["manifest.json"])
    for told in manifest["files"]:
        assert hashlib.sha256(content[told["name"]]).hexdigest() == told["sha256"]
    assert "含みません" in content["index.html"].decode()
    [opened] = access.audit.entries(entry_id=response.headers["Otokura-Entry-Id"])
    assert opened["action"] == "disclosure.opened"
    assert opened["detail"]["reason"] == "開示のご請求 2026-131"
    assert opened["detail"]["calls"] == [str(call.id) for call in (first, second, unsearched)]
    for call in (first, second, unsearched):
        [read] = access.audit.entries(action="read.opened", call_id=str(call.id))
        assert read["detail"]["export_id"] == manifest["export_id"]
        assert access.audit.closed(read["entry_id"])["detail"]["outcome"] == "complete"
    closed = access.audit.entry(action="disclosure.closed", tenant_id=str(tenant.id))
    assert closed["detail"]["bytes_sent"] == len(response.content)
    assert closed["detail"]["outcome"] == "complete"


@pytest.mark.guarantee("Z9")
def test_nobody_else_and_nothing_raw_unless_a_policy_says_so(
    access: Access, tenant: Tenant, officer: Person
) -> None:
    call = call_of(tenant)
    for role in ("supervisor", "agent", "analyst", "auditor"):
        with access.client(tenant.person(role).token) as client:
            assert export(client, call).status_code == 403
    with access.client(officer.token) as client:
        assert export(client, call, view="raw").status_code == 403
        assert export(client, call, reason=" ").status_code == 422
        assert export(client).status_code == 422
    with access.client(officer.token, address=ELSEWHERE) as client:
        assert export(client, call).status_code == 403
    with access.client(access.tenant().person("evidence-officer").token) as client:
        assert export(client, call).status_code == 422
    assert access.audit.entries(action="read.opened", call_id=str(call.id)) == []


@pytest.mark.guarantee("Z9")
def test_a_recording_that_cannot_be_decoded_to_its_end_spoils_no_archive(
    access: Access, tenant: Tenant, officer: Person
) -> None:
    said = noise(60)
    file = flac(said)
    kept = len(file) * 3 // 4
    cut = recorded(tenant, file[:kept] + bytes(len(file) - kept), HIDDEN, samples=len(said))
    broken = recorded(tenant, bytes(len(file)), HIDDEN, samples=len(said))
    with access.client(officer.token) as client:
        response = export(client, cut, broken, call_of(tenant))
    assert response.status_code == 200, response.text
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        listed = {told["name"] for told in json.loads(archive.read("manifest.json"))["files"]}
        heard = np.frombuffer(archive.read("calls/001/audio.wav")[44:], "<i2").reshape(-1, 2)
        page = archive.read("index.html").decode()
    assert listed == names - {"manifest.json"}
    assert "calls/002/audio.wav" not in names
    assert "calls/003/audio.wav" in names
    assert np.array_equal(heard, without(said, HIDDEN)[: len(heard)])
    assert page.count("The recording breaks off") == page.count("The recording cannot be played") == 1


def test_an_erased_call_is_not_exported(access: Access, tenant: Tenant, officer: Person) -> None:
    call = call_of(tenant)
    with access.client(officer.token) as client:
        body = {"call_ids": [str(call.id)], "ground": "cease-use", "reason": "r"}
        asked = client.post("/v1/erasures", json=body, headers=once())
        assert asked.status_code == 201
        erasure = f"/v1/erasures/{asked.json()['id']}"
        while client.get(erasure).json()["waiting"] == 1:
            # An archive whose call is erased while it is made is broken off, and opens nowhere; as it begins,
            # the call is not found.
            with suppress(httpx.RemoteProtocolError):
                assert export(client, call).status_code in {200, 404, 422}
        response = export(client, call)
    assert (response.status_code, response.json()["unknown"]) == (422, [str(call.id)])
    for read in access.audit.entries(action="read.opened", call_id=str(call.id)):
        assert access.audit.closed(read["entry_id"])["detail"]["outcome"] in {"complete", "revoked"}


def test_what_only_the_customer_can_open_is_not_said_to_be_missing(
    access: Access, tenant: Tenant, officer: Person
) -> None:
    call = tenant.call(customer_key=customer.public_pem())
    with access.client(officer.token) as client:
        response = export(client, call)
    assert response.status_code == 200, response.text
    with zipfile.ZipFile(io.BytesIO(response.content)) as file:
        assert file.namelist() == ["index.html", "manifest.json"]
        page = file.read("index.html").decode()
    assert "kept under a key that this system does not have" in page
    assert "There is no recording" not in page
