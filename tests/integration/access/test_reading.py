"""Reading calls through the service as it runs: what is answered, and what is written down."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from access_calls import Call, started_of
from access_service import ELSEWHERE, Access, Person, Tenant
from otokura.shared.events import CallSettled, TranscriptFailed
from otokura.shared.transcripts import Transcript

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka]
QUALITY = {"purpose": "quality"}


@pytest.fixture
def call(tenant: Tenant) -> Call:
    return tenant.call()


@pytest.fixture
def supervisor(tenant: Tenant) -> Person:
    return tenant.person("supervisor")


def audio(access: Access, who: Person, call: Call, **request: Any) -> httpx.Response:
    with access.client(who.token) as client:
        return client.get(f"/v1/calls/{call.id}/audio", **{"params": QUALITY, **request})


@pytest.mark.guarantee("R1")
def test_a_recording_is_heard_and_the_reading_written_down(
    access: Access, supervisor: Person, call: Call
) -> None:
    read_id = str(uuid4())
    response = audio(access, supervisor, call, params=QUALITY | {"read_id": read_id, "reason": "苦情"})
    assert (response.status_code, response.content) == (200, call.audio)
    assert response.headers["Content-Type"] == "audio/flac"
    assert response.headers["Cache-Control"] == "private, no-store"
    assert response.headers["Otokura-Read-Id"] == read_id
    entry_id = response.headers["Otokura-Entry-Id"]
    [opened] = access.audit.entries(entry_id=entry_id)
    assert opened["action"] == "read.opened"
    assert opened["reader"] == str(supervisor.id)
    assert opened["call_id"] == str(call.id)
    detail = opened["detail"]
    assert detail["range"] == {"start": 0, "stop": len(call.audio), "size": len(call.audio)}
    assert (detail["purpose"], detail["reason"], detail["zones"]) == ("quality", "苦情", ["office"])
    assert detail["policies"] == ["supervisor-all-calls"]
    closed = access.audit.closed(entry_id)
    assert closed["detail"]["outcome"] == "complete"
    assert closed["detail"]["bytes_sent"] == len(call.audio)
    assert closed["seq"] > opened["seq"]


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-65535", 0, 65536),
        ("bytes=65479-65480", 65479, 65481),
        ("bytes=65480-131000", 65480, 131001),
        ("bytes=199999-", 199_999, 200_000),
        ("bytes=-5", 199_995, 200_000),
        ("bytes=150000-9999999", 150_000, 200_000),
    ],
)
def test_a_range_is_exactly_that_range(
    access: Access, supervisor: Person, call: Call, header: str, start: int, stop: int
) -> None:
    response = audio(access, supervisor, call, headers={"Range": header})
    assert (response.status_code, response.content) == (206, call.audio[start:stop])
    assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/200000"
    assert response.headers["Content-Length"] == str(stop - start)
    [opened] = access.audit.entries(entry_id=response.headers["Otokura-Entry-Id"])
    assert opened["detail"]["range"] == {"start": start, "stop": stop, "size": 200_000}


@pytest.mark.parametrize("header", ["bytes=200000-", "bytes=-0"])
def test_a_range_outside_the_recording_is_not_satisfiable(
    access: Access, supervisor: Person, call: Call, header: str
) -> None:
    response = audio(access, supervisor, call, headers={"Range": header})
    assert response.status_code == 416
    assert response.headers["Content-Range"] == "bytes */200000"
    assert response.headers["Content-Type"] == "application/problem+json"
    assert not access.audit.entries(action="read.opened", call_id=str(call.id))


def test_if_range_with_another_tag_gets_the_whole(access: Access, supervisor: Person, call: Call) -> None:
    etag = audio(access, supervisor, call).headers["ETag"]
    same = audio(access, supervisor, call, headers={"Range": "bytes=0-9", "If-Range": etag})
    other = audio(access, supervisor, call, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (same.status_code, other.status_code) == (206, 200)


def test_an_empty_recording_is_read_like_any_other(
    access: Access, tenant: Tenant, supervisor: Person
) -> None:
    response = audio(access, supervisor, tenant.call(audio=b""))
    assert (response.status_code, response.content) == (200, b"")


def test_a_long_recording_is_streamed_whole(access: Access, tenant: Tenant, supervisor: Person) -> None:
    long = bytes(range(256)) * 4096 * 20
    assert audio(access, supervisor, tenant.call(audio=long)).content == long


def test_head_tells_the_size_and_is_a_read_without_bytes(
    access: Access, supervisor: Person, call: Call
) -> None:
    with access.client(supervisor.token) as client:
        response = client.head(f"/v1/calls/{call.id}/audio", params=QUALITY)
    assert response.status_code == 200
    assert response.headers["Content-Length"] == "200000"
    assert response.headers["Accept-Ranges"] == "bytes"
    [opened] = access.audit.entries(entry_id=response.headers["Otokura-Entry-Id"])
    assert opened["detail"]["method"] == "HEAD"


def test_a_transcript_is_read_in_every_format(access: Access, supervisor: Person, call: Call) -> None:
    url = f"/v1/calls/{call.id}/transcript"
    with access.client(supervisor.token) as client:
        json = client.get(url, params=QUALITY)
        vtt = client.get(url, params=QUALITY, headers={"Accept": "text/vtt"})
        text = client.get(url, params=QUALITY | {"format": "text"})
        srt = client.get(url, params=QUALITY, headers={"Accept": "application/x-subrip"})
        vcon = client.get(url, params=QUALITY | {"format": "vcon"})
        html = client.get(url, params=QUALITY, headers={"Accept": "text/html"})
    assert Transcript.model_validate(json.json()) == call.transcript
    assert vtt.headers["Content-Type"] == "text/vtt; charset=utf-8"
    assert vtt.text.startswith("WEBVTT\n\n00:00:00.000 --> ")
    assert "A &lt; B &amp; C --&gt; D" in vtt.text
    assert "[00:00:00] agent: お電話ありがとうございます。" in text.text
    assert srt.headers["Content-Disposition"] == f'inline; filename="{call.id}.srt"'
    assert "customer: A ＜ B & C --＞ D" in srt.text
    assert vcon.headers["Content-Type"] == "application/vcon; charset=utf-8"
    [analysis] = vcon.json()["analysis"]
    assert Transcript.model_validate(analysis["body"]) == call.transcript
    assert vcon.json()["dialog"][0]["duration"] == 60.0
    assert (html.status_code, html.json()["type"]) == (406, "urn:otokura:problem:not-acceptable")
    ids = {response.headers["Otokura-Entry-Id"] for response in (json, vtt, text, srt, vcon)}
    opened = [
        e for e in access.audit.entries(action="read.opened", call_id=str(call.id)) if e["entry_id"] in ids
    ]
    assert [entry["detail"]["format"] for entry in opened] == ["json", "vtt", "text", "srt", "vcon"]


def test_an_agent_hears_their_own_calls_only(access: Access, tenant: Tenant) -> None:
    mine, other = tenant.call(agent_id="a-1"), tenant.call(agent_id="a-2")
    agent = tenant.person("agent", agent_ids=["a-1", "a-7"])
    assert audio(access, agent, mine).status_code == 200
    assert audio(access, agent, other).status_code == 404


def test_a_supervisor_hears_the_calls_of_their_teams_agents(access: Access, tenant: Tenant) -> None:
    tenant.person("agent", agent_ids=["a-1"], team="tokyo")
    tenant.person("agent", agent_ids=["a-2"], team="osaka")
    tokyo, osaka, nobodys = (tenant.call(agent_id=agent_id) for agent_id in ("a-1", "a-2", "a-3"))
    supervisor = tenant.person("supervisor", team="tokyo")
    assert [audio(access, supervisor, call).status_code for call in (tokyo, osaka, nobodys)] == [
        200,
        404,
        404,
    ]


@pytest.mark.guarantee("R4")
@pytest.mark.parametrize("role", ["auditor", "admin"])
def test_roles_without_content_are_refused(access: Access, tenant: Tenant, call: Call, role: str) -> None:
    person = tenant.person(role)
    with access.client(person.token) as client:
        for path in ("", f"/{call.id}", f"/{call.id}/audio", f"/{call.id}/transcript"):
            response = client.get(f"/v1/calls{path}", params=QUALITY)
            assert response.status_code == 403
            assert response.headers["Content-Type"] == "application/problem+json"
    denied = access.audit.entries(action="read.denied", reader=str(person.id))
    assert [entry["detail"]["action"] for entry in denied] == ["search", "view", "listen", "read-transcript"]


@pytest.mark.guarantee("R2")
def test_nobody_reads_from_outside_the_office(access: Access, supervisor: Person, call: Call) -> None:
    with access.client(supervisor.token, address=ELSEWHERE) as client:
        for path in ("", f"/{call.id}", f"/{call.id}/audio", f"/{call.id}/transcript", f"/{uuid4()}/audio"):
            response = client.get(f"/v1/calls{path}", params=QUALITY)
            assert (response.status_code, response.json()["why"]) == (403, ["outside-zones"])
    denied = access.audit.entries(action="read.denied", reader=str(supervisor.id))
    assert [entry["detail"]["address"] for entry in denied] == [ELSEWHERE] * 5
    assert not access.audit.entries(action="read.opened", call_id=str(call.id))


@pytest.mark.guarantee("R5")
def test_a_purpose_must_have_been_disclosed_for_the_call(
    access: Access, supervisor: Person, call: Call
) -> None:
    undisclosed = audio(access, supervisor, call, params={"purpose": "training"})
    assert undisclosed.status_code == 403
    assert undisclosed.json()["why"] == ["purpose-not-disclosed"]
    assert undisclosed.json()["purposes"] == ["quality"]
    missing = audio(access, supervisor, call, params={})
    assert missing.status_code == 422
    assert missing.json()["errors"][0]["pointer"] == "#/purpose"


@pytest.mark.guarantee("R6")
def test_calls_of_others_look_like_calls_that_are_not_there(access: Access, supervisor: Person) -> None:
    theirs = access.tenant().call()
    with access.client(supervisor.token) as client:
        for path in ("", "/audio", "/transcript"):
            hidden = client.get(f"/v1/calls/{theirs.id}{path}", params=QUALITY)
            missing = client.get(f"/v1/calls/{uuid4()}{path}", params=QUALITY)
            told = [{**r.json(), "instance": None} for r in (hidden, missing)]
            assert told[0] == told[1]
            assert (hidden.status_code, missing.status_code) == (404, 404)


def test_an_evidence_officer_says_why(access: Access, tenant: Tenant, call: Call) -> None:
    officer = tenant.person("evidence-officer")
    refused = audio(access, officer, call)
    assert (refused.status_code, refused.json()["why"]) == (403, ["reason-required"])
    assert audio(access, officer, call, params=QUALITY | {"reason": "case 7"}).status_code == 200


def test_a_call_that_is_not_sealed_has_nothing_to_hear_yet(
    access: Access, tenant: Tenant, supervisor: Person
) -> None:
    started = started_of(uuid4(), tenant.id)
    access.apply(started)
    with access.client(supervisor.token) as client:
        view = client.get(f"/v1/calls/{started.call_id}").json()
        response = client.get(f"/v1/calls/{started.call_id}/audio", params=QUALITY)
    assert (view["state"], view["recording"], view["transcript"]) == ("live", None, None)
    assert (response.status_code, response.json()["state"]) == (409, "live")


def test_what_went_wrong_is_shown(access: Access, tenant: Tenant, supervisor: Person) -> None:
    started = started_of(uuid4(), tenant.id)
    common = {"call_id": started.call_id, "tenant_id": tenant.id, "version": 2}
    at = datetime.now(UTC)
    settled = CallSettled(**common, outcome="failed", reason="no audio could be stored", settled_at=at)
    failed = TranscriptFailed(**common, reason="nobody speaks", failed_at=at)
    access.apply(started, settled, failed)
    with access.client(supervisor.token) as client:
        view = client.get(f"/v1/calls/{started.call_id}").json()
    assert (view["state"], view["failure"]) == ("failed", "no audio could be stored")
    assert view["transcript"]["failure"] == "nobody speaks"


def test_a_view_names_everything_but_the_content(access: Access, tenant: Tenant, supervisor: Person) -> None:
    tenant.person("agent", agent_ids=["2041"], team="tokyo")
    call = tenant.call()
    with access.client(supervisor.token) as client:
        response = client.get(f"/v1/calls/{call.id}")
    view = response.json()
    assert view["state"] == "sealed"
    assert view["team"] == "tokyo"
    assert view["recording"]["plaintext_sha256"] == call.manifest.recording.plaintext_sha256
    assert view["recording"]["manifest_sha256"] == call.manifest.sha256()
    assert view["transcript"]["words"] == 4
    [entry] = access.audit.entries(entry_id=response.headers["Otokura-Entry-Id"])
    assert (entry["action"], entry["detail"]["calls"]) == ("calls.searched", [str(call.id)])
