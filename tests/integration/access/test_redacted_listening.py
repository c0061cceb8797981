"""Who hears the recording without what is redacted, what is written down, and when there is none."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx
import numpy as np
import pytest

from access_calls import Call
from access_service import Access, Person, Tenant
from otokura.shared.events import TranscriptFailed
from redacted_calls import (
    RATE,
    REDACTED,
    Hidden,
    audio,
    clicks,
    flac,
    noise,
    opened,
    recorded,
    resealed,
    slow_reader,
    transcribed_again,
    wav_samples,
    without,
)

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.kafka, pytest.mark.any_broker]
HIDDEN: Hidden = [(1, 1000, 2000)]
SAID = noise(60)


@pytest.fixture
def supervisor(tenant: Tenant) -> Person:
    return tenant.person("supervisor")


def call_of(tenant: Tenant, hidden: Hidden | None = HIDDEN, **about: Any) -> Call:
    return recorded(tenant, flac(SAID), hidden, **{"samples": len(SAID), **about})


@pytest.fixture
def call(tenant: Tenant) -> Call:
    return call_of(tenant)


@pytest.mark.guarantee("T92")
def test_the_entry_says_which_view_was_heard_and_by_which_transcript(
    access: Access, supervisor: Person, call: Call
) -> None:
    response = audio(access, supervisor, call, "bytes=100-199", cover="tone")
    entry = opened(access, response)
    assert (entry["action"], entry["reader"]) == ("read.opened", str(supervisor.id))
    detail = entry["detail"]
    assert (detail["kind"], detail["action"], detail["view"]) == ("audio", "listen-redacted", "redacted")
    assert (detail["cover"], detail["transcript_version"], detail["purpose"]) == ("tone", 1, "quality")
    assert detail["range"] == {"start": 100, "stop": 200, "size": 44 + SAID.nbytes}
    assert detail["policies"] == ["supervisor-all-calls"]
    closed = access.audit.closed(entry["entry_id"])["detail"]
    assert (closed["outcome"], closed["bytes_sent"]) == ("complete", 100)
    raw = audio(access, supervisor, call, view="raw")
    assert raw.content == call.audio
    assert opened(access, raw)["detail"]["view"] == "raw"


@pytest.mark.guarantee("T92")
def test_what_is_heard_follows_the_newest_transcript(access: Access, supervisor: Person, call: Call) -> None:
    """Also what is silent in it alone, and what no longer is; a range does not go on with other bytes."""
    before = audio(access, supervisor, call)
    transcribed_again(access, call, [(0, 5000, 6000)])
    response = audio(access, supervisor, call)
    assert np.array_equal(wav_samples(response.content), without(SAID, [(0, 5000, 6000)]))
    assert opened(access, response)["detail"]["transcript_version"] == 2
    with access.client(supervisor.token) as client:
        headers = {"Range": "bytes=0-9", "If-Range": before.headers["ETag"]}
        again = client.get(f"/v1/calls/{call.id}/audio", params=REDACTED, headers=headers)
    assert (again.status_code, again.content) == (200, response.content)


@pytest.mark.guarantee("T92")
def test_an_analyst_reads_and_hears_nothing(access: Access, tenant: Tenant, call: Call) -> None:
    analyst = tenant.person("analyst")
    response = audio(access, analyst, call)
    assert (response.status_code, response.json()["why"]) == (403, ["no-policy-permits"])
    [denied] = access.audit.entries(action="read.denied", reader=str(analyst.id))
    assert denied["detail"]["action"] == "listen-redacted"
    assert not access.audit.entries(action="read.opened", call_id=str(call.id))


@pytest.mark.guarantee("T92")
def test_each_role_hears_what_it_may_listen_to(access: Access, tenant: Tenant) -> None:
    mine, other = call_of(tenant, agent_id="a-1"), call_of(tenant, agent_id="a-2")
    agent = tenant.person("agent", agent_ids=["a-1"], team="tokyo")
    tenant.person("agent", agent_ids=["a-2"], team="osaka")
    lead, officer = tenant.person("supervisor", team="tokyo"), tenant.person("evidence-officer")
    stranger = access.tenant().person("supervisor")
    for who, statuses in [(agent, (200, 404)), (lead, (200, 404)), (stranger, (404, 404))]:
        assert tuple(audio(access, who, call).status_code for call in (mine, other)) == statuses
    assert audio(access, officer, mine).json()["why"] == ["reason-required"]
    assert audio(access, officer, mine, reason="case 7").status_code == 200
    assert audio(access, lead, mine, purpose="training").json()["why"] == ["purpose-not-disclosed"]
    for role in ("auditor", "admin"):
        assert audio(access, tenant.person(role), mine).status_code == 403


@pytest.mark.guarantee("T92")
def test_a_listening_under_way_ends_when_its_permission_does(
    access: Access, tenant: Tenant, supervisor: Person
) -> None:
    call = recorded(tenant, clicks(30), [], samples=30 * 60 * RATE)
    with slow_reader(access, supervisor, call) as connection:
        received = len(connection.recv(4096))
        with access.client(tenant.admin) as client:
            assert client.delete(f"/v1/principals/{supervisor.id}").status_code == 204
        time.sleep(0.5)
        while chunk := connection.recv(65536):
            received += len(chunk)
    closed = access.audit.entry(action="read.closed", call_id=str(call.id))["detail"]
    assert closed["outcome"] == "revoked"
    assert max(received, closed["bytes_sent"]) < 30 * 60 * RATE * 4


@pytest.mark.guarantee("T93")
def test_a_recording_whose_transcript_nobody_searched_is_not_given_as_redacted(
    access: Access, tenant: Tenant, supervisor: Person
) -> None:
    """Nor its size; and the newest transcript counts, even if an older one was searched."""
    never, once = call_of(tenant, None), call_of(tenant)
    transcribed_again(access, once, None)
    for call in (never, once):
        response = audio(access, supervisor, call)
        assert (response.status_code, response.json()["title"]) == (409, "Not ready")
        assert "transcribed again" in response.json()["detail"]
        with access.client(supervisor.token) as client:
            head = client.head(f"/v1/calls/{call.id}/audio", params=REDACTED)
        assert head.status_code == 409
        [first, _] = access.audit.entries(action="read.opened", call_id=str(call.id))
        assert access.audit.closed(first["entry_id"])["detail"]["bytes_sent"] == 0


@pytest.mark.guarantee("T93")
def test_without_a_transcript_or_a_recording_there_is_nothing_to_hear(
    access: Access, tenant: Tenant, supervisor: Person
) -> None:
    waiting, failed, live = call_of(tenant), call_of(tenant), call_of(tenant)
    for one in (waiting, failed):
        access.query("DELETE FROM transcripts WHERE call_id = :id", id=one.id)
    ids = {"call_id": failed.id, "tenant_id": tenant.id}
    at = failed.manifest.ended_at
    access.apply(TranscriptFailed(**ids, version=2, reason="nobody speaks", failed_at=at))
    access.query("UPDATE calls SET manifest = NULL WHERE call_id = :id", id=live.id)
    answers = [audio(access, supervisor, one) for one in (waiting, failed, live)]
    assert [answer.status_code for answer in answers] == [409, 409, 409]
    told = [answer.json()["detail"] for answer in answers]
    assert "not ready" in told[0]
    assert "nobody speaks" in told[1]
    assert "no recording" in told[2]
    for one in (waiting, failed, live):
        assert not access.audit.entries(action="read.opened", call_id=str(one.id))


def flip(position: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[position] ^= 1
        return bytes(changed)

    return change


def assert_refused_loudly(access: Access, response: httpx.Response, call: Call) -> None:
    assert (response.status_code, response.json()["type"]) == (500, "urn:otokura:problem:integrity")
    assert "integrity failure" in access.log_text()
    [entry] = access.audit.entries(action="read.opened", call_id=str(call.id))
    closed = access.audit.closed(entry["entry_id"])["detail"]
    assert (closed["outcome"], closed["bytes_sent"]) == ("integrity", 0)


@pytest.mark.guarantee("T93")
@pytest.mark.parametrize("what", ["recording", "transcript", "gone"])
def test_what_was_tampered_with_is_not_decoded(
    access: Access, supervisor: Person, tenant: Tenant, call: Call, what: str
) -> None:
    if what == "transcript":
        access.replace_object(f"transcripts/{tenant.id}/{call.id}/1", flip(200), "transcripts")
    else:
        change: Callable[[bytes], bytes] = flip(100) if what == "recording" else lambda data: data[:-1]
        access.replace_object(call.manifest.recording.name, change)
    assert_refused_loudly(access, audio(access, supervisor, call, "bytes=0-99"), call)


@pytest.mark.guarantee("T93")
def test_a_recording_that_is_changed_far_behind_ends_there(
    access: Access, supervisor: Person, call: Call
) -> None:
    """What came before was authentic, and the answer is not whole."""
    access.replace_object(call.manifest.recording.name, flip(1_500_000))
    with (
        access.client(supervisor.token) as client,
        client.stream("GET", f"/v1/calls/{call.id}/audio", params=REDACTED) as response,
    ):
        entry_id = response.headers["Otokura-Entry-Id"]
        received = until_it_breaks(response)
    whole = without(SAID, HIDDEN).tobytes()
    assert len(whole) > len(received) > 44
    assert received[44:] == whole[: len(received) - 44]
    assert access.audit.closed(entry_id)["detail"]["outcome"] == "integrity"


def until_it_breaks(response: httpx.Response) -> bytes:
    """What came before the connection was cut."""
    received = bytearray()
    with suppress(httpx.RemoteProtocolError):
        for chunk in response.iter_raw():
            received += chunk
    return bytes(received)


@pytest.mark.guarantee("T93")
@pytest.mark.parametrize(
    "about",
    [
        {"samples": len(SAID) - 1},
        {"samples": len(SAID) + 1},
        {"sample_rate": 16_000},
        {"channels": [{"role": "mixed"}]},
    ],
    ids=["longer", "shorter", "rate", "channels"],
)
def test_a_recording_that_is_not_what_its_manifest_says_is_an_integrity_error(
    access: Access, supervisor: Person, tenant: Tenant, about: dict[str, Any]
) -> None:
    """Then nobody knows where the spans lie in it."""
    call = resealed(access, call_of(tenant, [(0, 1000, 2000)]), **about)
    size = 44 + call.manifest.samples * 2 * len(call.manifest.channels)
    assert_refused_loudly(access, audio(access, supervisor, call, f"bytes={size - 1000}-"), call)
